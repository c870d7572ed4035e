package node

import "time"

// pace spreads the writing of a block over the time until the next: without rests the
// burst would take a processor from what makes that one.
type pace struct {
	hurry func() bool // something waits for the end of the work
	since time.Time   // when work went on
	owed  time.Duration
}

const (
	// paceRests is how many times as long as it works the writer rests.
	paceRests = 3
	// shortest rest, as the scheduler keeps time, and longest.
	minRest, maxRest = time.Millisecond, 5 * time.Millisecond
)

func newPace(hurry func() bool) *pace { return &pace{hurry: hurry, since: time.Now()} }

// rest is called between small parts of the work.
func (p *pace) rest() {
	now := time.Now()
	p.owed += paceRests * now.Sub(p.since)
	p.since = now
	if p.owed < minRest {
		return
	}
	if p.hurry() {
		p.owed = 0
		return
	}
	time.Sleep(min(p.owed, maxRest))
	p.since = time.Now()
	p.owed = max(0, p.owed-p.since.Sub(now))
	p.owed = min(p.owed, maxRest)
}
