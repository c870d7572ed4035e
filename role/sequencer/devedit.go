package sequencer

import (
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// maxDevEdits bounds the edits that wait for a block, which keeps them in memory.
const maxDevEdits = 100_000

// devDiff is what an edit changes, or why it cannot be made.
func (l *loop) devDiff(e *rpc.DevEdit) (state.Diff, error) {
	if l.chain.Edits() >= maxDevEdits {
		return nil, fmt.Errorf("%d edits since the last block, which is the limit: mine a block first", maxDevEdits)
	}
	view := l.chain.Pending()
	acc, _ := view.Account(e.Address)
	storage := view.HasStorage(e.Address)
	d := state.AccountDiff{Address: e.Address, Balance: e.Balance, Nonce: e.Nonce}
	if e.Balance != nil {
		acc.Balance = *e.Balance
	}
	if e.Nonce != nil {
		if *e.Nonce < acc.Nonce {
			return nil, fmt.Errorf("nonce %d of %s would go back from %d: transactions could repeat", *e.Nonce, e.Address, acc.Nonce)
		}
		acc.Nonce = *e.Nonce
	}
	if e.Code != nil {
		if size, limit := uint64(len(*e.Code)), l.s.node.Config().MaxCodeSize; size > limit {
			return nil, fmt.Errorf("code of %d bytes: at most %d", size, limit)
		}
		d.Code, d.CodeChanged = *e.Code, true
		if acc.CodeHash = types.EmptyCodeHash; len(d.Code) > 0 {
			d.CodeHash = d.NewCodeHash()
			acc.CodeHash = d.CodeHash
		}
	}
	if e.Slot != nil {
		d.Storage = []state.SlotDiff{{Slot: *e.Slot, Value: e.Value}}
		storage = storage || !e.Value.Big().IsUint64() || e.Value.Big().Uint64() != 0
	}
	if acc.IsEmpty() && storage {
		// An account without nonce, balance and code does not exist (EIP-161), nor can
		// what it stores.
		return nil, fmt.Errorf("account %s does not exist, or would not, and has storage: give it a balance, a nonce or code", e.Address)
	}
	return state.Diff{d}, nil
}

// devEdit applies an edit and calls done when it is durable and published.
func (l *loop) devEdit(diff state.Diff, done func(error)) error {
	if l.chain.IsOpen() && l.chain.MiniTxs() > 0 {
		if err := l.cut(now()); err != nil {
			return err
		}
	}
	seq, err := l.s.wal.Append(node.RecordEdit, node.EncodeEdit(l.chain.NextMini(), diff))
	if err != nil {
		return err
	}
	version := l.chain.Edit(diff)
	l.s.entries <- entry{seq: seq, then: func(err error) {
		if err == nil {
			l.s.node.PublishState(version)
		}
		done(err)
	}}
	return nil
}
