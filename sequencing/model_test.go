package sequencing

import (
	"errors"
	"math/rand"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// model is Pending as a plain list, oldest first, that is searched from end to end.
type model struct {
	settings PendingSettings
	held     []modelTx
}

type modelTx struct {
	tx       *chain.Tx
	deadline chain.Micros
}

func tipOf(tx *chain.Tx) uint64 {
	_, tip, _ := tx.Fees()
	return tip.Uint64()
}

func capOf(tx *chain.Tx) uint64 {
	feeCap, _, _ := tx.Fees()
	return feeCap.Uint64()
}

func (m *model) bytes(of func(*chain.Tx) bool) (n int) {
	for _, h := range m.held {
		if of(h.tx) {
			n += len(h.tx.Raw())
		}
	}
	return n
}

func (m *model) count(of func(*chain.Tx) bool) (n int) {
	for _, h := range m.held {
		if of(h.tx) {
			n++
		}
	}
	return n
}

func (m *model) drop(tx *chain.Tx) {
	m.held = slices.DeleteFunc(m.held, func(h modelTx) bool { return h.tx == tx })
}

// add is Pending.Add: what left, and the sentinel of the refusal.
func (m *model) add(tx *chain.Tx, next uint64, now chain.Micros) (left []*chain.Tx, err error) {
	own := func(o *chain.Tx) bool { return o.From() == tx.From() }
	any := func(*chain.Tx) bool { return true }
	if tx.Nonce() < next {
		return nil, ErrNonceTooLow
	}
	var old *chain.Tx
	for _, h := range m.held {
		if own(h.tx) && h.tx.Nonce() == tx.Nonce() {
			old = h.tx
		}
	}
	count, bytes := 1, len(tx.Raw())
	if old != nil {
		if old == tx {
			return nil, ErrKnown
		}
		if capOf(tx)*10 < capOf(old)*11 || tipOf(tx)*10 < tipOf(old)*11 || capOf(tx) == capOf(old) {
			return nil, ErrReplacement
		}
		count, bytes = 0, bytes-len(old.Raw())
	}
	switch {
	case tx.Nonce()-next > m.settings.Ahead:
		return nil, ErrNonceTooHigh
	case m.count(own)+count > int(m.settings.Ahead), m.bytes(own)+bytes > m.settings.AccountBytes:
		return nil, ErrAccountFull
	}
	before := slices.Clone(m.held)
	for m.count(any)+count > m.settings.Total || m.bytes(any)+bytes > m.settings.TotalBytes {
		tails := make(map[common.Address]int)
		for i, h := range m.held {
			if t, ok := tails[h.tx.From()]; !own(h.tx) && (!ok || m.held[t].tx.Nonce() < h.tx.Nonce()) {
				tails[h.tx.From()] = i
			}
		}
		cheapest := -1
		for _, i := range tails {
			if cheapest < 0 || tipOf(m.held[i].tx) < tipOf(m.held[cheapest].tx) || tipOf(m.held[i].tx) == tipOf(m.held[cheapest].tx) && i > cheapest {
				cheapest = i
			}
		}
		var why error
		switch {
		case cheapest < 0 || len(left) == maxVictims:
			why = ErrSetFull
		case tipOf(m.held[cheapest].tx) >= tipOf(tx):
			why = ErrUnderpriced
		}
		if why != nil {
			m.held = before
			return nil, why
		}
		left = append(left, m.held[cheapest].tx)
		m.drop(m.held[cheapest].tx)
	}
	if old != nil {
		left = append(left, old)
		m.drop(old)
	}
	m.held = append(m.held, modelTx{tx, now + m.settings.HoldMicros})
	return left, nil
}

func (m *model) ready(from common.Address, next uint64) (ready []*chain.Tx) {
	for found := true; found; {
		found = false
		for _, h := range m.held {
			if h.tx.From() == from && h.tx.Nonce() == next {
				ready = append(ready, h.tx)
				m.drop(h.tx)
				next, found = next+1, true
				break
			}
		}
	}
	return ready
}

func (m *model) expire(now chain.Micros) (expired []*chain.Tx) {
	for len(m.held) > 0 && m.held[0].deadline <= now {
		expired = append(expired, m.held[0].tx)
		m.held = m.held[1:]
	}
	return expired
}

// TestPendingAgainstModel plays random calls on the set and on the model.
func TestPendingAgainstModel(t *testing.T) {
	const accounts, top = 6, 14
	var pool [accounts][top][]*chain.Tx // by nonce, several that differ in fees and size
	for a := range pool {
		k := key(t, byte(a+1))
		for n := range pool[a] {
			for _, fees := range [][2]int64{{100, 0}, {100, 1}, {110, 2}, {121, 5}, {200, 5}, {400, 30}} {
				pool[a][n] = append(pool[a][n], offer(t, k, uint64(n), fees[0], fees[1], (a*37+n*11+int(fees[1])*13)%200))
			}
		}
	}
	happened := make(map[error]int)
	for seed := range int64(40) {
		rng := rand.New(rand.NewSource(seed))
		settings := PendingSettings{Ahead: 8, AccountBytes: 1_200, Total: 20, TotalBytes: 4_000, HoldMicros: 5_000}
		if seed%4 == 0 {
			settings.TotalBytes = 1_200 // room is made for bytes, by several at once
			settings.AccountBytes = 800
		}
		if seed%4 == 1 { // one account can fill the set
			settings.AccountBytes, settings.TotalBytes = 4_000, 700
		}
		q, m := pending(t, settings), &model{settings: settings}
		var next [accounts]uint64
		now := chain.Micros(1_000)
		for step := range 1_500 {
			now += chain.Micros(rng.Intn(200))
			a := rng.Intn(accounts)
			from := pool[a][0][0].From()
			switch rng.Intn(12) {
			case 0: // the account executes something
				next[a] = min(next[a]+1, top-4)
			case 1:
				if got, want := q.Ready(from, next[a]), m.ready(from, next[a]); !slices.Equal(got, want) {
					t.Fatalf("seed %d, step %d: ready %v, want %v", seed, step, nonces(got), nonces(want))
				}
			case 2:
				if got, want := q.Expire(now), m.expire(now); !slices.Equal(got, want) {
					t.Fatalf("seed %d, step %d: expired %v, want %v", seed, step, nonces(got), nonces(want))
				}
			default:
				choice := pool[a][rng.Intn(top)]
				tx := choice[rng.Intn(len(choice))]
				dropped, err := q.Add(tx, next[a], now)
				left, want := m.add(tx, next[a], now)
				happened[want]++
				if !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Fatalf("seed %d, step %d: add nonce %d at %d: %v, want %v", seed, step, tx.Nonce(), next[a], err, want)
				}
				var got []*chain.Tx
				for _, d := range dropped {
					got = append(got, d.Tx)
					happened[errors.Unwrap(d.Err)]++
				}
				if !slices.Equal(got, left) {
					t.Fatalf("seed %d, step %d: %v left, want %v", seed, step, nonces(got), nonces(left))
				}
			}
			var held []*chain.Tx
			for _, h := range m.held {
				held = append(held, h.tx)
				if !q.Has(h.tx.From(), h.tx.Nonce()) {
					t.Fatalf("seed %d, step %d: nonce %d is missing", seed, step, h.tx.Nonce())
				}
			}
			if got := all(q); !slices.Equal(got, held) || q.Len() != len(held) || q.Bytes() != m.bytes(func(*chain.Tx) bool { return true }) {
				t.Fatalf("seed %d, step %d: %v held, want %v", seed, step, nonces(got), nonces(held))
			}
			checkHeap(t, q)
		}
	}
	for _, err := range []error{nil, ErrKnown, ErrReplacement, ErrNonceTooLow, ErrNonceTooHigh, ErrAccountFull, ErrUnderpriced, ErrSetFull, ErrReplaced} {
		if happened[err] < 5 {
			t.Errorf("%v happened %d times: the test does not reach it", err, happened[err])
		}
	}
}
