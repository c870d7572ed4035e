package sequencing

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

func pending(t testing.TB, s PendingSettings) *Pending {
	t.Helper()
	q, err := NewPending(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// add adds a transaction for which nothing has to leave.
func add(t testing.TB, q *Pending, tx *chain.Tx, next uint64, now chain.Micros) {
	t.Helper()
	if dropped, err := q.Add(tx, next, now); err != nil || len(dropped) > 0 {
		t.Fatalf("add nonce %d at %d: %v, dropped %v", tx.Nonce(), next, err, dropped)
	}
}

// offer is a transaction with those fees in wei per gas and so many bytes of data.
func offer(t testing.TB, k *ecdsa.PrivateKey, nonce uint64, feeCap, tip int64, data int) *chain.Tx {
	t.Helper()
	cfg := chain.DefaultConfig()
	return sign(t, k, &cfg, &types.DynamicFeeTx{ChainID: new(big.Int).SetUint64(cfg.ChainID), Nonce: nonce, Gas: 1_000_000,
		GasFeeCap: big.NewInt(feeCap), GasTipCap: big.NewInt(tip), To: &common.Address{1}, Value: new(big.Int), Data: make([]byte, data)})
}

// all is what is held, oldest first.
func all(q *Pending) (list []*chain.Tx) {
	q.Each(func(tx *chain.Tx) bool {
		list = append(list, tx)
		return true
	})
	return list
}

// checkHeap checks that tails is a heap and knows where each account is.
func checkHeap(t testing.TB, q *Pending) {
	t.Helper()
	if len(q.tails) != len(q.accounts) {
		t.Fatalf("%d accounts, %d of them by price", len(q.accounts), len(q.tails))
	}
	for i, a := range q.tails {
		if a.index != i || a.spare != 0 || i > 0 && q.tails.Less(i, (i-1)/2) {
			t.Fatalf("account %d of %d by price is at %d, %d chosen", i, len(q.tails), a.index, a.spare)
		}
	}
}

func nonces(txs []*chain.Tx) []uint64 {
	var out []uint64
	for _, tx := range txs {
		out = append(out, tx.Nonce())
	}
	return out
}

func TestPendingHoldsUntilTheGapCloses(t *testing.T) {
	q, k := pending(t, PendingSettings{}), key(t, 1)
	from := transfer(t, k, 0, 0).From()
	for _, n := range []uint64{7, 5, 6, 9} {
		add(t, q, transfer(t, k, n, 0), 4, 1_000)
	}
	if got := q.Ready(from, 4); got != nil {
		t.Fatalf("ready with a gap: %v", nonces(got))
	}
	if got := nonces(q.Ready(from, 5)); len(got) != 3 || got[0] != 5 || got[1] != 6 || got[2] != 7 {
		t.Fatalf("ready: %v", got)
	}
	if q.Len() != 1 || !q.Has(from, 9) || q.Has(from, 7) {
		t.Fatalf("%d held", q.Len())
	}
	if at, ok := q.Deadline(); !ok || at != 501_000 {
		t.Fatalf("deadline %d, %v", at, ok)
	}
	if got := q.Expire(500_999); got != nil {
		t.Fatalf("expired early: %v", nonces(got))
	}
	if got := nonces(q.Expire(501_000)); len(got) != 1 || got[0] != 9 {
		t.Fatalf("expired: %v", got)
	}
	if err := NonceTooHigh(8, 9); err.Error() != "nonce too high: next nonce 8, tx nonce 9" || !errors.Is(err, ErrNonceTooHigh) {
		t.Fatal(err)
	}
	if _, ok := q.Deadline(); ok || q.Len() != 0 || q.Bytes() != 0 || len(q.accounts) != 0 {
		t.Fatal("not empty")
	}
}

func TestPendingRefuses(t *testing.T) {
	k := key(t, 1)
	full := func(s PendingSettings, n int) *Pending {
		q := pending(t, s)
		for i := range n {
			add(t, q, transfer(t, k, uint64(i+1), 0), 0, 0)
		}
		return q
	}
	size := len(transfer(t, k, 1, 0).Raw())
	for _, test := range []struct {
		name string
		q    *Pending
		tx   *chain.Tx
		next uint64
		want error
	}{
		{"the same again", full(PendingSettings{}, 1), transfer(t, k, 1, 0), 0, ErrKnown},
		{"another with the same nonce", full(PendingSettings{}, 1), transfer(t, k, 1, 5), 0, ErrReplacement},
		{"a used nonce", full(PendingSettings{}, 0), transfer(t, k, 3, 0), 4, ErrNonceTooLow},
		{"a nonce too far ahead", full(PendingSettings{}, 0), transfer(t, k, 65, 0), 0, ErrNonceTooHigh},
		{"more than an account may hold", full(PendingSettings{Ahead: 3}, 3), transfer(t, k, 6, 0), 3, ErrAccountFull},
		{"more bytes than an account may hold", full(PendingSettings{AccountBytes: 3 * size}, 3), transfer(t, k, 6, 0), 3, ErrAccountFull},
		{"more than all may hold, at the same tip", full(PendingSettings{Total: 3}, 3), transfer(t, key(t, 2), 1, 0), 0, ErrUnderpriced},
		{"more bytes than all may hold, at the same tip", full(PendingSettings{TotalBytes: 3 * size}, 3), transfer(t, key(t, 2), 1, 0), 0, ErrUnderpriced},
		{"more than all may hold, all its own", full(PendingSettings{Total: 3}, 3), offer(t, k, 9, 100, 100, 0), 0, ErrSetFull},
		{"more bytes than all may ever hold", full(PendingSettings{TotalBytes: 3 * size}, 0), offer(t, k, 1, 100, 100, 3*size), 0, ErrSetFull},
		{"the room of very many", full(PendingSettings{TotalBytes: 20 * size}, 20), offer(t, key(t, 2), 1, 100, 100, 19*size), 0, ErrSetFull},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := test.q.Len()
			held := all(test.q)
			dropped, err := test.q.Add(test.tx, test.next, 0)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if test.q.Len() != before || len(dropped) > 0 || !slices.Equal(held, all(test.q)) {
				t.Fatal("a refused transaction changed the set")
			}
			checkHeap(t, test.q)
		})
	}
	add(t, full(PendingSettings{}, 0), transfer(t, k, 64, 0), 0, 0)
}

