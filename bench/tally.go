package bench

import (
	"regexp"
	"sync"
	"time"
)

// maxErrorKinds bounds how many different messages a report lists.
const maxErrorKinds = 50

// maxMismatches bounds how many failed checks a report spells out.
const maxMismatches = 20

// tally collects what the clients measure. It is safe for concurrent use.
type tally struct {
	mu         sync.Mutex
	latencies  []time.Duration
	sent       uint64
	gas        uint64
	receipts   uint64 // checked and right
	failed     uint64
	errors     map[string]uint64
	mismatches []string
	wrong      uint64 // all failed checks, also those not in mismatches
	last       time.Time
}

func newTally() *tally { return &tally{errors: map[string]uint64{}} }

// confirmed records one receipt that arrived at done, latency after it was due.
func (t *tally) confirmed(latency time.Duration, done time.Time, gas uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies = append(t.latencies, latency)
	t.gas += gas
	if done.After(t.last) {
		t.last = done
	}
}

func (t *tally) countSent(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent += uint64(n)
}

func (t *tally) rightReceipt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.receipts++
}

// fail records n transactions without a receipt. Messages that differ only in
// numbers count as one kind.
func (t *tally) fail(message string, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed += n
	kind := errorKind(message)
	if _, ok := t.errors[kind]; !ok && len(t.errors) >= maxErrorKinds {
		kind = "other errors"
	}
	t.errors[kind] += n
}

// mismatch records a check that failed.
func (t *tally) mismatch(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong++
	if len(t.mismatches) < maxMismatches {
		t.mismatches = append(t.mismatches, what)
	}
}

var (
	hexRun    = regexp.MustCompile(`0x[0-9a-fA-F]+`)
	numberRun = regexp.MustCompile(`[0-9]+`)
)

// errorKind strips numbers from a message, so that kinds can be counted.
func errorKind(message string) string {
	return numberRun.ReplaceAllString(hexRun.ReplaceAllString(message, "<hex>"), "N")
}
