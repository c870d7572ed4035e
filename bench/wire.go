package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// maxAnswer bounds the answer to one request.
const maxAnswer = 64 << 20

// statusError is an HTTP answer that is not 200 OK.
type statusError struct {
	status int
	body   string // the first bytes
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d: %s", e.status, e.body) }

// wire is one connection that has one request on the way at a time.
type wire interface {
	// exchange sends a request body and returns the answer's, which is valid until the
	// next call. After an error other than *statusError the connection is of no use.
	exchange(ctx context.Context, body []byte) ([]byte, error)
	close()
}

// dialWire connects to a JSON-RPC address. Plain HTTP has a client of its own, which
// costs a small part of what net/http does: node and generator share the machine.
func dialWire(ctx context.Context, rawURL string, timeout time.Duration) (wire, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("url %q: %w", rawURL, err)
	}
	switch u.Scheme {
	case "http":
		return dialPlain(ctx, u, timeout)
	case "https":
		return &httpsWire{url: rawURL, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: timeout}}, nil
	default:
		conn, _, err := websocket.Dial(ctx, rawURL, nil)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", rawURL, err)
		}
		conn.SetReadLimit(maxAnswer)
		return &wsWire{conn: conn, timeout: timeout}, nil
	}
}

// plainWire is HTTP/1.1 over one kept-alive connection.
type plainWire struct {
	conn     net.Conn
	timeout  time.Duration
	deadline time.Time // set on the connection
	prefix   []byte    // of every request, up to the length
	head     []byte
	in       []byte // what came
	chunks   []byte
}

// requestHead is the head of every request to an address, up to the length.
func requestHead(u *url.URL) []byte {
	prefix := "POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\n"
	if u.User != nil {
		r := http.Request{Header: http.Header{}}
		password, _ := u.User.Password()
		r.SetBasicAuth(u.User.Username(), password)
		prefix += "Authorization: " + r.Header.Get("Authorization") + "\r\n"
	}
	return []byte(prefix + "Content-Type: application/json\r\nContent-Length: ")
}

func dialTCP(ctx context.Context, u *url.URL) (net.Conn, error) {
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "80")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", u, err)
	}
	return conn, nil
}

func dialPlain(ctx context.Context, u *url.URL, timeout time.Duration) (*plainWire, error) {
	conn, err := dialTCP(ctx, u)
	if err != nil {
		return nil, err
	}
	return &plainWire{conn: conn, in: make([]byte, 0, 64<<10), timeout: timeout, prefix: requestHead(u)}, nil
}

func (w *plainWire) close() { _ = w.conn.Close() }

func (w *plainWire) exchange(_ context.Context, body []byte) ([]byte, error) {
	// A deadline is set once for many requests: each then has at least the timeout.
	if now := time.Now(); w.deadline.Sub(now) < w.timeout {
		w.deadline = now.Add(w.timeout + w.timeout/4)
		if err := w.conn.SetDeadline(w.deadline); err != nil {
			return nil, fmt.Errorf("send: %w", err)
		}
	}
	w.head = append(strconv.AppendInt(append(w.head[:0], w.prefix...), int64(len(body)), 10), "\r\n\r\n"...)
	out := net.Buffers{w.head, body}
	if _, err := out.WriteTo(w.conn); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	a, err := w.receive()
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if a.status != http.StatusOK {
		return nil, &statusError{a.status, string(a.body[:min(len(a.body), 200)])}
	}
	return a.body, nil
}

// receive reads one answer, which must be all that comes.
func (w *plainWire) receive() (httpAnswer, error) {
	w.in = w.in[:0]
	for {
		if len(w.in) == cap(w.in) {
			w.in = append(make([]byte, 0, 2*cap(w.in)), w.in...)
		}
		n, err := w.conn.Read(w.in[len(w.in):cap(w.in)])
		if w.in = w.in[:len(w.in)+n]; n == 0 && err != nil {
			return httpAnswer{}, err
		}
		a, err := parseAnswer(w.in, w.chunks)
		switch {
		case err != nil:
			return a, err
		case a.size == 0:
			if a.need > cap(w.in) {
				w.in = append(make([]byte, 0, a.need), w.in...)
			}
			continue
		case a.size < len(w.in):
			return a, fmt.Errorf("%w: more than one answer to a request", errHTTP)
		}
		if a.chunked {
			w.chunks = a.body // it may have grown
		}
		return a, nil
	}
}

// httpsWire leaves TLS and everything else to net/http.
type httpsWire struct {
	url    string
	client *http.Client
}

func (w *httpsWire) close() { w.client.CloseIdleConnections() }

func (w *httpsWire) exchange(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{resp.StatusCode, string(answer[:min(len(answer), 200)])}
	}
	return answer, nil
}

// wsWire is a WebSocket.
type wsWire struct {
	conn    *websocket.Conn
	timeout time.Duration
	answer  bytes.Buffer
}

func (w *wsWire) close() { _ = w.conn.CloseNow() }

func (w *wsWire) exchange(ctx context.Context, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if err := w.conn.Write(ctx, websocket.MessageText, body); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	_, r, err := w.conn.Reader(ctx)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	w.answer.Reset()
	if _, err := w.answer.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return w.answer.Bytes(), nil
}
