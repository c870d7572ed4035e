package daaudit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/role/daoperator"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop")) // idle connections
}

var verifier = common.Address{0xce}

// chain is an L1 with certificates.
type chain struct {
	mu    sync.Mutex
	head  uint64
	logs  []types.Log
	err   error
	asked []ethereum.FilterQuery
}

func (c *chain) BlockNumber(context.Context) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head, c.err
}

func (c *chain) FilterLogs(_ context.Context, q ethereum.FilterQuery) (out []types.Log, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	for _, l := range c.logs {
		if n := new(big.Int).SetUint64(l.BlockNumber); l.Address == q.Addresses[0] && n.Cmp(q.FromBlock) >= 0 && n.Cmp(q.ToBlock) <= 0 {
			out = append(out, l)
		}
	}
	return out, c.err
}

// announce puts a certificate into L1 block number.
func (c *chain) announce(cert *da.Certificate, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data := da.CertifyCall(cert)[4:] // the ABI encoding of the same argument
	c.logs = append(c.logs, types.Log{
		Address: verifier, BlockNumber: number, Topics: []common.Hash{da.CertifiedTopic(), cert.Hash(), {}}, Data: data,
	})
	c.head = max(c.head, number)
}

func fake(n uint64) *da.Certificate {
	return &da.Certificate{
		Statement: da.Statement{Epoch: n, Length: 1, Commitments: make([]kzg4844.Commitment, 1)}, Operators: 1, Signers: []byte{1},
	}
}

func TestCertificatesAreReadFromL1OnceAndForgotten(t *testing.T) {
	c := new(chain)
	for n := range uint64(5) {
		c.announce(fake(n+1), n*1_000)
	}
	c.logs[1].Data = c.logs[1].Data[:40] // what the verifier does not write
	r := register{l1: c, verifier: verifier, window: 3_500}
	err := r.refresh(t.Context())
	if err != nil || len(r.known) != 3 || r.known[0].Epoch != 3 || r.known[0].Block != 2_000 {
		t.Fatalf("%d certificates, %v", len(r.known), err)
	}
	if len(c.asked) != 4 || c.asked[0].FromBlock.Uint64() != 501 || c.asked[3].ToBlock.Uint64() != 4_000 {
		t.Fatalf("asked %d times, from %v", len(c.asked), c.asked[0].FromBlock)
	}
	c.announce(fake(9), 6_000)
	if err = r.refresh(t.Context()); err != nil || len(r.known) != 3 || r.known[0].Epoch != 4 {
		t.Fatalf("%d known, %v", len(r.known), err)
	}
	for range 20 {
		got, err := r.pick(2, rand.Reader)
		if err != nil || len(got) != 2 || got[0].Epoch != 9 || got[1].Epoch == 9 {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if got, err := r.pick(9, rand.Reader); err != nil || len(got) != 3 {
		t.Fatalf("%d of 3, %v", len(got), err)
	}
	c.err = errors.New("down")
	if err := r.refresh(t.Context()); err == nil {
		t.Fatal("an L1 that is down was read")
	}
}

// TestWhoLosesDataIsFound: on schedule, once, in the log and in what is counted; and so is
// that it has the data again.
func TestWhoLosesDataIsFound(t *testing.T) {
	dir := t.TempDir()
	local, err := daoperator.ListenLocal(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	members := &committee.Committee{Epoch: 1}
	for _, m := range local.Members() {
		members.Operators = append(members.Operators, committee.Operator{Key: m.Key.Public(), Weight: 1, URL: m.URL})
	}
	source := committee.Fixed{Only: members}
	if err := local.Start(source, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	disperser := committee.NewDisperser(committee.DisperserOptions{Source: source, Linger: time.Minute, Timeout: time.Minute})
	cert, err := disperser.Put(t.Context(), []byte("a batch"))
	disperser.Close()
	if err != nil {
		t.Fatal(err)
	}
	l1 := new(chain)
	l1.announce(cert, 7)
	var text bytes.Buffer
	var mu sync.Mutex
	counts := map[committee.Result]int{}
	a := Start(Options{
		L1: l1, Verifier: verifier, Random: rand.Reader, Every: 10 * time.Millisecond, Samples: 2,
		Sampler: committee.NewSampler(committee.SamplerOptions{Source: source, Random: rand.Reader, Slow: time.Minute, Timeout: time.Minute}),
		Found: func(f committee.Finding) {
			mu.Lock()
			defer mu.Unlock()
			counts[f.Result]++
		},
		Log: slog.New(slog.NewTextHandler(&text, nil)),
	})
	lost := members.Operators[1].Key.Bytes()
	last := func() (committee.Result, uint64) {
		for _, o := range a.Operators() {
			if bytes.Equal(o.PublicKey, lost[:]) {
				return o.Last, o.Asked
			}
		}
		return "", 0
	}
	await := func(want committee.Result) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		_, before := last()
		for {
			result, asked := last()
			if result == want && asked > before+4 { // two rounds more: it stays so
				return
			}
			select {
			case <-deadline:
				t.Fatalf("operator 1 is %q, want %q", result, want)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	await(committee.ResultOK)
	files, err := filepath.Glob(filepath.Join(dir, "operator-1", "chunks", "*", "*.chunk"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	await(committee.ResultMissing)
	for _, o := range a.Operators() {
		if o.Healthy() == bytes.Equal(o.PublicKey, lost[:]) || o.Asked == 0 || o.URL != members.Operators[o.Index].URL {
			t.Errorf("%+v", o)
		}
	}
	retriever := committee.NewRetriever(committee.RetrieverOptions{Source: source})
	if err := retriever.Repair(t.Context(), cert, []int{1}); err != nil {
		t.Fatal(err)
	}
	await(committee.ResultOK)
	a.Close()
	if counts[committee.ResultOK] == 0 || counts[committee.ResultMissing] == 0 {
		t.Errorf("findings: %v", counts)
	}
	if log := text.String(); strings.Count(log, "has lost data") != 1 || strings.Count(log, "signed for again") != 1 || strings.Contains(log, "operator=0") {
		t.Errorf("log: %s", log)
	}
}
