package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/invariant"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

// head is what is published: readers see this and nothing newer. Node.mu guards it.
type head struct {
	sealed  *types.Header // last sealed block
	version uint64        // of the state after the newest mini-block
	open    *openView     // nil between a block and the first mini-block of the next
	// recent are the sealed blocks that the store does not hold yet, ascending.
	recent          []*recentBlock
	spare           []index // of blocks that the store holds now, empty, for those to come
	safe, finalized uint64
}

// openView is the published part of the open block. Its slices only grow, so that a
// copy of their headers is a consistent picture.
type openView struct {
	header   *types.Header // a private copy: gas used is that of the published part
	attrs    chain.Attributes
	txs      []*chain.Tx
	receipts []*chain.Receipt
	minis    []*chain.MiniBlock
	firstLog []uint64 // per mini-block
	logs     uint64
	found    index
}

// index finds what a block has by hash, until the store does. A block has its own, so
// that forgetting one is no work for anybody who waits for the head.
type index struct {
	txs   map[common.Hash]uint64 // index in the block
	minis map[common.Hash]uint64 // number
}

// maxSpare is how many empty indexes are kept: of the open block and of one that is
// being written.
const maxSpare = 2

// newIndex takes an empty index. Node.mu is held.
func (h *head) newIndex() index {
	if n := len(h.spare); n > 0 {
		i := h.spare[n-1]
		h.spare = h.spare[:n-1]
		return i
	}
	return index{make(map[common.Hash]uint64), make(map[common.Hash]uint64)}
}

// find searches the blocks that the store may not hold yet, each with its number.
// Node.mu is held.
func (h *head) find(in func(block uint64, i *index) bool) {
	if o := h.open; o != nil && in(o.header.Number.Uint64(), &o.found) {
		return
	}
	for n := len(h.recent) - 1; n >= 0; n-- {
		if r := h.recent[n]; in(r.block.Number(), &r.found) {
			return
		}
	}
}

// tx is where a transaction is. Node.mu is held.
func (h *head) tx(hash common.Hash) (place txPlace, ok bool) {
	h.find(func(block uint64, i *index) bool {
		place.block = block
		place.index, ok = i.txs[hash]
		return ok
	})
	return place, ok
}

// mini is the number of a mini-block. Node.mu is held.
func (h *head) mini(hash common.Hash) (number uint64, ok bool) {
	h.find(func(_ uint64, i *index) bool {
		number, ok = i.minis[hash]
		return ok
	})
	return number, ok
}

// write is a job of the writer: a block to put into the store, or a function to call
// after all blocks before it are there.
type write struct {
	block *recentBlock
	then  func() error
	done  chan error // of then
}

// recentBlock is a sealed block in memory with the state after it.
type recentBlock struct {
	block *chain.Block
	minis []*chain.MiniBlock
	found index
	state *state.Snapshot
	diff  state.Diff
	done  func() // called when the block is in the store
}

type txPlace struct{ block, index uint64 }

// PublishMiniBlock makes a mini-block, which must be durable, the newest. version is
// that of the state after it; header is the open block's and is copied, a are its attributes.
func (n *Node) PublishMiniBlock(m *chain.MiniBlock, header *types.Header, a chain.Attributes, version uint64) {
	hash := m.Header.Hash()
	n.mu.Lock()
	if n.pub.open == nil {
		n.pub.open = &openView{header: openHeader(header), attrs: a, found: n.pub.newIndex()}
	}
	o := n.pub.open
	h := *o.header
	h.GasUsed += m.Header.GasUsed
	o.header = &h
	firstLog := o.logs
	o.found.minis[hash] = m.Header.Number
	for i, tx := range m.Txs {
		o.found.txs[tx.Hash()] = m.Header.FirstTxIndex + uint64(i)
		o.logs += uint64(len(m.Receipts[i].Logs))
	}
	o.txs, o.receipts = append(o.txs, m.Txs...), append(o.receipts, m.Receipts...)
	o.minis, o.firstLog = append(o.minis, m), append(o.firstLog, firstLog)
	n.pub.version = version
	n.mu.Unlock()

	n.state.Trim(version)
	n.feed.Publish(rpc.Event{MiniBlock: &rpc.MiniBlock{
		MiniBlock: m, Hash: hash, Attributes: a, BlockTime: h.Time, BaseFee: h.BaseFee, FirstLogIndex: firstLog,
	}})
}

// openHeader copies what is known of an open block's header, so that sealing it
// later cannot be seen through the copy.
func openHeader(h *types.Header) *types.Header {
	return &types.Header{
		ParentHash: h.ParentHash, UncleHash: h.UncleHash, Coinbase: h.Coinbase, Difficulty: h.Difficulty,
		Number: h.Number, GasLimit: h.GasLimit, Time: h.Time, MixDigest: h.MixDigest, BaseFee: h.BaseFee,
		BlobGasUsed: h.BlobGasUsed, ExcessBlobGas: h.ExcessBlobGas,
		ParentBeaconRoot: h.ParentBeaconRoot, RequestsHash: h.RequestsHash,
	}
}

