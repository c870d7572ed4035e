package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/talaria-l2/talaria/netaddr"
	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// Backend is what the server needs of a node; see rpc.Backend.
type Backend interface {
	SubmitTxs(ctx context.Context, sends []rpc.Send) []*rpc.Submission
	// Ready is nil when the node takes transactions.
	Ready() error
}

// Options of a server. The zero value of a field means its default.
type Options struct {
	ChainID    uint64 // of the node
	MaxTxBytes uint64 // of one raw transaction, 1..16 MiB - 1 KiB [128 KiB]

	TLS *tls.Config // nil: plain TCP
	// Authorize says who a client with that API key (empty: none) is, or refuses it
	// [anybody is nobody in particular].
	Authorize func(key string) (rpc.Sender, error)

	// Vouch says whether the word of a replica, which has proven to be that, is taken on who
	// signed: if not, with rpc.ErrNotTrusted or rpc.ErrTrustWithdrawn. It is called for each
	// connection, and Release when it is over [nobody's is: who wants to prove it is refused at
	// once].
	Vouch   func(*rpc.Voucher) error
	Release func(*rpc.Voucher)

	MaxConns    int // connections at once; more are turned away [256]
	MaxPerAddr  int // and of one address [64]
	Window      int // unacknowledged transactions of a connection, 1..1,000,000 [8192]
	WindowBytes int // and their raw bytes, at least MaxTxBytes [16 MiB]

	HelloTimeout time.Duration // for TLS and the client's hello [5 s]
	IdleTimeout  time.Duration // without a byte received while nothing is unacknowledged [5 min]
	WriteTimeout time.Duration // for a client to take its acknowledgements [10 s]
	// DrainTimeout bounds how long a connection that receives no more is kept for its
	// acknowledgements [15 s].
	DrainTimeout time.Duration

	Log *slog.Logger // [slog.Default()]
}

func (o Options) withDefaults() Options {
	ints := func(p *int, value int) {
		if *p == 0 {
			*p = value
		}
	}
	times := func(p *time.Duration, value time.Duration) {
		if *p == 0 {
			*p = value
		}
	}
	if o.MaxTxBytes == 0 {
		o.MaxTxBytes = 128 << 10
	}
	o.MaxTxBytes = min(o.MaxTxBytes, wire.MaxPayload-1024)
	ints(&o.MaxConns, 256)
	ints(&o.MaxPerAddr, 64)
	ints(&o.Window, 8192)
	o.Window = min(max(o.Window, 1), 1_000_000)
	ints(&o.WindowBytes, 16<<20)
	o.WindowBytes = max(o.WindowBytes, int(o.MaxTxBytes))
	times(&o.HelloTimeout, 5*time.Second)
	times(&o.IdleTimeout, 5*time.Minute)
	times(&o.WriteTimeout, 10*time.Second)
	times(&o.DrainTimeout, 15*time.Second)
	if o.Authorize == nil {
		o.Authorize = func(string) (rpc.Sender, error) { return rpc.Sender{}, nil }
	}
	if o.Release == nil {
		o.Release = func(*rpc.Voucher) {}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Server takes connections. Make it with New.
type Server struct {
	backend Backend
	opts    Options

	mu      sync.Mutex
	closing bool
	stopped chan struct{} // closed with closing
	lists   map[net.Listener]struct{}
	conns   map[*conn]struct{}
	peers   map[netip.Addr]int // connections by address, greeted ones included
	wg      sync.WaitGroup

	warned atomic.Int64 // when a refused replica was last warned of, in Unix nanoseconds
}

// New makes a server of the backend.
func New(b Backend, o Options) *Server {
	return &Server{
		backend: b, opts: o.withDefaults(), stopped: make(chan struct{}),
		lists: make(map[net.Listener]struct{}), conns: make(map[*conn]struct{}), peers: make(map[netip.Addr]int),
	}
}

// Serve takes connections from l until Shutdown, which makes it return nil. It closes
// l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return l.Close()
	}
	s.lists[l] = struct{}{}
	s.mu.Unlock()
	for {
		socket, err := l.Accept()
		if err != nil {
			if s.isClosing() {
				return nil
			}
			if errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				s.opts.Log.Warn("ingest connection could not be taken: raise the limit of open files if this goes on", "err", err)
				select {
				case <-time.After(acceptPause):
				case <-s.stopped:
				}
				continue
			}
			return errors.Join(fmt.Errorf("accept ingest connection: %w", err), l.Close())
		}
		if s.opts.TLS != nil {
			socket = tls.Server(socket, s.opts.TLS)
		}
		s.start(socket)
	}
}

// acceptPause is how long nothing is accepted when the system is short of something.
const acceptPause = 100 * time.Millisecond

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// maxGreeting is how many connections above MaxConns are told that there are too many;
// more than that are closed without a word.
const maxGreeting = 64

// start serves a new connection in a goroutine of its own.
func (s *Server) start(socket net.Conn) {
	c := newConn(s, socket)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.conns) >= s.opts.MaxConns+maxGreeting {
		_ = socket.Close()
		return
	}
	peer := netaddr.OfConn(socket)
	switch {
	case len(s.conns) >= s.opts.MaxConns:
		c.surplus = fmt.Errorf("%d connections are open, which is the limit", s.opts.MaxConns)
	case s.peers[peer] >= s.opts.MaxPerAddr:
		c.surplus = fmt.Errorf("%d connections of %s are open, which is the limit of one address", s.opts.MaxPerAddr, peer)
	}
	s.conns[c] = struct{}{}
	s.peers[peer]++
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		if s.peers[peer]--; s.peers[peer] == 0 {
			delete(s.peers, peer)
		}
		s.mu.Unlock()
	}()
}

// Shutdown stops taking connections and transactions, waits until what was taken is
// acknowledged, and closes. When ctx ends it closes at once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		close(s.stopped)
	}
	var errs []error
	for l := range s.lists {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range s.conns {
		c.stop()
	}
	s.mu.Unlock()
	cut := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			c.abort()
		}
	})
	s.wg.Wait()
	if !cut() {
		errs = append(errs, fmt.Errorf("close ingest server: %w", ctx.Err()))
	}
	return errors.Join(errs...)
}
