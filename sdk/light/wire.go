package light

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/coder/websocket"
)

// conn is JSON-RPC over one WebSocket.
type conn struct {
	ws       *websocket.Conn
	endpoint string
	events   chan event // of subscriptions; closed when the connection is over
	done     chan struct{}
	wg       sync.WaitGroup

	mu    sync.Mutex
	next  uint64
	calls map[uint64]chan reply
	err   error
}

// event is a notification of a subscription.
type event struct {
	Result json.RawMessage `json:"result"`
	Gap    json.RawMessage `json:"gap"`
}

type reply struct {
	result json.RawMessage
	err    *rpcError
}

// rpcError is a refusal by the node.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// maxEvents is how many events are read ahead of who handles them: with MaxMessage that
// bounds memory. When there are more, the socket is not read, and the node waits.
const maxEvents = 4

func dial(ctx context.Context, endpoint string, maxMessage int64) (*conn, error) {
	ws, _, err := websocket.Dial(ctx, endpoint, nil)
	if err != nil {
		return nil, &Error{Code: CodeTransport, Endpoint: endpoint, Detail: "connect", Err: err}
	}
	ws.SetReadLimit(maxMessage)
	c := &conn{ws: ws, endpoint: endpoint, events: make(chan event, maxEvents), done: make(chan struct{}), calls: make(map[uint64]chan reply)}
	c.wg.Add(1)
	go c.read()
	return c, nil
}

// close ends the connection and waits for its goroutine.
func (c *conn) close() {
	c.fail(errors.New("closed"))
	c.wg.Wait()
}

func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = &Error{Code: CodeTransport, Endpoint: c.endpoint, Detail: "connection lost", Err: err}
		close(c.done)
	}
	c.mu.Unlock()
	_ = c.ws.CloseNow()
}

// broken is why the connection is over.
func (c *conn) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *conn) read() {
	defer c.wg.Done()
	defer close(c.events)
	for {
		_, raw, err := c.ws.Read(context.Background()) // fail closes the socket
		if err != nil {
			c.fail(err)
			return
		}
		var m struct {
			ID     *uint64         `json:"id"`
			Method string          `json:"method"`
			Result json.RawMessage `json:"result"`
			Error  *rpcError       `json:"error"`
			Params event           `json:"params"`
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			c.fail(fault(CodeEncoding, "message: %v", err))
			return
		}
		if m.ID == nil {
			select {
			case c.events <- m.Params:
				continue
			case <-c.done:
				return
			}
		}
		c.mu.Lock()
		answer := c.calls[*m.ID]
		delete(c.calls, *m.ID)
		c.mu.Unlock()
		if answer != nil {
			answer <- reply{m.Result, m.Error}
		}
	}
}

// call asks the node. A refusal has CodeTransport and a *rpcError inside.
func (c *conn) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	answer := make(chan reply, 1)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.next++
	id := c.next
	c.calls[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.calls, id)
		c.mu.Unlock()
	}()
	if params == nil {
		params = []any{}
	}
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	if err := c.ws.Write(ctx, websocket.MessageText, raw); err != nil {
		c.fail(err)
		return nil, c.broken()
	}
	select {
	case r := <-answer:
		if r.err != nil {
			return nil, &Error{Code: CodeTransport, Endpoint: c.endpoint, Detail: method, Err: r.err}
		}
		return r.result, nil
	case <-c.done:
		return nil, c.broken()
	case <-ctx.Done():
		return nil, &Error{Code: CodeTransport, Endpoint: c.endpoint, Detail: method, Err: ctx.Err()}
	}
}

// absent reports whether an answer is null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// rewound reports whether the node refused a cursor because its chain is another.
func rewound(err error) bool {
	var e *rpcError
	var data struct {
		Reason string `json:"reason"`
	}
	return errors.As(err, &e) && json.Unmarshal(e.Data, &data) == nil && data.Reason == "rewound"
}
