package exec

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// bodyRoots computes the transactions and receipts roots of a block while it grows, so
// that sealing it does not wait for all of them. Mini-blocks are added one by one, each
// by a goroutine that waits for the one before.
type bodyRoots struct {
	txs, receipts listRoot
	last          chan struct{} // closed when everything added so far is in; nil before
}

// add takes in a mini-block, of which nothing may change any more.
func (r *bodyRoots) add(txs []*chain.Tx, receipts []*chain.Receipt) {
	before, done := r.last, make(chan struct{})
	r.last = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		r.txs.add(len(txs), func(i int, out []byte) []byte { return append(out, txs[i].Raw()...) })
		r.receipts.add(len(receipts), func(i int, out []byte) []byte { return receipts[i].AppendBinary(out) })
	}()
}

// sum waits for the mini-blocks and returns the roots; nothing may be added then.
func (r *bodyRoots) sum() (txs, receipts common.Hash) {
	if r.last != nil {
		<-r.last
	}
	return r.txs.sum(), r.receipts.sum()
}
