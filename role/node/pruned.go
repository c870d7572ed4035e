package node

import (
	"errors"
	"fmt"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// A node whose store was filled from a snapshot begins with that block. What lies before
// it is answered with rpc.CodePruned, but for genesis, which the genesis file gives, and
// the headers of the last 255 blocks before, which execution needs.

// Base is the number of the block with which the node's history begins, 0 if it holds the
// whole chain.
func (n *Node) Base() uint64 { return n.store.Base() }

// pruned is err as a client is to see it.
func pruned(err error) error {
	if errors.Is(err, store.ErrPruned) {
		return &rpc.Error{Code: rpc.CodePruned, Message: err.Error()}
	}
	return err
}

// hasState tells whether the node can know the state after a block.
func (n *Node) hasState(number uint64) error {
	if base := n.Base(); number < base {
		return pruned(fmt.Errorf("state of block %d: %w: this node's history begins with block %d", number, store.ErrPruned, base))
	}
	return nil
}

// checkWhole refuses a store into which a snapshot is being loaded.
func (n *Node) checkWhole() error {
	_, _, err := n.store.Import()
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("data directory %s: holds a part of a snapshot (start with --snapshot-url again, or remove the directory)", n.dir.Path())
}

// GenesisOf makes block 0 of a chain, and the state after it.
func GenesisOf(g *chain.Genesis) (*chain.Block, state.Diff, error) {
	diff, err := exec.GenesisDiff(g)
	if err != nil {
		return nil, nil, err
	}
	scratch := state.NewTrie()
	scratch.Apply(diff)
	return exec.GenesisBlock(g, scratch.Root(), scratch.StorageRoot(chain.MessagePasserAddr)), diff, nil
}
