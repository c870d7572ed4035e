package light

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Transaction is a transaction as its hash fixes it: one of Signed and Deposit is set.
type Transaction struct {
	Type    byte
	Hash    common.Hash
	Raw     []byte             // EIP-2718
	Signed  *types.Transaction // of a user
	Deposit *Deposit           // of L1

	BlockNumber uint64
	Index       uint64 // in the block
}

// Deposit is a transaction that L1 ordered (OP Stack specification, "Deposits").
type Deposit struct {
	SourceHash common.Hash
	From       common.Address
	To         *common.Address `rlp:"nil"` // nil creates a contract
	Mint       *big.Int        // wei
	Value      *big.Int        // wei
	Gas        uint64
	IsSystem   bool
	Data       []byte
}

// Sender is who sent it: recovered from the signature, or the deposit's.
func (t *Transaction) Sender() (common.Address, error) {
	if t.Deposit != nil {
		return t.Deposit.From, nil
	}
	var signer types.Signer = types.HomesteadSigner{}
	if t.Signed.Protected() {
		signer = types.LatestSignerForChainID(t.Signed.ChainId())
	}
	from, err := types.Sender(signer, t.Signed)
	if err != nil {
		return from, fault(CodeContent, "transaction %s: %v", t.Hash, err)
	}
	return from, nil
}

// ParseTransaction reads a transaction's JSON and encodes it again. Members that its hash
// does not cover are not taken over, and a hash that is not of the others is a fault.
func ParseTransaction(raw []byte) (*Transaction, error) {
	var head struct {
		Type *hexutil.Uint64 `json:"type"`
		Hash *common.Hash    `json:"hash"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fault(CodeEncoding, "transaction: %v", err)
	}
	if head.Type == nil || head.Hash == nil || *head.Type >= 0x80 {
		return nil, fault(CodeEncoding, "transaction: type or hash is missing or out of range")
	}
	t := &Transaction{Type: byte(*head.Type)}
	var err error
	if t.Type == DepositType {
		err = t.parseDeposit(raw)
	} else {
		t.Signed = new(types.Transaction)
		if err = t.Signed.UnmarshalJSON(raw); err == nil {
			t.Raw, err = t.Signed.MarshalBinary()
		}
	}
	if err != nil {
		return nil, fault(CodeEncoding, "transaction %s: %v", *head.Hash, err)
	}
	if t.Hash = crypto.Keccak256Hash(t.Raw); t.Hash != *head.Hash {
		return nil, fault(CodeContent, "transaction %s: its members hash to %s", *head.Hash, t.Hash)
	}
	return t, nil
}

func (t *Transaction) parseDeposit(raw []byte) error {
	var j struct {
		SourceHash common.Hash     `json:"sourceHash"`
		From       common.Address  `json:"from"`
		To         *common.Address `json:"to"`
		Mint       *hexutil.Big    `json:"mint"`
		Value      *hexutil.Big    `json:"value"`
		Gas        hexutil.Uint64  `json:"gas"`
		IsSystem   bool            `json:"isSystemTx"`
		Data       hexutil.Bytes   `json:"input"`
	}
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	d := &Deposit{SourceHash: j.SourceHash, From: j.From, To: j.To, Mint: new(big.Int), Value: new(big.Int), Gas: uint64(j.Gas), IsSystem: j.IsSystem, Data: j.Data}
	if j.Mint != nil {
		d.Mint = j.Mint.ToInt()
	}
	if j.Value != nil {
		d.Value = j.Value.ToInt()
	}
	enc, err := rlp.EncodeToBytes(d)
	t.Deposit, t.Raw = d, append([]byte{DepositType}, enc...)
	return err
}
