package sequencing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// Errors of Pending; the texts are go-ethereum's where it has one.
var (
	ErrKnown       = errors.New("already known")
	ErrReplacement = errors.New("replacement transaction underpriced")
	ErrNonceTooLow = errors.New("nonce too low")
	// ErrNonceTooHigh is for a nonce too far ahead to be held, or held too long.
	ErrNonceTooHigh = errors.New("nonce too high")
	// ErrAccountFull refuses the newcomer: what its account holds stays.
	ErrAccountFull = errors.New("account limit exceeded")
	// ErrUnderpriced is for a newcomer that pays less than all that are held when the
	// set is full, and for one that had to make room for a better one.
	ErrUnderpriced = errors.New("transaction underpriced")
	// ErrSetFull refuses a newcomer that would take the room of very many.
	ErrSetFull = errors.New("out of capacity")
	// ErrReplaced is for a transaction whose nonce another one took, for more.
	ErrReplaced = errors.New("transaction was replaced")
)

// PendingSettings bound a Pending. Zero fields mean their defaults.
type PendingSettings struct {
	Ahead        uint64       // how far a nonce may be ahead of the account's, and so how many an account may hold, 1..1,024 [64]
	AccountBytes int          // raw bytes of an account, 1.. [2 MiB]
	Total        int          // transactions of all accounts, 1..1,000,000 [10,000]
	TotalBytes   int          // raw bytes of all accounts, 1.. [64 MiB]
	HoldMicros   chain.Micros // how long a transaction is held, 1,000..60,000,000 [500,000]
}

func (s PendingSettings) withDefaults() (PendingSettings, error) {
	if s.Ahead == 0 {
		s.Ahead = 64
	}
	if s.AccountBytes == 0 {
		s.AccountBytes = 2 << 20
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
	case s.AccountBytes < 1:
		return s, fmt.Errorf("bytes held per account: %d: must be positive", s.AccountBytes)
	case s.Total < 1 || s.Total > 1_000_000:
		return s, fmt.Errorf("transactions held: %d: must be 1..1000000", s.Total)
	case s.TotalBytes < 1:
		return s, fmt.Errorf("bytes held: %d: must be positive", s.TotalBytes)
	case s.HoldMicros < 1_000 || s.HoldMicros > 60_000_000:
		return s, fmt.Errorf("hold time: %d µs: must be 1..60000 ms", s.HoldMicros)
	}
	return s, nil
}

// maxVictims bounds how many transactions make room for one: it bounds the work that a
// newcomer can cause.
const maxVictims = 16

// Pending holds transactions whose nonce is ahead of their account's, for a short
// while: nothing about them has been acknowledged. Each account has its transactions by
// nonce. A transaction that pays a tenth more replaces the one with its nonce; when the
// set is full, one with a higher tip takes the room of the cheapest last transaction of
// another account; what is held too long is given back. It is not safe for concurrent
// use.
//
// Adding, removing and evicting cost the logarithm of the number of accounts, and of an
// account's transactions.
type Pending struct {
	settings PendingSettings
	accounts map[common.Address]*account
	ages     ages
	tails    tails
	last     chain.Micros // the deadline given last
	seq      uint64
	count    int
	bytes    int
}

// account is what one account holds.
type account struct {
	held  []*held // by nonce, never empty while the account is in the set
	bytes int
	spare int // of the last ones: chosen to make room, while Add decides
	index int // in tails, -1: not there
}

// tail is the last one by nonce that is not chosen to make room.
func (a *account) tail() *held { return a.held[len(a.held)-1-a.spare] }

// find is where the nonce is, or where it would be.
func (a *account) find(nonce uint64) (int, bool) {
	return slices.BinarySearchFunc(a.held, nonce, func(h *held, n uint64) int { return cmp.Compare(h.tx.Nonce(), n) })
}

// held is one transaction in the set.
type held struct {
	tx       *chain.Tx
	seq      uint64 // of arrival
	deadline chain.Micros

	older, newer *held // in ages
}

// Dropped is a transaction that left the set for another one, and what its sender is to
// be told.
type Dropped struct {
	Tx  *chain.Tx
	Err error
}

// NewPending makes an empty set; the error names the setting out of range.
func NewPending(s PendingSettings) (*Pending, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("pending set: %w", err)
	}
	return &Pending{settings: s, accounts: make(map[common.Address]*account)}, nil
}

// Len is the number of transactions held.
func (p *Pending) Len() int { return p.count }

// Bytes is the raw size of the transactions held.
func (p *Pending) Bytes() int { return p.bytes }

