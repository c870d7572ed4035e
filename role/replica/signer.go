package replica

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/derivation"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/signers"
)

// signerPatience is how long a mini-block that somebody unknown signed waits for L1 to say
// who may.
const signerPatience = 10 * time.Second

// originOf is the L1 origin of a block, as its first transaction says.
type originOf struct {
	block, origin uint64
	known         bool
}

// startSigners begins to read from L1 who signs, unless the options say.
func startSigners(n *node.Node, opts *LiveOptions) (*signers.Signers, error) {
	if opts.L1 == nil || opts.Signer != (common.Address{}) {
		return nil, nil
	}
	states, err := derivation.LoadStates(n.DerivationStates(stateName))
	if err != nil {
		return nil, err
	}
	return signers.Start(signers.Options{L1: opts.L1, Config: n.Config(), From: states.Oldest().Head, Poll: opts.Poll, Log: opts.Log}), nil
}

// checkSigner checks that who signed a mini-block may. Where L1 is not read up to the block's
// origin, who signed before may: a replica follows without L1, and L1 decides later.
func (l *Live) checkSigner(ctx context.Context, m *feed.MiniBlock) error {
	by, err := m.Header.Signer(m.Signature)
	if err != nil {
		return err
	}
	want := l.opts.Signer
	if l.signers != nil {
		origin, err := l.origin(ctx, m)
		if err != nil {
			return err
		}
		var known bool
		if want, known = l.signers.Known(origin); by != want && !known {
			ctx, cancel := context.WithTimeout(ctx, signerPatience)
			defer cancel()
			if want, err = l.signers.At(ctx, origin); err != nil {
				return fmt.Errorf("who signs blocks of L1 block %d: %w", origin, err)
			}
		}
	}
	if by != want {
		return fmt.Errorf("signed by %s, the leader is %s", by, want)
	}
	return nil
}

// origin is the number of the L1 origin of a mini-block's block.
func (l *Live) origin(ctx context.Context, m *feed.MiniBlock) (uint64, error) {
	h := &m.Header
	if h.Index > 0 && l.opened.known && l.opened.block == h.BlockNumber {
		return l.opened.origin, nil
	}
	txs := m.Txs
	if h.Index > 0 {
		first, err := l.node.MiniBlockByNumber(ctx, h.Number-min(h.Number, h.Index))
		if err != nil {
			return 0, err
		}
		if first == nil || first.Header.BlockNumber != h.BlockNumber {
			return 0, fmt.Errorf("mini-block %d without the first of its block", h.Number)
		}
		txs = first.Txs
	}
	if len(txs) == 0 {
		return 0, fmt.Errorf("block %d begins without L1 attributes", h.BlockNumber)
	}
	a, err := chain.ParseL1Attributes(txs[0])
	if err != nil {
		return 0, err
	}
	l.opened = originOf{h.BlockNumber, a.Number, true}
	return a.Number, nil
}
