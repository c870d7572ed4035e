package committee

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

// prepared is a statement with its cells, before it is dispersed.
func (w *world) prepared(n int) (*da.Statement, *encoded) {
	w.t.Helper()
	enc, err := encode(pack(testData(n)))
	if err != nil {
		w.t.Fatal(err)
	}
	return &da.Statement{Epoch: 1, Expiry: uint64(w.clock.Unix()) + 60, Length: uint32(n), Commitments: enc.commitments}, enc
}

// post sends a body to an operator and returns the status.
func (w *world) post(i int, path string, body []byte) int {
	w.t.Helper()
	res, err := w.http.Post(w.members.Operators[i].URL+path, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func TestOperatorsRefuseWhatTheyCannotVouchFor(t *testing.T) {
	w := newWorld(t, nil, 1, 1)
	s, enc := w.prepared(1_000)
	from, to := w.members.Cells(0)
	body := func(edit func(*da.Statement, *Chunk)) []byte {
		s := *s
		c, err := parseChunk(enc.chunk(from, to).appendTo(nil), 1)
		if err != nil {
			t.Fatal(err)
		}
		edit(&s, c)
		return c.appendTo(s.Bytes())
	}
	whole := body(func(*da.Statement, *Chunk) {})
	for name, test := range map[string]struct {
		body []byte
		want int
	}{
		"a wrong cell":        {body(func(_ *da.Statement, c *Chunk) { c.Cells[0][3][100] ^= 1 }), 400},
		"a cell out of range": {body(func(_ *da.Statement, c *Chunk) { c.Cells[0][3][0] = 0xff }), 400},
		"a wrong proof":       {body(func(_ *da.Statement, c *Chunk) { c.Proofs[0][0] = c.Proofs[0][1] }), 400},
		"no point as proof":   {body(func(_ *da.Statement, c *Chunk) { c.Proofs[0][0][7] ^= 1 }), 400},
		"another commitment":  {body(func(s *da.Statement, _ *Chunk) { s.Commitments = append(s.Commitments[:0:0], [48]byte{0xc0}) }), 400},
		"the other's cells":   {enc.chunk(to, CellsPerBlob).appendTo(s.Bytes()), 400},
		"cells too few":       {enc.chunk(from, to-1).appendTo(s.Bytes()), 400},
		"half a body":         {whole[:len(whole)/2], 400},
		"half a header":       {whole[:10], 400},
		"nothing":             {nil, 400},
		"a byte too many":     {append(bytes.Clone(whole), 0), 413},
		"too many blobs":      {append(make([]byte, 20), 0xff, 0xff), 413},
		"an expired promise":  {body(func(s *da.Statement, _ *Chunk) { s.Expiry = uint64(w.clock.Unix()) - 1 }), 400},
		"a promise for years": {body(func(s *da.Statement, _ *Chunk) { s.Expiry = 1 << 62 }), 400},
		"an unknown epoch":    {body(func(s *da.Statement, _ *Chunk) { s.Epoch = 9 }), 404},
	} {
		if got := w.post(0, "/v1/chunks", test.body); got != test.want {
			t.Errorf("%s: status %d, want %d", name, got, test.want)
		}
	}
	if used := w.shelves[0].Used(); used != 0 {
		t.Fatalf("%d bytes were kept of what was refused", used)
	}
	if got := w.post(0, "/v1/chunks", whole); got != http.StatusOK {
		t.Fatalf("the whole chunk: status %d", got)
	}
	if got := w.post(0, "/v1/chunks", whole); got != http.StatusOK {
		t.Fatalf("the same chunk again: status %d", got)
	}
	if used := w.shelves[0].Used(); used != int64(len(whole)+checksumBytes) {
		t.Fatalf("%d bytes are used by one chunk of %d, put twice", used, len(whole))
	}
	// Not a member.
	w.members.Operators[0].Key = testKey(t, 99).Public()
	if got := w.post(0, "/v1/chunks", whole); got != http.StatusConflict {
		t.Fatalf("of a foreign committee: status %d", got)
	}
}

func TestReadsRefuseNonsense(t *testing.T) {
	w := newWorld(t, nil, 1)
	digest := w.put(testData(10)).Digest(w.members.Domain).Hex()
	for path, want := range map[string]int{
		"/v1/chunks/" + digest:                             200,
		"/v1/chunks/" + digest + "/0/127":                  200,
		"/v1/chunks/" + digest + "/0/128":                  404,
		"/v1/chunks/" + digest + "/1/0":                    404,
		"/v1/chunks/" + digest + "/-1/0":                   400,
		"/v1/chunks/" + digest + "/0/99999999999":          400,
		"/v1/chunks/" + strings.Repeat("0", 66):            400,
		"/v1/chunks/0x" + strings.Repeat("0", 64):          404,
		"/v1/chunks/0x" + strings.Repeat("0", 64) + "/0/0": 404,
		"/v1/chunks/..%2f..%2fetc%2fpasswd":                400,
		"/v1/status":                                       200,
		"/v2/status":                                       404,
	} {
		res, err := w.http.Get(w.members.Operators[0].URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestCertificatesAreNotForged(t *testing.T) {
	w := seven(t)
	cert := w.put(testData(100))
	other := w.put(testData(101))
	// An attacker's key made from the others', without a proof of possession: the
	// registry does not let it in, and without it nothing verifies.
	message := cert.Digest(w.members.Domain)
	attacker := testKey(t, 66)
	for name, edit := range map[string]func(*da.Certificate){
		"a signature of another statement": func(c *da.Certificate) { c.Signature = other.Signature },
		"a statement with another expiry":  func(c *da.Certificate) { c.Expiry++ },
		"another commitment":               func(c *da.Certificate) { c.Commitments = other.Commitments },
		"a signer struck out":              func(c *da.Certificate) { c.Signers = []byte{0x7e} },
		"fewer signers than the threshold": func(c *da.Certificate) { c.Signers = []byte{0x0f} },
		"another epoch":                    func(c *da.Certificate) { c.Epoch++ },
		"another size":                     func(c *da.Certificate) { c.Operators = 8 },
		"no point":                         func(c *da.Certificate) { c.Signature[50] ^= 1 },
		"infinity":                         func(c *da.Certificate) { c.Signature = [96]byte{} },
		"a stranger's signature":           func(c *da.Certificate) { c.Signature = attacker.Sign(message[:]).Bytes() },
		"one signature seven times": func(c *da.Certificate) {
			one := w.keys[0].Sign(message[:])
			c.Signature = bls.AggregateSignatures([]*bls.Signature{one, one, one, one, one, one, one}).Bytes()
		},
	} {
		forged := *cert
		edit(&forged)
		if err := w.members.Verify(&forged, DefaultThreshold); !errors.Is(err, da.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	elsewhere := *w.members
	elsewhere.Domain[0]++
	if err := elsewhere.Verify(cert, DefaultThreshold); !errors.Is(err, da.ErrMalformed) {
		t.Errorf("replayed to another registry: %v", err)
	}
}

func TestOnlyKnownDispersersMayWrite(t *testing.T) {
	disperser, err := crypto.ToECDSA(common.LeftPadBytes([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := crypto.ToECDSA(common.LeftPadBytes([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *HandlerOptions) { o.Dispersers = []common.Address{crypto.PubkeyToAddress(disperser.PublicKey)} }, 1)
	as := func(sign func(context.Context, common.Hash) ([]byte, error)) error {
		_, err := w.disperser(func(o *DisperserOptions) { o.Sign = sign }).Put(context.Background(), testData(10))
		return err
	}
	if err := as(nil); err == nil {
		t.Error("nobody may write")
	}
	if err := as(func(_ context.Context, h common.Hash) ([]byte, error) { return crypto.Sign(h[:], stranger) }); err == nil {
		t.Error("a stranger may write")
	}
	if err := as(func(_ context.Context, h common.Hash) ([]byte, error) { return crypto.Sign(h[:], disperser) }); err != nil {
		t.Errorf("the disperser may not write: %v", err)
	}
}

func TestAuditsFindWhoHasLostData(t *testing.T) {
	w := seven(t)
	cert := w.put(testData(da.BlobDataBytes + 5))
	w.lose(1)
	w.faults[2].set(lying)
	w.faults[3].set(hung)
	w.faults[4].set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		http.Error(rw, "go away", http.StatusForbidden)
	})
	findings, err := w.sampler().Audit(context.Background(), cert, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{ResultOK, ResultMissing, ResultWrong, ResultUnreachable, ResultRefused, ResultOK, ResultOK}
	if len(findings) != 2*len(want) {
		t.Fatalf("%d findings", len(findings))
	}
	for _, f := range findings {
		if f.Result != want[f.Operator] {
			t.Errorf("operator %d is found %s (%s), want %s", f.Operator, f.Result, f.Detail, want[f.Operator])
		}
		if from, to := w.members.Cells(f.Operator); f.Cell < from || f.Cell >= to || f.Blob > 1 {
			t.Errorf("operator %d was asked for cell %d of blob %d", f.Operator, f.Cell, f.Blob)
		}
	}
	w.faults[2].set(nil)
	w.faults[3].set(nil)
	w.faults[4].set(nil)
	// What was lost can be given back, by anybody, long after the certificate expired.
	w.clock = w.clock.Add(1_000 * time.Hour)
	if err := w.retriever(nil).Repair(context.Background(), cert, []int{1}); err != nil {
		t.Fatal(err)
	}
	findings, err = w.sampler().Audit(context.Background(), cert, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if !f.Healthy() {
			t.Errorf("after the repair operator %d is found %s (%s)", f.Operator, f.Result, f.Detail)
		}
	}
}

func TestNothingIsRestoredWithoutACertificate(t *testing.T) {
	w := newWorld(t, nil, 1, 1, 1)
	cert := w.put(testData(10))
	s, enc := w.prepared(20)
	forged := *cert
	forged.Statement = *s
	body := func(c *da.Certificate) []byte {
		raw := c.Bytes()
		out := append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
		return enc.chunk(w.members.Cells(0)).appendTo(out)
	}
	for name, raw := range map[string][]byte{
		"a forged certificate":       body(&forged),
		"cells of another statement": body(cert),
		"a giant certificate":        {0xff, 0xff, 0xff, 0xff},
		"nothing":                    nil,
	} {
		if got := w.post(0, "/v1/restore", raw); got < 400 || got >= 500 {
			t.Errorf("%s: status %d", name, got)
		}
	}
	if _, _, err := w.shelves[0].Get(s.Digest(w.members.Domain)); !errors.Is(err, da.ErrNotFound) {
		t.Fatalf("it was kept: %v", err)
	}
}

func TestSamplesSayWhetherDataCanBeHad(t *testing.T) {
	w := seven(t)
	cert := w.put(testData(50))
	got, err := w.sampler().Sample(context.Background(), cert, 16)
	if err != nil || !got.Available || got.Got != 16 || got.ErrorBound > 1e-5 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range 5 {
		w.faults[i].set(dead)
	}
	got, err = w.sampler().Sample(context.Background(), cert, 16)
	if err != nil || got.Available || got.Missed == 0 || len(got.Findings) == 0 {
		t.Fatalf("with five of seven gone: %+v, %v", got, err)
	}
	// Who did not sign is not asked: it may never have had its cells.
	for i := range 5 {
		w.faults[i].set(nil)
	}
	w.faults[6].set(dead)
	cert = w.put(testData(51))
	got, err = w.sampler().Sample(context.Background(), cert, CellsPerBlob)
	if err != nil || !got.Available || got.Cells != 110 || got.Got != 110 || got.ErrorBound != 0 {
		t.Fatalf("with one of seven that did not sign: %+v, %v", got, err)
	}
	for k, want := range map[int]float64{1: 63.0 / 128, 2: 63.0 / 128 * 62 / 127, 64: 0} {
		if b := SampleBound(k, CellsPerBlob); b < want-1e-12 || b > want+1e-12 {
			t.Errorf("%d samples: bound %v, want %v", k, b, want)
		}
	}
}

func TestShelvesSurviveCrashesAndDamage(t *testing.T) {
	w := newWorld(t, nil, 1)
	cert := w.put(testData(77))
	digest := cert.Digest(w.members.Domain)
	dir := w.shelves[0].dir
	path := w.shelves[0].path(digest)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "123.part"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := OpenShelf(dir, w.shelves[0].Used()+10)
	if err != nil || again.Used() != w.shelves[0].Used() {
		t.Fatalf("reopened with %d of %d bytes, %v", again.Used(), w.shelves[0].Used(), err)
	}
	s, chunk, err := again.Get(digest)
	if err != nil || !bytes.Equal(s.Bytes(), cert.Statement.Bytes()) || chunk.Verify(cert.Commitments) != nil {
		t.Fatalf("what was kept is not what was put: %v", err)
	}
	if err := again.Put(common.Hash{1}, s, chunk); !errors.Is(err, ErrFull) {
		t.Fatalf("above the limit: %v", err)
	}
	if n, err := again.Sweep(w.clock); n != 0 || err != nil {
		t.Fatalf("swept %d before they expired, %v", n, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string][]byte{"a flipped bit": append(raw[:500:500], append([]byte{raw[500] ^ 1}, raw[501:]...)...), "a short file": raw[:100], "nothing": {}} {
		if err := os.WriteFile(path, damage, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := again.Get(digest); !errors.Is(err, da.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := again.Sweep(w.clock.Add(2 * time.Hour)); n != 1 || err != nil || again.Used() != 0 {
		t.Fatalf("swept %d, %d bytes are left, %v", n, again.Used(), err)
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reached := make(chan error, 1)
	s := da.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		reached <- err
	}), da.Limits{Connections: 2, HeaderTimeout: 50 * time.Millisecond, BodyTimeout: 100 * time.Millisecond})
	defer s.Close()
	// Two that never finish their header hold both connections, for a moment only.
	for range 2 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost:")
	}
	// One whose body never ends.
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
	select {
	case err := <-reached:
		if err == nil {
			t.Fatal("a body without end was read")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a slow body is waited for")
	}
}

func TestManyRequestsAreToldToWait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := da.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), da.Limits{RequestsPerSecond: 3})
	defer s.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	codes := make(map[int]int)
	for range 20 {
		res, err := (&http.Client{Transport: transport}).Get(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		codes[res.StatusCode]++
	}
	if codes[200] < 3 || codes[429] == 0 {
		t.Fatalf("answers: %v", codes)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	w := newWorld(t, func(o *HandlerOptions) { o.Uploads = 1 }, 1)
	s, enc := w.prepared(10)
	body := enc.chunk(w.members.Cells(0)).appendTo(s.Bytes())
	held := make(chan struct{})
	w.faults[0].set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		w.faults[0].set(nil)
		r.Body = &afterStatement{ReadCloser: r.Body, left: len(s.Bytes()), reached: held}
		next.ServeHTTP(rw, r)
	})
	r, pipe := io.Pipe()
	first := make(chan error, 1)
	go func() {
		res, err := w.http.Post(w.members.Operators[0].URL+"/v1/chunks", "application/octet-stream", r)
		if err == nil {
			res.Body.Close()
		}
		first <- err
	}()
	if _, err := pipe.Write(body[:1_000]); err != nil {
		t.Fatal(err)
	}
	<-held
	if code := w.post(0, "/v1/chunks", body); code != http.StatusTooManyRequests {
		t.Fatalf("a second upload beside the only one allowed: %d", code)
	}
	if _, err := pipe.Write(body[1_000:]); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
}

// afterStatement is a body that tells when what follows the statement is asked for: the
// upload has its slot then.
type afterStatement struct {
	io.ReadCloser
	left    int
	reached chan struct{}
}

func (b *afterStatement) Read(p []byte) (int, error) {
	if b.left == 0 {
		close(b.reached)
		b.left--
	}
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= n
	}
	return n, err
}

// TestStrangersTakeNoSlots: who is not known, and who has not said what it brings, keeps
// nobody from writing.
func TestStrangersTakeNoSlots(t *testing.T) {
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *HandlerOptions) {
		o.Uploads, o.Dispersers = 1, []common.Address{crypto.PubkeyToAddress(key.PublicKey)}
	}, 1)
	s, _ := w.prepared(10)
	for name, test := range map[string]struct {
		head []byte
		want int
	}{
		"half a statement": {s.Bytes()[:30], http.StatusBadRequest},
		"no signature":     {s.Bytes(), http.StatusUnauthorized},
	} {
		r, pipe := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			code := 0
			res, err := w.http.Post(w.members.Operators[0].URL+"/v1/chunks", "application/octet-stream", r)
			if err == nil {
				code = res.StatusCode
				res.Body.Close()
			}
			ended <- code
		}()
		if _, err := pipe.Write(test.head); err != nil {
			t.Fatal(err)
		}
		d := w.disperser(func(o *DisperserOptions) {
			o.Sign = func(_ context.Context, h common.Hash) ([]byte, error) { return crypto.Sign(h[:], key) }
		})
		if _, err := d.Put(context.Background(), testData(10)); err != nil {
			t.Errorf("%s: the disperser waits for a stranger: %v", name, err)
		}
		pipe.Close()
		if code := <-ended; code != test.want {
			t.Errorf("%s: status %d, want %d", name, code, test.want)
		}
	}
}

func TestNothingIsRestoredThatRetentionHasDropped(t *testing.T) {
	const retention = time.Hour
	w := newWorld(t, func(o *HandlerOptions) { o.Retention = retention }, 1, 1, 1)
	cert := w.put(testData(10))
	expiry := time.Unix(int64(cert.Expiry), 0)
	repair := func() error {
		w.lose(0)
		return w.retriever(nil).Repair(context.Background(), cert, []int{0})
	}
	w.clock = expiry.Add(retention)
	if err := repair(); err != nil {
		t.Fatalf("while it is kept: %v", err)
	}
	w.clock = expiry.Add(retention + time.Second)
	if err := repair(); !errors.Is(err, da.ErrRefused) {
		t.Fatalf("after that: %v", err)
	}
	if _, _, err := w.shelves[0].Get(cert.Digest(w.members.Domain)); !errors.Is(err, da.ErrNotFound) {
		t.Fatalf("it was kept: %v", err)
	}
}

func FuzzParseChunk(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1}, 1)
	f.Add(append([]byte{0, 5, 0, 1}, make([]byte, cellBytes+proofBytes)...), 1)
	f.Fuzz(func(t *testing.T, raw []byte, blobs int) {
		if blobs < 1 || blobs > 4 {
			return
		}
		c, err := parseChunk(raw, blobs)
		if err == nil && !bytes.Equal(c.appendTo(nil), raw) {
			t.Fatal("a chunk has two encodings")
		}
	})
}

func FuzzUpload(f *testing.F) {
	key := testKey(f, 0)
	members := &Committee{Epoch: 1, Operators: []Operator{{Key: key.Public(), Weight: 1}}}
	shelf, err := OpenShelf(f.TempDir(), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	h := NewHandler(HandlerOptions{Key: key, Source: Fixed{members}, Shelf: shelf, Now: func() time.Time { return time.Unix(100, 0) }})
	f.Add((&da.Statement{Epoch: 1, Expiry: 200, Length: 1, Commitments: make([]kzg4844.Commitment, 1)}).Bytes(), true)
	f.Fuzz(func(t *testing.T, raw []byte, restore bool) {
		path := "/v1/chunks"
		if restore {
			path = "/v1/restore"
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(raw)))
		if rec.Code < 400 || rec.Code >= 500 {
			t.Fatalf("status %d: %s", rec.Code, rec.Body)
		}
	})
}
