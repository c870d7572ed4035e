package node

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/talaria-l2/talaria/store"
)

// metaUndone is where the store keeps what going back needs.
const metaUndone = "undone"

// Undone is what a sequencer must know when it starts after it has gone back.
type Undone struct {
	// Seq is the last record of the write-ahead log that is void.
	Seq uint64 `json:"seq"`
	// Target is the block that the chain is going back to, nil if it is not.
	Target *uint64 `json:"target,omitempty"`
	// Epoch is the least epoch of mini-blocks to be signed: numbers that were used come
	// again, and never in the same epoch.
	Epoch uint64 `json:"epoch"`
}

// Undone is what SaveUndone stored last; zero if nothing.
func (n *Node) Undone() (u Undone, err error) {
	raw, err := n.store.Meta(metaUndone)
	if errors.Is(err, store.ErrNotFound) {
		return u, nil
	}
	if err != nil {
		return u, err
	}
	if err := json.Unmarshal(raw, &u); err != nil {
		return u, fmt.Errorf("what was undone, in the store: %w", err)
	}
	return u, nil
}

// SaveUndone stores u. It is durable when SaveUndone returns.
func (n *Node) SaveUndone(u Undone) error {
	raw, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode what was undone: %w", err)
	}
	if err := n.store.PutMeta(metaUndone, raw); err != nil {
		return err
	}
	return n.store.Sync()
}
