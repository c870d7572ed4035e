package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// WatchConfig is a run of subscribers that only listen.
type WatchConfig struct {
	URL      string        // ws:// of the node that they subscribe at
	Watchers int           // connections, 1..100,000
	Duration time.Duration // in which mini-blocks that count are cut
	Hashes   bool          // subscribe to mini-blocks with hashes of transactions, without receipts
	PID      int           // process of the node [who listens on the URL's port of this machine]
}

// Check returns what is wrong with the configuration.
func (c *WatchConfig) Check() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "ws" || u.Host == "":
		return fmt.Errorf("url %q: must start with ws://", c.URL)
	case c.Watchers < 1 || c.Watchers > 100_000:
		return fmt.Errorf("watchers %d: allowed is 1..100000", c.Watchers)
	case c.Duration < time.Second || c.Duration > time.Hour:
		return fmt.Errorf("duration %s: allowed is 1s..1h", c.Duration)
	}
	return nil
}

// WatchReport tells what the subscribers heard.
type WatchReport struct {
	Watchers   int     `json:"watchers"`
	Seconds    float64 `json:"seconds"`
	MiniBlocks uint64  `json:"miniBlocks"` // heard by the one that heard most
	Events     uint64  `json:"events"`     // of all together
	Bytes      uint64  `json:"bytes"`      // of all together
	Missing    uint64  `json:"missing"`    // mini-blocks between two that a subscriber heard
	// Latency is from the time in a mini-block's header, at which the sequencer cut it, to the
	// end of its event here. The clocks of both must be the same.
	Latency Latency `json:"latency"` // ms
	// Of the node's process; zero where it is not on this machine.
	CPUSeconds       float64 `json:"cpuSeconds,omitempty"`
	CPUMicrosEvent   float64 `json:"cpuMicrosPerEvent,omitempty"`
	BytesPerWatcher  int64   `json:"bytesPerWatcher,omitempty"` // of resident memory, since before they connected
	CPUMillisWatcher float64 `json:"cpuMillisPerSecondAndWatcher,omitempty"`
}

// maxEvent bounds one event in bytes.
const maxEvent = 64 << 20

// watcher is one subscriber. It reads frames itself, all that have come with one call: a
// library would cost more than what is measured, and take the processors from it.
type watcher struct {
	window        *window
	late          histogram
	events, bytes uint64
	missing, last uint64
	conn          *net.TCPConn
	rest          []byte // the beginning of a frame that has not come whole
	begun, over   bool
	err           error
}

// window is the time in which mini-blocks that count are cut, microseconds since 1970.
type window struct {
	from, to atomic.Int64
	bufs     sync.Pool
}

const (
	// watchBuffer is what one read takes, in bytes.
	watchBuffer = 256 << 10
	// watchGrace is how long watchers wait for what was cut before the end.
	watchGrace = 10 * time.Second
)

