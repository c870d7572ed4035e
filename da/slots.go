package da

import (
	"net/netip"
	"sync"

	"github.com/talaria-l2/talaria/netaddr"
)

// Slots are places for what costs a server memory. One address never has all of them.
type Slots struct {
	perAddress int

	mu   sync.Mutex
	free int
	held map[netip.Addr]int
}

// NewSlots makes total places, of which one address has perAddress at most; 0: half of
// them, rounded up.
func NewSlots(total, perAddress int) *Slots {
	if perAddress == 0 {
		perAddress = (total + 1) / 2
	}
	return &Slots{perAddress: perAddress, free: total, held: make(map[netip.Addr]int)}
}

// Take takes a place for a remote address, as requests have it, without waiting. release
// gives it back, and is nil without one.
func (s *Slots) Take(remote string) (release func()) {
	key := netaddr.Of(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 || s.held[key] >= s.perAddress {
		return nil
	}
	s.free--
	s.held[key]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free++
		if s.held[key]--; s.held[key] == 0 {
			delete(s.held, key)
		}
	})
}
