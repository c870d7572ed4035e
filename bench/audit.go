package bench

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// audit compares what the chain says after a presigned run with what was sent.
type audit struct {
	node    *node
	tally   *tally
	g       *program
	senders []*sender
	items   []item
	follow  *follower
	sample  int // receipts read of each block; 0: all

	fees  []*big.Int // by sender
	gas   uint64
	read  uint64 // receipts of the run
	seen  []bool // items whose receipt was right
	swaps []*big.Int
	pair  reserves
	v     Verified
}

// run makes all checks.
func (a *audit) run(ctx context.Context) error {
	a.fees = make([]*big.Int, len(a.senders))
	for i := range a.fees {
		a.fees[i] = new(big.Int)
	}
	a.seen = make([]bool, len(a.items))
	owner := make([]uint32, len(a.items))
	for i, s := range a.senders {
		for j := range s.count {
			owner[s.first+j] = uint32(i)
		}
	}
	for _, b := range a.follow.blocks {
		list, err := a.receipts(ctx, b)
		if err != nil {
			return err
		}
		a.block(b, list, owner)
	}
	a.inclusion()
	a.replay(owner)
	return a.sums(ctx)
}

func (a *audit) receipts(ctx context.Context, b sealed) ([]*blockReceipt, error) {
	if a.sample > 0 {
		return a.follow.sampleOf(ctx, b, a.items, a.sample)
	}
	return a.follow.receiptsOf(ctx, b, a.items)
}

// logsOf is how many events a transaction of each kind emits.
func logsOf(k kind) int { return [kinds]int{0, 0, 1, 4, 0, 0}[k] }

// block checks the receipts of one block.
func (a *audit) block(b sealed, list []*blockReceipt, owner []uint32) {
	for _, r := range list {
		if r == nil {
			continue
		}
		i, ours := a.follow.byHash[r.TxHash]
		if !ours || a.follow.places[i].block != b.number {
			continue
		}
		s, it := a.senders[owner[i]], &a.items[i]
		a.fees[owner[i]].Add(a.fees[owner[i]], r.plain().fee())
		a.gas += uint64(r.GasUsed)
		a.read++
		switch {
		case a.seen[i]:
			a.tally.mismatch(fmt.Sprintf("block %d has two receipts of %s", b.number, r.TxHash))
		case r.Status != 1:
			a.tally.mismatch(fmt.Sprintf("receipt of %s: status %d", r.TxHash, r.Status))
		case r.From != s.addr:
			a.tally.mismatch(fmt.Sprintf("receipt of %s: from %s, sent by %s", r.TxHash, r.From, s.addr))
		case r.GasUsed == 0 || uint64(r.GasUsed) > a.g.gas[it.kind]:
			a.tally.mismatch(fmt.Sprintf("receipt of %s: gas used %d of %d", r.TxHash, r.GasUsed, a.g.gas[it.kind]))
		case len(r.Logs) != logsOf(it.kind):
			a.tally.mismatch(fmt.Sprintf("receipt of %s (%s): %d events, not %d", r.TxHash, kindNames()[it.kind], len(r.Logs), logsOf(it.kind)))
		default:
			a.v.Receipts++
			a.v.Sealed++
		}
		a.seen[i] = true
	}
}

// inclusion checks that exactly what was accepted is included, and each account's in
// the order of its nonces.
func (a *audit) inclusion() {
	for _, s := range a.senders {
		var last place
		hole := false
		for j := range s.count {
			i := s.first + j
			p, it := a.follow.places[i], &a.items[i]
			switch {
			case p.block == 0 && it.fate == answered:
				a.tally.mismatch(fmt.Sprintf("acknowledged transaction %s is in no block", it.hash))
			case p.block != 0 && (it.fate == notSent || it.fate == refused):
				a.tally.mismatch(fmt.Sprintf("transaction %s is in block %d although the node refused it", it.hash, p.block))
			case p.block != 0 && !a.seen[i] && a.sample == 0:
				a.tally.mismatch(fmt.Sprintf("block %d has no receipt of %s", p.block, it.hash))
			}
			if p.block == 0 {
				hole = true
				continue
			}
			if hole || p.block < last.block || p.block == last.block && p.index <= last.index {
				a.tally.mismatch(fmt.Sprintf("transaction %s (nonce %d of %s) is out of order in block %d", it.hash, s.nonce+uint64(j), s.addr, p.block))
			} else {
				a.v.Ordered++
			}
			last = p
		}
	}
}

