package node

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/tracer"
)

// BlockAccesses implements rpc.Accessor.
func (n *Node) BlockAccesses(ctx context.Context, number uint64) ([]rpc.AccountAccess, error) {
	if number == 0 {
		return []rpc.AccountAccess{}, nil // genesis executes nothing
	}
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	acc := make(accesses)
	err = n.executeAgain(ctx, b, true, func(s *step) {
		acc.touch(s.read)
		acc.change(s.index, s.diff)
	})
	if err != nil {
		return nil, err
	}
	return acc.list(), nil
}

// step is a part of a block that is executed again. It is good until the next one.
type step struct {
	mini  int    // the mini-block that it is part of
	index uint32 // 0: the system calls; i: transaction i-1, with the end of a mini-block behind it
	read  *state.Recorder
	diff  state.Diff
	// machine has executed it; nil at the end of a mini-block.
	machine *evm.Machine
	// prices are the slots of L1Block that said what the transaction pays.
	prices []common.Hash
}

// executeAgain executes a block on the state before it and calls each with every step. If
// exact, each learns of everything that was looked at, also by transactions that run out of
// gas; that is slow.
func (n *Node) executeAgain(ctx context.Context, b *tracer.Block, exact bool, each func(*step)) error {
	return n.read(rpc.StateRef{Number: b.Env.Number - 1}, func(v state.View, _ *types.Header) error {
		return n.machine(func(m *evm.Machine) error {
			m.SetExact(exact)
			defer m.SetExact(false)
			now := state.NewOverlay(v)
			for _, call := range []struct {
				to   common.Address
				data common.Hash
			}{{evm.BeaconRootsAddr, b.Env.ParentBeaconRoot}, {evm.HistoryAddr, b.ParentHash}} {
				read := state.NewRecorder(now)
				// A call that fails changes nothing, and the block goes on without it.
				diff, err := m.SystemCall(read, b.Env, call.to, call.data[:])
				if err != nil {
					diff = nil
				}
				each(&step{read: read, diff: diff, machine: m})
				now.Apply(diff)
			}
			mini := 0
			endMiniBlocks := func(txs int) {
				for ; mini < len(b.MiniBlocks) && b.MiniBlocks[mini].EndsBefore(uint64(txs)); mini++ {
					h := &b.MiniBlocks[mini]
					diff := evm.EndMiniBlock(now, h.Number, h.TimestampMicros)
					each(&step{mini: mini, index: uint32(txs), read: state.NewRecorder(now), diff: diff})
					now.Apply(diff)
				}
			}
			endMiniBlocks(0)
			env := *b.Env
			var res evm.Result
			for i, tx := range b.Txs {
				var paid []common.Hash
				paid, env.L1Fees = prices(now)
				read := state.NewRecorder(now)
				if err := m.ExecuteUntil(ctx.Done(), read, tx, &env, &res); err != nil {
					if errors.Is(err, evm.ErrCancelled) && ctx.Err() != nil {
						return ctx.Err()
					}
					return traceError(&tracer.DiffersError{Tx: tx.Hash(), Why: err.Error()})
				}
				if want := b.Receipts[i]; want.GasUsed != res.GasUsed || want.Status != res.Status {
					return traceError(&tracer.DiffersError{Tx: tx.Hash(), Why: "gas or status"})
				}
				each(&step{mini: mini, index: uint32(i + 1), read: read, diff: res.Diff, machine: m, prices: paid})
				now.Apply(res.Diff)
				endMiniBlocks(i + 1)
			}
			return nil
		})
	})
}

// accesses is a block access list as it grows.
type accesses map[common.Address]*access

type access struct {
	rpc.AccountAccess
	changed map[common.Hash][]rpc.ValueChange
	read    map[common.Hash]struct{}
}

func (acc accesses) of(addr common.Address) *access {
	a := acc[addr]
	if a == nil {
		a = &access{changed: make(map[common.Hash][]rpc.ValueChange), read: make(map[common.Hash]struct{})}
		a.Address = addr
		acc[addr] = a
	}
	return a
}

// touch notes what a step looked at.
func (acc accesses) touch(read *state.Recorder) {
	for _, addr := range read.Accounts() {
		acc.of(addr)
	}
	for _, s := range read.Slots() {
		acc.of(s.Address).read[s.Slot] = struct{}{}
	}
}

// change notes what a step changed.
func (acc accesses) change(index uint32, diff state.Diff) {
	for i := range diff {
		d := &diff[i]
		a := acc.of(d.Address)
		if d.Balance != nil {
			a.Balances = append(a.Balances, rpc.ValueChange{Index: index, Value: d.Balance.ToBig()})
		}
		if d.Nonce != nil {
			a.Nonces = append(a.Nonces, rpc.NonceChange{Index: index, Value: *d.Nonce})
		}
		if d.CodeChanged {
			a.Codes = append(a.Codes, rpc.CodeChange{Index: index, Code: bytes.Clone(d.Code)})
		}
		for _, s := range d.Storage {
			values := a.changed[s.Slot]
			if n := len(values); n > 0 && values[n-1].Index == index { // by the end of a mini-block
				values = values[:n-1]
			}
			a.changed[s.Slot] = append(values, rpc.ValueChange{Index: index, Value: s.Value.Big()})
		}
	}
}

// list is the access list in its order.
func (acc accesses) list() []rpc.AccountAccess {
	out := make([]rpc.AccountAccess, 0, len(acc))
	for _, addr := range slices.SortedFunc(maps.Keys(acc), common.Address.Cmp) {
		a := acc[addr]
		for _, slot := range slices.SortedFunc(maps.Keys(a.changed), common.Hash.Cmp) {
			a.Storage = append(a.Storage, rpc.SlotChanges{Slot: slot.Big(), Changes: a.changed[slot]})
		}
		for _, slot := range slices.SortedFunc(maps.Keys(a.read), common.Hash.Cmp) {
			if _, changed := a.changed[slot]; !changed {
				a.Reads = append(a.Reads, new(big.Int).SetBytes(slot[:]))
			}
		}
		out = append(out, a.AccountAccess)
	}
	return out
}
