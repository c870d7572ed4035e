package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers JSON-RPC over HTTP and WebSocket. New starts it, Serve lends it a
// socket, Shutdown ends it.
type Server struct {
	backend Backend
	opts    Options
	methods methodTable
	hub     *hub
	calls   *turns
	slow    *turns
	scans   *turns
	bufs    buffers
	pushers []*pusher
	start   time.Time
	date    atomic.Pointer[date]

	upgrades atomic.Uint64 // to WebSocket
	stopping atomic.Bool
	stop     chan struct{}  // closes with Shutdown
	work     sync.WaitGroup // the janitor, and one per connection

	mu        sync.Mutex
	links     map[*link]struct{}
	homes     map[netip.Addr]*home
	conns     map[*wsConn]struct{}
	listeners map[net.Listener]struct{}
	draining  bool
}

// New makes a server of the backend; it owns two goroutines, and its pushers, until Shutdown.
func New(b Backend, opts Options) *Server {
	s := &Server{
		backend: b, opts: opts.withDefaults(), start: time.Now(), stop: make(chan struct{}),
		links: make(map[*link]struct{}), homes: make(map[netip.Addr]*home),
		conns: make(map[*wsConn]struct{}), listeners: make(map[net.Listener]struct{}),
	}
	s.methods = s.table()
	s.hub = newHub(s)
	s.calls = newCalls(&s.opts)
	s.slow = newSlow(&s.opts)
	s.scans = newScans(&s.opts)
	s.setDate()
	s.pushers = startPushers()
	s.work.Add(1)
	go s.janitor()
	feed := b.Subscribe(s.opts.FeedBuffer)
	s.hub.locate()
	go s.hub.run(feed)
	return s
}

// now is the server's clock in nanoseconds, above 0.
func (s *Server) now() int64 { return int64(time.Since(s.start)) + 1 }

// Serve accepts connections until Shutdown, which makes it return nil. It owns ln.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		return nil
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.accept(nc)
			continue
		case s.stopping.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		}
		// Most likely no file descriptors are left; some come back as clients go.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.opts.Logger.Warn("accept failed", "err", err, "retry", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.stop:
			t.Stop()
			return nil
		}
	}
}

const refusalHead = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"

// accept serves a connection in a goroutine of its own if it is within the limits.
func (s *Server) accept(nc net.Conn) {
	l := s.newLink(nc)
	o := &s.opts
	if o.TLS != nil { // before others can see the link
		l.nc, l.raw = tls.Server(nc, o.TLS), nil
	}
	s.mu.Lock()
	l.home = s.homeOf(l)
	var e *Error
	switch {
	case s.draining:
		e = Errorf(CodeServer, "server is shutting down")
	case len(s.links) >= o.MaxConnections:
		e = Errorf(CodeLimit, "server has %d connections open, which is the limit: close idle ones and retry", o.MaxConnections)
	case l.home.conns >= o.MaxConnectionsPerIP:
		e = Errorf(CodeLimit, "server has %d connections of this address open, which is the limit: close idle ones and retry", o.MaxConnectionsPerIP)
	default:
		s.links[l] = struct{}{}
		l.home.conns++
		s.work.Add(1)
	}
	s.mu.Unlock()
	if e != nil {
		l.cancel()
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		nc.Write(appendError([]byte(refusalHead), nil, e))
		nc.Close()
		return
	}
	go s.serveLink(l)
}

func (s *Server) serveLink(l *link) {
	defer s.work.Done()
	defer func() {
		l.cancel()
		l.nc.Close()
		l.release()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.links, l)
		l.home.conns--
	}()
	defer func() {
		if v := recover(); v != nil { // of this connection only
			s.opts.Logger.Error("rpc connection crashed", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	if secure, ok := l.nc.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(l.ctx, s.opts.ReadHeaderTimeout)
		err := secure.HandshakeContext(ctx)
		cancel()
		if err != nil {
			s.opts.Logger.Debug("TLS handshake failed", "peer", l.peer, "err", err)
			return
		}
	}
	l.serveHTTP()
}

// janitor ends waits for clients whose time is up, and pings WebSockets. One ticker
// for all of them costs less than timers of each.
func (s *Server) janitor() {
	defer s.work.Done()
	o := &s.opts
	least := min(o.IdleTimeout, o.ReadHeaderTimeout, o.ReadTimeout, o.WriteTimeout, o.PingInterval)
	tick := time.NewTicker(min(max(least/8, 5*time.Millisecond), 500*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
		case <-tick.C:
		}
		s.setDate()
		now := s.now()
		s.mu.Lock()
		for l := range s.links {
			l.interrupt(now)
			if l.ws != nil {
				l.ws.keepAlive(now)
			}
		}
		s.forgetHomes(now)
		over := s.draining && len(s.links) == 0
		s.mu.Unlock()
		if over {
			return
		}
		if s.stopping.Load() { // the channel is always ready then
			<-tick.C
		}
	}
}

// Shutdown stops accepting, lets requests in flight finish, closes WebSockets with
// code 1001 after their last answer, and cuts off what is left when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	again := s.draining
	s.draining = true
	s.stopping.Store(true)
	for ln := range s.listeners {
		ln.Close()
	}
	for l := range s.links {
		if l.ws != nil {
			l.ws.drain()
		} else {
			l.nc.SetReadDeadline(time.Unix(1, 0))
		}
	}
	if !again {
		close(s.stop)
	}
	s.mu.Unlock()
	if again {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		s.work.Wait()
		close(gone)
	}()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = ctx.Err()
		s.mu.Lock()
		for l := range s.links {
			l.cancel()
			l.nc.Close()
		}
		s.mu.Unlock()
		<-gone
	}
	close(s.hub.stop)
	<-s.hub.done
	for _, p := range s.pushers {
		p.close()
	}
	return err
}
