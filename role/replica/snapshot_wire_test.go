package replica

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/klauspost/compress/zstd"

	"github.com/talaria-l2/talaria/snapshot"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// smallPieces has the small states of tests consist of many pieces.
const smallPieces = 1000

// link stands between a server of snapshots and who loads one.
type link struct {
	url string

	mu    sync.Mutex
	asked map[string]int
	// bend changes an answer; times counts how often the path was asked for.
	bend func(path string, times int, status int, body []byte) (int, []byte)
}

func newWire(t *testing.T, server string) *link {
	w := &link{asked: make(map[string]int)}
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		res, err := http.Get(server + req.URL.Path)
		if err != nil {
			http.Error(out, err.Error(), http.StatusBadGateway)
			return
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			http.Error(out, err.Error(), http.StatusBadGateway)
			return
		}
		path, status := strings.TrimPrefix(req.URL.Path, "/snapshot/"), res.StatusCode
		if _, piece, ok := strings.Cut(path, "/"); ok {
			path = piece
		}
		w.mu.Lock()
		w.asked[path]++
		times := w.asked[path]
		bend := w.bend
		w.mu.Unlock()
		if bend != nil {
			status, body = bend(path, times, status, body)
		}
		if status == 0 {
			panic(http.ErrAbortHandler) // as a server that dies
		}
		out.WriteHeader(status)
		_, _ = out.Write(body)
	}))
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

func (w *link) set(bend func(path string, times int, status int, body []byte) (int, []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bend = bend
}

// times is how often a path was asked for.
func (w *link) times(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[path]
}

func pack(t *testing.T, raw []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return enc.EncodeAll(raw, nil)
}

func unpack(t *testing.T, packed []byte) *snapshot.Content {
	t.Helper()
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := snapshot.DecodeContent(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// forge makes answers of those of an honest server: another manifest, and other pieces with
// the hashes that it says.
func forge(t *testing.T, url string, change func(m *snapshot.Manifest, pieces []*snapshot.Content) []*snapshot.Content) func(path string, times, status int, body []byte) (int, []byte) {
	t.Helper()
	get := func(path string) []byte {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			res, err := http.Get(url + "/snapshot/" + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err := errors.Join(err, res.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode == http.StatusOK {
				return body
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s: %s", path, res.Status, body)
			}
		}
	}
	m, err := snapshot.DecodeManifest(get("latest"))
	if err != nil {
		t.Fatal(err)
	}
	contents := make([]*snapshot.Content, len(m.Pieces))
	for i := range contents {
		contents[i] = unpack(t, get(m.Header.Hash().Hex()+"/"+strconv.Itoa(i)))
	}
	contents = change(m, contents)
	packed := make([][]byte, len(contents))
	m.Pieces = make([]snapshot.Piece, len(contents))
	for i, c := range contents {
		raw := c.Encode()
		packed[i] = pack(t, raw)
		m.Pieces[i] = snapshot.Piece{Hash: crypto.Keccak256Hash(packed[i]), Size: uint64(len(packed[i])), Raw: uint64(len(raw))}
	}
	return func(path string, _, status int, body []byte) (int, []byte) {
		if i, err := strconv.Atoi(path); err == nil {
			return http.StatusOK, packed[i]
		}
		return http.StatusOK, m.Encode()
	}
}

// isEmpty checks that a data directory holds nothing of a chain or of a snapshot.
func isEmpty(t *testing.T, path string) {
	t.Helper()
	db, err := store.Open(filepath.Join(path, "db"), store.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, _, importing := db.Import()
	if _, ok, err := db.Head(); ok || err != nil || !errors.Is(importing, store.ErrNotFound) {
		t.Errorf("the data directory holds something: %v %v %v", ok, err, importing)
	}
	into := new(counter)
	if err := db.LoadState(into); err != nil || *into != 0 {
		t.Errorf("the data directory holds %d accounts and slots (%v)", *into, err)
	}
}

// counter counts what a state holds.
type counter int

func (c *counter) LoadAccount(common.Address, state.Account)         { *c++ }
func (c *counter) LoadSlot(common.Address, common.Hash, common.Hash) { *c++ }
func (c *counter) LoadCode(code []byte) common.Hash                  { return crypto.Keccak256Hash(code) }
