package sequencing

import (
	"fmt"

	"github.com/talaria-l2/talaria/chain"
)

// Slots divides Unix time into block slots of equal length, counted from 1970. The
// zero value is not valid; use NewSlots.
type Slots struct {
	micros chain.Micros
}

// Range of the block time in milliseconds, and its default.
const (
	MinBlockMillis     chain.Millis = 100
	MaxBlockMillis     chain.Millis = 12_000
	DefaultBlockMillis chain.Millis = 1_000
)

// NewSlots makes slots of the block time, 100..12,000 ms [1,000].
func NewSlots(block chain.Millis) (Slots, error) {
	if block == 0 {
		block = DefaultBlockMillis
	}
	if block < MinBlockMillis || block > MaxBlockMillis {
		return Slots{}, fmt.Errorf("block-ms: %d: must be %d..%d", block, MinBlockMillis, MaxBlockMillis)
	}
	return Slots{micros: block.Micros()}, nil
}

// Slot is the number of the slot that the time lies in.
func (s Slots) Slot(now chain.Micros) uint64 { return uint64(now / s.micros) }

// Start is the first microsecond of the slot.
func (s Slots) Start(slot uint64) chain.Micros { return chain.Micros(slot) * s.micros }

// End is the first microsecond behind the slot.
func (s Slots) End(slot uint64) chain.Micros { return s.Start(slot + 1) }

// Timestamp is the timestamp in seconds of a block in the slot.
func (s Slots) Timestamp(slot uint64) uint64 { return s.Start(slot).Seconds() }

// BlockSlot is when an open block begins and ends.
type BlockSlot struct {
	Number    uint64
	Timestamp uint64       // of the block, in seconds
	Opened    chain.Micros // timestamp of the first mini-block
	Closes    chain.Micros // the block is sealed when the clock shows this
}

// Next gives the slot of the block to open at now. last is the timestamp of the
// parent's last mini-block as Stamp gives it (a later one would count as the next
// slot's, which then stays empty), of genesis its own timestamp. When now is still in the
// parent's slot, or the clock stepped back behind it, Next gives the time to wait
// for and false. A clock that jumps forward skips the slots between: there is no
// block for them. Timestamps never decrease.
func (s Slots) Next(last, now chain.Micros) (slot BlockSlot, waitUntil chain.Micros, ok bool) {
	if held := s.Slot(last); s.Slot(now) <= held {
		return BlockSlot{}, s.End(held), false
	}
	return s.open(s.Slot(now), now), 0, true
}

// Reopen gives the slot of a block that was open when the node stopped: the first
// mini-block of it had the timestamp opened.
func (s Slots) Reopen(opened chain.Micros) BlockSlot { return s.open(s.Slot(opened), opened) }

func (s Slots) open(slot uint64, opened chain.Micros) BlockSlot {
	return BlockSlot{Number: slot, Timestamp: s.Timestamp(slot), Opened: opened, Closes: s.End(slot)}
}

// Closed reports whether the clock has reached the end of the slot. A clock that
// stepped back keeps the block open until it catches up.
func (b BlockSlot) Closed(now chain.Micros) bool { return now >= b.Closes }
