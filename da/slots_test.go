package da_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/talaria-l2/talaria/da"
)

func TestNoAddressHasAllSlots(t *testing.T) {
	s := da.NewSlots(3, 0) // two for each
	first, second := s.Take("192.0.2.1:1"), s.Take("192.0.2.1:2")
	if first == nil || second == nil || s.Take("192.0.2.1:3") != nil {
		t.Fatal("an address does not have two slots of three")
	}
	other := s.Take("192.0.2.2:1")
	if other == nil || s.Take("192.0.2.3:1") != nil {
		t.Fatal("there are not three slots")
	}
	first()
	first() // once is enough
	if s.Take("192.0.2.1:4") == nil || s.Take("192.0.2.4:1") != nil {
		t.Fatal("a slot that was given back is not one slot")
	}
}

// TestOneAddressDoesNotTakeAllConnections: with as many as it may have open and idle,
// another address is served.
func TestOneAddressDoesNotTakeAllConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := da.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), da.Limits{Connections: 4, PerAddress: 2})
	defer s.Close()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	served := func(c net.Conn) bool {
		t.Helper()
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return false
		}
		_, err := io.ReadFull(c, make([]byte, 15))
		return err == nil
	}
	for range 2 {
		if !served(dial("127.0.0.1")) { // and kept
			t.Fatal("an address does not have two connections")
		}
	}
	for range 4 {
		if served(dial("127.0.0.1")) {
			t.Fatal("an address has more connections than it may")
		}
	}
	if !served(dial("127.0.0.2")) {
		t.Fatal("another address is not served")
	}
}
