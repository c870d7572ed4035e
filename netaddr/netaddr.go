package netaddr

import (
	"net"
	"net/netip"
)

// Neighbours is what a bound by address counts together: an IPv4 address, or the /64 of an
// IPv6 address, all of which one customer has (RFC 6177). An IPv4 address written as IPv6
// is the IPv4 address; a zone does not count. The zero Addr is returned as it is.
func Neighbours(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
		return ip
	}
	prefix, _ := ip.Prefix(64) // of an IPv6 address: it has one
	return prefix.Addr()
}

// OfConn are the Neighbours of whoever is at the other end of the connection; the zero
// Addr, which all such share, if it is not one over IP.
func OfConn(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return Neighbours(a.AddrPort().Addr())
	}
	return netip.Addr{}
}

// Of are the Neighbours of an address in text, with a port or without; the zero Addr if it
// is none.
func Of(remote string) netip.Addr {
	if at, err := netip.ParseAddrPort(remote); err == nil {
		return Neighbours(at.Addr())
	}
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		return netip.Addr{}
	}
	return Neighbours(ip)
}
