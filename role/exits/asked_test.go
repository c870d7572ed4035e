package exits_test

import (
	"bytes"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/l1/bindings"
)

// calls counts the calls of contracts that an L1 endpoint answers.
type calls struct {
	url string

	mu   sync.Mutex
	text bytes.Buffer
}

// countCalls puts itself before an endpoint.
func countCalls(t *testing.T, endpoint string) *calls {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c := new(calls)
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		c.text.Write(body)
		c.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// of is how often a method, given by a call of it, was called since it was asked last.
func (c *calls) of(inputs ...[]byte) []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []int
	for _, input := range inputs {
		out = append(out, bytes.Count(c.text.Bytes(), []byte(hexutil.Encode(input[:4]))))
	}
	c.text.Reset()
	return out
}

// askedAgain expects that what never changes of claims is asked again only while L1 may
// take them back. The newest block holds a claim.
func (w *world) askedAgain(c *calls) {
	w.t.Helper()
	game, factory := bindings.NewHybridGame(), bindings.NewDisputeGameFactory()
	count := func() []int {
		w.status()
		c.of([]byte("none"))
		w.status()
		return c.of(factory.PackFindLatestGames(0, new(big.Int), new(big.Int)), game.PackStatus())
	}
	if n := count(); n[0] == 0 || n[1] == 0 {
		w.t.Errorf("claims that may be taken back: root and block, and status asked %d times", n)
	}
	for range 5 { // more than the finalized depth, less than the window
		if _, err := w.l1.Mine(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	if n := count(); n[0] != 0 || n[1] == 0 {
		w.t.Errorf("claims that stay: root and block, and status asked %d times", n)
	}
}
