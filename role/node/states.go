package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/store"
)

// DerivationStates is a place in the node's store for the points from which derivation
// can go on, and for which L1 block decides each block.
type DerivationStates struct {
	node    *Node
	prefix  string // of states
	decided string // of what L1 blocks decide
	head    uint64 // newest block that is decided
}

// DerivationStates is the place with the name. A node has one at a time.
func (n *Node) DerivationStates(name string) *DerivationStates {
	return &DerivationStates{node: n, prefix: name + "/", decided: name + ".decided/"}
}

// key orders states by the L1 block that decides them. No two of one L1 have the same.
func (d *DerivationStates) key(s *derive.State) string {
	return fmt.Sprintf("%s%016x", d.prefix, s.PostedIn.Number)
}

// Load is what was put and not dropped, ascending, as far as it is of the chain that the
// node holds; the rest is dropped. It is genesis if nothing was put. Blocks and states are
// written in one order, of which a crash leaves a beginning, and states are dropped before
// their blocks are undone.
func (d *DerivationStates) Load() ([]derive.State, error) {
	states, err := d.load()
	if err != nil {
		return nil, err
	}
	if err := d.Undecide(states[len(states)-1]); err != nil {
		return nil, err
	}
	d.node.decided.Store(&d.decided)
	return states, nil
}

func (d *DerivationStates) load() ([]derive.State, error) {
	stored, err := d.node.store.MetaUnder(d.prefix)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		genesis, err := d.node.GenesisState()
		return []derive.State{genesis}, err
	}
	states := make([]derive.State, 0, len(stored))
	for _, raw := range stored {
		var s derive.State
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("derivation state under %q in the store: %w", d.prefix, err)
		}
		h, err := d.node.HeaderByNumber(context.Background(), s.Head.Number)
		if err != nil {
			return nil, err
		}
		if h != nil && h.Hash() == s.Head.Hash {
			states = append(states, s)
		} else if err := d.Drop(s); err != nil {
			return nil, err
		}
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("data directory %s: none of its %d derivation states is of the chain that it holds (restore a backup, or derive the chain from L1 into a new directory)",
			d.node.dir.Path(), len(stored))
	}
	return states, nil
}

// decision is what one L1 block decides: the blocks from First up to that of its key.
type decision struct {
	First uint64 `json:"first"`
	L1    uint64 `json:"l1"`
}

func blockKey(number uint64) string { return fmt.Sprintf("%016x", number) }

// Put stores a state behind all blocks published so far, and that its L1 block decides
// those above the newest state before. It is durable after Sync.
func (d *DerivationStates) Put(s derive.State) error {
	raw, err := json.Marshal(&s)
	if err != nil {
		return fmt.Errorf("encode derivation state: %w", err)
	}
	edits := []store.MetaEdit{{Name: d.key(&s), Value: raw}}
	if s.Head.Number > d.head {
		raw, err := json.Marshal(decision{First: d.head + 1, L1: s.PostedIn.Number})
		if err != nil {
			return fmt.Errorf("encode what L1 decides: %w", err)
		}
		edits = append(edits, store.MetaEdit{Name: d.decided + blockKey(s.Head.Number), Value: raw})
	}
	if err := d.node.AfterWrites(func() error { return d.node.store.EditMeta(edits) }); err != nil {
		return err
	}
	d.head = max(d.head, s.Head.Number)
	return nil
}

// Drop removes a state. That is durable after Sync.
func (d *DerivationStates) Drop(s derive.State) error { return d.node.store.DropMeta(d.key(&s)) }

// Undecide forgets what decides blocks above a state. That is durable after Sync.
func (d *DerivationStates) Undecide(s derive.State) error {
	d.head = s.Head.Number
	return d.node.store.DropMetaFrom(d.decided, blockKey(s.Head.Number+1))
}

// Sync makes durable what was put and dropped.
func (d *DerivationStates) Sync() error { return d.node.store.Sync() }

// DecidedIn is the L1 block from which a block follows, with those before it. It is not
// known of genesis, of blocks that were not derived yet, and of those that were derived
// before this was noted.
func (n *Node) DecidedIn(number uint64) (l1 uint64, known bool, err error) {
	place := n.decided.Load()
	if place == nil {
		return 0, false, nil
	}
	raw, err := n.store.MetaFrom(*place, blockKey(number))
	if errors.Is(err, store.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	var d decision
	if err := json.Unmarshal(raw, &d); err != nil {
		return 0, false, fmt.Errorf("what decides block %d: %w", number, err)
	}
	return d.L1, d.First <= number, nil
}