// Watch subscribes many times to a node's mini-blocks and measures how late they come.
func Watch(ctx context.Context, cfg WatchConfig) (*WatchReport, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	u, _ := url.Parse(cfg.URL)
	pid := cfg.PID
	if pid == 0 {
		pid = ownerOf("http://" + u.Host)
	}
	use := func() (u usage) {
		if pid > 0 {
			u, _ = usageOf(pid) // a process that is not to be seen is not measured
		}
		return u
	}
	before := use()
	span := &window{bufs: sync.Pool{New: func() any { b := make([]byte, 0, watchBuffer); return &b }}}
	span.from.Store(math.MaxInt64)
	span.to.Store(math.MaxInt64)
	all, errs := make([]*watcher, 0, cfg.Watchers), make([]error, cfg.Watchers)
	var wg sync.WaitGroup
	defer func() {
		for _, w := range all {
			_ = w.conn.Close()
		}
		wg.Wait()
	}()
	for i := range errs {
		w, err := connectWatcher(ctx, u, cfg.Hashes)
		if err != nil {
			return nil, fmt.Errorf("watcher %d: %w", i, err)
		}
		w.window = span
		all = append(all, w)
		wg.Go(func() { errs[i] = w.listen() })
	}
	connected, begun := use(), time.Now()
	end := begun.Add(cfg.Duration)
	span.from.Store(begun.UnixMicro())
	span.to.Store(end.UnixMicro())
	for _, w := range all {
		_ = w.conn.SetReadDeadline(end.Add(watchGrace))
	}
	stop := context.AfterFunc(ctx, func() {
		for _, w := range all {
			_ = w.conn.SetReadDeadline(time.Now())
		}
	})
	defer stop()
	wg.Wait()
	after, took := use(), time.Since(begun).Seconds()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r := &WatchReport{Watchers: len(all), Seconds: took}
	var late histogram
	for _, w := range all {
		late.merge(&w.late)
		r.MiniBlocks = max(r.MiniBlocks, w.events)
		r.Events, r.Bytes, r.Missing = r.Events+w.events, r.Bytes+w.bytes, r.Missing+w.missing
	}
	for _, w := range all {
		if !w.over { // not even after the end
			r.Missing += r.MiniBlocks - w.events
		}
	}
	r.Latency = late.latency()
	if pid > 0 && r.Events > 0 {
		r.CPUSeconds = (after.cpu - connected.cpu).Seconds()
		r.CPUMicrosEvent = r.CPUSeconds * 1e6 / float64(r.Events)
		r.CPUMillisWatcher = r.CPUSeconds * 1e3 / took / float64(len(all))
		r.BytesPerWatcher = (int64(after.rss) - int64(before.rss)) / int64(len(all))
	}
	return r, nil
}

// connectWatcher opens a WebSocket and subscribes.
func connectWatcher(ctx context.Context, u *url.URL, hashes bool) (_ *watcher, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	path := u.RequestURI()
	if _, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGFsYXJpYSBiZW5jaC4uLg==\r\n\r\n", path, u.Host); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("no WebSocket: %s", answer.Status)
	}
	subscribe := `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["miniBlocks"]}`
	if hashes {
		subscribe = `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["miniBlocks",{"transactions":"hashes"}]}`
	}
	if _, err = conn.Write(clientFrame(opText, []byte(subscribe))); err != nil {
		return nil, err
	}
	for {
		if _, err = in.Peek(in.Buffered() + 1); err != nil {
			return nil, err
		}
		said, _ := in.Peek(in.Buffered())
		_, payload, size, err := serverFrame(said)
		switch {
		case err != nil:
			return nil, err
		case size == 0:
			continue
		case !bytes.Contains(payload, []byte(`"result":"`)):
			return nil, fmt.Errorf("eth_subscribe: %s", payload)
		}
		_ = conn.SetDeadline(time.Time{})
		return &watcher{conn: conn.(*net.TCPConn), rest: bytes.Clone(said[size:])}, nil
	}
}

// listen reads events until one comes that was cut after the window, or the deadline.
func (w *watcher) listen() error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	// One call waits for all events: the poller calls again when more has come.
	err = raw.Read(func(fd uintptr) bool {
		w.err = w.receive(int(fd))
		return w.over || w.err != nil
	})
	if w.err != nil {
		err = w.err
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("after %d events: %w", w.events, err)
	}
	return nil
}

// receive reads and counts what has come. A read that does not fill its buffer has taken
// all of it.
func (w *watcher) receive(fd int) error {
	lent := w.window.bufs.Get().(*[]byte)
	buf := append((*lent)[:0], w.rest...)
	defer func() {
		*lent = buf
		w.window.bufs.Put(lent)
	}()
	for full := true; full; {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, cap(buf))
		}
		n, err := syscall.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			n = 0
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
		full = n == cap(buf)-len(buf)
		buf = buf[:len(buf)+n]
		used, err := w.take(buf, time.Now())
		if err != nil {
			return err
		}
		buf = buf[:copy(buf, buf[used:])]
	}
	w.rest = append(w.rest[:0], buf...)
	return nil
}

