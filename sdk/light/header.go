package light

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Header commits to one mini-block; docs/spec/miniblock.md tells what the fields mean.
// RLP of the fields in this order is what is hashed.
type Header struct {
	ChainID         uint64
	Epoch           uint64
	Number          uint64
	ParentHash      common.Hash
	BlockNumber     uint64
	Index           uint64 // position in the block
	TimestampMicros uint64 // Unix time
	FirstTxIndex    uint64 // position in the block of the first transaction
	TxCount         uint64
	GasUsed         uint64
	TxsHash         common.Hash
	ReceiptsHash    common.Hash
	DiffHash        common.Hash
}

// hashDomain stands before the header in what is hashed.
const hashDomain = 0x01

// Hash is keccak256(0x01 ‖ RLP(header)).
func (h *Header) Hash() common.Hash {
	enc, err := rlp.EncodeToBytes(h)
	if err != nil {
		panic(err) // integers and fixed bytes: cannot fail
	}
	return crypto.Keccak256Hash([]byte{hashDomain}, enc)
}

// Signature is r ‖ s ‖ v with s at most half the order and v 0 or 1; all zero: nobody
// signed.
type Signature [65]byte

// MarshalText is 0x and hex.
func (s Signature) MarshalText() ([]byte, error) { return hexutil.Bytes(s[:]).MarshalText() }

// UnmarshalText takes 0x and 130 digits.
func (s *Signature) UnmarshalText(text []byte) error {
	return hexutil.UnmarshalFixedText("Signature", text, s[:])
}

// Signed is a header with the leader's signature. Deposits that L1 forced in come in
// mini-blocks that nobody signed; the signed ones behind vouch for them by parent links.
type Signed struct {
	Header    Header
	Signature Signature
}

// Unsigned reports whether there is no signature.
func (s *Signed) Unsigned() bool { return s.Signature == Signature{} }

// Signer recovers who signed; its error has CodeSignature.
func (s *Signed) Signer() (common.Address, error) {
	sig := &s.Signature
	r, v := new(big.Int).SetBytes(sig[:32]), sig[64]
	if !crypto.ValidateSignatureValues(v, r, new(big.Int).SetBytes(sig[32:64]), true) {
		return common.Address{}, fault(CodeSignature, "mini-block %d: r, s or v is out of range", s.Header.Number)
	}
	hash := s.Header.Hash()
	pub, err := crypto.SigToPub(hash[:], sig[:])
	if err != nil {
		return common.Address{}, fault(CodeSignature, "mini-block %d: %v", s.Header.Number, err)
	}
	return crypto.PubkeyToAddress(*pub), nil
}

// signedJSON is the part of a mini-block's JSON that is the signed header.
type signedJSON struct {
	ChainID         *hexutil.Uint64 `json:"chainId"`
	Epoch           *hexutil.Uint64 `json:"epoch"`
	Number          *hexutil.Uint64 `json:"number"`
	ParentHash      *common.Hash    `json:"parentHash"`
	BlockNumber     *hexutil.Uint64 `json:"blockNumber"`
	Index           *hexutil.Uint64 `json:"index"`
	TimestampMicros *hexutil.Uint64 `json:"timestampMicros"`
	FirstTxIndex    *hexutil.Uint64 `json:"firstTxIndex"`
	TxCount         *hexutil.Uint64 `json:"txCount"`
	GasUsed         *hexutil.Uint64 `json:"gasUsed"`
	TxsHash         *common.Hash    `json:"txsHash"`
	ReceiptsHash    *common.Hash    `json:"receiptsHash"`
	DiffHash        *common.Hash    `json:"diffHash"`
	Hash            *common.Hash    `json:"hash"`
	Signature       *Signature      `json:"signature"`
}

// MarshalJSON has the members of talaria_getMiniBlock.
func (s Signed) MarshalJSON() ([]byte, error) {
	h := s.Header
	hash := h.Hash()
	n := func(v uint64) *hexutil.Uint64 { return (*hexutil.Uint64)(&v) }
	return json.Marshal(&signedJSON{
		n(h.ChainID), n(h.Epoch), n(h.Number), &h.ParentHash, n(h.BlockNumber), n(h.Index), n(h.TimestampMicros),
		n(h.FirstTxIndex), n(h.TxCount), n(h.GasUsed), &h.TxsHash, &h.ReceiptsHash, &h.DiffHash, &hash, &s.Signature,
	})
}

// UnmarshalJSON takes talaria_getMiniBlock's answer. All members must be there and the
// hash be the header's.
func (s *Signed) UnmarshalJSON(raw []byte) error {
	var j signedJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return fault(CodeEncoding, "mini-block: %v", err)
	}
	out := Signed{}
	h := &out.Header
	for _, f := range []struct {
		to   *uint64
		from *hexutil.Uint64
		name string
	}{
		{&h.ChainID, j.ChainID, "chainId"}, {&h.Epoch, j.Epoch, "epoch"}, {&h.Number, j.Number, "number"},
		{&h.BlockNumber, j.BlockNumber, "blockNumber"}, {&h.Index, j.Index, "index"},
		{&h.TimestampMicros, j.TimestampMicros, "timestampMicros"}, {&h.FirstTxIndex, j.FirstTxIndex, "firstTxIndex"},
		{&h.TxCount, j.TxCount, "txCount"}, {&h.GasUsed, j.GasUsed, "gasUsed"},
	} {
		if f.from == nil {
			return fault(CodeEncoding, "mini-block lacks %s", f.name)
		}
		*f.to = uint64(*f.from)
	}
	if j.Signature == nil || j.Hash == nil {
		return fault(CodeEncoding, "mini-block lacks signature or hash")
	}
	out.Signature = *j.Signature
	for _, f := range []struct {
		to, from *common.Hash
		name     string
	}{
		{&h.ParentHash, j.ParentHash, "parentHash"}, {&h.TxsHash, j.TxsHash, "txsHash"},
		{&h.ReceiptsHash, j.ReceiptsHash, "receiptsHash"}, {&h.DiffHash, j.DiffHash, "diffHash"},
	} {
		if f.from == nil {
			return fault(CodeEncoding, "mini-block lacks %s", f.name)
		}
		*f.to = *f.from
	}
	if got := h.Hash(); got != *j.Hash {
		return fault(CodeContent, "mini-block %d: hash is %s, the node says %s", h.Number, got, *j.Hash)
	}
	*s = out
	return nil
}
