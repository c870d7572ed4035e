package daoperator

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
)

// character is how an operator behaves towards others: it has the operator itself behind it.
type character func(w http.ResponseWriter, r *http.Request, honest http.Handler)

func offline(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// slow takes its time for everything.
func slow(w http.ResponseWriter, r *http.Request, honest http.Handler) {
	select {
	case <-time.After(1500 * time.Millisecond):
		honest.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// spoil answers as the operator does, with one byte changed at a place of each answer to
// a reader.
func spoil(place int) character {
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) {
		rec := httptest.NewRecorder()
		honest.ServeHTTP(rec, r)
		raw := rec.Body.Bytes()
		if r.Method == http.MethodGet && len(raw) > place {
			raw[place] ^= 1
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(raw)
	}
}

// faker signs whatever it gets, keeps nothing, and gives noise.
func faker(m Member, source committee.Source) character {
	return func(w http.ResponseWriter, r *http.Request, honest http.Handler) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.Method == http.MethodGet {
			noise := make([]byte, 2_096)
			_, _ = rand.Read(noise)
			_, _ = w.Write(noise)
			return
		}
		s, _, err := da.ParseStatement(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		members, err := source.Committee(r.Context(), s.Epoch)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		digest := s.Digest(members.Domain)
		signature := m.Key.Sign(digest[:]).Bytes()
		_, _ = w.Write(signature[:])
	}
}

// forger signs with another key than its own.
func forger(other Member, source committee.Source) character { return faker(other, source) }

// TestSixteenOperatorsOfWhomSevenAreNoGood: the largest batch, registry, verifier and
// certificate on L1, and as many liars and absent ones as the specification allows: two
// that sign and lie, five that do not sign, one that is slow. The batch is certified, comes back, and
// the audit names those that lie, and nobody else. Of the honest ones half is enough, and
// with one less the reader waits.
func TestSixteenOperatorsOfWhomSevenAreNoGood(t *testing.T) {
	const n = 16
	size := da.MaxCommitteeBytes
	if testing.Short() {
		size = 2*da.BlobDataBytes + 1
	}
	w := newLayer1(t)
	here := local(t, t.TempDir(), n)
	members, source := here.Members(), w.source()
	characters := make([]atomic.Pointer[character], n)
	for i := range members {
		target, err := url.Parse(members[i].URL)
		if err != nil {
			t.Fatal(err)
		}
		honest := httputil.NewSingleHostReverseProxy(target)
		honest.ErrorLog = nil
		front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if act := characters[i].Load(); act != nil {
				(*act)(rw, r, honest)
				return
			}
			honest.ServeHTTP(rw, r)
		}))
		t.Cleanup(front.Close)
		members[i].URL = front.URL
	}
	be := func(i int, c character) { characters[i].Store(&c) }
	w.admit(members)
	start(t, here, source)
	if err := committee.WarmUp(); err != nil {
		t.Fatal(err)
	}
	// In the order of the registry, which is that of registration.
	for _, i := range []int{1, 4, 8, 15} {
		be(i, offline)
	}
	be(9, forger(members[10], source))
	be(2, faker(members[2], source))
	be(6, spoil(4+2_048)) // the first proof of a chunk
	be(12, slow)

	disperser := committee.NewDisperser(committee.DisperserOptions{Source: source, Linger: time.Minute, Timeout: time.Minute})
	t.Cleanup(disperser.Close)
	data := make([]byte, size)
	_, _ = mathrand.NewChaCha8([32]byte{1}).Read(data)
	begin := time.Now()
	cert, err := disperser.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in %d blobs dispersed to %d operators in %s, %d signed", size, len(cert.Commitments), n, time.Since(begin).Round(time.Millisecond), cert.SignerCount())
	for i := range n {
		absent := i == 1 || i == 4 || i == 8 || i == 15 || i == 9
		if cert.Signed(i) == absent {
			t.Errorf("operator %d: signed %v", i, cert.Signed(i))
		}
	}
	receipt, err := w.sender.Send(t.Context(), l1.Request{To: &w.verifier, Data: da.CertifyCall(cert)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("gas of certifying: %d", receipt.GasUsed)

	get := func() ([]byte, error) {
		reader := committee.NewRetriever(committee.RetrieverOptions{Source: source, Timeout: time.Minute})
		begin := time.Now()
		got, err := reader.Get(t.Context(), cert)
		t.Logf("retrieving took %s", time.Since(begin).Round(time.Millisecond))
		return got, err
	}
	if got, err := get(); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}

	be(6, spoil(2_048)) // the proof of a cell
	sampler := committee.NewSampler(committee.SamplerOptions{Source: source, Random: rand.Reader, Slow: time.Second, Timeout: 20 * time.Second})
	findings, err := sampler.Audit(t.Context(), cert, 2)
	if err != nil {
		t.Fatal(err)
	}
	results := map[int]committee.Result{}
	for _, f := range findings {
		results[f.Operator] = f.Result
	}
	for i, result := range results {
		want := map[int]committee.Result{2: committee.ResultWrong, 6: committee.ResultWrong, 12: committee.ResultSlow}[i]
		if want == "" {
			want = committee.ResultOK
		}
		if result != want {
			t.Errorf("operator %d: the audit says %s, want %s", i, result, want)
		}
	}
	if len(results) != cert.SignerCount() {
		t.Errorf("%d operators were audited, %d signed", len(results), cert.SignerCount())
	}

	be(14, offline) // eight honest ones are left, of which one is slow
	if got, err := get(); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("with half: %d bytes, %v", len(got), err)
	}
	be(13, offline)
	if _, err := get(); !errors.Is(err, da.ErrUnavailable) || !da.Transient(err) {
		t.Fatalf("with less than half: %v", err)
	}
	// With too few who sign there is no certificate.
	be(12, offline)
	if _, err := disperser.Put(t.Context(), []byte("another")); !errors.Is(err, da.ErrUnavailable) {
		t.Fatalf("certified by too few: %v", err)
	}
}
