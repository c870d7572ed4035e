package node

import (
	"sort"
	"sync"
	"time"

	"github.com/talaria-l2/talaria/rpc"
)

// tierLog remembers when the newest block of a tier changed, as this node saw it.
type tierLog struct {
	mu    sync.Mutex
	steps []tierStep // ascending by both
}

type tierStep struct {
	number uint64
	at     time.Time
}

const (
	keptTierSteps = 4096 // older ones are forgotten
	paceSteps     = 8    // of which the pace is the mean
)

// note takes the newest block of the tier. A lower one, after L1 went back, forgets
// what is above it.
func (l *tierLog) note(number uint64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.steps), func(i int) bool { return l.steps[i].number >= number })
	if i < len(l.steps) {
		l.steps = l.steps[:i+1]
		l.steps[i].number = number
		return
	}
	l.steps = append(l.steps, tierStep{number, at})
	if n := len(l.steps); n > keptTierSteps {
		l.steps = append(l.steps[:0], l.steps[n/2:]...)
	}
}

// reached is when a block got the tier, zero if it has not, or had it before the oldest
// step that is known.
func (l *tierLog) reached(number uint64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.steps), func(i int) bool { return l.steps[i].number >= number })
	if i == 0 || i == len(l.steps) {
		return time.Time{}
	}
	return l.steps[i].at
}

// next is when the tier will move on if it goes on as of late, zero if it has moved
// less than twice, and not before now.
func (l *tierLog) next(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.steps)
	if n < 3 { // the first is what was when the node started
		return time.Time{}
	}
	first := max(1, n-1-paceSteps)
	last := l.steps[n-1].at
	eta := last.Add(last.Sub(l.steps[first].at) / time.Duration(n-1-first))
	if eta.Before(now) {
		return now
	}
	return eta
}

// TierTimes implements rpc.TierTimes.
func (n *Node) TierTimes(number uint64) rpc.TierTime {
	now := time.Now()
	return rpc.TierTime{
		Posted: n.posted.reached(number), Final: n.final.reached(number),
		NextPosted: n.posted.next(now), NextFinal: n.final.next(now),
	}
}
