package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

const defaultProofBlocks = 1_000_000

// StorageValues implements rpc.Prover.
func (n *Node) StorageValues(ctx context.Context, slots []rpc.StorageSlot, ref rpc.StateRef) ([]common.Hash, error) {
	values := make([]common.Hash, len(slots))
	err := n.read(ref, func(v state.View, _ *types.Header) error {
		for i := range slots {
			values[i] = v.Storage(slots[i].Address, slots[i].Slot)
		}
		return ctx.Err()
	})
	return values, err
}

// Proof implements rpc.Prover.
func (n *Node) Proof(ctx context.Context, addr common.Address, slots []common.Hash, number uint64) (*rpc.AccountProof, error) {
	var out *rpc.AccountProof
	err := n.withTrie(ctx, number, func(t *state.Trie) error {
		p := t.Prove(addr, slots)
		out = &rpc.AccountProof{
			Nonce: p.Account.Nonce, Balance: p.Account.Balance.ToBig(), CodeHash: p.Account.CodeHash,
			StorageHash: p.StorageRoot, Nodes: p.AccountProof, Slots: make([]rpc.SlotProof, len(slots)),
		}
		for i := range p.Storage {
			out.Slots[i] = rpc.SlotProof{Value: p.Storage[i].Value, Nodes: p.Storage[i].Proof}
		}
		return nil
	})
	return out, err
}

// prover is a trie of the state of one sealed block, which is moved from block to block
// by what the store says they changed. It is built when the first proof is asked for.
type prover struct {
	mu   sync.Mutex
	trie *state.Trie // nil: to be built
	at   uint64
	hash common.Hash // of block at: another one tells that the chain was rewound
}

// withTrie calls f with the trie of a sealed block's state, which f only reads. Calls
// run one after another.
func (n *Node) withTrie(ctx context.Context, number uint64, f func(*state.Trie) error) error {
	if head := n.PublishedHead().Number.Uint64(); number+n.opts.ProofBlocks < head {
		return rpc.Errorf(rpc.CodeClientLimit, "block %d is more than %d blocks behind the head: this node proves no older state", number, n.opts.ProofBlocks)
	}
	if err := n.hasState(number); err != nil {
		return err
	}
	p := &n.prover
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := n.await(ctx, number); err != nil {
		return err
	}
	n.reading.RLock()
	defer n.reading.RUnlock()
	if err := n.moveTrie(ctx, number); err != nil {
		return err
	}
	return f(p.trie)
}

// await waits until a sealed block is in the store.
func (n *Node) await(ctx context.Context, number uint64) error {
	held, _, err := n.store.Head()
	if err != nil || number <= held {
		return err
	}
	if sealed := n.PublishedHead().Number.Uint64(); number > sealed {
		return fmt.Errorf("block %d is not sealed yet, head is %d", number, sealed)
	}
	if err := n.AfterWrites(func() error { return nil }); err != nil {
		return err
	}
	return ctx.Err()
}

// moveTrie makes the prover's trie that of block number, and checks it against the
// block's header.
func (n *Node) moveTrie(ctx context.Context, number uint64) error {
	p := &n.prover
	header, err := n.store.Header(number)
	if err != nil {
		return err
	}
	if err := n.checkTrie(); err != nil {
		return err
	}
	if p.trie == nil {
		if err := n.buildTrie(); err != nil {
			return err
		}
	}
	for p.at != number {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := n.stepTrie(number); err != nil {
			return err
		}
	}
	if root := p.trie.Root(); root != header.Root {
		p.trie = nil
		return fmt.Errorf("state of block %d has root %s by its changes, its header says %s (restore a backup, or derive the chain from L1 into a new directory)", number, root, header.Root)
	}
	p.hash = header.Hash()
	return nil
}

// checkTrie drops a trie of a block that is no longer part of the chain.
func (n *Node) checkTrie() error {
	p := &n.prover
	if p.trie == nil {
		return nil
	}
	header, err := n.store.Header(p.at)
	switch {
	case errors.Is(err, store.ErrNotFound):
		p.trie = nil
	case err != nil:
		return err
	case header.Hash() != p.hash:
		p.trie = nil
	}
	return nil
}

// buildTrie makes the trie of the newest block in the store.
func (n *Node) buildTrie() error {
	loader := state.NewTrieLoader(state.NewTrie())
	header, err := n.store.LoadHead(loader)
	if err != nil {
		return err
	}
	n.prover.trie, n.prover.at, n.prover.hash = loader.Finish(), header.Number.Uint64(), header.Hash()
	return nil
}

// stepValues bounds the accounts and slots, stepBlocks the blocks, by which the trie
// moves in one step: the request may be cancelled between two.
const stepValues, stepBlocks = 1 << 16, 1 << 12

// stepTrie moves the trie towards a block: it collects what the blocks on the way
// changed and takes the values as they are after the last of them.
func (n *Node) stepTrie(towards uint64) error {
	p := &n.prover
	changed := changedKeys{accounts: make(map[common.Address]*changedAccount)}
	at := p.at
	for blocks := 0; at != towards && blocks < stepBlocks && changed.values < stepValues; blocks++ {
		block, next := at, at-1 // backwards, block at is undone
		if towards > at {
			block, next = at+1, at+1
		}
		changes, err := n.store.Changes(block)
		if err != nil {
			return err
		}
		changed.add(changes)
		at = next
	}
	header, err := n.store.Header(at)
	if err != nil {
		return err
	}
	trie := p.trie
	p.trie = nil // of no use if a read fails half-way
	changed.load(state.NewTrieLoader(trie), n.store.HistoryView(at))
	p.trie, p.at, p.hash = trie, at, header.Hash()
	return nil
}

// changedKeys are the accounts and slots that some blocks changed.
type changedKeys struct {
	accounts map[common.Address]*changedAccount
	values   int // accounts and slots
}

type changedAccount struct {
	account bool
	slots   map[common.Hash]struct{}
}

func (k *changedKeys) add(changes []store.Change) {
	for _, c := range changes {
		a := k.accounts[c.Address]
		if a == nil {
			a = &changedAccount{slots: make(map[common.Hash]struct{}, len(c.Slots))}
			k.accounts[c.Address] = a
			k.values++
		}
		a.account = a.account || c.Account
		k.values -= len(a.slots)
		for _, slot := range c.Slots {
			a.slots[slot] = struct{}{}
		}
		k.values += len(a.slots)
	}
}

// load sets what changed to its values in the view.
func (k *changedKeys) load(into *state.TrieLoader, view state.View) {
	addrs := slices.SortedFunc(maps.Keys(k.accounts), common.Address.Cmp)
	for _, addr := range addrs {
		if k.accounts[addr].account {
			account, _ := view.Account(addr)
			into.LoadAccount(addr, account)
		}
	}
	for _, addr := range addrs {
		slots := slices.SortedFunc(maps.Keys(k.accounts[addr].slots), func(a, b common.Hash) int { return bytes.Compare(a[:], b[:]) })
		for _, slot := range slots {
			into.LoadSlot(addr, slot, view.Storage(addr, slot))
		}
	}
	into.Finish()
}
