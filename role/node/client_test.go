package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// client asks a real server of a world's node.
type client struct {
	t   testing.TB
	url string
}

// reply is a JSON-RPC answer.
type reply struct {
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
}

// serve starts a server over the node, which executes what is sent in a mini-block of
// its own.
func (w *world) serve(opts rpc.Options) *client {
	w.t.Helper()
	return &client{w.t, listen(w.t, rpc.New(&Backend{Node: w.node, Submit: w.submit}, opts))}
}

// listen serves on a free port until the test ends.
func listen(t testing.TB, s *rpc.Server) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// send posts a body and returns the answer.
func send(t testing.TB, url, body string) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// submit executes transactions at once. Blocks are opened and sealed by the test.
func (w *world) submit(sends []rpc.Send) []*rpc.Submission {
	subs := rpc.NewSubmissions(sends)
	for i, sub := range subs {
		tx, err := chain.DecodeTx(sends[i].Raw, w.node.Config())
		if err == nil {
			sub.Decoded(tx.Hash())
			_, err = w.node.Exec().Apply(tx)
		}
		if err != nil {
			sub.Resolve(nil, err)
			continue
		}
		w.mini()
		sub.Resolve(w.node.TxByHash(context.Background(), tx.Hash()))
	}
	return subs
}

// post sends a body and returns the answer.
func (c *client) post(body string) []byte {
	c.t.Helper()
	return send(c.t, c.url, body)
}

// ask calls a method with parameters in JSON.
func (c *client) ask(method, params string) reply {
	c.t.Helper()
	body := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params))
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		c.t.Fatalf("%s: %v in %s", method, err, body)
	}
	return r
}

// result is the answer to a call that must succeed.
func result[T any](c *client, method, params string) (out T) {
	c.t.Helper()
	r := c.ask(method, params)
	if r.Error != nil {
		c.t.Fatalf("%s%s: %+v", method, params, r.Error)
	}
	if err := json.Unmarshal(r.Result, &out); err != nil {
		c.t.Fatalf("%s: %v in %s", method, err, r.Result)
	}
	return out
}
