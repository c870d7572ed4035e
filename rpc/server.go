package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server answers JSON-RPC over HTTP and WebSocket. New starts it, Serve lends it a
// socket, Shutdown ends it.
type Server struct {
	backend Backend
	opts    Options
	methods methodTable
	hub     *hub
	calls   *callPool
	http    *http.Server

	mu       sync.Mutex
	conns    map[*wsConn]struct{}
	draining bool
	wsDone   sync.WaitGroup // one per WebSocket connection
}

// New makes a server of the backend; it owns one goroutine until Shutdown.
func New(b Backend, opts Options) *Server {
	s := &Server{backend: b, opts: opts.withDefaults(), conns: make(map[*wsConn]struct{})}
	s.methods = s.table()
	o := &s.opts
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.ReadTimeout + o.RequestTimeout + max(o.SendTimeout, o.MaxSyncTimeout) + o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	s.hub = newHub(s)
	s.calls = newCallPool(o)
	go s.hub.run(b.Subscribe(o.FeedBuffer))
	return s
}

// Serve accepts connections until Shutdown, which makes it return nil. It owns ln.
func (s *Server) Serve(ln net.Listener) error {
	err := s.http.Serve(&limitListener{Listener: ln, max: int64(s.opts.MaxConnections)})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, lets requests in flight finish, closes WebSockets with
// code 1001 after their last answer, and cuts off what is left when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	again := s.draining
	s.draining = true
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()
	if again {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	gone := make(chan struct{})
	go func() {
		s.wsDone.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
		err = ctx.Err()
		s.mu.Lock()
		for c := range s.conns {
			c.cancel()
		}
		s.mu.Unlock()
		<-gone
	}
	close(s.hub.stop)
	<-s.hub.done
	return err
}

// ServeHTTP serves one HTTP request or WebSocket connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.hostAllowed(r.Host) {
		s.refuse(w, http.StatusForbidden, Errorf(CodeInvalidRequest, "Host %q is not served here: add it to the allowed hosts", clip(r.Host)))
		return
	}
	origin := r.Header.Get("Origin")
	if origin != "" && !s.originAllowed(origin, r.Host) {
		s.refuse(w, http.StatusForbidden, Errorf(CodeInvalidRequest, "origin %q is not allowed: add it to the allowed origins", clip(origin)))
		return
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.serveWS(w, r)
		return
	}
	s.allowOrigin(w.Header(), origin)
	switch r.Method {
	case http.MethodPost:
		s.servePost(w, r)
	case http.MethodGet, http.MethodHead:
		s.serveHealth(w, r)
	case http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST")
		s.refuse(w, http.StatusMethodNotAllowed, Errorf(CodeInvalidRequest, "HTTP method not allowed: use POST"))
	}
}

func (s *Server) anyOrigin() bool { return slices.Contains(s.opts.Origins, "*") }

// originAllowed lets listed origins and the server's own pages in.
func (s *Server) originAllowed(origin, host string) bool {
	if s.anyOrigin() || slices.ContainsFunc(s.opts.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, host)
}

func (s *Server) allowOrigin(h http.Header, origin string) {
	if origin == "" {
		return
	}
	if s.anyOrigin() {
		origin = "*"
	} else {
		h.Set("Vary", "Origin")
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "*, Authorization, Content-Type")
	h.Set("Access-Control-Max-Age", "600")
}

func (s *Server) hostAllowed(host string) bool {
	if len(s.opts.Hosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return slices.ContainsFunc(s.opts.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// refuse answers with a JSON-RPC error outside of any request.
func (s *Server) refuse(w http.ResponseWriter, status int, e *Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(appendError(nil, nil, e))
}

func (s *Server) bodyTooLarge(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	s.refuse(w, http.StatusRequestEntityTooLarge,
		Errorf(CodeLimit, "request body is larger than %d bytes: send less at once", s.opts.MaxBodyBytes))
}

func (s *Server) servePost(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > s.opts.MaxBodyBytes {
		s.bodyTooLarge(w)
		return
	}
	if kind := r.Header.Get("Content-Type"); !s.anyOrigin() && !strings.HasPrefix(kind, "application/json") {
		// A page of another origin can send other types without asking first.
		s.refuse(w, http.StatusUnsupportedMediaType, Errorf(CodeInvalidRequest, "invalid content type, only application/json is supported"))
		return
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0)+bytes.MinRead, 64<<10)))
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, s.opts.MaxBodyBytes)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			s.bodyTooLarge(w)
		} else {
			s.refuse(w, http.StatusBadRequest, Errorf(CodeParse, "request body could not be read"))
		}
		return
	}
	c := &call{ctx: r.Context()}
	out := s.finish(c, s.begin(c, body.Bytes()))
	if out == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(out)
}

// serveHealth answers GET: / and /health while the process serves, /ready when the
// node is fit for requests.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	var notReady error
	switch r.URL.Path {
	case "/", "/health":
	case "/ready":
		notReady = s.backend.Ready()
	default:
		http.NotFound(w, r)
		return
	}
	out := newWriter(256)
	out.open('{')
	out.key("client").text(s.opts.ClientVersion)
	out.key("chainId").raw(u64(s.backend.Config().ChainID))
	out.key("block").raw(u64(s.backend.Head().Number.Uint64()))
	if notReady != nil {
		out.key("status").str("not ready")
		out.key("reason").text(notReady.Error())
	} else {
		out.key("status").str("ok")
	}
	out.shut('}')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if notReady != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if r.Method != http.MethodHead {
		io.WriteString(w, string(out.b)+"\n")
	}
}

// limitListener refuses connections above a number, with an answer.
type limitListener struct {
	net.Listener
	max int64

	mu   sync.Mutex
	open int64
}

const refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"

// Accept returns the next connection within the limit.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		full := l.open >= l.max
		if !full {
			l.open++
		}
		l.mu.Unlock()
		if !full {
			return &countedConn{Conn: conn, l: l}, nil
		}
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		e := Errorf(CodeLimit, "server has %d connections open, which is the limit: close idle ones and retry", l.max)
		conn.Write(appendError([]byte(refusal), nil, e))
		conn.Close()
	}
}

// countedConn gives its place back once when closed.
type countedConn struct {
	net.Conn
	l    *limitListener
	once sync.Once
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.l.mu.Lock()
		c.l.open--
		c.l.mu.Unlock()
	})
	return c.Conn.Close()
}
