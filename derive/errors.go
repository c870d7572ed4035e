package derive

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/batch"
)

// Rules of the protocol (docs/spec/derivation.md); equal on every node.
const (
	// ChannelTimeout is how many L1 blocks after its own a frame still counts.
	ChannelTimeout = 300
	// MaxOriginLag is how many seconds after an L1 block's timestamp the L2 may go
	// on without adopting it.
	MaxOriginLag = 1_800
	// MaxAhead is how many seconds an L2 timestamp may be ahead of the L1 block
	// that carries the batch.
	MaxAhead = 1_800
	// MaxDeposits bounds the user deposits taken from one L1 block.
	MaxDeposits = 60_000
	// MaxEpochStep is how far the epochs of a block may be beyond its parent's last. Each time
	// that a sequencer goes back takes one; it takes 2^44 blocks to come to the end of uint64,
	// where no epoch would be left to go back in.
	MaxEpochStep = 1 << 20
	// MaxBankBytes bounds the frames that count: their data and 512 bytes for each.
	MaxBankBytes = 2 * batch.MaxChannelBytes
	// MaxWork bounds the work of the channels that are decoded for one L1 block
	// (batch.ChannelWork), in bytes. A channel that takes more than is left waits for the
	// next L1 block.
	MaxWork = batch.MaxChannelWork
)

// Reason is why derivation dropped something.
type Reason string

// Reasons of drops.
const (
	DropBlob          Reason = "malformed blob"
	DropData          Reason = "malformed batch data"
	DropSource        Reason = "batch data from a source that does not count"
	DropTimeout       Reason = "channel timed out"
	DropEvicted       Reason = "channel fell out of the full bank"
	DropChannel       Reason = "malformed channel"
	DropOld           Reason = "channel does not continue the chain"
	DropParent        Reason = "parent hash differs"
	DropNumber        Reason = "block number not consecutive"
	DropTimestamp     Reason = "block timestamp out of bounds"
	DropOrigin        Reason = "L1 origin not allowed"
	DropOriginLag     Reason = "L1 origin lags too far"
	DropMiniBlocks    Reason = "mini-blocks not allowed"
	DropTransaction   Reason = "invalid transaction"
	DropMiniBlockTime Reason = "mini-block timestamp out of bounds"
	DropExecution     Reason = "block does not execute: replaced by its deposits, the rest of its channel is void"
	DropUpdate        Reason = "configuration update passed over"
	// FalseClaim drops nothing: the block stands as it executes.
	FalseClaim Reason = "the batcher claims another hash"
)

// Drop tells what was ignored and why. Nothing of it reached the chain.
type Drop struct {
	Reason  Reason
	L1      uint64          // number of the L1 block being read
	Channel batch.ChannelID // zero for a blob
	Detail  string
}

func (d Drop) String() string {
	return fmt.Sprintf("L1 block %d, channel %s: %s: %s", d.L1, d.Channel, d.Reason, d.Detail)
}

// ErrReorg is matched by every *ReorgError.
var ErrReorg = errors.New("L1 reorganised")

// ErrSequence is wrapped when the pushed L1 block is not the next one. Nothing
// changed; push the right one.
var ErrSequence = errors.New("not the next L1 block")

// ErrUnfinished is wrapped when an L1 block is pushed while the last one has more to
// give: call Next until it returns nil.
var ErrUnfinished = errors.New("the last L1 block is not finished")

// ErrDeposits is wrapped when a block of deposits only is said not to execute. There
// is nothing to put in its place: this node is broken.
var ErrDeposits = errors.New("a block of deposits only does not execute")

// ErrOrigin is wrapped by Push and Reset when the L1 block that the state names as its origin
// or posting block is not the one on this L1: the state belongs to another fork.
var ErrOrigin = fmt.Errorf("%w: state is not on this L1 chain", ErrReorg)

// ReorgError says that the pushed L1 block does not continue the known chain. The
// pipeline is unchanged; Reset it to a state from before the fork.
type ReorgError struct {
	Number uint64      // of the L1 block that is no longer canonical
	Known  common.Hash // its hash here
	Now    common.Hash // its hash according to the pushed block
}

func (e *ReorgError) Error() string {
	return fmt.Sprintf("L1 reorganised: block %d was %x and is now %x", e.Number, e.Known, e.Now)
}

// Is matches ErrReorg.
func (e *ReorgError) Is(target error) bool { return target == ErrReorg }

// dropError carries a reason from the rules to the pipeline.
type dropError struct {
	reason Reason
	detail string
}

func (e *dropError) Error() string { return string(e.reason) + ": " + e.detail }

func drop(reason Reason, format string, args ...any) *dropError {
	return &dropError{reason, fmt.Sprintf(format, args...)}
}