// PublishBlock makes a block, whose mini-blocks are published and whose seal is
// durable, the last sealed one, and has it written to the store. It blocks while too
// many blocks wait to be written. done, if not nil, is called after the write.
func (n *Node) PublishBlock(b *chain.Block, diff state.Diff, done func()) error {
	n.mu.Lock()
	snapshot, err := n.state.View(n.pub.version)
	if err != nil {
		n.mu.Unlock()
		return fmt.Errorf("publish block %d: %w", b.Number(), err)
	}
	invariant.Assert(n.pub.open != nil && len(n.pub.open.txs) == len(b.Txs), "published mini-blocks make up the block")
	r := &recentBlock{block: b, minis: n.pub.open.minis, found: n.pub.open.found, state: snapshot, diff: diff, done: done}
	n.pub.sealed, n.pub.open = b.Header, nil
	n.pub.recent = append(n.pub.recent, r)
	n.mu.Unlock()

	n.feed.Publish(rpc.Event{Sealed: b})
	select {
	case n.writes <- write{block: r}:
		return nil
	case <-n.failed:
		return n.failure
	case <-n.stopWrites:
		return errClosed
	}
}

// errClosed is returned by what comes after Close.
var errClosed = errors.New("node is closed")

// AfterWrites calls f when every block published so far is in the store, and waits
// for it.
func (n *Node) AfterWrites(f func() error) error {
	w := write{then: f, done: make(chan error, 1)}
	select {
	case n.writes <- w:
	case <-n.failed:
		return n.failure
	case <-n.stopWrites:
		return errClosed
	}
	select {
	case err := <-w.done:
		return err
	case <-n.failed:
		return n.failure
	}
}

// writer puts sealed blocks into the store, in order, until Close.
func (n *Node) writer() {
	defer n.wg.Done()
	for {
		select {
		case w := <-n.writes:
			if !n.do(w) {
				return
			}
		case <-n.stopWrites:
			for { // what was handed over before
				select {
				case w := <-n.writes:
					if !n.do(w) {
						return
					}
				default:
					return
				}
			}
		}
	}
}

// do carries out one job; false if the node has failed.
func (n *Node) do(w write) bool {
	if w.then != nil {
		w.done <- w.then()
		return true
	}
	if err := n.write(w.block); err != nil {
		n.Fail(err)
		return false
	}
	return true
}

// minFreeBytes is what the disk must have free: the database needs room for what it
// holds in memory, and gives up without a word when it does not get it.
const minFreeBytes = 64 << 20

// checkDisk stops the node before the disk is full, while stopping is still orderly.
func (n *Node) checkDisk() error {
	free, err := n.dir.Free()
	if err != nil {
		return err
	}
	if free < minFreeBytes {
		return fmt.Errorf("disk of %s is almost full: %d MiB free, at least %d are needed (make room and start again; nothing acknowledged is lost)",
			n.dir.Path(), free>>20, minFreeBytes>>20)
	}
	return nil
}

// hurry reports whether something waits for the writer.
func (n *Node) hurry() bool {
	select {
	case <-n.stopWrites:
		return true
	default:
		return len(n.writes) > 0
	}
}

func (n *Node) write(r *recentBlock) error {
	if err := n.checkDisk(); err != nil {
		return err
	}
	sigs := make([]chain.Signature, len(r.minis))
	for i, m := range r.minis {
		sigs[i] = m.Signature
	}
	if err := n.store.WriteBlock(r.block, sigs, r.diff, newPace(n.hurry).rest); err != nil {
		return fmt.Errorf("write block %d: %w", r.block.Number(), err)
	}
	n.state.Written(r.state.Version())
	n.blocks.add(r.block)
	n.mu.Lock()
	n.pub.recent = n.pub.recent[1:] // the store answers now
	n.mu.Unlock()
	clear(r.found.txs)
	clear(r.found.minis)
	n.mu.Lock()
	if len(n.pub.spare) < maxSpare {
		n.pub.spare = append(n.pub.spare, r.found)
	}
	n.mu.Unlock()
	r.state.Close()
	if r.done != nil {
		r.done()
	}
	return nil
}

// SetFinality publishes the newest block posted to L1 and the newest L1-final one. One
// that the node does not hold, since it went back meanwhile, changes nothing.
func (n *Node) SetFinality(safe, finalized chain.BlockID) error {
	n.reading.RLock() // no Rewind between the look and the change
	defer n.reading.RUnlock()
	hasSafe, err := n.holds(safe)
	if err != nil {
		return err
	}
	hasFinal, err := n.holds(finalized)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if hasSafe {
		n.pub.safe = safe.Number
	}
	if hasFinal {
		n.pub.finalized = finalized.Number
	}
	n.noteTiers()
	return nil
}

// holds tells whether the block is of the chain.
func (n *Node) holds(b chain.BlockID) (bool, error) {
	h, err := n.HeaderByNumber(context.Background(), b.Number)
	return err == nil && h != nil && h.Hash() == b.Hash, err
}

// noteTiers remembers since when the tiers are where they are. n.mu is held.
func (n *Node) noteTiers() {
	now := time.Now()
	n.posted.note(n.pub.safe, now)
	n.final.note(n.pub.finalized, now)
}

// PublishedHead is the header of the last sealed block.
func (n *Node) PublishedHead() *types.Header {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.pub.sealed
}
