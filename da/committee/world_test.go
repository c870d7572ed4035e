package committee

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a committee in this process.
type world struct {
	t       *testing.T
	members *Committee
	keys    []*bls.SecretKey
	shelves []*Shelf
	faults  []*fault
	http    *http.Client
	clock   time.Time
}

// fault is what stands before an operator's handler.
type fault struct {
	mu   sync.Mutex
	next http.Handler
	act  func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

func (f *fault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	act := f.act
	f.mu.Unlock()
	if act == nil {
		f.next.ServeHTTP(w, r)
		return
	}
	act(w, r, f.next)
}

func (f *fault) set(act func(http.ResponseWriter, *http.Request, http.Handler)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.act = act
}

func dead(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	http.Error(w, "dead", http.StatusBadGateway)
}

// hung keeps the connection until the client goes.
func hung(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// lying answers reads with one bit of a cell changed.
func lying(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method != http.MethodGet {
		next.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	raw := rec.Body.Bytes()
	if len(raw) > 100 {
		raw[100] ^= 1
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(raw)
}

// newWorld makes operators with the given weights.
func newWorld(t *testing.T, edit func(*HandlerOptions), weights ...uint64) *world {
	t.Helper()
	w := &world{t: t, members: &Committee{Epoch: 1, Domain: common.Hash{0xd0}}, clock: time.Unix(1_700_000_000, 0)}
	transport := &http.Transport{}
	w.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	for i, weight := range weights {
		key := testKey(t, i)
		shelf, err := OpenShelf(t.TempDir(), 0)
		if err != nil {
			t.Fatal(err)
		}
		opts := HandlerOptions{Key: key, Source: source{w}, Shelf: shelf, Uploads: 16, Now: func() time.Time { return w.clock }}
		if edit != nil {
			edit(&opts)
		}
		f := &fault{next: NewHandler(opts)}
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		w.keys, w.shelves, w.faults = append(w.keys, key), append(w.shelves, shelf), append(w.faults, f)
		w.members.Operators = append(w.members.Operators, Operator{Key: key.Public(), Weight: weight, URL: server.URL})
	}
	return w
}

// source gives the world's committee, which is complete only after its operators began.
type source struct{ w *world }

func (s source) Committee(ctx context.Context, epoch uint64) (*Committee, error) {
	return Fixed{s.w.members}.Committee(ctx, epoch)
}

func (s source) Latest(context.Context) (*Committee, error) { return s.w.members, nil }

func testKey(t testing.TB, i int) *bls.SecretKey {
	t.Helper()
	k, err := bls.ParseSecretKey(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(1_000+i)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seven(t *testing.T) *world { return newWorld(t, nil, 1, 1, 1, 1, 1, 1, 1) }

func (w *world) disperser(edit func(*DisperserOptions)) *Disperser {
	opts := DisperserOptions{
		Source: source{w}, HTTP: w.http, Now: func() time.Time { return w.clock },
		Linger: time.Minute, Timeout: 30 * time.Second, // everybody is waited for
	}
	if edit != nil {
		edit(&opts)
	}
	d := NewDisperser(opts)
	w.t.Cleanup(d.Close)
	return d
}

func (w *world) retriever(failed func(int, error)) *Retriever {
	return NewRetriever(RetrieverOptions{Source: source{w}, HTTP: w.http, Hedge: 50 * time.Millisecond, Timeout: 20 * time.Second, Failed: failed})
}

func (w *world) sampler() *Sampler {
	return NewSampler(SamplerOptions{
		Source: source{w}, HTTP: w.http, Random: rand.NewChaCha8([32]byte{1}),
		Timeout: 500 * time.Millisecond, Slow: 400 * time.Millisecond,
	})
}

func (w *world) put(data []byte) *da.Certificate {
	w.t.Helper()
	cert, err := w.disperser(nil).Put(context.Background(), data)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.members.Verify(cert, DefaultThreshold); err != nil {
		w.t.Fatalf("what was dispersed does not verify: %v", err)
	}
	return cert
}

// lose removes everything that an operator keeps.
func (w *world) lose(i int) {
	w.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(w.shelves[i].dir, "*"))
	if err != nil || len(dirs) == 0 {
		w.t.Fatalf("operator %d keeps nothing, %v", i, err)
	}
	for _, d := range dirs {
		if err := os.RemoveAll(d); err != nil {
			w.t.Fatal(err)
		}
	}
}

func testData(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func TestAnyHalfOfTheWeightHoldsHalfOfTheCells(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 2_000 {
		c := &Committee{}
		for range 1 + r.IntN(da.MaxOperators) {
			weight := uint64(1)
			if round%2 == 1 {
				weight += r.Uint64N(MaxWeight)
			}
			c.Operators = append(c.Operators, Operator{Weight: weight})
		}
		set, weight := make(map[int]bool), uint64(0)
		for _, i := range r.Perm(len(c.Operators)) {
			if 2*weight >= c.Total() {
				break
			}
			set[i] = true
			weight += c.Operators[i].Weight
		}
		if n := distinct(c, set); n < CellsNeeded {
			t.Fatalf("%d of %d operators with weight %d of %d hold %d cells", len(set), len(c.Operators), weight, c.Total(), n)
		}
		for i := range c.Operators {
			if from, to := c.Cells(i); from < 0 || to > CellsPerBlob || from >= to {
				t.Fatalf("operator %d holds %d..%d", i, from, to)
			}
		}
	}
}

func TestDataComesBackFromAnyHalf(t *testing.T) {
	w := seven(t)
	data := testData(da.BlobDataBytes + 1_000)
	cert := w.put(data)
	if cert.SignerCount() != 7 {
		t.Fatalf("%d signers", cert.SignerCount())
	}
	// Four of seven, whichever: the three others are dead, hung or lie.
	for _, gone := range [][]int{{0, 1, 2}, {4, 5, 6}, {0, 3, 6}, {1, 2, 5}} {
		t.Run(fmt.Sprint(gone), func(t *testing.T) {
			for n, i := range gone {
				w.faults[i].set([]func(http.ResponseWriter, *http.Request, http.Handler){dead, lying, hung}[n])
				defer w.faults[i].set(nil)
			}
			failed := make(map[int]error)
			got, err := w.retriever(func(i int, err error) { failed[i] = err }).Get(context.Background(), cert)
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if err, ok := failed[gone[1]]; ok && !errors.Is(err, da.ErrMismatch) {
				t.Errorf("the liar was found to be %v", err)
			}
		})
	}
	for _, i := range []int{0, 2, 4, 6} {
		w.faults[i].set(dead)
	}
	if _, err := w.retriever(nil).Get(context.Background(), cert); !errors.Is(err, da.ErrUnavailable) || !da.Transient(err) {
		t.Fatalf("from three of seven: %v", err)
	}
}

func TestSizesFromOneByteToSeveralBlobs(t *testing.T) {
	w := newWorld(t, nil, 3, 1)
	store := Store{Disperser: w.disperser(nil), Retriever: w.retriever(nil)}
	for _, n := range []int{1, 31, 32, da.BlobDataBytes, da.BlobDataBytes + 1} {
		data := testData(n)
		c, err := store.Put(context.Background(), data)
		if err != nil {
			t.Fatal(err)
		}
		back, err := da.Parse(c.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := store.Get(context.Background(), back); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes came back as %d, %v", n, len(got), err)
		}
	}
	if _, err := store.Put(context.Background(), make([]byte, store.Limit()+1)); !errors.Is(err, da.ErrTooLarge) {
		t.Fatalf("above the limit: %v", err)
	}
	if _, err := (Store{Retriever: store.Retriever}).Put(context.Background(), []byte{1}); !errors.Is(err, da.ErrRefused) {
		t.Fatalf("a reader put: %v", err)
	}
	if _, err := store.Get(context.Background(), da.NewKeccak([]byte{1})); !errors.Is(err, da.ErrMalformed) {
		t.Fatalf("another kind: %v", err)
	}
}

func TestNoCertificateBelowTheThreshold(t *testing.T) {
	w := seven(t)
	d := w.disperser(func(o *DisperserOptions) { o.Timeout = 5 * time.Second })
	for _, i := range []int{1, 5} {
		w.faults[i].set(dead)
	}
	cert, err := d.Put(context.Background(), testData(100))
	if err != nil || cert.SignerCount() != 5 || cert.Signed(1) || cert.Signed(5) {
		t.Fatalf("five of seven: %v, %v", cert, err)
	}
	w.faults[2].set(dead)
	if _, err := d.Put(context.Background(), testData(100)); !errors.Is(err, da.ErrUnavailable) || !da.Transient(err) {
		t.Fatalf("four of seven: %v", err)
	}
	w.faults[2].set(nil)
	// An operator that signs with a key that is not its own does not count.
	w.members.Operators[0].Key, w.members.Operators[1].Key = w.members.Operators[1].Key, w.members.Operators[0].Key
	if _, err := d.Put(context.Background(), testData(100)); !errors.Is(err, da.ErrUnavailable) {
		t.Fatalf("with a foreign signature: %v", err)
	}
}

func TestSlowOperatorsAreNotWaitedForButGetTheirCells(t *testing.T) {
	w := seven(t)
	release := make(chan struct{})
	done := make(chan struct{})
	w.faults[6].set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		<-release
		next.ServeHTTP(rw, r)
		close(done)
	})
	d := w.disperser(func(o *DisperserOptions) { o.Linger = time.Millisecond })
	cert, err := d.Put(context.Background(), testData(100))
	close(release)
	if err != nil || cert.Signed(6) {
		t.Fatalf("%v, signed %v", err, cert != nil && cert.Signed(6))
	}
	<-done
	if _, _, err := w.shelves[6].Get(cert.Digest(w.members.Domain)); err != nil {
		t.Fatalf("the slow operator got nothing: %v", err)
	}
}

func TestABlobThatIsNotPackedIsMalformedForEverybody(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, spoil := range map[string]func([]byte){
		"a full element": func(b []byte) { b[32] = 1 },
		"padding":        func(b []byte) { b[64+31] = 1 },
	} {
		blobs := pack(testData(31))
		spoil(blobs[0][:])
		enc, err := encode(blobs)
		if err != nil {
			t.Fatal(err)
		}
		s := &da.Statement{Epoch: 1, Expiry: uint64(w.clock.Unix()) + 60, Length: 31, Commitments: enc.commitments}
		d := w.disperser(nil)
		votes, err := d.send(w.members, s, enc, nil)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := d.collect(context.Background(), w.members, s, votes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.retriever(nil).Get(context.Background(), cert); !errors.Is(err, da.ErrMalformed) || da.Transient(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
