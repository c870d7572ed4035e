package node

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// Backend is the node's answers to JSON-RPC. A nil hook means: no transactions are
// taken, always ready, never behind.
type Backend struct {
	*Node
	Submit     func([]rpc.Send) []*rpc.Submission
	ReadyHook  func() error
	SyncStatus func() rpc.SyncStatus
	// DevControls are nil but on a development chain.
	DevControls rpc.DevControls
	// Withdrawals and Attestations are rpc.Exits' methods; nil: this node cannot tell.
	Withdrawals  func(ctx context.Context, hash common.Hash, index uint64) (*rpc.WithdrawalStatus, error)
	Attestations func(ctx context.Context, number uint64) (*rpc.Attestation, error)
	// Pool is rpc.TxPool's method; nil: nothing waits here.
	Pool func(ctx context.Context, caller string, all bool) (*rpc.PoolContent, error)
	// Void is rpc.VoidTransactions' method; nil: this node published nothing before L1 did.
	Void func(ctx context.Context, hash common.Hash) (*rpc.VoidTx, error)
}

var _ rpc.Backend = (*Backend)(nil)

// Head implements rpc.Backend.
func (n *Node) Head() *types.Header { return n.PublishedHead() }

// Pending implements rpc.Backend.
func (n *Node) Pending() *rpc.OpenBlock {
	n.mu.RLock()
	defer n.mu.RUnlock()
	o := n.pub.open
	if o == nil {
		return nil
	}
	minis := make([]chain.MiniBlockHeader, len(o.minis))
	for i, m := range o.minis {
		minis[i] = m.Header
	}
	return &rpc.OpenBlock{Header: o.header, Txs: o.txs, Receipts: o.receipts, MiniBlocks: minis}
}

// Finality implements rpc.Backend.
func (n *Node) Finality() (safe, finalized uint64) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.pub.safe, n.pub.finalized
}

// Sync implements rpc.Backend.
func (b *Backend) Sync() rpc.SyncStatus {
	if b.SyncStatus == nil {
		return rpc.SyncStatus{}
	}
	return b.SyncStatus()
}

// Ready implements rpc.Backend.
func (b *Backend) Ready() error {
	select {
	case <-b.failed:
		return fmt.Errorf("node stopped: %w", b.failure)
	default:
	}
	if b.ReadyHook == nil {
		return nil
	}
	return b.ReadyHook()
}

// SubmitTxs implements rpc.Backend.
func (b *Backend) SubmitTxs(_ context.Context, sends []rpc.Send) []*rpc.Submission {
	if b.Submit != nil {
		return b.Submit(sends)
	}
	subs := rpc.NewSubmissions(sends)
	for _, sub := range subs {
		sub.Resolve(nil, errors.New("this node does not take transactions (send them to the sequencer)"))
	}
	return subs
}

// Subscribe implements rpc.Backend.
func (n *Node) Subscribe(buffer int) *rpc.FeedReader { return n.feed.Subscribe(buffer) }

// recentBlock returns the sealed block of that number that is not in the store yet.
func (n *Node) recentBlock(number uint64) *recentBlock {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(n.pub.recent) == 0 {
		return nil
	}
	first := n.pub.recent[0].block.Number()
	if number < first || number >= first+uint64(len(n.pub.recent)) {
		return nil
	}
	return n.pub.recent[number-first]
}

// HeaderByNumber implements rpc.Backend.
func (n *Node) HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error) {
	if r := n.recentBlock(number); r != nil {
		return r.block.Header, nil
	}
	return absent(n.store.Header(number))
}

// BlockByNumber implements rpc.Backend.
func (n *Node) BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error) {
	if r := n.recentBlock(number); r != nil {
		return r.block, nil
	}
	return n.blocks.get(number, func() (*chain.Block, error) { return absent(n.store.Block(number)) })
}

