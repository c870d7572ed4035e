package exec

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// bodyRoots computes the transactions and receipts roots and the bloom of a block while it grows, so
// that sealing it does not wait for all of them. Mini-blocks are added one by one, each
// by a goroutine that waits for the one before.
type bodyRoots struct {
	txs, receipts listRoot
	bloom         types.Bloom
	last          chan struct{} // closed when everything added so far is in; nil before
}

// reset makes the roots those of an empty block.
func (r *bodyRoots) reset() {
	if r.last != nil {
		<-r.last
	}
	r.last, r.bloom = nil, types.Bloom{}
	r.txs.reset()
	r.receipts.reset()
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
		for _, receipt := range receipts {
			if len(receipt.Logs) > 0 {
				addBloom(&r.bloom, &receipt.Bloom)
			}
		}
		r.receipts.add(len(receipts), func(i int, out []byte) []byte { return receipts[i].AppendBinary(out) })
	}()
}

// sum waits for the mini-blocks and returns the roots and the bloom; nothing may be added
// then.
func (r *bodyRoots) sum() (txs, receipts common.Hash, bloom types.Bloom) {
	if r.last != nil {
		<-r.last
	}
	return r.txs.sum(), r.receipts.sum(), r.bloom
}

// addBloom sets the bits of b in all.
func addBloom(all, b *types.Bloom) {
	for i := 0; i < types.BloomByteLength; i += 8 {
		at := all[i : i+8]
		binary.NativeEndian.PutUint64(at, binary.NativeEndian.Uint64(at)|binary.NativeEndian.Uint64(b[i:]))
	}
}
