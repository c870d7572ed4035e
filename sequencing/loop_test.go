package sequencing

import (
	"math/rand"
	"testing"

	"github.com/talaria-l2/talaria/chain"
)

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
