package sequencing

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/talaria-l2/talaria/chain"
)

// Errors of GapQueue; the first three are go-ethereum's texts.
var (
	ErrKnown       = errors.New("already known")
	ErrReplacement = errors.New("replacement transaction underpriced")
	ErrNonceTooLow = errors.New("nonce too low")
	// ErrNonceTooHigh is for a nonce too far ahead to be held, or held too long.
	ErrNonceTooHigh = errors.New("nonce too high")
	// ErrAccountFull and ErrQueueFull refuse the newcomer: what is held stays.
	ErrAccountFull = errors.New("account limit exceeded")
	ErrQueueFull   = errors.New("out of capacity")
)

// GapSettings bound a GapQueue. Zero fields mean their defaults.
type GapSettings struct {
	Ahead      uint64       // how far a nonce may be ahead of the account's, and so how many an account may hold, 1..1,024 [64]
	Total      int          // transactions of all accounts, 1..1,000,000 [10,000]
	TotalBytes int          // raw bytes of all accounts, 1.. [64 MiB]
	HoldMicros chain.Micros // how long a transaction is held, 1,000..60,000,000 [500,000]
}

func (s GapSettings) withDefaults() (GapSettings, error) {
	if s.Ahead == 0 {
		s.Ahead = 64
	}
	if s.Total == 0 {
		s.Total = 10_000
	}
	if s.TotalBytes == 0 {
		s.TotalBytes = 64 << 20
	}
	if s.HoldMicros == 0 {
		s.HoldMicros = 500_000
	}
	switch {
	case s.Ahead > 1_024:
		return s, fmt.Errorf("nonces held per account: %d: must be 1..1024", s.Ahead)
	case s.Total < 1 || s.Total > 1_000_000:
		return s, fmt.Errorf("transactions held: %d: must be 1..1000000", s.Total)
	case s.TotalBytes < 1:
		return s, fmt.Errorf("bytes held: %d: must be positive", s.TotalBytes)
	case s.HoldMicros < 1_000 || s.HoldMicros > 60_000_000:
		return s, fmt.Errorf("hold time: %d µs: must be 1..60000 ms", s.HoldMicros)
	}
	return s, nil
}

// GapQueue holds transactions whose nonce is ahead of their account's, for a short
// while: nothing about them has been acknowledged. It is not safe for concurrent
// use.
type GapQueue struct {
	settings GapSettings
	accounts map[common.Address]map[uint64]*held
	order    []*held // by deadline; those already taken stay until they reach the front
	last     chain.Micros
	count    int
	bytes    int
}

type held struct {
	tx       *chain.Tx
	deadline chain.Micros
	taken    bool
}

// NewGapQueue makes an empty queue; the error names the setting out of range.
func NewGapQueue(s GapSettings) (*GapQueue, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("gap queue: %w", err)
	}
	return &GapQueue{settings: s, accounts: make(map[common.Address]map[uint64]*held)}, nil
}

// Len is the number of transactions held.
func (q *GapQueue) Len() int { return q.count }

// Bytes is the raw size of the transactions held.
func (q *GapQueue) Bytes() int { return q.bytes }

