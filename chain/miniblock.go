package chain

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/keccak"
)

// MiniBlockHeader commits to one mini-block. The RLP list of the fields in this
// order is the canonical encoding (docs/spec/miniblock.md).
type MiniBlockHeader struct {
	ChainID         uint64
	Epoch           uint64      // grows with every change of leader
	Number          uint64      // global, gapless from 0
	ParentHash      common.Hash // hash of mini-block Number-1; of number 0: the genesis block's hash
	BlockNumber     uint64      // block that this mini-block is part of
	Index           uint64      // position in the block, from 0
	TimestampMicros Micros      // Unix time of the cut
	FirstTxIndex    uint64      // index in the block of the first transaction
	TxCount         uint64
	GasUsed         Gas
	TxsHash         common.Hash // keccak256 of the concatenated transaction hashes
	ReceiptsHash    common.Hash // keccak256 of the RLP list of the encoded receipts
	DiffHash        common.Hash // keccak256 of the RLP block access list (EIP-7928)
}

// EndsBefore reports whether the mini-block ends before the transaction with the index in
// the block, or there.
func (h *MiniBlockHeader) EndsBefore(tx uint64) bool { return h.FirstTxIndex+h.TxCount <= tx }

// miniBlockDomain separates mini-block hashes from every other signed hash.
const miniBlockDomain = 0x01

// MaxMiniBlockTxs bounds TxCount, so that every transaction has a block access
// index of 16 bits.
const MaxMiniBlockTxs = 65_000

// Hash is keccak256(0x01 ‖ RLP(header)), the 32 bytes that the leader signs.
func (h *MiniBlockHeader) Hash() common.Hash {
	var buf bytes.Buffer
	buf.WriteByte(miniBlockDomain)
	if err := rlp.Encode(&buf, h); err != nil {
		panic(fmt.Sprintf("encode mini-block header: %v", err)) // own value: cannot fail
	}
	return crypto.Keccak256Hash(buf.Bytes())
}

// Signature is a secp256k1 signature r ‖ s ‖ v with low s and v in {0, 1}.
type Signature [crypto.SignatureLength]byte

// Sign signs the header's hash.
func (h *MiniBlockHeader) Sign(key *ecdsa.PrivateKey) (Signature, error) {
	hash := h.Hash()
	sig, err := crypto.Sign(hash[:], key)
	if err != nil {
		return Signature{}, fmt.Errorf("sign mini-block %d: %w", h.Number, err)
	}
	return Signature(sig), nil
}

// Signer recovers who signed the header; a signature with high s is refused.
func (h *MiniBlockHeader) Signer(sig Signature) (common.Address, error) {
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64])
	if !crypto.ValidateSignatureValues(sig[64], r, s, true) {
		return common.Address{}, errors.New("mini-block signature: r, s or v out of range")
	}
	hash := h.Hash()
	pub, err := crypto.SigToPub(hash[:], sig[:])
	if err != nil {
		return common.Address{}, fmt.Errorf("mini-block signature: %w", err)
	}
	return crypto.PubkeyToAddress(*pub), nil
}

// TxsHash is keccak256 of the concatenated transaction hashes.
func TxsHash(txs []*Tx) common.Hash {
	all := make([]byte, 0, len(txs)*common.HashLength)
	for _, tx := range txs {
		all = append(all, tx.hash[:]...)
	}
	return keccak.Sum256(all)
}

// ReceiptsHash is keccak256 of the RLP list of the receipts' consensus encodings.
func ReceiptsHash(receipts []*Receipt) common.Hash {
	return keccak.Sum256(AppendReceipts(make([]byte, 0, ReceiptsSize(receipts)), receipts))
}

// MiniBlock is a signed header with what it commits to.
type MiniBlock struct {
	Header    MiniBlockHeader
	Signature Signature
	Txs       []*Tx
	Receipts  []*Receipt
	Diff      []byte // RLP block access list, whose keccak256 is Header.DiffHash
}
