package chain

import (
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// BlockID names a sealed block.
type BlockID struct {
	Number uint64
	Hash   common.Hash
}

// Block is a sealed block: an Ethereum header and its transactions. Uncles and
// withdrawals are always empty.
type Block struct {
	Header   *types.Header
	Txs      []*Tx
	Receipts []*Receipt
	// MiniBlocks are the headers, in order, that the block is made of.
	MiniBlocks []MiniBlockHeader

	hash common.Hash
}

// NewBlock computes the hash once; the header must not change afterwards.
func NewBlock(h *types.Header, txs []*Tx, receipts []*Receipt, minis []MiniBlockHeader) *Block {
	return &Block{Header: h, Txs: txs, Receipts: receipts, MiniBlocks: minis, hash: h.Hash()}
}

// Hash is keccak256 of the RLP header.
func (b *Block) Hash() common.Hash { return b.hash }

// Number is the block's height.
func (b *Block) Number() uint64 { return b.Header.Number.Uint64() }

// Extra is what a header's extraData holds: version byte, EIP-1559 parameters and
// the hash of the block's last mini-block (zero in the genesis block).
type Extra struct {
	Denominator   uint32
	Elasticity    uint32
	MinBaseFee    uint64 // wei per gas
	LastMiniBlock common.Hash
}

const (
	extraVersion = 1
	extraLen     = 1 + 4 + 4 + 8 + 32
)

// Encode is the canonical 49 bytes.
func (e Extra) Encode() []byte {
	out := make([]byte, 0, extraLen)
	out = append(out, extraVersion)
	out = binary.BigEndian.AppendUint32(out, e.Denominator)
	out = binary.BigEndian.AppendUint32(out, e.Elasticity)
	out = binary.BigEndian.AppendUint64(out, e.MinBaseFee)
	return append(out, e.LastMiniBlock[:]...)
}

// DecodeExtra reads extraData.
func DecodeExtra(b []byte) (Extra, error) {
	if len(b) != extraLen || b[0] != extraVersion {
		return Extra{}, fmt.Errorf("extraData: %d bytes, want %d of version %d", len(b), extraLen, extraVersion)
	}
	e := Extra{
		Denominator:   binary.BigEndian.Uint32(b[1:]),
		Elasticity:    binary.BigEndian.Uint32(b[5:]),
		MinBaseFee:    binary.BigEndian.Uint64(b[9:]),
		LastMiniBlock: common.Hash(b[17:]),
	}
	if e.Denominator == 0 || e.Elasticity == 0 {
		return Extra{}, fmt.Errorf("extraData: denominator %d, elasticity %d: must be positive", e.Denominator, e.Elasticity)
	}
	return e, nil
}

// ParamsOf are the parameters of a block. A header without extraData, as a simulated
// one, has those that the chain began with.
func ParamsOf(cfg *Config, h *types.Header) BlockParams {
	p := cfg.BlockParams()
	p.GasLimit = h.GasLimit
	if e, err := DecodeExtra(h.Extra); err == nil {
		p.Denominator, p.Elasticity, p.MinBaseFee = e.Denominator, e.Elasticity, e.MinBaseFee
	}
	return p
}

// NextBaseFee is the base fee of parent's child in wei per gas (EIP-1559 with the
// parameters and the floor of parent's extraData).
func NextBaseFee(cfg *Config, parent *types.Header) *big.Int {
	p := ParamsOf(cfg, parent)
	target := parent.GasLimit / uint64(p.Elasticity)
	fee := new(big.Int).Set(parent.BaseFee)
	floor := new(big.Int).SetUint64(p.MinBaseFee)
	if target == 0 || parent.GasUsed == target {
		return maxInt(fee, floor)
	}
	over := parent.GasUsed > target
	gap := parent.GasUsed - target
	if !over {
		gap = target - parent.GasUsed
	}
	delta := new(big.Int).Mul(parent.BaseFee, new(big.Int).SetUint64(gap))
	delta.Div(delta, new(big.Int).SetUint64(target))
	delta.Div(delta, new(big.Int).SetUint64(uint64(p.Denominator)))
	if !over {
		return maxInt(fee.Sub(fee, delta), floor)
	}
	if delta.Sign() == 0 {
		delta.SetUint64(1)
	}
	return maxInt(fee.Add(fee, delta), floor)
}

func maxInt(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

// Attributes are the inputs of a block besides its transactions.
type Attributes struct {
	Timestamp    uint64 // seconds, not before the parent's
	PrevRandao   common.Hash
	ParentBeacon common.Hash
	Params       BlockParams // zero: those that the chain began with
	// BaseFee in wei per gas replaces that of EIP-1559 on a development chain; nil
	// elsewhere.
	BaseFee *big.Int
}
