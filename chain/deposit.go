package chain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// DepositTxType marks a transaction that L1 ordered: it has no signature and pays
// no L2 gas. Source: OP Stack specification, "Deposits".
const DepositTxType = 0x7E

// Deposit is the body of a deposit transaction, in the specification's field order.
type Deposit struct {
	SourceHash common.Hash
	From       common.Address
	To         *common.Address `rlp:"nil"` // nil creates a contract
	Mint       *big.Int        // wei credited to From before execution
	Value      *big.Int        // wei sent
	Gas        Gas
	IsSystem   bool // always false; kept by the format
	Data       []byte
}

// L1Attributes describe the L1 block from which an L2 block takes its deposits.
type L1Attributes struct {
	Number         uint64
	Hash           common.Hash
	Timestamp      uint64 // seconds
	BaseFee        *big.Int
	BlobBaseFee    *big.Int
	PrevRandao     common.Hash
	ParentBeacon   common.Hash // the L1 block's parentBeaconBlockRoot
	SequenceNumber uint64      // L2 blocks since the origin last changed
	Batcher        common.Address
	// Scalars of the L1 data fee.
	BaseFeeScalar, BlobBaseFeeScalar uint32
	// GasTokenRate is zero where the native currency is ether.
	GasTokenRate TokenRate
}

// setL1BlockValuesEcotone() of the L1Block predeploy, and setL1BlockValuesGasToken(), which
// takes the rate behind the same data.
var (
	l1AttributesSelector      = [4]byte{0x44, 0x0a, 0x5e, 0x20}
	l1AttributesTokenSelector = [4]byte{0xc5, 0xa6, 0x75, 0x41}
)

// L1AttributesGas is the gas of the L1-attributes deposit.
const L1AttributesGas Gas = 1_000_000

// Lengths of the packed calldata, without and with a rate.
const (
	l1AttributesLen      = 4 + 4 + 4 + 8 + 8 + 8 + 32 + 32 + 32 + 32
	l1AttributesTokenLen = l1AttributesLen + 8 + 8 + 8
)

// Tx builds the first transaction of a block (OP Stack specification, "L1
// attributes deposited transaction", Ecotone layout; with a rate, as L1Block says).
func (a *L1Attributes) Tx() *Tx {
	data := make([]byte, 0, l1AttributesTokenLen)
	if a.GasTokenRate == (TokenRate{}) {
		data = append(data, l1AttributesSelector[:]...)
	} else {
		data = append(data, l1AttributesTokenSelector[:]...)
	}
	data = binary.BigEndian.AppendUint32(data, a.BaseFeeScalar)
	data = binary.BigEndian.AppendUint32(data, a.BlobBaseFeeScalar)
	data = binary.BigEndian.AppendUint64(data, a.SequenceNumber)
	data = binary.BigEndian.AppendUint64(data, a.Timestamp)
	data = binary.BigEndian.AppendUint64(data, a.Number)
	data = append(data, word(a.BaseFee)...)
	data = append(data, word(a.BlobBaseFee)...)
	data = append(data, a.Hash[:]...)
	data = append(data, common.LeftPadBytes(a.Batcher[:], 32)...)
	if a.GasTokenRate != (TokenRate{}) {
		rate := a.GasTokenRate.Word()
		data = append(data, rate[8:]...)
	}

	var seq [32]byte
	binary.BigEndian.PutUint64(seq[24:], a.SequenceNumber)
	to := L1BlockAddr
	return NewDepositTx(&Deposit{
		SourceHash: sourceHash(1, a.Hash, seq),
		From:       L1AttributesDepositor,
		To:         &to,
		Mint:       new(big.Int), Value: new(big.Int),
		Gas: L1AttributesGas, Data: data,
	})
}

