package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// A development chain takes what no other chain does: changes of the state by nobody's
// transaction, transactions without signature, and going back to a block. Nothing of it
// can be derived from L1, so a data directory is marked when its chain begins.

// metaDevelopment is where the store keeps what belongs to a development chain.
const metaDevelopment = "development"

// checkDevelopment marks a new chain, and refuses one of the other kind.
func (n *Node) checkDevelopment(isNew bool) error {
	_, err := n.store.Meta(metaDevelopment)
	marked := err == nil
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case marked == n.opts.Development:
		return nil
	case marked:
		return fmt.Errorf("%s: holds a development chain, which L1 knows nothing of (start with --dev, or use another data directory)", n.dir.Path())
	case !isNew:
		return fmt.Errorf("%s: holds a chain that L1 can derive, which --dev would break (start without it, or use another data directory)", n.dir.Path())
	}
	return n.SaveDevelopment(struct{}{})
}

// LoadDevelopment reads what SaveDevelopment stored last.
func (n *Node) LoadDevelopment(into any) error {
	raw, err := n.store.Meta(metaDevelopment)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("development state in the store: %w", err)
	}
	return nil
}

// SaveDevelopment stores what whoever drives a development chain must find again, in
// place of what was stored before. It is durable when SaveDevelopment returns.
func (n *Node) SaveDevelopment(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode development state: %w", err)
	}
	if err := n.store.PutMeta(metaDevelopment, raw); err != nil {
		return err
	}
	return n.store.Sync()
}

// editRecord is a change of the state by no transaction.
type editRecord struct {
	NextMini uint64 // number of the mini-block whose diff it is part of
	Diff     []byte // as an access list of one step
}

// EncodeEdit is the payload of a RecordEdit: a change that the mini-block with the
// number holds.
func EncodeEdit(nextMini uint64, diff state.Diff) []byte {
	list := state.NewAccessList()
	list.Add(0, diff)
	return mustEncode(&editRecord{NextMini: nextMini, Diff: list.Encode()})
}

func (n *Node) replayEdit(payload []byte) error {
	rec := new(editRecord)
	if err := rlp.DecodeBytes(payload, rec); err != nil {
		return fmt.Errorf("edit record: %w", err)
	}
	next := n.exec.NextMini()
	switch {
	case rec.NextMini < next: // the store has it
		return nil
	case rec.NextMini > next:
		return fmt.Errorf("log continues with an edit for mini-block %d, the chain needs %d", rec.NextMini, next)
	case !n.opts.Development:
		return errors.New("log holds an edit of the state, which only a development chain may have")
	}
	list, err := state.DecodeAccessList(rec.Diff)
	if err != nil {
		return fmt.Errorf("edit record: %w", err)
	}
	n.PublishState(n.exec.Edit(list.Final()))
	return nil
}

// PublishState makes a version of the state, which must be durable, the newest: it
// comes between mini-blocks.
func (n *Node) PublishState(version uint64) {
	n.mu.Lock()
	n.pub.version = version
	n.mu.Unlock()
	n.state.Trim(version)
}

// Dev implements rpc.DevChain.
func (b *Backend) Dev() rpc.DevControls { return b.DevControls }

// SealedTx is the place and outcome of a transaction in the sealed block of that number.
func (n *Node) SealedTx(number, index uint64) (*rpc.TxInfo, error) {
	block, err := n.BlockByNumber(context.Background(), number)
	if err != nil {
		return nil, err
	}
	if block == nil || index >= uint64(len(block.Txs)) {
		return nil, fmt.Errorf("transaction %d of block %d: not held", index, number)
	}
	return sealedTxInfo(block, index), nil
}
