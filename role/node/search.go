package node

import (
	"context"
	"slices"
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/tracer"
)

// Limits of one search by account.
const (
	// maxSearchBlocks bounds the blocks that are executed again.
	maxSearchBlocks = 1000
	// maxScanBlocks bounds the blocks that are looked through for calls of a contract that
	// left its nonce, balance and code as they were: no index has them.
	maxScanBlocks = 2000
)

// accountSearch goes through the blocks that may concern an account, in one direction.
type accountSearch struct {
	n       *Node
	addr    common.Address
	forward bool
	scan    int // blocks that may still be looked through
	newest  uint64
}

// newestBlock is the number of the open block, or of the head if there is none.
func (n *Node) newestBlock() uint64 {
	if open := n.Pending(); open != nil {
		return open.Header.Number.Uint64()
	}
	return n.PublishedHead().Number.Uint64()
}

// next is the nearest block from number at on that may concern the account.
func (s *accountSearch) next(ctx context.Context, at uint64) (number uint64, ok bool, err error) {
	if !s.forward {
		at = min(at, s.newest)
	}
	if at == 0 || at > s.newest {
		return 0, false, nil
	}
	written, _, err := s.n.store.Head()
	if err != nil {
		return 0, false, err
	}
	if at > written {
		return at, true, nil // few, and without history yet
	}
	number, ok, err = s.n.store.AccountChange(s.addr, at, s.forward)
	if err != nil {
		return 0, false, err
	}
	switch {
	case !ok && s.forward:
		number = written + 1
	case !ok:
		number = 0
	}
	for ; at != number && s.scan > 0; s.scan-- {
		b, err := s.n.BlockByNumber(ctx, at)
		if err != nil || b == nil {
			return 0, false, err
		}
		if types.BloomLookup(b.Header.Bloom, s.addr) {
			return at, true, nil
		}
		for _, tx := range b.Txs {
			if to := tx.To(); to != nil && *to == s.addr {
				return at, true, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		if at = s.past(at); at == 0 {
			break
		}
	}
	return number, number > 0 && number <= s.newest, nil
}

// past is the block after number in the direction of the search.
func (s *accountSearch) past(number uint64) uint64 {
	if s.forward {
		return number + 1
	}
	return number - 1
}

// AccountTxs implements rpc.Explorer. Blocks that changed the account's nonce, balance
// or code come from the history of accounts; those that only called a contract are
// found within maxScanBlocks.
func (n *Node) AccountTxs(ctx context.Context, addr common.Address, from uint64, forward bool, limit int) (found []*rpc.TxInfo, more bool, err error) {
	s := &accountSearch{n: n, addr: addr, forward: forward, newest: n.newestBlock()}
	code, err := n.Code(ctx, addr, rpc.StateRef{Newest: true})
	if err != nil {
		return nil, false, err
	}
	if len(code) > 0 {
		s.scan = maxScanBlocks
	}
	var pages [][]*rpc.TxInfo
	count, at := 0, from
	for blocks := 0; ; blocks++ {
		number, ok, err := s.next(ctx, at)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			break
		}
		if count >= max(limit, 1) || blocks == maxSearchBlocks {
			more = true
			break
		}
		page, err := n.touching(ctx, number, addr)
		if err != nil {
			return nil, false, traceError(err)
		}
		pages = append(pages, page)
		count += len(page)
		at = s.past(number)
	}
	if !forward {
		slices.Reverse(pages)
	}
	return slices.Concat(pages...), more, nil
}

// touching are the transactions of a block that concern the account.
func (n *Node) touching(ctx context.Context, number uint64, addr common.Address) (out []*rpc.TxInfo, err error) {
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	var found []int
	err = n.replay(ctx, b, func(ctx context.Context, r *tracer.Replay) error {
		found, err = r.Touching(ctx, addr)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range found {
		info, err := n.TxByHash(ctx, b.Txs[i].Hash())
		if err != nil {
			return nil, err
		}
		if info != nil {
			out = append(out, info)
		}
	}
	return out, nil
}

// firstBlock is the first block, up to the newest, after which holds says true. It must
// stay true from then on. 0 is genesis; ok is false if it never is.
func (n *Node) firstBlock(holds func(rpc.StateRef) (bool, error)) (number uint64, ok bool, err error) {
	if ok, err = holds(rpc.StateRef{Newest: true}); err != nil || !ok {
		return 0, false, err
	}
	head := n.PublishedHead().Number.Uint64()
	i := sort.Search(int(head)+1, func(i int) bool {
		if err != nil {
			return true
		}
		var yes bool
		yes, err = holds(rpc.StateRef{Number: uint64(i)})
		return yes
	})
	return uint64(i), true, err
}

// SenderTx implements rpc.Explorer, by a search for the block in which the nonce was
// used.
func (n *Node) SenderTx(ctx context.Context, sender common.Address, nonce uint64) (*rpc.TxInfo, error) {
	number, ok, err := n.firstBlock(func(ref rpc.StateRef) (bool, error) {
		next, err := n.Nonce(ctx, sender, ref)
		return next > nonce, err
	})
	if err != nil || !ok || number == 0 {
		return nil, err
	}
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	for i, tx := range b.Txs {
		used := tx.Nonce()
		if tx.IsDeposit() {
			used = b.Receipts[i].DepositNonce
		}
		if tx.From() == sender && used == nonce {
			return n.TxByHash(ctx, tx.Hash())
		}
	}
	return nil, nil // a creation by a contract, or an authorization
}

// Creator implements rpc.Explorer, by a search for the block after which there was code.
func (n *Node) Creator(ctx context.Context, addr common.Address) (made *rpc.Creation, err error) {
	number, ok, err := n.firstBlock(func(ref rpc.StateRef) (bool, error) {
		code, err := n.Code(ctx, addr, ref)
		_, delegated := types.ParseDelegation(code)
		return len(code) > 0 && !delegated, err
	})
	if err != nil || !ok || number == 0 {
		return nil, err
	}
	b, err := n.tracedBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	err = n.replay(ctx, b, func(ctx context.Context, r *tracer.Replay) error {
		i, creator, ok, err := r.Creator(ctx, addr)
		if ok {
			made = &rpc.Creation{Tx: b.Txs[i].Hash(), Creator: creator}
		}
		return err
	})
	return made, traceError(err)
}
