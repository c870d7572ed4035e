package ingest

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

// at is a connection to somewhere.
type at struct {
	net.Conn
	addr net.Addr
}

func (a at) RemoteAddr() net.Addr { return a.addr }

// A replica proves who it is only to a server that nobody else can be taken for.
func TestAReplicaDoesNotProveItselfInClear(t *testing.T) {
	sign := func(common.Hash) ([]byte, error) { return make([]byte, ProofSize), nil }
	away, here := at{addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}, at{addr: &net.TCPAddr{IP: net.IPv6loopback}}
	for name, c := range map[string]struct {
		conn    net.Conn
		opts    Options
		refused bool
	}{
		"another machine":           {away, Options{Sign: sign}, true},
		"another machine, as told":  {away, Options{Sign: sign, SignInClear: true}, false},
		"another machine, by TLS":   {tls.Client(away, new(tls.Config)), Options{Sign: sign}, false},
		"this machine":              {here, Options{Sign: sign}, false},
		"nobody in particular":      {away, Options{}, false},
		"another kind of a network": {at{addr: &net.UnixAddr{Name: "x"}}, Options{Sign: sign}, true},
	} {
		client := Client{conn: c.conn, opts: c.opts}
		if err := client.maySign(); errors.Is(err, ErrInClear) != c.refused || err != nil != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	client := Client{conn: away, opts: Options{Sign: sign}}
	if err := client.greet(); !errors.Is(err, ErrInClear) { // before anything is sent
		t.Error(err)
	}
}
