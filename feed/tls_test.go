package feed

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// server is the configuration of a server at an address.
func (a *authority) server(t testing.TB, ip string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "feed"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// trust is the configuration of a client that trusts the authority alone.
func (a *authority) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func TestAFeedOverTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	secure := func(ip string) *Server {
		return serve(t, func(o *ServerOptions) { o.TLS = ours.server(t, ip) })
	}
	s := secure("127.0.0.1")
	if !strings.HasPrefix(s.URL(), "tls://") {
		t.Fatalf("it is at %s", s.URL())
	}
	trusting := func(o *ClientOptions) { o.TLS = ours.trust() }
	leader := dial(t, s.URL(), "leader", trusting)
	publish(t, leader, run(1, 0, 3, 1000)...)
	flush(t, leader)
	reader := dial(t, s.URL(), "", trusting)
	want(t, read(t, reader, 0, 3), [3]uint64{1, 0, 3})
	if state, err := reader.nc.TLSConnectionState(); err != nil || len(state.VerifiedChains) == 0 {
		t.Errorf("it is read in the clear, or from nobody that is known: %v", err)
	}

	// A relay reads and serves over TLS, too.
	copied := secure("127.0.0.1")
	relay, err := StartRelay(t.Context(), RelayOptions{From: dial(t, s.URL(), "friend", trusting), To: copied, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	want(t, read(t, dial(t, copied.URL(), "", trusting), 0, 3), [3]uint64{1, 0, 3})

	elsewhere, plain := secure("127.0.0.2"), serve(t)
	plainly := strings.Replace(s.URL(), "tls://", "nats://", 1)
	for name, tc := range map[string]struct {
		url  string
		tls  *tls.Config
		want string
	}{
		"an authority that did not issue the certificate": {s.URL(), theirs.trust(), "unknown authority"},
		"the machine's authorities":                       {s.URL(), nil, "unknown authority"},
		"those where TLS is not asked for":                {plainly, nil, "unknown authority"},
		"a certificate of another address":                {elsewhere.URL(), ours.trust(), "certificate is valid for 127.0.0.2"},
		"TLS from a server that has none":                 {strings.Replace(plain.URL(), "nats://", "tls://", 1), nil, "secure connection"},
		"an authority, and a server that has none":        {plain.URL(), ours.trust(), "secure connection"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Dial(t.Context(), ClientOptions{ChainID: testChain, URL: tc.url, TLS: tc.tls, Log: testLog(t)})
			if err == nil {
				c.Close()
				t.Fatal("it connects")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v: want %q", err, tc.want)
			}
		})
	}
	t.Run("a client that speaks in the clear", func(t *testing.T) { refusedInTheClear(t, s) })
}

// refusedInTheClear says what NATS clients say, without TLS: nothing may be answered but
// that TLS is needed.
func refusedInTheClear(t *testing.T, s *Server) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "tls://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "CONNECT {\"verbose\":true}\r\nSUB %s 1\r\nPING\r\n", subjects{testChain}.live(miniBlocks)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	for n := 0; lines.Scan(); n++ {
		line := lines.Text()
		if n == 0 && strings.HasPrefix(line, "INFO ") && strings.Contains(line, `"tls_required":true`) || strings.HasPrefix(line, "-ERR ") {
			continue
		}
		if strings.HasPrefix(line, "+OK") || strings.HasPrefix(line, "PONG") || strings.HasPrefix(line, "MSG") || n == 0 {
			t.Fatalf("it is answered %.200q", line)
		}
	}
	var timeout net.Error
	if err := lines.Err(); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection is left open")
	}
}
