package light

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// fakeNode serves a world over WebSocket. lie may change any answer, and any event, whose
// method is then "event"; a nil result is null, and errBreak hangs up.
type fakeNode struct {
	t   testing.TB
	url string

	w *world // its mutex guards what follows, too

	gone   map[uint64]bool // numbers whose cursors are refused
	lie    func(method string, params []json.RawMessage, result any) any
	calls  map[string]int
	called chan struct{} // closed with the next call
}

// breakUp as a result ends the connection.
type breakUp struct{}

func startNode(t testing.TB, w *world) *fakeNode {
	n := &fakeNode{t: t, w: w, calls: make(map[string]int), called: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(n.serve))
	t.Cleanup(server.Close)
	n.url = "ws" + strings.TrimPrefix(server.URL, "http")
	return n
}

// with changes the world, or how the node lies, and wakes streams up.
func (n *fakeNode) with(f func()) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	f()
	close(n.w.changed)
	n.w.changed = make(chan struct{})
}

// await waits until a method was called so often; "stream" is a subscription that was
// accepted.
func (n *fakeNode) await(method string, times int) {
	n.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		n.w.mu.Lock()
		called, again := n.calls[method], n.called
		n.w.mu.Unlock()
		if called >= times {
			return
		}
		select {
		case <-again:
		case <-timer.C:
			n.t.Fatalf("%s was called %d times", method, called)
		}
	}
}

// note counts a call. n.w.mu is held.
func (n *fakeNode) note(method string) {
	n.calls[method]++
	close(n.called)
	n.called = make(chan struct{})
}

func (n *fakeNode) serve(rw http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(rw, r, nil)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer func() { _ = ws.CloseNow() }()
	for {
		_, raw, err := ws.Read(ctx)
		if err != nil {
			return
		}
		var q struct {
			ID     uint64
			Method string
			Params []json.RawMessage
		}
		if err := json.Unmarshal(raw, &q); err != nil {
			return
		}
		result, refusal, next := n.answer(q.Method, q.Params)
		if _, gone := result.(breakUp); gone {
			return
		}
		out := object{"jsonrpc": "2.0", "id": q.ID, "result": result}
		if refusal != nil {
			out = object{"jsonrpc": "2.0", "id": q.ID, "error": refusal}
		}
		if ws.Write(ctx, websocket.MessageText, text(n.t, out)) != nil {
			return
		}
		if next != nil {
			wg.Add(1)
			go func() {
				defer wg.Done()
				n.stream(ctx, ws, *next)
			}()
		}
	}
}

// place is where a stream stands: behind a mini-block.
type place struct {
	next uint64
	last common.Hash
}

// stream sends what is behind the place until the connection ends. Like a real node's it
// goes to the branch when the chain was taken back.
func (n *fakeNode) stream(ctx context.Context, ws *websocket.Conn, at place) {
	for {
		n.w.mu.Lock()
		changed := n.w.changed
		for at.next > 0 && (at.next > uint64(len(n.w.minis)) || n.w.minis[at.next-1].hash != at.last) {
			at = place{at.next - 1, n.w.parents[at.last]}
		}
		var event any
		if at.next < uint64(len(n.w.minis)) {
			m := n.w.minis[at.next]
			event, at = m.json, place{at.next + 1, m.hash}
			if n.lie != nil {
				event = n.lie("event", nil, event)
			}
		}
		n.w.mu.Unlock()
		switch event := event.(type) {
		case nil:
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		case breakUp:
			_ = ws.CloseNow()
			return
		default:
			params := object{"subscription": "0x1", "result": event}
			if list, gap := event.([]string); gap {
				params = object{"subscription": "0x1", "gap": list}
			}
			if ws.Write(ctx, websocket.MessageText, text(n.t, object{"jsonrpc": "2.0", "method": "eth_subscription", "params": params})) != nil {
				return
			}
		}
	}
}

// answer is the result of a method, or the error; next is where a stream begins.
func (n *fakeNode) answer(method string, params []json.RawMessage) (result any, refusal object, next *place) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.note(method)
	if method == "eth_subscribe" {
		var origin struct{ Cursor, FromBlock string }
		if err := json.Unmarshal(params[2], &origin); err != nil {
			n.t.Error(err)
		}
		at, ok := n.origin(origin.Cursor)
		if !ok {
			return nil, object{"code": -32000, "message": "rewound", "data": object{"reason": "rewound", "cursor": origin.Cursor}}, nil
		}
		n.note("stream")
		return "0x1", nil, &at
	}
	result = n.plain(method, params)
	if n.lie != nil {
		result = n.lie(method, params, result)
	}
	return result, nil, nil
}

// origin is what a cursor means.
func (n *fakeNode) origin(cursor string) (place, bool) {
	all := uint64(len(n.w.minis))
	switch cursor {
	case "":
		if all == 0 {
			return place{}, true
		}
		return place{all, n.w.minis[all-1].hash}, true
	case "v1:m:start":
		return place{}, true
	}
	parts := strings.Split(cursor, ":")
	number, err := strconv.ParseUint(strings.TrimSuffix(parts[2], ".0"), 10, 64)
	if err != nil {
		n.t.Errorf("cursor %q: %v", cursor, err)
	}
	if number >= all || n.gone[number] || fmt.Sprintf("%x", n.w.minis[number].hash[:8]) != parts[3] {
		return place{}, false
	}
	return place{number + 1, n.w.minis[number].hash}, true
}

// plain is the honest answer.
func (n *fakeNode) plain(method string, params []json.RawMessage) any {
	arg := func(i int, to any) {
		if err := json.Unmarshal(params[i], to); err != nil {
			n.t.Errorf("%s %s: %v", method, params, err)
		}
	}
	block := func(hash common.Hash) *worldBlock {
		for _, b := range n.w.blocks {
			if b.hash == hash {
				return b
			}
		}
		return nil
	}
	var hash common.Hash
	switch method {
	case "talaria_getMiniBlock", "talaria_getMiniBlockDiff":
		for _, m := range n.w.minis {
			if ref := strings.Trim(string(params[0]), `"`); ref != m.hash.Hex() && ref != hexutil.EncodeUint64(m.header.Number) {
				continue
			}
			if method == "talaria_getMiniBlock" {
				return m.json
			}
			return hexutil.Bytes(m.diff)
		}
	case "eth_getHeaderByHash", "eth_getBlockByHash":
		if arg(0, &hash); block(hash) != nil {
			return block(hash).json
		}
	case "eth_getBlockReceipts":
		if arg(0, &hash); block(hash) != nil {
			return block(hash).receipts
		}
	case "eth_getTransactionReceipt":
		arg(0, &hash)
		for _, m := range n.w.minis {
			for _, r := range m.json["receipts"].([]any) {
				if r := r.(object); r["transactionHash"] == hash {
					return object{"miniBlockNumber": hexutil.Uint64(m.header.Number), "blockNumber": hexutil.Uint64(m.header.BlockNumber)}
				}
			}
		}
	case "eth_getProof", "eth_getCode":
		var addr common.Address
		var slots []common.Hash
		var at struct{ BlockHash common.Hash }
		arg(0, &addr)
		arg(len(params)-1, &at)
		b := block(at.BlockHash)
		if b == nil {
			return nil
		}
		if method == "eth_getCode" {
			return hexutil.Bytes(b.state[addr].code)
		}
		arg(1, &slots)
		return b.proof(n.t, addr, slots...)
	default:
		n.t.Errorf("%s is asked for", method)
	}
	return nil
}