// Add holds tx, whose account's next nonce is next, from now on. A transaction that
// is executable already is taken in too: Ready gives it back. The first transaction
// with a nonce stays: a later one is refused.
func (q *GapQueue) Add(tx *chain.Tx, next uint64, now chain.Micros) error {
	nonce, from := tx.Nonce(), tx.From()
	if nonce < next {
		return fmt.Errorf("%w: next nonce %d, tx nonce %d", ErrNonceTooLow, next, nonce)
	}
	if have, ok := q.accounts[from][nonce]; ok {
		if have.tx.Hash() == tx.Hash() {
			return ErrKnown
		}
		return fmt.Errorf("%w: nonce %d is held by %v", ErrReplacement, nonce, have.tx.Hash())
	}
	switch size := len(tx.Raw()); {
	case nonce-next > q.settings.Ahead:
		return NonceTooHigh(next, nonce)
	case uint64(len(q.accounts[from])) >= q.settings.Ahead:
		return fmt.Errorf("%w: %d transactions wait for nonce %d, limit %d", ErrAccountFull, len(q.accounts[from]), next, q.settings.Ahead)
	case q.count >= q.settings.Total:
		return fmt.Errorf("%w: %d transactions wait for an earlier nonce, limit %d", ErrQueueFull, q.count, q.settings.Total)
	case q.bytes+size > q.settings.TotalBytes:
		return fmt.Errorf("%w: transactions waiting for an earlier nonce reach %d bytes, limit %d", ErrQueueFull, q.bytes+size, q.settings.TotalBytes)
	}
	q.rebase(now)
	q.last = max(q.last, now+q.settings.HoldMicros) // order is by deadline
	h := &held{tx: tx, deadline: q.last}
	if q.accounts[from] == nil {
		q.accounts[from] = make(map[uint64]*held)
	}
	q.accounts[from][nonce] = h
	q.order = append(q.order, h)
	q.count++
	q.bytes += len(tx.Raw())
	return nil
}

// Has reports whether the account's nonce is held.
func (q *GapQueue) Has(account common.Address, nonce uint64) bool {
	return q.accounts[account][nonce] != nil
}

// Ready takes out the account's transactions with the nonces next, next+1, … up to
// the first gap, in that order: executable once those before them are.
func (q *GapQueue) Ready(account common.Address, next uint64) []*chain.Tx {
	var ready []*chain.Tx
	for h := q.accounts[account][next]; h != nil; h = q.accounts[account][next] {
		q.take(h)
		ready = append(ready, h.tx)
		next++
	}
	return ready
}

// Expire takes out the transactions held until their deadline, oldest first. Each
// is to be answered with NonceTooHigh, or with ErrNonceTooLow when its account has
// gone past it.
func (q *GapQueue) Expire(now chain.Micros) []*chain.Tx {
	q.rebase(now)
	var expired []*chain.Tx
	for _, ok := q.Deadline(); ok; _, ok = q.Deadline() {
		h := q.order[0]
		if h.deadline > now {
			break
		}
		q.take(h)
		expired = append(expired, h.tx)
	}
	return expired
}

// Deadline is when Expire has something to do next; false when nothing is held.
func (q *GapQueue) Deadline() (chain.Micros, bool) {
	for len(q.order) > 0 && q.order[0].taken {
		q.order[0] = nil
		q.order = q.order[1:]
	}
	if len(q.order) == 0 {
		q.order, q.last = nil, 0
		return 0, false
	}
	return q.order[0].deadline, true
}

// rebase notices a clock that stepped back: nothing is held longer than HoldMicros
// from now.
func (q *GapQueue) rebase(now chain.Micros) {
	limit := now + q.settings.HoldMicros
	if q.last <= limit {
		return
	}
	q.last = limit
	for _, h := range q.order {
		h.deadline = min(h.deadline, limit)
	}
}

func (q *GapQueue) take(h *held) {
	account := q.accounts[h.tx.From()]
	delete(account, h.tx.Nonce())
	if len(account) == 0 {
		delete(q.accounts, h.tx.From())
	}
	h.taken = true
	q.count--
	q.bytes -= len(h.tx.Raw())
	if len(q.order) > 2*q.count+64 {
		q.compact()
	}
}

// compact drops the taken from order, which keeps it at most about twice as long
// as what is held.
func (q *GapQueue) compact() {
	kept := make([]*held, 0, q.count)
	for _, h := range q.order {
		if !h.taken {
			kept = append(kept, h)
		}
	}
	q.order = kept
}

// NonceTooHigh is the answer to a transaction that nothing will make executable
// soon: next is its account's next nonce.
func NonceTooHigh(next, nonce uint64) error {
	return fmt.Errorf("%w: next nonce %d, tx nonce %d", ErrNonceTooHigh, next, nonce)
}
