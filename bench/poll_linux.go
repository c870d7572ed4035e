package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// reactor runs the closed loop of many connections over plain HTTP in one goroutine: a
// request costs a read and a write of its socket, and neither a goroutine's turn nor a
// timer. Node and generator share the machine.
type reactor struct {
	d      *drive
	url    *url.URL
	prefix []byte
	epoll  int
	ports  []*port // by their place in events
	active int
	paused []*port
	in     []byte // shared: what one read takes
	chunks []byte
	spare  [][]int
}

// port is one connection of a reactor. Up to Config.Pipeline requests are on its way.
type port struct {
	r      *reactor
	l      *lane
	index  int32
	file   *os.File // holds the socket
	fd     int
	rest   []byte  // the beginning of an answer that has not come whole
	flying [][]int // items of the requests on the way, in order
	out    []byte
	quiet  int       // requests in a row without an acknowledgement
	resume time.Time // when to ask again after a refusal
	heard  time.Time // newest answer, or when the oldest request left
	over   bool
}

// react connects the lanes and returns what runs them; nil: this is not for a reactor.
func (d *drive) react(ctx context.Context, lanes []*lane) (func(), error) {
	u, err := url.Parse(d.cfg.URL)
	if err != nil || u.Scheme != "http" || d.cfg.Mode != Closed {
		return nil, nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("poll connections: %w", err)
	}
	r := &reactor{d: d, url: u, prefix: requestHead(u), epoll: fd, in: make([]byte, 0, 256<<10)}
	for i, l := range lanes {
		p := &port{r: r, l: l, index: int32(i)}
		r.ports = append(r.ports, p)
		if err := p.connect(ctx); err != nil {
			r.close()
			return nil, err
		}
	}
	return func() {
		defer r.close()
		r.run(ctx)
	}, nil
}

func (r *reactor) close() {
	for _, p := range r.ports {
		if p.file != nil {
			_ = p.file.Close()
		}
		p.l.finish()
	}
	_ = syscall.Close(r.epoll)
}

// connect opens the port's socket, again if it had one.
func (p *port) connect(ctx context.Context) error {
	if p.file != nil {
		_ = p.file.Close() // which takes it off the poll
		p.file = nil
	}
	conn, err := dialTCP(ctx, p.r.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	holder, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		return fmt.Errorf("connect to %s: not a socket", p.r.url)
	}
	if p.file, err = holder.File(); err != nil {
		return fmt.Errorf("connect to %s: %w", p.r.url, err)
	}
	p.fd = int(p.file.Fd())
	if err := syscall.SetNonblock(p.fd, true); err != nil {
		return fmt.Errorf("connect to %s: %w", p.r.url, err)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: p.index}
	if err := syscall.EpollCtl(p.r.epoll, syscall.EPOLL_CTL_ADD, p.fd, &event); err != nil {
		return fmt.Errorf("poll connections: %w", err)
	}
	return nil
}

// maxPollMillis bounds a wait, so that timeouts and the end of the run are noticed.
const maxPollMillis = 50

func (r *reactor) run(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.active = len(r.ports)
	for _, p := range r.ports {
		p.ask(ctx, time.Now())
	}
	events := make([]syscall.EpollEvent, 256)
	checked := time.Now()
	for r.active > 0 && ctx.Err() == nil {
		wait := maxPollMillis
		if len(r.paused) > 0 {
			wait = 1
		}
		n, err := syscall.EpollWait(r.epoll, events, wait)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			r.d.tally.fail("poll connections: "+err.Error(), 0)
			return
		}
		now := time.Now()
		for _, e := range events[:max(n, 0)] {
			r.ports[e.Fd].receive(ctx, now)
		}
		r.wake(ctx, now)
		if now.Sub(checked) > time.Second {
			checked = now
			r.expire(ctx, now)
		}
	}
}

// wake lets ports whose pause is over go on.
func (r *reactor) wake(ctx context.Context, now time.Time) {
	left := r.paused[:0]
	for _, p := range r.paused {
		if now.Before(p.resume) {
			left = append(left, p)
			continue
		}
		p.resume = time.Time{}
		p.ask(ctx, now)
	}
	r.paused = left
}

// expire gives up requests without an answer.
func (r *reactor) expire(ctx context.Context, now time.Time) {
	for _, p := range r.ports {
		if len(p.flying) > 0 && now.Sub(p.heard) > r.d.timeout {
			p.broken(ctx, os.ErrDeadlineExceeded, now)
		}
	}
}