// take counts the whole frames at the beginning of b and answers pings. It returns their
// length in bytes.
func (w *watcher) take(b []byte, now time.Time) (used int, err error) {
	from, to := w.window.from.Load(), w.window.to.Load()
	for !w.over {
		kind, msg, size, err := serverFrame(b[used:])
		if err != nil || size == 0 {
			return used, err
		}
		used += size
		if kind == opPing {
			if _, err := w.conn.Write(clientFrame(opPong, msg)); err != nil {
				return used, err
			}
			continue
		}
		number, ok1 := hexAfter(msg, `"number":"0x`)
		micros, ok2 := hexAfter(msg, `"timestampMicros":"0x`)
		if !ok1 || !ok2 {
			return used, fmt.Errorf("an event that is no mini-block: %.200s", msg)
		}
		if w.begun && number > w.last+1 {
			w.missing += number - w.last - 1
		}
		w.begun, w.last = true, number
		if w.over = int64(micros) >= to; w.over || int64(micros) < from {
			continue
		}
		w.late.add(now.Sub(time.UnixMicro(int64(micros))))
		w.events++
		w.bytes += uint64(len(msg))
	}
	return used, nil
}

// hexAfter is the number behind a key, up to the quotation mark.
func hexAfter(msg []byte, key string) (uint64, bool) {
	at := bytes.Index(msg, []byte(key))
	if at < 0 {
		return 0, false
	}
	digits, _, ok := bytes.Cut(msg[at+len(key):], []byte{'"'})
	v, err := strconv.ParseUint(string(digits), 16, 64)
	return v, ok && err == nil
}

// clientFrame is a masked frame of RFC 6455 with at most 125 bytes. The mask is zero, which
// changes nothing: it guards proxies, of which there are none here.
func clientFrame(kind byte, payload []byte) []byte {
	const fin, masked = 0x80, 0x80
	out := []byte{fin | kind, masked | byte(len(payload)), 0, 0, 0, 0}
	return append(out, payload...)
}

// Opcodes of frames, RFC 6455 section 5.2.
const opText, opPing, opPong = 1, 9, 10

// serverFrame parses the frame at the beginning of b. size, of all of it, is 0 while it has
// not come whole.
func serverFrame(b []byte) (op byte, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	head, length := 2, uint64(b[1])
	switch length {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	if len(b) < head {
		return 0, nil, 0, nil
	}
	if head > 2 {
		length = 0
		for _, x := range b[2:head] {
			length = length<<8 | uint64(x)
		}
	}
	const fin = 0x80
	if op = b[0] &^ fin; b[0]&fin == 0 || op != opText && op != opPing || length > maxEvent {
		return 0, nil, 0, fmt.Errorf("frame of kind %#x with %d bytes", b[0], length)
	}
	if size = head + int(length); len(b) < size {
		return 0, nil, 0, nil
	}
	return op, b[head:size], size, nil
}

// WriteTable prints the report for people.
func (r *WatchReport) WriteTable(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%d watchers for %.1f s: %d mini-blocks, %d events, %.1f MB/s, %d missing\nfrom the cut to the watcher: %s\n",
		r.Watchers, r.Seconds, r.MiniBlocks, r.Events, float64(r.Bytes)/r.Seconds/1e6, r.Missing, r.Latency)
	if err == nil && r.CPUSeconds > 0 {
		_, err = fmt.Fprintf(out, "the node: %.1f s of processor time, %.1f µs an event, %.2f ms a second and watcher; %d bytes of memory a watcher\n",
			r.CPUSeconds, r.CPUMicrosEvent, r.CPUMillisWatcher, r.BytesPerWatcher)
	}
	return err
}