// ParseL1Attributes reads what an L1-attributes deposit carries of its L1 block:
// number, hash, timestamp, fees, sequence number, batcher, scalars and rate. PrevRandao and
// ParentBeacon are not part of it and stay zero.
func ParseL1Attributes(tx *Tx) (L1Attributes, error) {
	if tx.Deposit == nil || tx.Deposit.From != L1AttributesDepositor {
		return L1Attributes{}, errors.New("not an L1-attributes deposit")
	}
	d := tx.Deposit.Data
	var rate TokenRate
	switch {
	case len(d) == l1AttributesLen && [4]byte(d[:4]) == l1AttributesSelector:
	case len(d) == l1AttributesTokenLen && [4]byte(d[:4]) == l1AttributesTokenSelector:
		var word common.Hash
		copy(word[8:], d[l1AttributesLen:])
		rate = TokenRateOf(word)
	default:
		return L1Attributes{}, fmt.Errorf("L1-attributes deposit: %d bytes of calldata, want %d of setL1BlockValuesEcotone or %d of setL1BlockValuesGasToken",
			len(d), l1AttributesLen, l1AttributesTokenLen)
	}
	return L1Attributes{
		GasTokenRate:      rate,
		BaseFeeScalar:     binary.BigEndian.Uint32(d[4:]),
		BlobBaseFeeScalar: binary.BigEndian.Uint32(d[8:]),

		SequenceNumber: binary.BigEndian.Uint64(d[12:]),
		Timestamp:      binary.BigEndian.Uint64(d[20:]),
		Number:         binary.BigEndian.Uint64(d[28:]),
		BaseFee:        new(big.Int).SetBytes(d[36:68]),
		BlobBaseFee:    new(big.Int).SetBytes(d[68:100]),
		Hash:           common.Hash(d[100:132]),
		Batcher:        common.Address(d[144:164]),
	}, nil
}

// DepositEventTopic is the first topic of the portal's
// TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData).
var DepositEventTopic = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))

// DepositFromLog turns a portal event of the L1 block blockHash into the deposit
// transaction it stands for. log.Index must be the log's index in its block.
func DepositFromLog(log *types.Log, blockHash common.Hash) (*Tx, error) {
	if len(log.Topics) != 4 || log.Topics[0] != DepositEventTopic {
		return nil, fmt.Errorf("deposit log %d: not a TransactionDeposited event", log.Index)
	}
	if log.Topics[3] != (common.Hash{}) {
		return nil, fmt.Errorf("deposit log %d: version %x is not known", log.Index, log.Topics[3])
	}
	opaque, err := eventBytes(log.Data)
	if err != nil {
		return nil, fmt.Errorf("deposit log %d: %w", log.Index, err)
	}
	const head = 32 + 32 + 8 + 1
	if len(opaque) < head {
		return nil, fmt.Errorf("deposit log %d: opaque data of %d bytes, want at least %d", log.Index, len(opaque), head)
	}
	var index [32]byte
	binary.BigEndian.PutUint64(index[24:], uint64(log.Index))
	dep := &Deposit{
		SourceHash: sourceHash(0, blockHash, index),
		From:       common.Address(log.Topics[1][12:]),
		Mint:       new(big.Int).SetBytes(opaque[:32]),
		Value:      new(big.Int).SetBytes(opaque[32:64]),
		Gas:        binary.BigEndian.Uint64(opaque[64:72]),
		Data:       common.CopyBytes(opaque[head:]),
	}
	if opaque[72] == 0 {
		to := common.Address(log.Topics[2][12:])
		dep.To = &to
	}
	return NewDepositTx(dep), nil
}

// AliasOfL1 is the address under which a contract of L1 acts on L2: its own plus
// 0x1111000000000000000000000000000000001111, modulo 2^160 (OP Stack specification,
// "Address aliasing"). Accounts with a key keep theirs.
func AliasOfL1(contract common.Address) common.Address {
	offset := new(big.Int).SetBytes(common.FromHex("0x1111000000000000000000000000000000001111"))
	return common.BigToAddress(offset.Add(offset, contract.Big()))
}

func sourceHash(domain byte, blockHash common.Hash, index [32]byte) common.Hash {
	inner := crypto.Keccak256(blockHash[:], index[:])
	var d [32]byte
	d[31] = domain
	return crypto.Keccak256Hash(d[:], inner)
}

func word(v *big.Int) []byte {
	if v == nil {
		return make([]byte, 32)
	}
	return common.LeftPadBytes(v.Bytes(), 32)
}

func (d *Deposit) encode() []byte {
	body, err := rlp.EncodeToBytes(d)
	if err != nil {
		panic(fmt.Sprintf("encode deposit: %v", err)) // own value: cannot fail
	}
	return append([]byte{DepositTxType}, body...)
}
