package rpc

import (
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// Submission is a transaction on its way: a future of its TxInfo.
type Submission struct {
	mu      sync.Mutex
	settled bool
	done    chan struct{} // made when somebody waits for this one
	wake    chan<- struct{}
	group   *Group
	info    *TxInfo
	err     error
	hash    common.Hash
	raw     []byte
	caller  string
	voucher *Voucher
}

// NewSubmission is an unresolved submission.
func NewSubmission() *Submission { return new(Submission) }

// NewSubmissions are unresolved submissions, one for each of sends.
func NewSubmissions(sends []Send) []*Submission {
	made, out := make([]Submission, len(sends)), make([]*Submission, len(sends))
	for i := range sends {
		made[i].group, made[i].raw, made[i].caller, made[i].voucher = sends[i].Group, sends[i].Raw, sends[i].Caller, sends[i].Voucher
		out[i] = &made[i]
	}
	return out
}

// Decoded notes the transaction's hash, which must happen before Resolve if the
// transaction could be decoded.
func (s *Submission) Decoded(hash common.Hash) { s.hash = hash }

// Resolve settles the submission; it must be called exactly once, and never blocks.
// Who settles many at once uses a Resolver.
func (s *Submission) Resolve(info *TxInfo, err error) {
	if s.settle(info, err) {
		s.group.signal()
	}
}

// settle is Resolve without waking the group, which is the caller's to do if it is true.
func (s *Submission) settle(info *TxInfo, err error) (wake bool) {
	s.mu.Lock()
	s.info, s.err, s.settled = info, err, true
	if s.done != nil {
		close(s.done)
	}
	if s.wake != nil {
		nudge(s.wake)
	}
	s.mu.Unlock()
	return s.group != nil && s.group.add(s)
}

// Resolver settles many submissions and then wakes each group once, so that who waits
// finds all of them. The zero Resolver is ready. For one goroutine.
type Resolver struct{ groups []*Group }

// Resolve settles the submission like its own Resolve; its group may learn of it only
// with Flush.
func (r *Resolver) Resolve(s *Submission, info *TxInfo, err error) {
	if s.settle(info, err) {
		r.groups = append(r.groups, s.group)
	}
}

// Flush wakes the groups of what was settled since the last Flush.
func (r *Resolver) Flush() {
	for _, g := range r.groups {
		g.signal()
	}
	clear(r.groups)
	r.groups = r.groups[:0]
}

// Raw is what was handed over, if NewSubmissions made the submission.
func (s *Submission) Raw() []byte { return s.raw }

// Caller is who handed it over (Send.Caller).
func (s *Submission) Caller() string { return s.caller }

// Voucher is who vouches for its sender (Send.Voucher), nil if nobody.
func (s *Submission) Voucher() *Voucher { return s.voucher }

// Settled reports whether the submission is resolved.
func (s *Submission) Settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled
}

// Done is closed when the submission is settled. Who waits for many uses a Group.
func (s *Submission) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
		if s.settled {
			close(s.done)
		}
	}
	return s.done
}

// Wake has wake sent to when the submission is settled, unless somebody has not received
// what was sent before; false: it is settled already. It costs less than Done, as one
// channel serves for submission after submission.
func (s *Submission) Wake(wake chan<- struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake = wake
	return !s.settled
}

// nudge sends to a channel of one place, unless something is there already.
func nudge(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Group is what Send.Group named, nil if nothing.
func (s *Submission) Group() *Group { return s.group }

// Result is valid after the submission is settled: the published transaction, or why not.
func (s *Submission) Result() (*TxInfo, error) { return s.info, s.err }

// Hash is the transaction's hash, valid after the submission is settled; zero if it
// could not be decoded.
func (s *Submission) Hash() common.Hash { return s.hash }

// Group gathers settled submissions for one goroutine that waits for many: however many
// are settled until it looks, it is woken once.
type Group struct {
	wake chan struct{}
	// Waiting is how many of its transactions a backend holds that are not executed; the
	// backend counts them, so that one group cannot take all the room.
	Waiting atomic.Int64

	mu      sync.Mutex
	settled []*Submission
}

// NewGroup makes a group; Send.Group names it.
func NewGroup() *Group { return &Group{wake: make(chan struct{}, 1)} }

// add notes a settled submission; first says that nobody was told of one since Take.
func (g *Group) add(s *Submission) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = append(g.settled, s)
	return len(g.settled) == 1
}

func (g *Group) signal() { nudge(g.wake) }

// Wake receives when there is something to take; sometimes there is nothing.
func (g *Group) Wake() <-chan struct{} { return g.wake }

// Take returns what was settled since the last call, in that order. It may use the
// memory of spare, a list taken earlier.
func (g *Group) Take(spare []*Submission) []*Submission {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.settled
	clear(spare)
	g.settled = spare[:0]
	return taken
}
