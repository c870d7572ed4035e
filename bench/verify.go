package bench

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// verifyBatch is how many look-ups travel in one request of the final checks.
const verifyBatch = 100

// sealTimeout bounds how long the final checks wait for blocks to seal.
const sealTimeout = 30 * time.Second

// verify runs the final checks and returns how many of each held.
func (l *load) verify(ctx context.Context) (Verified, error) {
	v := Verified{Receipts: l.tally.receipts}
	id, err := chainID(ctx, l.node)
	if err != nil {
		return v, err
	}
	if v.ChainID = id.Cmp(l.p.chainID) == 0; !v.ChainID {
		l.tally.mismatch(fmt.Sprintf("chain id was %s, is %s", l.p.chainID, id))
	}
	if v.Sealed, err = l.verifySealed(ctx); err != nil {
		return v, err
	}
	return v, l.verifySums(ctx, &v)
}

// verifySealed reads every acknowledged receipt again until it names a block, and
// checks that nothing that was promised changed.
func (l *load) verifySealed(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout+time.Duration(len(l.tally.latencies))*time.Millisecond)
	defer cancel()
	var open []acked
	for _, a := range l.accounts {
		open = append(open, a.acked...)
	}
	var sealed uint64
	for len(open) > 0 {
		var later []acked
		for rest := open; len(rest) > 0; {
			n := min(len(rest), verifyBatch)
			wait, held, err := l.sealedOf(ctx, rest[:n])
			if err != nil {
				return sealed, err
			}
			sealed += held
			later = append(later, wait...)
			rest = rest[n:]
		}
		open = later
		if len(open) > 0 {
			sleepUntil(ctx, time.Now().Add(100*time.Millisecond))
		}
		if ctx.Err() != nil {
			l.tally.mismatch(fmt.Sprintf("%d acknowledged transactions are in no sealed block, the first is %s", len(open), open[0].hash))
			return sealed, nil
		}
	}
	return sealed, nil
}

// sealedOf looks up one batch: wait are not in a block yet, held are right.
func (l *load) sealedOf(ctx context.Context, list []acked) (wait []acked, held uint64, err error) {
	receipts := make([]*receipt, len(list))
	errs := call(ctx, l.node.rpc, "eth_getTransactionReceipt", len(list), func(i int) ([]any, any) {
		return []any{list[i].hash}, &receipts[i]
	})
	for i, want := range list {
		r := receipts[i]
		switch {
		case ctx.Err() != nil:
			wait = append(wait, want)
		case errs[i] != nil:
			return nil, 0, fmt.Errorf("receipt of %s: %w", want.hash, errs[i])
		case r == nil:
			l.tally.mismatch(fmt.Sprintf("acknowledged transaction %s has no receipt any more", want.hash))
		case r.BlockHash == nil || *r.BlockHash == (common.Hash{}):
			wait = append(wait, want)
		case r.TxHash != want.hash || r.Status != 1 || uint64(r.GasUsed) != want.gasUsed:
			l.tally.mismatch(fmt.Sprintf("receipt of %s changed when its block sealed", want.hash))
		default:
			held++
		}
	}
	return wait, held, nil
}

// verifySums compares nonces, balances and token balances with what the receipts
// add up to.
func (l *load) verifySums(ctx context.Context, v *Verified) error {
	for rest := l.accounts; len(rest) > 0; {
		n := min(len(rest), verifyBatch/4)
		if err := l.sumsOf(ctx, rest[:n], v); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (l *load) sumsOf(ctx context.Context, list []*account, v *Verified) error {
	var (
		nonces   = make([]hexutil.Uint64, len(list))
		own      = make([]hexutil.Big, len(list))
		peers    = make([]hexutil.Big, len(list))
		tokens   = make([]hexutil.Bytes, len(list))
		peerHave = make([]hexutil.Bytes, len(list))
	)
	query := func(method string, at func(i int) ([]any, any)) error {
		for _, err := range call(ctx, l.node.rpc, method, len(list), at) {
			if err != nil {
				return fmt.Errorf("%s: %w", method, err)
			}
		}
		return nil
	}
	tokenCall := func(owner common.Address) []any {
		return []any{map[string]any{"to": l.p.token, "input": hexutil.Bytes(balanceOfData(owner))}, "latest"}
	}
	steps := []func() error{
		func() error {
			return query("eth_getTransactionCount", func(i int) ([]any, any) { return []any{list[i].addr, "latest"}, &nonces[i] })
		},
		func() error {
			return query("eth_getBalance", func(i int) ([]any, any) { return []any{list[i].addr, "latest"}, &own[i] })
		},
	}
	if l.p.token == nil {
		steps = append(steps, func() error {
			return query("eth_getBalance", func(i int) ([]any, any) { return []any{list[i].peer, "latest"}, &peers[i] })
		})
	} else {
		steps = append(steps,
			func() error {
				return query("eth_call", func(i int) ([]any, any) { return tokenCall(list[i].addr), &tokens[i] })
			},
			func() error {
				return query("eth_call", func(i int) ([]any, any) { return tokenCall(list[i].peer), &peerHave[i] })
			})
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	for i, a := range list {
		l.compareNonce(a, uint64(nonces[i]), v)
		if a.unknown > 0 {
			v.Skipped++
			continue
		}
		l.compare(a.addr, "balance", own[i].ToInt(), new(big.Int).Sub(a.funded, a.spent), &v.Balances)
		moved := new(big.Int).SetUint64(uint64(len(a.acked)))
		if l.p.token == nil {
			l.compare(a.peer, "balance", peers[i].ToInt(), moved, &v.Balances)
			continue
		}
		left := new(big.Int).Sub(new(big.Int).SetUint64(l.cfg.perClient()), moved)
		l.compare(a.addr, "token balance", new(big.Int).SetBytes(tokens[i]), left, &v.TokenBalances)
		l.compare(a.peer, "token balance", new(big.Int).SetBytes(peerHave[i]), moved, &v.TokenBalances)
	}
	return nil
}

// compareNonce allows for transactions whose outcome is unknown, and for nothing else.
func (l *load) compareNonce(a *account, got uint64, v *Verified) {
	low := uint64(len(a.acked))
	if got < low || got > low+uint64(a.unknown) {
		l.tally.mismatch(fmt.Sprintf("nonce of %s is %d after %d acknowledged and %d unknown transactions", a.addr, got, low, a.unknown))
		return
	}
	v.Nonces++
}

func (l *load) compare(addr common.Address, what string, got, want *big.Int, held *uint64) {
	if got.Cmp(want) != 0 {
		l.tally.mismatch(fmt.Sprintf("%s of %s is %s, its receipts say %s", what, addr, got, want))
		return
	}
	*held++
}