// BlockByHash implements rpc.Backend.
func (n *Node) BlockByHash(ctx context.Context, hash common.Hash) (*chain.Block, error) {
	n.mu.RLock()
	for _, r := range n.pub.recent {
		if r.block.Hash() == hash {
			n.mu.RUnlock()
			return r.block, nil
		}
	}
	n.mu.RUnlock()
	number, err := n.store.BlockNumber(hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return n.BlockByNumber(ctx, number)
}

// absent turns the store's ErrNotFound into nil, as rpc.Backend asks, and ErrPruned into
// what clients see.
func absent[T any](v *T, err error) (*T, error) {
	switch {
	case errors.Is(err, store.ErrPruned):
		return nil, pruned(err)
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	}
	return v, err
}

// TxByHash implements rpc.Backend.
func (n *Node) TxByHash(ctx context.Context, hash common.Hash) (*rpc.TxInfo, error) {
	n.mu.RLock()
	place, ok := n.pub.tx(hash)
	if ok && n.pub.open != nil && n.pub.open.header.Number.Uint64() == place.block {
		info := n.pub.open.txInfo(place.index)
		n.mu.RUnlock()
		return info, nil
	}
	n.mu.RUnlock()
	if !ok {
		number, index, err := n.store.TxLookup(hash)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		place = txPlace{number, index}
	}
	block, err := n.BlockByNumber(ctx, place.block)
	if block == nil || err != nil {
		return nil, err
	}
	return sealedTxInfo(block, place.index), nil
}

func (o *openView) txInfo(index uint64) *rpc.TxInfo {
	info := &rpc.TxInfo{
		Tx: o.txs[index], Receipt: o.receipts[index],
		BlockNumber: o.header.Number.Uint64(), BlockTime: o.header.Time, BaseFee: o.header.BaseFee, Index: index,
	}
	info.FirstLogIndex = firstLog(o.receipts, index)
	for _, m := range o.minis {
		if index < m.Header.FirstTxIndex+m.Header.TxCount {
			info.MiniBlock = m.Header.Number
			break
		}
	}
	return info
}

func sealedTxInfo(b *chain.Block, index uint64) *rpc.TxInfo {
	info := &rpc.TxInfo{
		Tx: b.Txs[index], Receipt: b.Receipts[index], BlockHash: b.Hash(),
		BlockNumber: b.Number(), BlockTime: b.Header.Time, BaseFee: b.Header.BaseFee, Index: index,
		FirstLogIndex: firstLog(b.Receipts, index),
	}
	for _, m := range b.MiniBlocks {
		if index < m.FirstTxIndex+m.TxCount {
			info.MiniBlock = m.Number
			break
		}
	}
	return info
}

func firstLog(receipts []*chain.Receipt, index uint64) uint64 {
	var sum uint64
	for _, r := range receipts[:index] {
		sum += uint64(len(r.Logs))
	}
	return sum
}

// MiniBlockByNumber implements rpc.Backend.
func (n *Node) MiniBlockByNumber(ctx context.Context, number uint64) (*rpc.MiniBlock, error) {
	n.mu.RLock()
	m := n.memoryMiniBlock(number)
	n.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	return n.storedMiniBlock(n.store.MiniBlock(number))
}

// MiniBlockByHash implements rpc.Backend.
func (n *Node) MiniBlockByHash(ctx context.Context, hash common.Hash) (*rpc.MiniBlock, error) {
	n.mu.RLock()
	number, ok := n.pub.mini(hash)
	n.mu.RUnlock()
	if ok {
		return n.MiniBlockByNumber(ctx, number)
	}
	return n.storedMiniBlock(n.store.MiniBlockByHash(hash))
}

func (n *Node) storedMiniBlock(m *chain.MiniBlock, b *chain.Block, err error) (*rpc.MiniBlock, error) {
	if m, err = absent(m, err); m == nil {
		return nil, err
	}
	return n.inBlock(m, b), nil
}

// memoryMiniBlock finds a mini-block that the store may not hold yet. n.mu is held.
func (n *Node) memoryMiniBlock(number uint64) *rpc.MiniBlock {
	if o := n.pub.open; o != nil {
		if i, ok := position(o.minis, number); ok {
			m := o.minis[i]
			return &rpc.MiniBlock{MiniBlock: m, Hash: m.Header.Hash(), Attributes: o.attrs, BlockTime: o.header.Time, BaseFee: o.header.BaseFee, FirstLogIndex: o.firstLog[i]}
		}
	}
	for _, r := range n.pub.recent {
		if i, ok := position(r.minis, number); ok {
			return n.inBlock(r.minis[i], r.block)
		}
	}
	return nil
}

// position of a mini-block among consecutive ones.
func position(minis []*chain.MiniBlock, number uint64) (int, bool) {
	if len(minis) == 0 || number < minis[0].Header.Number || number-minis[0].Header.Number >= uint64(len(minis)) {
		return 0, false
	}
	return int(number - minis[0].Header.Number), true
}

func (n *Node) inBlock(m *chain.MiniBlock, b *chain.Block) *rpc.MiniBlock {
	return &rpc.MiniBlock{
		MiniBlock: m, Hash: m.Header.Hash(), Attributes: n.attributes(b.Header), BlockTime: b.Header.Time, BaseFee: b.Header.BaseFee,
		FirstLogIndex: firstLog(b.Receipts, m.Header.FirstTxIndex), BlockHash: b.Hash(),
	}
}

// attributes are those of a sealed block.
func (n *Node) attributes(h *types.Header) chain.Attributes {
	a := chain.Attributes{Timestamp: h.Time, PrevRandao: h.MixDigest, ParentBeacon: *h.ParentBeaconRoot, Params: chain.ParamsOf(n.cfg, h)}
	if n.opts.Development { // there it may have been set
		a.BaseFee = h.BaseFee
	}
	return a
}

// Balance implements rpc.Backend.
func (n *Node) Balance(ctx context.Context, addr common.Address, ref rpc.StateRef) (*big.Int, error) {
	acc, err := n.account(addr, ref)
	return acc.Balance.ToBig(), err
}

// Nonce implements rpc.Backend.
func (n *Node) Nonce(ctx context.Context, addr common.Address, ref rpc.StateRef) (uint64, error) {
	acc, err := n.account(addr, ref)
	return acc.Nonce, err
}

func (n *Node) account(addr common.Address, ref rpc.StateRef) (acc state.Account, err error) {
	err = n.read(ref, func(v state.View, _ *types.Header) error {
		acc, _ = v.Account(addr)
		return nil
	})
	return acc, err
}

// Code implements rpc.Backend.
func (n *Node) Code(ctx context.Context, addr common.Address, ref rpc.StateRef) (code []byte, err error) {
	err = n.read(ref, func(v state.View, _ *types.Header) error {
		if acc, ok := v.Account(addr); ok {
			code = v.Code(acc.CodeHash)
		}
		return nil
	})
	return code, err
}

// Storage implements rpc.Backend.
func (n *Node) Storage(ctx context.Context, addr common.Address, slot common.Hash, ref rpc.StateRef) (value common.Hash, err error) {
	err = n.read(ref, func(v state.View, _ *types.Header) error {
		value = v.Storage(addr, slot)
		return nil
	})
	return value, err
}

// read calls f with the state at ref and the header of the block that a call at ref
// runs in: the open block for the newest state, else the block itself.
func (n *Node) read(ref rpc.StateRef, f func(state.View, *types.Header) error) error {
	n.reading.RLock()
	defer n.reading.RUnlock()
	n.mu.RLock()
	if ref.Newest {
		snapshot, err := n.state.View(n.pub.version)
		header := n.pub.sealed
		if n.pub.open != nil {
			header = n.pub.open.header
		}
		n.mu.RUnlock()
		if err != nil {
			return err
		}
		defer snapshot.Close()
		return f(snapshot, header)
	}
	for _, r := range n.pub.recent {
		if r.block.Number() == ref.Number {
			snapshot, err := n.state.View(r.state.Version())
			n.mu.RUnlock()
			if err != nil {
				return err
			}
			defer snapshot.Close()
			return f(snapshot, r.block.Header)
		}
	}
	head := n.pub.sealed.Number.Uint64()
	n.mu.RUnlock()
	if ref.Number > head {
		return fmt.Errorf("block %d is not sealed yet, head is %d", ref.Number, head)
	}
	if err := n.hasState(ref.Number); err != nil {
		return err
	}
	header, err := n.store.Header(ref.Number)
	if err != nil {
		return err
	}
	return f(n.store.HistoryView(ref.Number), header)
}
