package da

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/talaria-l2/talaria/netaddr"
)

// Limits of a server. The zero value of a field means its default.
type Limits struct {
	Connections       int           // at a time; more wait in the system's queue [256]
	PerAddress        int           // of them of one address (netaddr.Neighbours); more are closed [64]
	RequestsPerSecond int           // of one address; more are told to wait [200]
	HeaderTimeout     time.Duration // for a request's header [5 s]
	BodyTimeout       time.Duration // for a whole request, and again for its answer [60 s]
}

// Server serves a handler within limits, so that slow or many clients cost a bounded
// number of connections for a bounded time.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan error
}

// Serve starts serving on a listener, which it owns from then on.
func Serve(l net.Listener, h http.Handler, limits Limits) *Server {
	limits.Connections = orDefault(limits.Connections, 256)
	limits.PerAddress = orDefault(limits.PerAddress, 64)
	limits.RequestsPerSecond = orDefault(limits.RequestsPerSecond, 200)
	limits.HeaderTimeout = orDefault(limits.HeaderTimeout, 5*time.Second)
	limits.BodyTimeout = orDefault(limits.BodyTimeout, time.Minute)
	s := &Server{
		listener: l, done: make(chan error, 1),
		http: &http.Server{
			Handler:           newMeter(limits.RequestsPerSecond, h),
			ReadHeaderTimeout: limits.HeaderTimeout,
			ReadTimeout:       limits.BodyTimeout,
			WriteTimeout:      2 * limits.BodyTimeout, // it begins with the header
			IdleTimeout:       limits.BodyTimeout,
			MaxHeaderBytes:    8 << 10,
		},
	}
	go func() {
		err := s.http.Serve(newBoundedListener(l, limits))
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.done <- err
		close(s.done)
	}()
	return s
}

// URL is where the server is reached from this machine.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Done gives the reason when serving ends by itself.
func (s *Server) Done() <-chan error { return s.done }

// Close stops taking requests and waits for those under way, up to five seconds.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	return err
}

// boundedListener accepts a connection only when there is room for it, and closes those
// of an address that has enough.
type boundedListener struct {
	net.Listener
	slots     chan struct{}
	addresses *Slots
	once      sync.Once
	closed    chan struct{}
}

func newBoundedListener(l net.Listener, limits Limits) *boundedListener {
	return &boundedListener{
		Listener: l, slots: make(chan struct{}, limits.Connections), closed: make(chan struct{}),
		addresses: NewSlots(limits.Connections, min(limits.PerAddress, limits.Connections)),
	}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		leave := l.addresses.Take(c.RemoteAddr().String())
		if leave == nil {
			<-l.slots
			_ = c.Close() // one too many of its address
			continue
		}
		return &boundedConn{Conn: c, release: sync.OnceFunc(func() {
			leave()
			<-l.slots
		})}, nil
	}
}

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// meter lets each address make so many requests a second, and as many at once.
type meter struct {
	next http.Handler
	rate float64

	mu      sync.Mutex
	buckets map[netip.Addr]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the addresses that are remembered; with more all are forgotten.
const maxBuckets = 4_096

func newMeter(perSecond int, next http.Handler) *meter {
	return &meter{next: next, rate: float64(perSecond), buckets: make(map[netip.Addr]bucket)}
}

func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !m.allow(netaddr.Of(r.RemoteAddr), time.Now()) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	m.next.ServeHTTP(w, r)
}

func (m *meter) allow(from netip.Addr, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.buckets[from]
	if !ok {
		if len(m.buckets) >= maxBuckets {
			clear(m.buckets)
		}
		b = bucket{tokens: m.rate, at: now}
	}
	b.tokens = min(b.tokens+m.rate*now.Sub(b.at).Seconds(), m.rate)
	b.at = now
	ok = b.tokens >= 1
	if ok {
		b.tokens--
	}
	m.buckets[from] = b
	return ok
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
