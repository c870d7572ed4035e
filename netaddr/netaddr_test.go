package netaddr

import (
	"net"
	"net/netip"
	"testing"
)

func TestNeighboursCountTogether(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:80":                "192.0.2.7",
		"192.0.2.7":                   "192.0.2.7",
		"[::ffff:192.0.2.7]:80":       "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:1":    "2001:db8:1:2::",
		"2001:db8:1:2:ffff::1":        "2001:db8:1:2::",
		"[2001:db8:1:2:ffff::%eth]:1": "2001:db8:1:2::",
	} {
		if got := Of(remote); got != netip.MustParseAddr(want) {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
	for _, remote := range []string{"", "@", "name:80"} {
		if got := Of(remote); got.IsValid() {
			t.Errorf("%q: %s, want none", remote, got)
		}
	}
}

type conn struct {
	net.Conn
	from net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.from }

func TestOfConn(t *testing.T) {
	if got := OfConn(conn{from: &net.TCPAddr{IP: net.ParseIP("2001:db8::9"), Port: 7, Zone: "eth"}}); got != netip.MustParseAddr("2001:db8::") {
		t.Errorf("an IPv6 connection: %s", got)
	}
	if got := OfConn(conn{from: &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 7}}); got != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("an IPv4 connection: %s", got)
	}
	if got := OfConn(conn{from: &net.UnixAddr{Name: "x"}}); got.IsValid() {
		t.Errorf("a connection of this machine: %s", got)
	}
}
