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
	"slices"
	"strconv"
	"sync"
	"time"
)

// WatchConfig is a run of subscribers that only listen.
type WatchConfig struct {
	URL      string        // ws:// of the node that they subscribe at
	Watchers int           // connections, 1..100,000
	Duration time.Duration // that each listens
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

// watcher is one subscriber.
type watcher struct {
	late          histogram
	events, bytes uint64
	missing, last uint64
	conn          net.Conn
	in            *bufio.Reader
	begun         bool
}

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
	all := make([]*watcher, cfg.Watchers)
	defer func() {
		for _, w := range all {
			if w != nil {
				_ = w.conn.Close()
			}
		}
	}()
	for i := range all {
		var err error
		if all[i], err = connectWatcher(ctx, u); err != nil {
			return nil, fmt.Errorf("watcher %d: %w", i, err)
		}
	}
	connected, begun := use(), time.Now()
	end := begun.Add(cfg.Duration)
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	stop := context.AfterFunc(ctx, func() {
		for _, w := range all {
			_ = w.conn.SetReadDeadline(time.Now())
		}
	})
	defer stop()
	for i, w := range all {
		_ = w.conn.SetReadDeadline(end)
		wg.Go(func() { errs[i] = w.listen() })
	}
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
	r.Latency = late.latency()
	if pid > 0 && r.Events > 0 {
		r.CPUSeconds = (after.cpu - connected.cpu).Seconds()
		r.CPUMicrosEvent = r.CPUSeconds * 1e6 / float64(r.Events)
		r.CPUMillisWatcher = r.CPUSeconds * 1e3 / took / float64(len(all))
		r.BytesPerWatcher = (int64(after.rss) - int64(before.rss)) / int64(len(all))
	}
	return r, nil
}

// connectWatcher opens a WebSocket and subscribes. It reads frames itself: a library would
// cost more than what is measured.
func connectWatcher(ctx context.Context, u *url.URL) (_ *watcher, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	w := &watcher{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}
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
	answer, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("no WebSocket: %s", answer.Status)
	}
	const subscribe = `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["miniBlocks"]}`
	if _, err = conn.Write(clientFrame(1, []byte(subscribe))); err != nil {
		return nil, err
	}
	said, err := w.frame(nil)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(said, []byte(`"result":"`)) {
		return nil, fmt.Errorf("eth_subscribe: %s", said)
	}
	_ = conn.SetDeadline(time.Time{})
	return w, nil
}

// listen reads events until the deadline.
func (w *watcher) listen() error {
	var msg []byte
	for {
		var err error
		msg, err = w.frame(msg)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d events: %w", w.events, err)
		}
		number, ok1 := hexAfter(msg, `"number":"0x`)
		micros, ok2 := hexAfter(msg, `"timestampMicros":"0x`)
		if !ok1 || !ok2 {
			return fmt.Errorf("an event that is no mini-block: %.200s", msg)
		}
		w.late.add(time.Since(time.UnixMicro(int64(micros))))
		if w.begun && number > w.last+1 {
			w.missing += number - w.last - 1
		}
		w.begun, w.last = true, number
		w.events++
		w.bytes += uint64(len(msg))
	}
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

// frame reads the payload of the next text frame into buf, which it may replace, and
// answers pings before it.
func (w *watcher) frame(buf []byte) ([]byte, error) {
	const opText, opPing, opPong, fin = 1, 9, 10, 0x80
	for in := w.in; ; {
		head, err := in.Peek(2)
		if err != nil {
			return buf, err
		}
		kind, size, long := head[0], uint64(head[1]), 0
		switch size {
		case 126:
			long = 2
		case 127:
			long = 8
		}
		if head, err = in.Peek(2 + long); err != nil {
			return buf, err
		}
		if long > 0 {
			size = 0
			for _, b := range head[2:] {
				size = size<<8 | uint64(b)
			}
		}
		if kind != fin|opText && kind != fin|opPing || size > maxEvent {
			return buf, fmt.Errorf("frame of kind %#x with %d bytes", kind, size)
		}
		_, _ = in.Discard(2 + long)
		buf = slices.Grow(buf[:0], int(size))[:size]
		if _, err := io.ReadFull(in, buf); err != nil {
			return buf, err
		}
		if kind == fin|opText {
			return buf, nil
		}
		if _, err := w.conn.Write(clientFrame(opPong, buf)); err != nil {
			return buf, err
		}
	}
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