// replay makes the swaps again in the order of the chain.
func (a *audit) replay(owner []uint32) {
	if a.g.pair == (common.Address{}) {
		return
	}
	a.swaps = make([]*big.Int, len(a.senders))
	for i := range a.swaps {
		a.swaps[i] = new(big.Int)
	}
	a.pair = reserves{pairStart(), pairStart()}
	var list []int
	for i, p := range a.follow.places {
		if p.block != 0 && a.items[i].kind == kindSwap {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(x, y int) int {
		p, q := a.follow.places[x], a.follow.places[y]
		return cmp.Or(cmp.Compare(p.block, q.block), cmp.Compare(p.index, q.index))
	})
	for _, i := range list {
		got := a.swaps[owner[i]]
		got.Add(got, a.pair.swap())
	}
}

// question is one look-up of the final checks, with the answer it must have.
type question struct {
	what   string
	of     common.Address
	method string
	args   []any
	want   *big.Int
	held   *uint64
}

// sums compares nonces, balances and what the contracts hold.
func (a *audit) sums(ctx context.Context) error {
	var list []question
	ask := func(what string, of common.Address, held *uint64, want *big.Int, method string, args ...any) {
		list = append(list, question{what: what, of: of, method: method, args: append(args, "latest"), want: want, held: held})
	}
	view := func(what string, of, to common.Address, held *uint64, want *big.Int, data []byte) {
		ask(what, of, held, want, "eth_call", map[string]any{"to": to, "input": hexutil.Bytes(data)})
	}
	hot := new(big.Int)
	most := big.NewInt(int64(a.senders[0].count))
	for n, s := range a.senders {
		var done [kinds]int64
		var all int64
		for j := range s.count {
			if a.follow.places[s.first+j].block != 0 {
				done[a.items[s.first+j].kind]++
				all++
			}
		}
		spent := new(big.Int).Add(a.fees[n], big.NewInt(done[kindTransfer]+done[kindHot]))
		hot.Add(hot, big.NewInt(done[kindHot]))
		ask("nonce", s.addr, &a.v.Nonces, new(big.Int).SetUint64(s.nonce+uint64(all)), "eth_getTransactionCount", s.addr)
		if a.sample == 0 { // else the fees are not known
			ask("balance", s.addr, &a.v.Balances, spent.Sub(s.base, spent), "eth_getBalance", s.addr)
		}
		if done[kindTransfer] > 0 {
			ask("balance", s.peer, &a.v.Balances, new(big.Int).Add(s.held, big.NewInt(done[kindTransfer])), "eth_getBalance", s.peer)
		}
		if a.g.token != (common.Address{}) {
			moved := big.NewInt(done[kindERC20])
			view("token balance", s.addr, a.g.token, &a.v.TokenBalances, new(big.Int).Sub(most, moved), balanceOfData(s.addr))
			view("token balance", s.peer, a.g.token, &a.v.TokenBalances, moved, balanceOfData(s.peer))
		}
		if a.g.pair != (common.Address{}) {
			left := new(big.Int).Sub(most, big.NewInt(done[kindSwap]))
			view("balance of token0", s.addr, a.g.token0, &a.v.TokenBalances, left.Mul(left, big.NewInt(traded)), balanceOfData(s.addr))
			view("balance of token1", s.addr, a.g.token1, &a.v.TokenBalances, a.swaps[n], balanceOfData(s.addr))
		}
		if done[kindCompute] > 0 {
			view("digest", s.addr, a.g.work, &a.v.Contracts, digestAfter(int(done[kindCompute])), encode("digest(address)", word(s.addr)))
		}
		if slots := done[kindStorage] * storageSlots; slots > 0 {
			view("slot count", s.addr, a.g.work, &a.v.Contracts, big.NewInt(slots), encode("written(address)", word(s.addr)))
			view("last slot", s.addr, a.g.work, &a.v.Contracts, big.NewInt(slots), encode("slots(address,uint256)", word(s.addr), big.NewInt(slots-1)))
		}
	}
	if hot.Sign() > 0 {
		ask("balance", a.g.hot, &a.v.Balances, hot.Add(hot, a.g.hotHeld), "eth_getBalance", a.g.hot)
	}
	if a.g.pair != (common.Address{}) {
		view("reserve0", a.g.pair, a.g.pair, &a.v.Contracts, a.pair.r0, encode("reserve0()"))
		view("reserve1", a.g.pair, a.g.pair, &a.v.Contracts, a.pair.r1, encode("reserve1()"))
		view("balance of token0", a.g.pair, a.g.token0, &a.v.TokenBalances, a.pair.r0, balanceOfData(a.g.pair))
		view("balance of token1", a.g.pair, a.g.token1, &a.v.TokenBalances, a.pair.r1, balanceOfData(a.g.pair))
	}
	return a.ask(ctx, list)
}

// ask sends the questions in batches, those of one method together.
func (a *audit) ask(ctx context.Context, list []question) error {
	slices.SortStableFunc(list, func(x, y question) int { return cmp.Compare(x.method, y.method) })
	for len(list) > 0 {
		n := 1
		for n < min(len(list), verifyBatch) && list[n].method == list[0].method {
			n++
		}
		answers := make([]string, n)
		for i, err := range call(ctx, a.node.rpc, list[0].method, n, func(i int) ([]any, any) { return list[i].args, &answers[i] }) {
			if err != nil {
				return fmt.Errorf("%s of %s: %w", list[i].what, list[i].of, err)
			}
		}
		for i, text := range answers {
			got, ok := new(big.Int).SetString(text, 0)
			if !ok || got.Cmp(list[i].want) != 0 {
				a.tally.mismatch(fmt.Sprintf("%s of %s is %s, the included transactions say %#x", list[i].what, list[i].of, text, list[i].want))
				continue
			}
			*list[i].held++
		}
		list = list[n:]
	}
	return nil
}
