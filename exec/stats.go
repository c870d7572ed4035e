package exec

// Stats say how batches were executed since the chain was made. Gas stands for time.
type Stats struct {
	Transactions uint64 // committed by parallel batches, invalid ones included
	Aborts       uint64 // of them, executed a second time because a read had changed
	Stolen       uint64 // of them, executed by two workers because one was held up
	Serial       uint64 // transactions of batches that were executed one by one
	Bails        uint64 // batches that ended early because of conflicts
	// Gas is what parallel batches used; CriticalGas is the sum over them of what their
	// longest chains of dependent transactions used. No number of workers makes
	// execution faster than Gas / CriticalGas times.
	Gas, CriticalGas uint64

	gas, deepest uint64 // of the present batch
}

// Stats returns the counts so far. Only the goroutine that owns the chain may call it.
func (c *Chain) Stats() Stats {
	return c.stats
}

// note ends the count of a batch.
func (b *batch) note() {
	s := b.stats
	s.Gas += s.gas
	s.CriticalGas += s.deepest
	s.gas, s.deepest = 0, 0
}

// conflictWindow judges whether running ahead pays.
type conflictWindow struct{ count, aborts, streak int }

const (
	conflictWindowSize = 128
	// maxAborts is from how many aborts in a window a batch ends, and maxStreak from how
	// many in a row: what executes then builds on what was wrong.
	maxAborts = conflictWindowSize / 2
	maxStreak = 16
)

// add counts a transaction; true if there were too many conflicts.
func (w *conflictWindow) add(abort bool) bool {
	w.count++
	w.streak++
	if abort {
		w.aborts++
	} else {
		w.streak = 0
	}
	if w.streak == maxStreak {
		return true
	}
	if w.count < conflictWindowSize {
		return false
	}
	bad := w.aborts >= maxAborts
	*w = conflictWindow{}
	return bad
}