// Add holds tx, whose account's next nonce is next, from now on. A transaction that is
// executable already is taken in too: Ready gives it back. What had to leave for tx is
// returned; with an error nothing has changed.
func (p *Pending) Add(tx *chain.Tx, next uint64, now chain.Micros) ([]Dropped, error) {
	nonce, from, size := tx.Nonce(), tx.From(), len(tx.Raw())
	if nonce < next {
		return nil, NonceTooLow(next, nonce)
	}
	a := p.accounts[from]
	if a == nil {
		a = &account{index: -1}
	}
	at, taken := a.find(nonce)
	count, bytes := 1, size // that tx adds
	var old *held
	if taken {
		old = a.held[at]
		if err := replaceable(old.tx, tx); err != nil {
			return nil, err
		}
		count, bytes = 0, size-len(old.tx.Raw())
	}
	switch {
	case nonce-next > p.settings.Ahead:
		return nil, NonceTooHigh(next, nonce)
	case uint64(len(a.held)+count) > p.settings.Ahead:
		return nil, fmt.Errorf("%w: %d transactions wait for nonce %d, limit %d", ErrAccountFull, len(a.held), next, p.settings.Ahead)
	case a.bytes+bytes > p.settings.AccountBytes:
		return nil, fmt.Errorf("%w: transactions of the account waiting for nonce %d reach %d bytes, limit %d", ErrAccountFull, next, a.bytes+bytes, p.settings.AccountBytes)
	}
	dropped, err := p.makeRoom(a, tx, count, bytes)
	if err != nil {
		return nil, err
	}
	if old != nil {
		p.ages.remove(old)
		a.held = slices.Delete(a.held, at, at+1)
		dropped = append(dropped, Dropped{old.tx, fmt.Errorf("%w: %v pays more for nonce %d", ErrReplaced, tx.Hash(), nonce)})
	}
	p.rebase(now)
	p.last = max(p.last, now+p.settings.HoldMicros) // ages are in the order of deadlines
	p.seq++
	h := &held{tx: tx, seq: p.seq, deadline: p.last}
	a.held = slices.Insert(a.held, at, h)
	a.bytes += bytes
	p.count += count
	p.bytes += bytes
	p.accounts[from] = a
	p.ages.push(h)
	p.tails.set(a)
	return dropped, nil
}

// replaceable is nil if tx pays enough to take the place of old: a tenth more, both at
// most and as a tip. A tip of nothing may stay nothing.
func replaceable(old, tx *chain.Tx) error {
	if old.Hash() == tx.Hash() {
		return ErrKnown
	}
	oldCap, oldTip, _ := old.Fees()
	feeCap, tip, _ := tx.Fees()
	leastCap, capFits := tenthMore(oldCap)
	leastTip, tipFits := tenthMore(oldTip)
	if oldTip.IsZero() {
		leastTip = oldTip
	}
	if !capFits || !tipFits || feeCap.Lt(leastCap) || tip.Lt(leastTip) {
		return fmt.Errorf("%w: nonce %d is held by %v, which pays %v wei per gas with a tip of %v: at least %v with %v replace it",
			ErrReplacement, tx.Nonce(), old.Hash(), oldCap, oldTip, leastCap, leastTip)
	}
	return nil
}

// tenthMore is the least integer at or above 110 % of v, and above v; ok is false if
// there is none.
func tenthMore(v *uint256.Int) (more *uint256.Int, ok bool) {
	part := new(uint256.Int).AddUint64(v, 9)
	if part.Lt(v) {
		return part, false
	}
	part.Div(part, uint256.NewInt(10))
	if part.IsZero() {
		part.SetOne()
	}
	more, overflow := new(uint256.Int).AddOverflow(v, part)
	return more, !overflow
}

