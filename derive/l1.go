package derive

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/talaria-l2/talaria/chain"
)

// L1Block is what derivation reads of one L1 block.
type L1Block struct {
	Number           uint64
	Hash             common.Hash
	ParentHash       common.Hash
	Timestamp        uint64 // seconds
	BaseFee          *big.Int
	BlobBaseFee      *big.Int
	PrevRandao       common.Hash
	ParentBeaconRoot common.Hash
	// Logs are those of the portal and of SystemConfig, of successful transactions in
	// block order, with log.Index set to the index in the block. Others may be among them.
	Logs []*types.Log
	// Batches are the transactions to the inbox, in block order. Those of other senders
	// than the batcher may be missing or have no data.
	Batches []BatchTx
}

// ID names the block.
func (b *L1Block) ID() chain.L1Origin { return chain.L1Origin{Number: b.Number, Hash: b.Hash} }

// Attributes are the L1 attributes of an L2 block with this origin, of which system is
// the configuration.
func (b *L1Block) Attributes(sequenceNumber uint64, system *chain.SystemConfig) chain.L1Attributes {
	return chain.L1Attributes{
		Number: b.Number, Hash: b.Hash, Timestamp: b.Timestamp,
		BaseFee: bigOrZero(b.BaseFee), BlobBaseFee: bigOrZero(b.BlobBaseFee),
		PrevRandao: b.PrevRandao, ParentBeacon: b.ParentBeaconRoot,
		SequenceNumber: sequenceNumber, Batcher: system.Batcher,
		BaseFeeScalar: system.BaseFeeScalar, BlobBaseFeeScalar: system.BlobBaseFeeScalar,
		GasTokenRate: system.GasTokenRate,
	}
}

func bigOrZero(v *big.Int) *big.Int {
	if v == nil {
		return new(big.Int)
	}
	return new(big.Int).Set(v)
}

// Deposits are the user deposits of the L1 block in order. A log of the portal
// that is no well-formed deposit is passed over. At most MaxDeposits are taken, so
// that the first mini-block has room for them.
func Deposits(b *L1Block, portal common.Address) []*chain.Tx {
	var txs []*chain.Tx
	for _, log := range portalLogs(b.Logs, portal) {
		if tx, err := chain.DepositFromLog(log, b.Hash); err == nil && len(txs) < MaxDeposits {
			txs = append(txs, tx)
		}
	}
	return txs
}

// portalLogs are the deposit events of the portal.
func portalLogs(logs []*types.Log, portal common.Address) []*types.Log {
	var out []*types.Log
	for _, log := range logs {
		if log.Address == portal && len(log.Topics) > 0 && log.Topics[0] == chain.DepositEventTopic {
			out = append(out, log)
		}
	}
	return out
}

// ErrL1Fork is wrapped when the next L1 block offered to a sequencer does not
// descend from the origin in use: L1 reorganised.
var ErrL1Fork = errors.New("next L1 block does not descend from the current origin")

// ErrTimestamp is wrapped when an L2 block would be older than its parent or its L1
// origin: derivation would refuse it. Wait until the clock has passed both.
var ErrTimestamp = errors.New("block timestamp before its parent's or its L1 origin's")

// ErrOriginLag is wrapped when an L2 block would go on with an origin that lags so far
// that derivation may have to refuse it, because the L1 block that follows is not
// known. Wait for that block.
var ErrOriginLag = errors.New("L1 origin lags too far")

// Opening is how an L2 block begins.
type Opening struct {
	Origin     chain.L1Origin
	System     chain.SystemConfig // as of the origin
	Attributes chain.L1Attributes
	Deposits   []*chain.Tx // user deposits; empty unless the origin advanced
}

// NextOrigin decides whether an L2 block at timestamp (seconds) on parent takes
// next as its L1 origin, and gives what the block begins with. current is the
// parent's origin; next is the L1 block after it, nil while that is not known (or
// not deep enough for the sequencer's taste). A block adopts next as soon as its
// own timestamp is not before next's, and while next is not known no block goes
// beyond current's by more than MaxOriginLag. So derivation never refuses the origin.
func NextOrigin(cfg *chain.Config, parent Head, current, next *L1Block, timestamp uint64) (Opening, error) {
	if current.ID() != parent.Origin {
		return Opening{}, fmt.Errorf("open block %d: %w: origin is %d %x, got %d %x", parent.Number+1, ErrL1Fork,
			parent.Origin.Number, parent.Origin.Hash, current.Number, current.Hash)
	}
	if next != nil && (next.Number != current.Number+1 || next.ParentHash != current.Hash) {
		return Opening{}, fmt.Errorf("open block %d: %w: %d %x on %x, got %d on %x", parent.Number+1, ErrL1Fork,
			current.Number+1, next.Hash, current.Hash, next.Number, next.ParentHash)
	}
	if timestamp < parent.Timestamp || timestamp < current.Timestamp {
		return Opening{}, fmt.Errorf("open block %d at %d s: %w: %d s, %d s", parent.Number+1, timestamp, ErrTimestamp, parent.Timestamp, current.Timestamp)
	}
	switch {
	case next != nil && timestamp >= next.Timestamp:
		return open(cfg, parent, next), nil
	case next == nil && timestamp-current.Timestamp > MaxOriginLag:
		// The block behind current is later than current, so that up to here the rule
		// holds whatever its timestamp turns out to be.
		return Opening{}, fmt.Errorf("open block %d at %d s: %w: L1 block after %d, at %d s, is not known", parent.Number+1, timestamp,
			ErrOriginLag, current.Number, current.Timestamp)
	}
	return open(cfg, parent, current), nil
}

// open begins a block behind parent on origin, parent's or the next: with the next come
// its deposits and what it changes of the configuration.
func open(cfg *chain.Config, parent Head, origin *L1Block) Opening {
	o := Opening{Origin: origin.ID(), System: parent.System}
	sequence := parent.SequenceNumber + 1
	if origin.Number != parent.Origin.Number {
		sequence = 0
		o.System = SystemAfter(cfg, parent.System, origin, nil)
		o.Deposits = Deposits(origin, cfg.Portal)
	}
	o.Attributes = origin.Attributes(sequence, &o.System)
	return o
}
