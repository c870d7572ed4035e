package exec

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

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
		r.txs.add(chain.Txs(txs))
		r.receipts.add(chain.Receipts(receipts))
	}()
}

// sum waits for the mini-blocks and returns the roots; nothing may be added then.
func (r *bodyRoots) sum() (txs, receipts common.Hash) {
	if r.last != nil {
		<-r.last
	}
	return r.txs.sum(), r.receipts.sum()
}

// listRoot is types.DeriveSha for a list that comes in parts. Keys are RLP(index), which
// a StackTrie wants in order: that of index 0 comes after that of index 127.
type listRoot struct {
	trie  *trie.StackTrie
	count uint64
	first []byte // element 0 until its turn
}

const firstComesAfter = 127

func (l *listRoot) add(part types.DerivableList) {
	for i := range part.Len() {
		var b bytes.Buffer
		part.EncodeIndex(i, &b)
		l.put(b.Bytes())
	}
}

func (l *listRoot) put(element []byte) {
	if l.trie == nil {
		l.trie = trie.NewStackTrie(nil)
	}
	index := l.count
	l.count++
	if index == 0 {
		l.first = element
		return
	}
	l.insert(index, element)
	if index == firstComesAfter {
		l.insertFirst()
	}
}

func (l *listRoot) insertFirst() {
	l.insert(0, l.first)
	l.first = nil
}

func (l *listRoot) insert(index uint64, element []byte) {
	// The trie fails on keys out of order only.
	if err := l.trie.Update(rlp.AppendUint64(nil, index), element); err != nil {
		panic("exec: " + err.Error())
	}
}

func (l *listRoot) sum() common.Hash {
	if l.count == 0 {
		return types.EmptyRootHash
	}
	if l.first != nil {
		l.insertFirst()
	}
	return l.trie.Hash()
}