// makeRoom evicts the cheapest last transactions of other accounts than a, until count
// transactions more with so many bytes more fit. All of them have a lower tip than tx,
// or nothing happens.
func (p *Pending) makeRoom(a *account, tx *chain.Tx, count, bytes int) ([]Dropped, error) {
	full := func(count, bytes int) bool {
		return count > p.settings.Total || bytes > p.settings.TotalBytes
	}
	count, bytes = p.count+count, p.bytes+bytes
	if !full(count, bytes) {
		return nil, nil
	}
	if len(tx.Raw()) > p.settings.TotalBytes {
		return nil, fmt.Errorf("%w: a transaction of %d bytes, limit %d", ErrSetFull, len(tx.Raw()), p.settings.TotalBytes)
	}
	p.tails.remove(a)
	var victims []*account
	err := func() error {
		_, tip, _ := tx.Fees()
		for full(count, bytes) {
			if len(p.tails) == 0 {
				return fmt.Errorf("%w: the account's own transactions fill the set: %d bytes, limit %d", ErrSetFull, p.bytes, p.settings.TotalBytes)
			}
			if len(victims) == maxVictims {
				return fmt.Errorf("%w: more than %d transactions would have to make room (send it in a moment)", ErrSetFull, maxVictims)
			}
			v := p.tails[0]
			h := v.tail()
			if _, least, _ := h.tx.Fees(); !least.Lt(tip) {
				return fmt.Errorf("%w: set is full, at least a tip of %v wei", ErrUnderpriced, new(uint256.Int).AddUint64(least, 1))
			}
			v.spare++
			victims = append(victims, v)
			count--
			bytes -= len(h.tx.Raw())
			if v.spare == len(v.held) {
				p.tails.remove(v)
			} else {
				p.tails.set(v)
			}
		}
		return nil
	}()
	if err != nil {
		for _, v := range slices.Backward(victims) { // one by one: the heap allows one change at a time
			v.spare--
			p.tails.set(v)
		}
		if len(a.held) > 0 {
			p.tails.set(a)
		}
		return nil, err
	}
	_, tip, _ := tx.Fees()
	dropped := make([]Dropped, 0, len(victims))
	for _, v := range victims {
		h := v.held[len(v.held)-1]
		p.unlink(v, len(v.held)-1)
		v.spare-- // the heap knows its tail already
		dropped = append(dropped, Dropped{h.tx, fmt.Errorf("%w: it made room for one with a tip of %v wei", ErrUnderpriced, tip)})
	}
	return dropped, nil
}

// Has reports whether the account's nonce is held.
func (p *Pending) Has(from common.Address, nonce uint64) bool {
	a := p.accounts[from]
	if a == nil {
		return false
	}
	_, ok := a.find(nonce)
	return ok
}

// Ready takes out the account's transactions with the nonces next, next+1, … up to
// the first gap, in that order: executable once those before them are.
func (p *Pending) Ready(from common.Address, next uint64) []*chain.Tx {
	a := p.accounts[from]
	if a == nil {
		return nil
	}
	at, ok := a.find(next)
	if !ok {
		return nil
	}
	var ready []*chain.Tx
	for ; at < len(a.held) && a.held[at].tx.Nonce() == next; next++ {
		ready = append(ready, a.held[at].tx)
		p.take(a, at)
	}
	return ready
}

// Expire takes out the transactions held until their deadline, oldest first. Each
// is to be answered with NonceTooHigh, or with NonceTooLow when its account has gone
// past it.
func (p *Pending) Expire(now chain.Micros) []*chain.Tx {
	p.rebase(now)
	var expired []*chain.Tx
	for h := p.ages.oldest; h != nil && h.deadline <= now; h = p.ages.oldest {
		a := p.accounts[h.tx.From()]
		at, _ := a.find(h.tx.Nonce())
		p.take(a, at)
		expired = append(expired, h.tx)
	}
	return expired
}

// Deadline is when Expire has something to do next; false when nothing is held.
func (p *Pending) Deadline() (chain.Micros, bool) {
	if p.ages.oldest == nil {
		return 0, false
	}
	return p.ages.oldest.deadline, true
}

// Each calls f with what is held, oldest first, until f returns false.
func (p *Pending) Each(f func(*chain.Tx) bool) {
	for h := p.ages.oldest; h != nil && f(h.tx); h = h.newer {
	}
}

// rebase notices a clock that stepped back: nothing is held longer than HoldMicros
// from now.
func (p *Pending) rebase(now chain.Micros) {
	if p.ages.oldest == nil {
		p.last = 0
		return
	}
	limit := now + p.settings.HoldMicros
	if p.last <= limit {
		return
	}
	p.last = limit
	for h := p.ages.oldest; h != nil; h = h.newer {
		h.deadline = min(h.deadline, limit)
	}
}

// take removes the account's transaction at that place.
func (p *Pending) take(a *account, at int) {
	p.unlink(a, at)
	if len(a.held) > 0 {
		p.tails.set(a)
	} else {
		p.tails.remove(a)
	}
}

// unlink is take without tails.
func (p *Pending) unlink(a *account, at int) {
	h := a.held[at]
	size := len(h.tx.Raw())
	a.held = slices.Delete(a.held, at, at+1)
	a.bytes -= size
	p.count--
	p.bytes -= size
	p.ages.remove(h)
	if len(a.held) == 0 {
		delete(p.accounts, h.tx.From())
	}
}

// NonceTooHigh is the answer to a transaction that nothing will make executable
// soon: next is its account's next nonce.
func NonceTooHigh(next, nonce uint64) error {
	return fmt.Errorf("%w: next nonce %d, tx nonce %d", ErrNonceTooHigh, next, nonce)
}

// NonceTooLow is the answer to a transaction whose nonce is used: next is its account's
// next nonce.
func NonceTooLow(next, nonce uint64) error {
	return fmt.Errorf("%w: next nonce %d, tx nonce %d", ErrNonceTooLow, next, nonce)
}
