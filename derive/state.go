package derive

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/chain"
)

// Head is what the rules need to know of the L2 block that the next one builds on.
type Head struct {
	Number         uint64         `json:"number"`
	Hash           common.Hash    `json:"hash"`
	Timestamp      uint64         `json:"timestamp"`
	LastMicros     chain.Micros   `json:"lastMicros"` // timestamp of the last mini-block
	Origin         chain.L1Origin `json:"origin"`
	SequenceNumber uint64         `json:"sequenceNumber"`
	Epoch          uint64         `json:"epoch"` // of the last mini-block
	// System is the configuration as of Origin.
	System chain.SystemConfig `json:"system"`
}

// ID names the block.
func (h Head) ID() chain.BlockID { return chain.BlockID{Number: h.Number, Hash: h.Hash} }

// State is a point from which derivation can start or go on.
type State struct {
	Head Head `json:"head"`
	// PostedIn is the L1 block with which Head became derivable; of genesis its L1
	// origin.
	PostedIn chain.L1Origin `json:"postedIn"`
	// From is the first L1 block to push: early enough for the origin and for every frame
	// of a channel that can still be open. Its own batches are not read.
	From uint64 `json:"from"`
	// Reading is the configuration after the L1 block From.
	Reading chain.SystemConfig `json:"reading"`
	// Resume says which channels of PostedIn were not looked at since the work of an L1
	// block was used up: those of this order or later. Zero looks at all again.
	Resume Position `json:"resume"`
}

// GenesisState is the state before the first L2 block.
func GenesisState(g *chain.Genesis, genesisHash common.Hash) State {
	return State{
		Head: Head{
			Hash: genesisHash, Timestamp: g.Timestamp, LastMicros: chain.Micros(g.Timestamp) * 1_000_000,
			Origin: g.L1Origin, System: g.Config.System(),
		},
		PostedIn: g.L1Origin, From: g.L1Origin.Number, Reading: g.Config.System(),
	}
}

// HeadOf is the head that a sealed block, not genesis, makes. It wants the block's
// transactions and mini-block headers. Of System, who sequences and the mode of data
// availability are not in a block and stay zero.
func HeadOf(cfg *chain.Config, b *chain.Block) (Head, error) {
	if len(b.Txs) == 0 || len(b.MiniBlocks) == 0 {
		return Head{}, fmt.Errorf("head of block %d: %d transactions, %d mini-blocks: want both", b.Number(), len(b.Txs), len(b.MiniBlocks))
	}
	attrs, err := chain.ParseL1Attributes(b.Txs[0])
	if err != nil {
		return Head{}, fmt.Errorf("head of block %d: %w", b.Number(), err)
	}
	last := &b.MiniBlocks[len(b.MiniBlocks)-1]
	return Head{
		Number: b.Number(), Hash: b.Hash(), Timestamp: b.Header.Time, LastMicros: last.TimestampMicros,
		Origin:         chain.L1Origin{Number: attrs.Number, Hash: attrs.Hash},
		SequenceNumber: attrs.SequenceNumber, Epoch: last.Epoch,
		System: chain.SystemConfig{
			Batcher: attrs.Batcher, BaseFeeScalar: attrs.BaseFeeScalar, BlobBaseFeeScalar: attrs.BlobBaseFeeScalar,
			GasTokenRate: attrs.GasTokenRate,
			BlockParams:  chain.ParamsOf(cfg, b.Header),
		},
	}, nil
}
