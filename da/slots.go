package da

import (
	"net"
	"net/netip"
	"sync"
)

// Slots are places for what costs a server memory. One address never has all of them.
type Slots struct {
	perAddress int

	mu   sync.Mutex
	free int
	held map[string]int
}

// NewSlots makes total places, of which one address has perAddress at most; 0: half of
// them, rounded up.
func NewSlots(total, perAddress int) *Slots {
	if perAddress == 0 {
		perAddress = (total + 1) / 2
	}
	return &Slots{perAddress: perAddress, free: total, held: make(map[string]int)}
}

// Take takes a place for a remote address, as requests have it, without waiting. release
// gives it back, and is nil without one.
func (s *Slots) Take(remote string) (release func()) {
	key := Neighbours(remote)
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

// Neighbours is what limits by address count together: an IPv4 address, or the /64 of an
// IPv6 address, all of which one customer has. remote may have a port.
func Neighbours(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // of an IPv6 address: it has one
	return prefix.String()
}
