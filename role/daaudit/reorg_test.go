package daaudit

import (
	"crypto/rand"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da/committee"
)

func TestCertificatesFollowL1WhenItReorganises(t *testing.T) {
	c := new(chain)
	for n := range uint64(3) {
		c.announce(fake(n+1), 1_000+n)
	}
	r := register{l1: c, verifier: verifier, window: 5_000}
	is := func(step string, want ...uint64) {
		t.Helper()
		if err := r.refresh(t.Context()); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		var got []uint64
		for _, k := range r.known {
			got = append(got, k.Epoch)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: certificates %d, want %d", step, got, want)
		}
	}
	is("first", 1, 2, 3)
	is("nothing is new", 1, 2, 3)
	// takeBack takes all from a block on back.
	takeBack := func(number uint64) {
		c.logs = slices.DeleteFunc(c.logs, func(l types.Log) bool { return l.BlockNumber >= number })
		c.head = number - 1
	}
	takeBack(1_001)
	is("a shorter L1", 1)
	c.announce(fake(4), 1_001)
	c.announce(fake(5), 1_002)
	is("others in their place", 1, 4, 5)
	takeBack(1_002)
	c.announce(fake(6), 1_002)
	c.announce(fake(7), 1_003)
	is("a longer L1", 1, 4, 6, 7)
}

func TestACertificateThatCannotBeAskedAboutKeepsNoOtherFromIt(t *testing.T) {
	key, err := bls.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	members := &committee.Committee{Epoch: 1, Operators: []committee.Operator{{Key: key.Public(), Weight: 1, URL: "http://127.0.0.1:1"}}}
	l1 := new(chain)
	l1.announce(fake(1), 7)
	l1.announce(fake(2), 8) // of a committee that nobody knows; it is asked about first
	judged := make(chan committee.Finding, 1)
	a := Start(Options{
		L1: l1, Verifier: verifier, Random: rand.Reader, Every: time.Hour, Samples: 1,
		Sampler: committee.NewSampler(committee.SamplerOptions{Source: committee.Fixed{Only: members}, Random: rand.Reader, Timeout: 10 * time.Second}),
		Judged:  func(f committee.Finding) { judged <- f },
		Log:     slog.New(slog.DiscardHandler),
	})
	defer a.Close()
	select {
	case f := <-judged:
		if f.Epoch != 1 || f.Result != committee.ResultUnreachable {
			t.Errorf("%+v", f)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the other certificate is not asked about")
	}
}
