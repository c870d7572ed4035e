package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	conn    net.Conn
	in      *bufio.Reader
	timeout time.Duration
	prefix  []byte // of the request, up to the length
	head    []byte
	answer  []byte
}

func dialPlain(ctx context.Context, u *url.URL, timeout time.Duration) (*plainWire, error) {
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "80")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", u, err)
	}
	prefix := "POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\n"
	if u.User != nil {
		r := http.Request{Header: http.Header{}}
		password, _ := u.User.Password()
		r.SetBasicAuth(u.User.Username(), password)
		prefix += "Authorization: " + r.Header.Get("Authorization") + "\r\n"
	}
	prefix += "Content-Type: application/json\r\nContent-Length: "
	return &plainWire{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), timeout: timeout, prefix: []byte(prefix)}, nil
}

func (w *plainWire) close() { _ = w.conn.Close() }

func (w *plainWire) exchange(_ context.Context, body []byte) ([]byte, error) {
	if err := w.conn.SetDeadline(time.Now().Add(w.timeout)); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	w.head = strconv.AppendInt(append(w.head[:0], w.prefix...), int64(len(body)), 10)
	w.head = append(w.head, "\r\n\r\n"...)
	out := net.Buffers{w.head, body}
	if _, err := out.WriteTo(w.conn); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	status, err := w.receive()
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if status != http.StatusOK {
		return nil, &statusError{status, string(w.answer[:min(len(w.answer), 200)])}
	}
	return w.answer, nil
}

var errHTTP = errors.New("not an HTTP/1.1 answer")

// receive reads one answer into w.answer.
func (w *plainWire) receive() (status int, err error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, errHTTP
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errHTTP
	}
	length, chunked := int64(-1), false
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length > maxAnswer {
				return 0, fmt.Errorf("%w: content length %q", errHTTP, value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	w.answer = w.answer[:0]
	if chunked {
		return status, w.chunks()
	}
	if length < 0 {
		return 0, fmt.Errorf("%w: neither a length nor chunks", errHTTP)
	}
	return status, w.more(int(length))
}

// more appends n bytes of the body.
func (w *plainWire) more(n int) error {
	at := len(w.answer)
	if at+n > maxAnswer {
		return fmt.Errorf("%w: answer above %d bytes", errHTTP, maxAnswer)
	}
	if cap(w.answer) < at+n {
		w.answer = append(make([]byte, 0, 2*(at+n)), w.answer...)
	}
	w.answer = w.answer[:at+n]
	_, err := io.ReadFull(w.in, w.answer[at:])
	return err
}

func (w *plainWire) chunks() error {
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if err != nil {
			return fmt.Errorf("%w: chunk size %q", errHTTP, size)
		}
		if err := w.more(int(n)); err != nil {
			return err
		}
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return err
		}
		if len(bytes.TrimRight(line, "\r\n")) != 0 {
			return fmt.Errorf("%w: a chunk or its trailer does not end", errHTTP)
		}
		if n == 0 {
			return nil
		}
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
