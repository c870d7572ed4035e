package sequencer

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
)

// room is what the limits leave for transactions that become void. Those of earlier void
// blocks have their place already.
type room struct {
	txs, bytes int
	left       map[common.Hash]struct{}
}

func (a *again) room() *room {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &room{a.limits.txs - len(a.left), a.limits.bytes, make(map[common.Hash]struct{}, len(a.left))}
	for hash, v := range a.left {
		r.left[hash] = struct{}{}
		r.bytes -= len(v.Raw)
	}
	return r
}

// take reports whether tx has a place. Behind one that gets none, no other gets one.
func (r *room) take(tx *chain.Tx) bool {
	if _, has := r.left[tx.Hash()]; has {
		return true
	}
	r.txs--
	r.bytes -= len(tx.Raw())
	return r.txs >= 0 && r.bytes >= 0
}

// surplusBatch is how many transactions of a surplus go to the store at once.
const surplusBatch = 1_000

// surplus writes down transactions that become void and are too many, before it is certain
// that they do: while the chain has them, the store says nothing of them.
type surplus struct {
	node    *node.Node
	refusal string
	batch   []node.GoneTx
	count   int
}

func (a *again) surplus() *surplus {
	return &surplus{node: a.node, refusal: fmt.Sprintf("more than %d transactions or %d bytes became void at once", a.limits.txs, a.limits.bytes)}
}

func (s *surplus) add(hash common.Hash, place node.VoidPlace) error {
	s.count++
	if s.batch = append(s.batch, node.GoneTx{Hash: hash, Place: place, Refusal: s.refusal}); len(s.batch) < surplusBatch {
		return nil
	}
	return s.flush()
}

func (s *surplus) flush() error {
	err := s.node.SaveGoneTxs(s.batch...)
	s.batch = s.batch[:0]
	return err
}

// lost says that a surplus is gone, once that is certain.
func (a *again) lost(surplus int) {
	if surplus == 0 {
		return
	}
	a.log.Error("acknowledged transactions are gone: more became void at once than can be executed again (talaria_voidTransaction tells their users)",
		"transactions", surplus, "limit", a.limits.txs, "limitBytes", a.limits.bytes)
	if a.metrics != nil {
		a.metrics.VoidGone.Add(float64(surplus))
	}
}