func TestPendingHoldsNoLongerWhenTheClockStepsBack(t *testing.T) {
	q, k := pending(t, PendingSettings{}), key(t, 1)
	add(t, q, transfer(t, k, 1, 0), 0, 3_600_000_000)
	if got := q.Expire(1_000); got != nil {
		t.Fatal("expired at once")
	}
	add(t, q, transfer(t, k, 2, 0), 0, 2_000)
	if got := nonces(q.Expire(501_000)); len(got) != 1 || got[0] != 1 {
		t.Fatalf("expired %v", got)
	}
	if got := nonces(q.Expire(502_000)); len(got) != 1 || got[0] != 2 {
		t.Fatalf("expired %v", got)
	}
}

func TestATransactionIsReplacedForATenthMore(t *testing.T) {
	k := key(t, 1)
	for _, test := range []struct {
		name                           string
		oldCap, oldTip, newCap, newTip int64
		replaces                       bool
	}{
		{"a tenth more of both", 1000, 100, 1100, 110, true},
		{"much more of both", 1000, 100, 5000, 5000, true},
		{"a little less of the fee cap", 1000, 100, 1099, 110, false},
		{"a little less of the tip", 1000, 100, 1100, 109, false},
		{"the same", 1000, 100, 1000, 100, false},
		{"a tenth is rounded up", 1001, 1, 1101, 2, false},
		{"and one more is enough", 1001, 1, 1102, 2, true},
		{"the tip of one must rise", 1000, 1, 2000, 1, false},
		{"no tip may stay none", 1000, 0, 1100, 0, true},
		{"but then the fee cap must rise", 0, 0, 0, 0, false},
		{"from nothing to one", 0, 0, 1, 0, true},
		{"less of the tip", 1000, 100, 2000, 50, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := pending(t, PendingSettings{})
			old, tx := offer(t, k, 2, test.oldCap, test.oldTip, 3), offer(t, k, 2, test.newCap, test.newTip, 1)
			add(t, q, old, 0, 0)
			add(t, q, offer(t, k, 3, 1, 1, 0), 0, 0)
			dropped, err := q.Add(tx, 0, 5)
			if !test.replaces {
				if !errors.Is(err, ErrReplacement) || len(dropped) > 0 {
					t.Fatalf("got %v, dropped %v", err, dropped)
				}
				return
			}
			if err != nil || len(dropped) != 1 || dropped[0].Tx != old || !errors.Is(dropped[0].Err, ErrReplaced) || !strings.Contains(dropped[0].Err.Error(), tx.Hash().String()) {
				t.Fatalf("got %v, dropped %v", err, dropped)
			}
			if got := q.Ready(tx.From(), 2); len(got) != 2 || got[0] != tx || q.Len() != 0 || q.Bytes() != 0 {
				t.Fatalf("ready %v, %d left", got, q.Len())
			}
		})
	}
	most := new(uint256.Int).SetAllOne()
	for _, v := range []*uint256.Int{most, new(uint256.Int).SubUint64(most, 9), new(uint256.Int).Div(most, uint256.NewInt(2))} {
		if more, ok := tenthMore(v); ok && !v.Lt(more) {
			t.Errorf("a tenth more than %v is %v", v, more)
		}
	}
}

