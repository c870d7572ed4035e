package ingest

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// trusting takes the word of one replica, until it is withdrawn.
type trusting struct {
	replica common.Address

	mu        sync.Mutex
	withdrawn bool
	open      map[*rpc.Voucher]bool
}

func (t *trusting) set(o *Options) { o.Vouch, o.Release = t.vouch, t.release }

func (t *trusting) vouch(v *rpc.Voucher) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case v.Replica != t.replica:
		return rpc.ErrNotTrusted
	case t.withdrawn:
		return fmt.Errorf("%w: so it is", rpc.ErrTrustWithdrawn)
	}
	if t.open == nil {
		t.open = make(map[*rpc.Voucher]bool)
	}
	t.open[v] = true
	return nil
}

func (t *trusting) release(v *rpc.Voucher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, v)
}

func (t *trusting) withdraw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.withdrawn = true
	for v := range t.open {
		v.Withdraw()
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signs(key *ecdsa.PrivateKey) func(common.Hash) ([]byte, error) {
	return func(digest common.Hash) ([]byte, error) { return crypto.Sign(digest[:], key) }
}

func TestOnlyATrustedReplicaVouches(t *testing.T) {
	key := newKey(t)
	trust := &trusting{replica: crypto.PubkeyToAddress(key.PublicKey)}
	n := newFake()
	_, addr := serve(t, n, trust.set)
	send := func(o wire.Options) rpc.Send {
		t.Helper()
		c := dial(t, addr, o)
		if err := c.Send(t.Context(), wire.Tx{Raw: []byte("tx"), Sender: common.Address{9}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.sends[len(n.sends)-1]
	}
	if s := send(wire.Options{ChainID: 7411}); s.Voucher != nil || s.Sender != (common.Address{9}) {
		t.Errorf("anybody vouches: %+v", s)
	}
	if s := send(wire.Options{ChainID: 7411, Sign: signs(key)}); s.Voucher == nil || s.Voucher.Replica != trust.replica || len(s.Voucher.Proof) != 32+32+wire.ProofSize {
		t.Errorf("the replica does not vouch: %+v", s)
	}
	for name, sign := range map[string]func(common.Hash) ([]byte, error){
		"another key":      signs(newKey(t)),
		"another digest":   func(common.Hash) ([]byte, error) { return crypto.Sign(make([]byte, 32), key) },
		"no signature":     func(common.Hash) ([]byte, error) { return make([]byte, wire.ProofSize), nil },
		"a wrong recovery": func(h common.Hash) ([]byte, error) { s, err := crypto.Sign(h[:], key); s[64] = 27; return s, err },
	} {
		_, err := wire.Dial(t.Context(), addr, wire.Options{ChainID: 7411, Sign: sign})
		var refused *wire.HelloError
		if !errors.As(err, &refused) || refused.Hello.Status != wire.HelloNotTrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := wire.Dial(t.Context(), addr, wire.Options{Sign: signs(key)}); err == nil {
		t.Error("a replica of any chain")
	}
	if _, err := wire.Dial(t.Context(), addr, wire.Options{ChainID: 7411, Sign: func(common.Hash) ([]byte, error) { return []byte{1}, nil }}); err == nil {
		t.Error("a short signature is sent")
	}
}

// What a replica has signed for one connection is worth nothing on another.
func TestAProofIsOfOneConnection(t *testing.T) {
	key := newKey(t)
	trust := &trusting{replica: crypto.PubkeyToAddress(key.PublicKey)}
	_, addr := serve(t, newFake(), trust.set)
	greet := func(prove func(wire.Challenge) []byte) wire.HelloStatus {
		t.Helper()
		c := connect(t, addr)
		hello := wire.ClientHello{Flags: wire.FlagHints | wire.FlagReplica, ChainID: 7411}
		if _, err := c.Write(hello.Append(nil)); err != nil {
			t.Fatal(err)
		}
		var b [wire.ChallengeSize]byte
		if _, err := c.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		challenge, err := wire.ParseChallenge(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(prove(challenge)); err != nil {
			t.Fatal(err)
		}
		return readHello(t, c).Status
	}
	sign := func(s wire.Statement) []byte {
		digest := s.Digest()
		sig, err := crypto.Sign(digest[:], key)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	var proof []byte
	if got := greet(func(c wire.Challenge) []byte {
		proof = sign(wire.Statement{ChainID: 7411, Nonce: c.Nonce})
		return proof
	}); got != wire.HelloOK {
		t.Fatalf("the right proof: %v", got)
	}
	for name, prove := range map[string]func(wire.Challenge) []byte{
		"of an earlier connection": func(wire.Challenge) []byte { return proof },
		"of another chain":         func(c wire.Challenge) []byte { return sign(wire.Statement{ChainID: 7412, Nonce: c.Nonce}) },
		"of a TLS connection": func(c wire.Challenge) []byte {
			return sign(wire.Statement{ChainID: 7411, Nonce: c.Nonce, Channel: [32]byte{1}})
		},
	} {
		if got := greet(prove); got != wire.HelloNotTrusted {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Over TLS a proof is bound to the connection: who relays it holds another one.
func TestAProofIsBoundToTLS(t *testing.T) {
	key := newKey(t)
	trust := &trusting{replica: crypto.PubkeyToAddress(key.PublicKey)}
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	cert, pool := certified.TLS.Certificates[0], x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	certified.Close()
	n := newFake()
	_, addr := serve(t, n, func(o *Options) {
		trust.set(o)
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	})
	o := wire.Options{ChainID: 7411, TLS: &tls.Config{RootCAs: pool, ServerName: "example.com"}, Sign: signs(key)}
	c := dial(t, "tls://"+addr, o)
	if err := c.Send(t.Context(), wire.Tx{Raw: []byte("tx"), Sender: common.Address{9}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	v := n.sends[0].Voucher
	n.mu.Unlock()
	if v == nil || common.Hash(v.Proof[32:64]) == (common.Hash{}) {
		t.Fatalf("not bound to the connection: %+v", v)
	}
}

// When the trust ends so do the replica's connections, with the reason, and later ones are
// refused with it.
func TestAReplicaThatIsDistrustedIsCutOff(t *testing.T) {
	key := newKey(t)
	trust := &trusting{replica: crypto.PubkeyToAddress(key.PublicKey)}
	n := newFake()
	_, addr := serve(t, n, trust.set)
	o := wire.Options{ChainID: 7411, Sign: signs(key)}
	idle, busy := dial(t, addr, o), dial(t, addr, o)
	if err := busy.Send(t.Context(), wire.Tx{Raw: []byte("h"), Sender: common.Address{9}}); err != nil {
		t.Fatal(err)
	}
	n.until(t, "the transaction", func() bool { return len(n.held) == 1 })
	trust.withdraw()
	for name, c := range map[string]*wire.Client{"idle": idle, "busy": busy} {
		if name == "busy" { // what was taken is acknowledged first
			n.release()
		}
		select {
		case <-c.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: not cut off", name)
		}
		var closing *wire.ClosingError
		if !errors.As(c.Err(), &closing) || closing.Reason != wire.ReasonForged || !strings.Contains(closing.Error(), "did not sign") {
			t.Errorf("%s: %v", name, c.Err())
		}
	}
	if a, ok := <-busy.Acks(); !ok || a.Status != wire.Succeeded {
		t.Errorf("what was taken: %+v, %v", a, ok)
	}
	_, err := wire.Dial(t.Context(), addr, o)
	var refused *wire.HelloError
	if !errors.As(err, &refused) || refused.Hello.Status != wire.HelloWithdrawn {
		t.Errorf("once more: %v", err)
	}
	trust.mu.Lock()
	defer trust.mu.Unlock()
	for deadline := time.Now().Add(10 * time.Second); len(trust.open) > 0 && time.Now().Before(deadline); {
		trust.mu.Unlock()
		time.Sleep(time.Millisecond)
		trust.mu.Lock()
	}
	if len(trust.open) > 0 {
		t.Errorf("%d connections are not released", len(trust.open))
	}
}

// Anybody can be a replica that is not trusted: the log has a line of them a second at most.
func TestReplicasThatAreNotTrustedDoNotFillTheLog(t *testing.T) {
	trust := &trusting{replica: common.Address{1}}
	var lines lineCounter
	_, addr := serve(t, newFake(), func(o *Options) {
		trust.set(o)
		o.Log = slog.New(slog.NewTextHandler(&lines, nil))
	})
	start := time.Now()
	for range 20 {
		if _, err := wire.Dial(t.Context(), addr, wire.Options{ChainID: 7411, Sign: signs(newKey(t))}); err == nil {
			t.Fatal("trusted")
		}
	}
	if n, most := lines.n.Load(), 1+int64(time.Since(start)/time.Second); n < 1 || n > most {
		t.Errorf("%d lines, want 1..%d", n, most)
	}
}

type lineCounter struct{ n atomic.Int64 }

func (c *lineCounter) Write(b []byte) (int, error) {
	c.n.Add(1)
	return len(b), nil
}

// A server that trusts nobody says so at once, before anything is signed.
func TestAServerThatTrustsNobodySaysSo(t *testing.T) {
	_, addr := serve(t, newFake(), nil)
	asked := false
	_, err := wire.Dial(context.Background(), addr, wire.Options{ChainID: 7411, Sign: func(h common.Hash) ([]byte, error) {
		asked = true
		return signs(newKey(t))(h)
	}})
	var refused *wire.HelloError
	if !errors.As(err, &refused) || refused.Hello.Status != wire.HelloNotTrusted || asked {
		t.Errorf("%v, asked for a signature: %v", err, asked)
	}
}
