package sequencing

import (
	"errors"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/chain"
)

func gapQueue(t testing.TB, s GapSettings) *GapQueue {
	t.Helper()
	q, err := NewGapQueue(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func nonces(txs []*chain.Tx) []uint64 {
	var out []uint64
	for _, tx := range txs {
		out = append(out, tx.Nonce())
	}
	return out
}

func TestGapQueueHoldsUntilTheGapCloses(t *testing.T) {
	q, k := gapQueue(t, GapSettings{}), key(t, 1)
	from := transfer(t, k, 0, 0).From()
	for _, n := range []uint64{7, 5, 6, 9} {
		if err := q.Add(transfer(t, k, n, 0), 4, 1_000); err != nil {
			t.Fatal(err)
		}
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

func TestGapQueueRefuses(t *testing.T) {
	k := key(t, 1)
	full := func(s GapSettings, n int) *GapQueue {
		q := gapQueue(t, s)
		for i := range n {
			if err := q.Add(transfer(t, k, uint64(i+1), 0), 0, 0); err != nil {
				t.Fatal(err)
			}
		}
		return q
	}
	size := len(transfer(t, k, 1, 0).Raw())
	for _, test := range []struct {
		name string
		q    *GapQueue
		tx   *chain.Tx
		next uint64
		want error
	}{
		{"the same again", full(GapSettings{}, 1), transfer(t, k, 1, 0), 0, ErrKnown},
		{"another with the same nonce", full(GapSettings{}, 1), transfer(t, k, 1, 5), 0, ErrReplacement},
		{"a used nonce", full(GapSettings{}, 0), transfer(t, k, 3, 0), 4, ErrNonceTooLow},
		{"a nonce too far ahead", full(GapSettings{}, 0), transfer(t, k, 65, 0), 0, ErrNonceTooHigh},
		{"more than an account may hold", full(GapSettings{Ahead: 3}, 3), transfer(t, k, 6, 0), 3, ErrAccountFull},
		{"more than all may hold", full(GapSettings{Total: 3}, 3), transfer(t, key(t, 2), 1, 0), 0, ErrQueueFull},
		{"more bytes than all may hold", full(GapSettings{TotalBytes: 3 * size}, 3), transfer(t, key(t, 2), 1, 0), 0, ErrQueueFull},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := test.q.Len()
			if err := test.q.Add(test.tx, test.next, 0); !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if test.q.Len() != before {
				t.Fatal("a refused transaction changed the queue")
			}
		})
	}
	if err := full(GapSettings{}, 0).Add(transfer(t, k, 64, 0), 0, 0); err != nil {
		t.Fatalf("64 ahead: %v", err)
	}
}

func TestGapQueueHoldsNoLongerWhenTheClockStepsBack(t *testing.T) {
	q, k := gapQueue(t, GapSettings{}), key(t, 1)
	if err := q.Add(transfer(t, k, 1, 0), 0, 3_600_000_000); err != nil {
		t.Fatal(err)
	}
	if got := q.Expire(1_000); got != nil {
		t.Fatal("expired at once")
	}
	if err := q.Add(transfer(t, k, 2, 0), 0, 2_000); err != nil {
		t.Fatal(err)
	}
	if got := nonces(q.Expire(501_000)); len(got) != 1 || got[0] != 1 {
		t.Fatalf("expired %v", got)
	}
	if got := nonces(q.Expire(502_000)); len(got) != 1 || got[0] != 2 {
		t.Fatalf("expired %v", got)
	}
}

// TestGapQueueAgainstModel plays random calls on the queue and on a plain map.
func TestGapQueueAgainstModel(t *testing.T) {
	const accounts = 4
	var pool [accounts][]*chain.Tx
	for a := range pool {
		k := key(t, byte(a+1))
		for n := range uint64(24) {
			pool[a] = append(pool[a], transfer(t, k, n, 0))
		}
	}
	type slot struct {
		a     int
		nonce uint64
	}
	for seed := range int64(30) {
		rng := rand.New(rand.NewSource(seed))
		q := gapQueue(t, GapSettings{Ahead: 8, Total: 20, HoldMicros: 5_000})
		model := make(map[slot]chain.Micros)
		var next [accounts]uint64
		held := func(a int) (n int) {
			for s := range model {
				if s.a == a {
					n++
				}
			}
			return n
		}
		now := chain.Micros(1_000)
		for step := range 2_000 {
			now += chain.Micros(rng.Intn(300))
			a := rng.Intn(accounts)
			switch rng.Intn(10) {
			case 0: // the account executes something
				if next[a] < 20 {
					next[a]++
				}
			case 1:
				for i, tx := range q.Ready(pool[a][0].From(), next[a]) {
					s := slot{a, next[a] + uint64(i)}
					if tx != pool[a][s.nonce] || model[s] == 0 {
						t.Fatalf("seed %d, step %d: ready %d of account %d", seed, step, tx.Nonce(), a)
					}
					delete(model, s)
				}
				if q.Has(pool[a][0].From(), next[a]) {
					t.Fatalf("seed %d, step %d: an executable one stayed", seed, step)
				}
			case 2:
				last := chain.Micros(0)
				for _, tx := range q.Expire(now) {
					for s, at := range model {
						if pool[s.a][s.nonce] == tx {
							if at > now || at < last {
								t.Fatalf("seed %d, step %d: expired %v, due %d, now %d", seed, step, s, at, now)
							}
							last = at
							delete(model, s)
						}
					}
				}
				for s, at := range model {
					if at <= now {
						t.Fatalf("seed %d, step %d: %v is overdue", seed, step, s)
					}
				}
			default:
				s := slot{a, uint64(rng.Intn(24))}
				err := q.Add(pool[a][s.nonce], next[a], now)
				var want error
				switch {
				case s.nonce < next[a]:
					want = ErrNonceTooLow
				case model[s] != 0:
					want = ErrKnown
				case s.nonce-next[a] > 8:
					want = ErrNonceTooHigh
				case held(a) >= 8:
					want = ErrAccountFull
				case len(model) >= 20:
					want = ErrQueueFull
				default:
					model[s] = now + 5_000
				}
				if !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Fatalf("seed %d, step %d: add %v at %d: %v, want %v", seed, step, s, next[a], err, want)
				}
			}
			size := 0
			for s := range model {
				size += len(pool[s.a][s.nonce].Raw())
			}
			if q.Len() != len(model) || q.Bytes() != size {
				t.Fatalf("seed %d, step %d: %d held, %d in the model", seed, step, q.Len(), len(model))
			}
			if len(q.order) > 2*q.count+65 {
				t.Fatalf("seed %d, step %d: order of %d for %d", seed, step, len(q.order), q.count)
			}
		}
	}
}

// TestLoopKeepsThePromises runs a sequencer loop on a jumpy clock: Slots and Cutter
// decide, and the timestamps and boundaries that result obey the protocol.
func TestLoopKeepsThePromises(t *testing.T) {
	for seed := range int64(60) {
		rng := rand.New(rand.NewSource(seed))
		slots, err := NewSlots([]chain.Millis{100, 250, 1_000, 2_500, 12_000}[seed%5])
		if err != nil {
			t.Fatal(err)
		}
		cutter, err := NewCutter(Cutter{MaxTxs: 50})
		if err != nil {
			t.Fatal(err)
		}
		now := chain.Micros(1_700_000_000_000_000)
		last := now // genesis
		lastTimestamp := now.Seconds()
		var open *BlockSlot
		var lastCut, executed chain.Micros
		var queued, content uint64
		stepped := false // the clock stepped back since the last cut
		for range 20_000 {
			switch rng.Intn(2_000) {
			case 0:
				now += chain.Micros(rng.Intn(30_000_000))
			case 1:
				now -= chain.Micros(rng.Intn(2_000_000))
				stepped = true
			default:
				now += chain.Micros(rng.Intn(1_500))
			}
			if open != nil && open.Closed(now) && content == 0 {
				open = nil
			}
			if open == nil {
				s, wait, ok := slots.Next(last, now)
				if !ok {
					if wait <= now {
						t.Fatalf("seed %d: wait until %d at %d", seed, wait, now)
					}
					continue
				}
				stamp := Stamp(now, last, s.Closes)
				if s.Timestamp < lastTimestamp || stamp < chain.Micros(s.Timestamp)*1_000_000 || s.Opened != stamp {
					t.Fatalf("seed %d: slot %+v after %d s, stamp %d", seed, s, lastTimestamp, stamp)
				}
				open, last, lastCut, lastTimestamp, stepped = &s, stamp, now, s.Timestamp, false
			}
			queued += uint64(rng.Intn(3))
			if n := min(queued, uint64(rng.Intn(3)), 50-content); n > 0 && !open.Closed(now) {
				if content == 0 {
					executed = now
				}
				queued, content = queued-n, content+n
			}
			p := Progress{Now: now, LastCut: lastCut, BlockEnd: open.Closes, TxCount: content, Idle: queued == 0}
			d := cutter.Decide(p)
			if d.Cut && d.WaitUntil != 0 || d.WaitUntil != 0 && d.WaitUntil <= now {
				t.Fatalf("seed %d: %+v for %+v", seed, d, p)
			}
			if !d.Cut {
				if content > 0 && !stepped && now >= max(lastCut+10_000, executed) {
					t.Fatalf("seed %d: late: %+v", seed, p)
				}
				continue
			}
			early := now < lastCut+1_000 && now < open.Closes && content < 50 && !stepped
			stamp := Stamp(now, last, open.Closes)
			if content == 0 || early || stamp < last || stamp >= open.Closes || slots.Slot(stamp) != open.Number {
				t.Fatalf("seed %d: cut %+v with stamp %d after %d", seed, p, stamp, last)
			}
			last, lastCut, content, stepped = stamp, now, 0, false
		}
	}
}

func BenchmarkGapQueue(b *testing.B) {
	q := gapQueue(b, GapSettings{})
	k := key(b, 1)
	var txs []*chain.Tx
	for n := range uint64(64) {
		txs = append(txs, transfer(b, k, n, 0))
	}
	from := common.Address(txs[0].From())
	b.ReportAllocs()
	for b.Loop() {
		for n := 63; n >= 0; n-- {
			if err := q.Add(txs[n], 0, 1); err != nil {
				b.Fatal(err)
			}
		}
		if got := q.Ready(from, 0); len(got) != 64 {
			b.Fatal(len(got))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*64), "ns/tx")
}
