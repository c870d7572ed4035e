package tracer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/state"
)

// Block is a block to be executed again.
type Block struct {
	Hash       common.Hash // zero while the block is open
	ParentHash common.Hash
	Env        *evm.Env // without deferred credits
	Txs        []*chain.Tx
	// MiniBlocks are those that the block, or what there is of it, was made of; none: it is
	// executed as if it were a single one.
	MiniBlocks []chain.MiniBlockHeader
	// Receipts are what executing must give; nil is not known.
	Receipts []*chain.Receipt
}

// DiffersError says that executing a transaction again gave something else.
type DiffersError struct {
	Tx  common.Hash
	Why string
}

// Error says what differs.
func (e *DiffersError) Error() string {
	return fmt.Sprintf("replay of transaction %s differs from its receipt: %s (an edit of a development chain came before it, or the state before its block is damaged: derive the chain from L1 into a new data directory)", e.Tx, e.Why)
}

// Replay executes a block again, one transaction after another. It is for one goroutine
// and needs no closing.
type Replay struct {
	vm    *evm.Machine
	block *Block
	state *state.Overlay
	next  int    // transaction to be executed next
	ended int    // mini-blocks whose end is in state
	logs  uint64 // of those before
	// result is that of the transaction executed last, whose diff is not in state yet if
	// held.
	result evm.Result
	held   bool
}

// NewReplay opens the block on parent, the state before it, and makes the system calls
// of EIP-4788 and EIP-2935.
func NewReplay(vm *evm.Machine, parent state.View, b *Block) *Replay {
	r := &Replay{vm: vm, block: b, state: state.NewOverlay(parent)}
	for _, call := range []struct {
		to   common.Address
		data common.Hash
	}{
		{evm.BeaconRootsAddr, b.Env.ParentBeaconRoot},
		{evm.HistoryAddr, b.ParentHash},
	} {
		// A call that fails changes nothing, and the block goes on without it.
		if diff, err := vm.SystemCall(r.state, b.Env, call.to, call.data[:]); err == nil {
			r.state.Apply(diff)
		}
	}
	return r
}

// Machine is what the block is executed with; calls over State may use it, too.
func (r *Replay) Machine() *evm.Machine { return r.vm }

// State is what the next transaction will see. It changes with the next execution.
func (r *Replay) State() state.View {
	r.settle()
	return r.state
}

// settle puts the last transaction's changes into the state, and the end of its mini-block.
func (r *Replay) settle() {
	if r.held {
		r.state.Apply(r.result.Diff)
		r.held = false
	}
	for minis := r.block.MiniBlocks; r.ended < len(minis) && minis[r.ended].EndsBefore(uint64(r.next)); r.ended++ {
		r.state.Apply(evm.EndMiniBlock(r.state, minis[r.ended].Number, minis[r.ended].TimestampMicros))
	}
}

// step executes the next transaction. Its result is good, and the state is that before
// it, until the next step.
func (r *Replay) step(done <-chan struct{}) (*evm.Result, error) {
	r.settle()
	tx := r.block.Txs[r.next]
	if err := r.vm.ExecuteUntil(done, r.state, tx, r.block.Env, &r.result); err != nil {
		if r.block.Receipts != nil && !errors.Is(err, evm.ErrCancelled) {
			return nil, &DiffersError{tx.Hash(), err.Error()}
		}
		return nil, err
	}
	if r.block.Receipts != nil {
		want := r.block.Receipts[r.next]
		if r.result.GasUsed != want.GasUsed || r.result.Status != want.Status || len(r.result.Logs) != len(want.Logs) {
			return nil, &DiffersError{tx.Hash(), fmt.Sprintf("gas %d, status %d, %d logs instead of gas %d, status %d, %d logs",
				r.result.GasUsed, r.result.Status, len(r.result.Logs), want.GasUsed, want.Status, len(want.Logs))}
		}
	}
	r.next++
	r.logs += uint64(len(r.result.Logs))
	r.held = true
	return &r.result, nil
}

// SkipTo executes the transactions before number i without telling of them.
func (r *Replay) SkipTo(ctx context.Context, i int) error {
	for r.next < i {
		if _, err := r.step(ctx.Done()); err != nil {
			return because(ctx, err)
		}
	}
	return nil
}

// Trace executes the next transaction and tells of it as c says.
func (r *Replay) Trace(ctx context.Context, c *Config) (json.RawMessage, error) {
	at := &place{contextOf(r.block, r.next), r.logs}
	return observe(ctx, r.vm, c, at, func(done <-chan struct{}) (effects, error) {
		res, err := r.step(done)
		if err != nil {
			return effects{}, err
		}
		return effects{res.ReturnData, res.Diff, r.state}, nil
	})
}

// because is the reason of a cancelled execution.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, evm.ErrCancelled) {
		return cause
	}
	return err
}

// Call tells of a simulated transaction over view as c says. With keep, which must be
// what view shows, the call's changes are put there.
func Call(ctx context.Context, vm *evm.Machine, view state.View, msg *evm.CallMsg, env *evm.Env, c *Config, keep *state.Overlay) (json.RawMessage, error) {
	var diff state.Diff
	raw, err := observe(ctx, vm, c, new(place), func(done <-chan struct{}) (effects, error) {
		msg.Done = done
		res, err := vm.Call(view, msg, env)
		if err != nil {
			return effects{}, err
		}
		diff = res.Diff
		return effects{res.ReturnData, diff, view}, nil
	})
	if err == nil && keep != nil {
		keep.Apply(diff)
	}
	return raw, err
}
