package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// maxWitnessBytes bounds the memory for the witnesses of the last blocks.
const maxWitnessBytes = 64 << 20

// witnessCache keeps the witnesses of the last blocks, the newest last. The zero value is
// ready.
type witnessCache struct {
	mu    sync.Mutex
	list  []*rpc.Witness
	bytes int
}

// add keeps a witness unless it alone would take more than half of the cache.
func (c *witnessCache) add(w *rpc.Witness) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := w.Witness.Size()
	if size > maxWitnessBytes/2 {
		return
	}
	c.list, c.bytes = append(c.list, w), c.bytes+size
	for c.bytes > maxWitnessBytes {
		c.bytes -= c.list[0].Witness.Size()
		c.list = c.list[1:]
	}
}

// get returns the witness of a block, or nil.
func (c *witnessCache) get(hash common.Hash) *chain.Witness {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.list) - 1; i >= 0; i-- {
		if c.list[i].Hash == hash {
			return c.list[i].Witness
		}
	}
	return nil
}

// PublishWitness makes the witness of the last published block known; nil is none.
func (n *Node) PublishWitness(b *chain.Block, w *chain.Witness) {
	if w == nil {
		return
	}
	published := &rpc.Witness{Number: b.Number(), Hash: b.Hash(), Witness: w}
	n.witnesses.add(published)
	n.feed.Publish(rpc.Event{Witness: published})
}

// RecordsWitnesses tells whether the node publishes a witness with every block.
func (n *Node) RecordsWitnesses() bool { return n.opts.Witness }

// ExecutionWitness implements rpc.Witnesser. That of a block which was recorded lately is
// in memory; for others the block is executed again on the state before it.
func (n *Node) ExecutionWitness(ctx context.Context, number uint64, hash common.Hash) (*chain.Witness, error) {
	if w := n.witnesses.get(hash); w != nil {
		return w, nil
	}
	if number == 0 {
		return nil, errors.New("the genesis block executes nothing: it has no witness")
	}
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	if b.Hash != hash {
		return nil, errRewound
	}
	reads, changes := new(exec.BlockReads), state.NewAccessList()
	reads.Reset()
	index := uint32(0)
	err = n.executeAgain(ctx, b, true, func(s *step) {
		if s.machine != nil {
			reads.Note(s.machine)
		}
		for _, slot := range s.prices {
			reads.Price(n.cfg, slot)
		}
		changes.Add(index, s.diff)
		index++
	})
	if err != nil {
		return nil, err
	}
	headers := make([]*types.Header, 0, reads.Ancestors())
	for i := number - reads.Ancestors(); i < number; i++ {
		h, err := n.HeaderByNumber(ctx, i)
		if err != nil {
			return nil, err
		}
		if h == nil {
			return nil, fmt.Errorf("header %d not found", i)
		}
		headers = append(headers, h)
	}
	var w *chain.Witness
	if headers[len(headers)-1].Hash() != b.ParentHash {
		return nil, errRewound
	}
	err = n.withTrie(ctx, number-1, func(t *state.Trie) error {
		code := n.store.HistoryView(number - 1).Code
		w, err = exec.NewWitness(t, reads.Set(b.Txs, b.Env.Coinbase), changes.Final(), headers, code)
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// prices are the slots of L1Block that say what the next transaction pays, and what it
// pays.
func prices(now state.View) (slots []common.Hash, fees *chain.L1FeeSchedule) {
	read := state.NewRecorder(now)
	fees = evm.L1Fees(read)
	for _, k := range read.Slots() {
		slots = append(slots, k.Slot)
	}
	return slots, fees
}