// When the set is full, the cheapest last transaction of another account leaves.
func TestAFullSetGivesRoomToWhoPaysMore(t *testing.T) {
	q := pending(t, PendingSettings{Total: 4})
	a, b, c := key(t, 1), key(t, 2), key(t, 3)
	first, last := offer(t, a, 1, 100, 1, 0), offer(t, a, 2, 100, 50, 0)
	cheap, same := offer(t, b, 5, 100, 9, 0), offer(t, c, 5, 100, 9, 0)
	for _, tx := range []*chain.Tx{first, last, cheap, same} {
		add(t, q, tx, 0, 0)
	}
	// The cheapest of all waits in the middle of an account, and does not leave.
	if _, err := q.Add(offer(t, key(t, 4), 1, 100, 9, 0), 0, 0); !errors.Is(err, ErrUnderpriced) || !strings.Contains(err.Error(), "set is full, at least a tip of 10 wei") {
		t.Fatalf("got %v", err)
	}
	dropped, err := q.Add(offer(t, key(t, 4), 1, 100, 10, 0), 0, 0)
	if err != nil || len(dropped) != 1 || dropped[0].Tx != same || !errors.Is(dropped[0].Err, ErrUnderpriced) {
		t.Fatalf("got %v, dropped %v", err, dropped) // of equal ones the newest
	}
	// Its own are not the ones that leave.
	dropped, err = q.Add(offer(t, b, 6, 100, 11, 0), 0, 0)
	if err != nil || len(dropped) != 1 || dropped[0].Tx.From() != offer(t, key(t, 4), 1, 100, 10, 0).From() {
		t.Fatalf("got %v, dropped %v", err, dropped)
	}
	dropped, err = q.Add(offer(t, c, 6, 100, 90, 0), 0, 0)
	if err != nil || len(dropped) != 1 || dropped[0].Tx.Nonce() != 6 || dropped[0].Tx.From() != cheap.From() {
		t.Fatalf("got %v, dropped %v", err, dropped)
	}
	if q.Len() != 4 || !q.Has(first.From(), 1) || !q.Has(first.From(), 2) || !q.Has(cheap.From(), 5) {
		t.Fatalf("%d held", q.Len())
	}
	checkHeap(t, q)
}

func BenchmarkPending(b *testing.B) {
	q := pending(b, PendingSettings{})
	k := key(b, 1)
	var txs []*chain.Tx
	for n := range uint64(64) {
		txs = append(txs, transfer(b, k, n, 0))
	}
	from := common.Address(txs[0].From())
	b.ReportAllocs()
	for b.Loop() {
		for n := 63; n >= 0; n-- {
			add(b, q, txs[n], 0, 1)
		}
		if got := q.Ready(from, 0); len(got) != 64 {
			b.Fatal(len(got))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*64), "ns/tx")
}