// ask sends requests until as many as may be are on the way.
func (p *port) ask(ctx context.Context, now time.Time) {
	d := p.r.d
	due := now.Sub(d.start)
	p.out = p.out[:0]
	for len(p.flying) < d.cfg.Pipeline && !p.over && p.resume.IsZero() {
		if d.cfg.Duration > 0 && due >= d.cfg.Duration {
			p.over = true
			break
		}
		var picked []int
		if k := len(p.r.spare); k > 0 {
			picked, p.r.spare = p.r.spare[k-1], p.r.spare[:k-1]
		}
		if picked = p.l.take(d.cfg.Batch, picked[:0], due); len(picked) == 0 {
			p.over = len(p.flying) == 0 // else what is on the way may free an account
			break
		}
		if len(p.flying) == 0 {
			p.heard = now
		}
		p.flying = append(p.flying, picked)
		p.out = append(p.out, p.r.prefix...)
		p.out = append(strconv.AppendInt(p.out, int64(d.length(picked)), 10), "\r\n\r\n"...)
		p.out = d.compose(p.out, picked)
	}
	if len(p.out) > 0 {
		if err := p.write(); err != nil {
			p.broken(ctx, fmt.Errorf("send: %w", err), now)
			return
		}
	}
	if p.over && len(p.flying) == 0 && p.file != nil {
		_ = p.file.Close()
		p.file = nil
		p.r.active--
	}
}

// write sends all of p.out; it waits for a peer that does not read.
func (p *port) write() error {
	out, since := p.out, time.Now()
	for len(out) > 0 {
		n, err := syscall.Write(p.fd, out)
		switch {
		case n > 0:
			out = out[n:]
		case errors.Is(err, syscall.EAGAIN) && time.Since(since) < p.r.d.timeout:
			time.Sleep(100 * time.Microsecond)
		case errors.Is(err, syscall.EINTR):
		default:
			return err
		}
	}
	return nil
}

// receive reads what has come and goes on.
func (p *port) receive(ctx context.Context, now time.Time) {
	if p.file == nil {
		return
	}
	r := p.r
	in := append(r.in[:0], p.rest...)
	p.rest = p.rest[:0]
	if len(in) == cap(in) {
		in = append(make([]byte, 0, 2*cap(in)), in...)
		r.in = in
	}
	n, err := syscall.Read(p.fd, in[len(in):cap(in)])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		p.rest = append(p.rest, in...)
		return
	case err == nil && n == 0:
		err = io.EOF
	}
	if err != nil {
		p.broken(ctx, fmt.Errorf("receive: %w", err), now)
		return
	}
	in = in[:len(in)+n]
	p.heard = now
	for len(in) > 0 {
		a, err := parseAnswer(in, r.chunks)
		if err == nil && a.size > 0 && len(p.flying) == 0 {
			err = fmt.Errorf("%w: an answer to nothing", errHTTP)
		}
		if err != nil {
			p.broken(ctx, err, now)
			return
		}
		if a.size == 0 {
			p.rest = append(p.rest, in...)
			break
		}
		if a.chunked {
			r.chunks = a.body
		}
		in = in[a.size:]
		if !p.answer(&a, now) {
			p.broken(ctx, errHTTP, now)
			return
		}
	}
	p.ask(ctx, now)
}

// answer books the answer to the oldest request on the way.
func (p *port) answer(a *httpAnswer, now time.Time) bool {
	var err error
	if a.status != http.StatusOK {
		err = &statusError{a.status, string(a.body[:min(len(a.body), 200)])}
	}
	picked, accepted := p.flying[0], p.l.count.accepted
	p.flying = p.flying[:copy(p.flying, p.flying[1:])]
	usable := p.l.answered(picked, a.body, err, now)
	p.r.spare = append(p.r.spare, picked)
	p.settle(p.l.count.accepted > accepted, now)
	return usable
}

// settle notes whether a request had an acknowledgement: without one the port pauses,
// and in the end gives up.
func (p *port) settle(accepted bool, now time.Time) {
	if accepted {
		p.quiet = 0
		return
	}
	if p.quiet++; p.quiet > maxQuiet && !p.over {
		p.over = true
		p.r.d.tally.fail("given up: the node refuses everything", 0)
	}
	if p.resume.IsZero() {
		p.resume = now.Add(min(errorPause<<min(p.quiet, 7), time.Second))
		p.r.paused = append(p.r.paused, p)
	}
}

// broken books what was on the way and connects again.
func (p *port) broken(ctx context.Context, err error, now time.Time) {
	for _, picked := range p.flying {
		p.l.answered(picked, nil, err, now)
	}
	p.flying, p.rest = p.flying[:0], p.rest[:0]
	p.settle(false, now)
	if err := p.connect(ctx); err != nil {
		p.r.d.tally.fail(err.Error(), 0)
		p.over = true
		p.r.active--
	}
}
