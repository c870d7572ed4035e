package altda

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/da"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves a handler and gives a client of it.
func start(t *testing.T, h http.Handler, edit func(*ClientOptions)) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	opts := ClientOptions{URL: s.URL + "/", HTTP: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if edit != nil {
		edit(&opts)
	}
	c, err := NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newServer(t *testing.T, opts ServerOptions) *Server {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	s, err := NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDataComesBackUnderItsCommitment(t *testing.T) {
	ctx := context.Background()
	data := []byte("frames of a batch")
	for name, test := range map[string]struct {
		server ServerOptions
		client bool
		want   []byte
	}{
		"keccak256":                     {want: append([]byte{0x01, 0, 0, 0, byte(len(data)), 0x00}, crypto.Keccak256(data)...)},
		"keccak256 made by the server":  {client: true, want: append([]byte{0x01, 0, 0, 0, byte(len(data)), 0x00}, crypto.Keccak256(data)...)},
		"generic made by the server":    {server: ServerOptions{Generic: true}, client: true, want: append([]byte{0x01, 0, 0, 0, byte(len(data)), 0x01, 0x00}, crypto.Keccak256(data)...)},
		"keccak256 on a generic server": {server: ServerOptions{Generic: true}, want: append([]byte{0x01, 0, 0, 0, byte(len(data)), 0x00}, crypto.Keccak256(data)...)},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, newServer(t, test.server), func(o *ClientOptions) { o.Generic = test.client })
			commitment, err := c.Put(ctx, data)
			if err != nil || !bytes.Equal(commitment.Bytes(), test.want) {
				t.Fatalf("put: %v, %v", commitment, err)
			}
			again, err := c.Put(ctx, data)
			if err != nil || !bytes.Equal(again.Bytes(), test.want) {
				t.Fatalf("put again: %v, %v", again, err)
			}
			onL1, err := da.Parse(commitment.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Get(ctx, onL1); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("get: %q, %v", got, err)
			}
			if _, err := c.Get(ctx, da.NewKeccak([]byte("other"))); !errors.Is(err, da.ErrNotFound) {
				t.Fatalf("get what was not put: %v", err)
			}
		})
	}
}

func TestAServerSpeaksAsClientsInUseExpect(t *testing.T) {
	data := []byte("input")
	keccak := hexutil.Encode(append([]byte{0}, crypto.Keccak256(data)...))
	h := newServer(t, ServerOptions{MaxBytes: 16})
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/get/" + keccak, "", 404},
		{"POST", "/put/" + keccak, "input", 200},
		{"PUT", "/put/" + keccak, "input", 200},
		{"PUT", "/put/" + strings.ToUpper(keccak[2:]), "input", 400},
		{"POST", "/put/", "input", 200},
		{"PUT", "/put", "input", 200},
		{"GET", "/get/" + keccak, "", 200},
		{"GET", "/get/" + keccak + "/", "", 200},
		{"PUT", "/put/" + keccak, "another input", 400},
		{"PUT", "/put/0x00", "input", 400},
		{"PUT", "/put", "", 400},
		{"PUT", "/put", strings.Repeat("x", 17), 413},
		{"GET", "/get/" + keccak[2:], "", 400},
		{"GET", "/get/0x00aabb", "", 400},
		{"GET", "/get/0x01aabb", "", 404},
		{"GET", "/get/0x", "", 400},
		{"GET", "/put", "", 405},
		{"POST", "/get/" + keccak, "", 405},
		{"GET", "/health", "", 200},
		{"GET", "/", "", 404},
		{"GET", "/get/..%2f..%2fsecret", "", 400},
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)))
		if rec.Code != test.want {
			t.Errorf("%s %s: status %d, want %d: %s", test.method, test.path, rec.Code, test.want, rec.Body)
		}
	}
}

func TestWhatWasAnsweredSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	c := start(t, newServer(t, ServerOptions{Dir: dir}), nil)
	commitment, err := c.Put(context.Background(), []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, "1.part")
	if err := os.WriteFile(part, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	again := start(t, newServer(t, ServerOptions{Dir: dir}), nil)
	if got, err := again.Get(context.Background(), commitment); err != nil || string(got) != "kept" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := os.Stat(part); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("half a file is left: %v", err)
	}
	// A damaged file is not served, and is whole again when it is put again.
	name := filepath.Join(dir, hashOf(commitment.Bytes()))
	if err := os.WriteFile(name, []byte("kepT"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Get(context.Background(), commitment); !errors.Is(err, da.ErrNotFound) {
		t.Fatalf("damaged: %v", err)
	}
	if _, err := again.Put(context.Background(), []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if got, err := again.Get(context.Background(), commitment); err != nil || string(got) != "kept" {
		t.Fatalf("after it was put again: %q, %v", got, err)
	}
}

func TestAHostileServerCannotDeceive(t *testing.T) {
	data := []byte("the data")
	reply := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	truncated := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	}
	hung := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client goes
		<-r.Context().Done()
	}
	for name, test := range map[string]struct {
		h         http.HandlerFunc
		want      error
		transient bool
	}{
		"other data":      {reply(200, "another's data"), da.ErrMismatch, true},
		"no data":         {reply(200, ""), da.ErrMismatch, true},
		"endless data":    {reply(200, strings.Repeat("x", 2_000)), da.ErrMismatch, true},
		"half an answer":  {truncated, da.ErrUnavailable, true},
		"not found":       {reply(404, ""), da.ErrNotFound, true},
		"its own failure": {reply(500, "disk"), da.ErrUnavailable, true},
		"overload":        {reply(429, ""), da.ErrUnavailable, true},
		"a refusal":       {reply(403, "no"), da.ErrRefused, false},
		"a redirect":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://127.0.0.1:1/", 302) }, da.ErrRefused, false},
		"silence":         {hung, da.ErrUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, test.h, func(o *ClientOptions) { o.MaxBytes, o.Timeout = 1_000, 300*time.Millisecond })
			if _, err := c.Get(context.Background(), da.NewKeccak(data)); !errors.Is(err, test.want) || da.Transient(err) != test.transient {
				t.Errorf("get: %v", err)
			}
		})
	}
	for name, test := range map[string]struct {
		h       http.HandlerFunc
		generic bool
		want    error
	}{
		"no commitment":            {reply(200, ""), true, da.ErrMismatch},
		"another's commitment":     {reply(200, string(da.NewKeccak([]byte("x")).AltDA())), true, da.ErrMismatch},
		"an unknown type":          {reply(200, "\x05abc"), true, da.ErrMismatch},
		"an endless commitment":    {reply(200, "\x01"+strings.Repeat("x", 5_000)), true, da.ErrMismatch},
		"data that is too large":   {reply(413, ""), false, da.ErrTooLarge},
		"its own failure":          {reply(503, ""), false, da.ErrUnavailable},
		"silence":                  {hung, false, da.ErrUnavailable},
		"an unknown path":          {reply(405, ""), false, da.ErrRefused},
		"a redirect from POST put": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/put/", 301) }, true, da.ErrRefused},
	} {
		t.Run("put, "+name, func(t *testing.T) {
			c := start(t, test.h, func(o *ClientOptions) { o.Generic, o.Timeout = test.generic, 300*time.Millisecond })
			if _, err := c.Put(context.Background(), data); !errors.Is(err, test.want) {
				t.Errorf("put: %v", err)
			}
		})
	}
}

// TestAServerThatKeepsNothingIsNotBelieved: what it took is asked back before it counts.
func TestAServerThatKeepsNothingIsNotBelieved(t *testing.T) {
	c := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.NotFound(w, r)
		}
	}), func(o *ClientOptions) { o.ReadBack = true })
	if _, err := c.Put(context.Background(), []byte("x")); !errors.Is(err, da.ErrNotFound) || !da.Transient(err) {
		t.Fatalf("%v", err)
	}
	other := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "y")
			return
		}
		_, _ = w.Write((&da.Generic{Payload: []byte("name")}).AltDA())
	}), func(o *ClientOptions) { o.ReadBack, o.Generic = true, true })
	if _, err := other.Put(context.Background(), []byte("x")); !errors.Is(err, da.ErrMismatch) {
		t.Fatalf("a generic commitment to other data: %v", err)
	}
}

// TestAWrongLengthIsTheCommitmentsFault: whoever has the data finds the same. For what
// nothing checks it is the server's.
func TestAWrongLengthIsTheCommitmentsFault(t *testing.T) {
	c := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "data") }), nil)
	keccak := da.NewKeccak([]byte("data"))
	keccak.Length++
	if _, err := c.Get(t.Context(), keccak); !errors.Is(err, da.ErrMalformed) {
		t.Errorf("%v", err)
	}
	if _, err := c.Get(t.Context(), &da.Generic{Payload: []byte{1}, Length: 5}); !errors.Is(err, da.ErrMismatch) {
		t.Errorf("%v", err)
	}
}

func TestACallerThatGivesUpIsToldSo(t *testing.T) {
	c := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Put(ctx, []byte("x")); !errors.Is(err, context.Canceled) || errors.Is(err, da.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c, err := NewClient(ClientOptions{URL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(context.Background(), []byte("x")); !errors.Is(err, da.ErrUnavailable) || !da.Transient(err) {
		t.Fatalf("%v", err)
	}
	for _, bad := range []string{"", "ftp://a", "localhost:1", "http://"} {
		if _, err := NewClient(ClientOptions{URL: bad}); err == nil {
			t.Errorf("URL %q is accepted", bad)
		}
	}
}

func TestUploadsAreBounded(t *testing.T) {
	h := newServer(t, ServerOptions{Uploads: 1})
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/put", r))
	}()
	if _, err := w.Write([]byte("be")); err != nil { // returns when the server reads
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPut, "/put", strings.NewReader("x")))
	if rec.Code != http.StatusTooManyRequests {
		t.Fatalf("status %d", rec.Code)
	}
	w.Close()
	<-done
}
