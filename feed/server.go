package feed

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ServerOptions of a Server.
type ServerOptions struct {
	ChainID uint64
	Name    string // unique in a cluster; empty: made up
	Dir     string // of its streams; no other process may use it
	Host    string // to listen on
	Port    int    // 0: any free one
	TLS     *tls.Config
	Users   []User
	// Public lets anybody read. Else readers are users, too.
	Public bool
	// MaxConnections at once. [256]
	MaxConnections int
	Cluster        *Cluster // nil: a server of its own
	Log            *slog.Logger
}

// Cluster makes a server one of several that hold the same streams.
type Cluster struct {
	Name   string
	Host   string
	Port   int      // 0: any free one
	Routes []string // nats-route://name:password@host:port of the others, or of some
	// User and Password are what the others present.
	User, Password string
	TLS            *tls.Config
}

// Server is a NATS server with JetStream in this process. It must be closed.
type Server struct {
	ns   *server.Server
	opts ServerOptions
	// secret is the password of this process's own connections.
	secret  string
	history *history
}

const (
	defaultConnections = 256
	// maxPending bounds what waits for a reader who is slow, and writeDeadline for how long
	// it may take nothing at all; then the connection is cut. It reads what it missed when it
	// comes again.
	maxPending    = 32 << 20
	writeDeadline = 3 * time.Second
	// maxSubscriptions of a connection: four kinds, answers, and room.
	maxSubscriptions = 32
	maxPayload       = 1 << 20

	startTimeout = 20 * time.Second
	ownUser      = "talaria-own"
)

// StartServer starts a server and returns when it takes connections. In a cluster streams
// are there when most of the servers are.
func StartServer(opts ServerOptions) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.MaxConnections == 0 {
		opts.MaxConnections = defaultConnections
	}
	s := &Server{opts: opts, secret: rand.Text()}
	if err := free(opts.Host, opts.Port); err != nil {
		return nil, fmt.Errorf("feed server: %w", err)
	}
	settings, err := s.settings()
	if err != nil {
		return nil, fmt.Errorf("feed server: %w", err)
	}
	if s.ns, err = server.NewServer(settings); err != nil {
		return nil, fmt.Errorf("feed server: %w", err)
	}
	s.ns.SetLoggerV2(natsLog{opts.Log}, false, false, false)
	go s.ns.Start() // its own goroutines outlive it; Close waits for them
	if !s.ns.ReadyForConnections(startTimeout) {
		s.stop()
		return nil, fmt.Errorf("feed server: %s:%d takes no connections (is the port taken, or %s in use?)", opts.Host, opts.Port, opts.Dir)
	}
	if s.history, err = startHistory(s); err != nil {
		s.stop()
		return nil, fmt.Errorf("feed server: %w", err)
	}
	return s, nil
}

// free fails where a port is taken: NATS would only log it.
func free(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}

func (s *Server) settings() (*server.Options, error) {
	o, names := &s.opts, subjects{s.opts.ChainID}
	out := &server.Options{
		ServerName: o.Name, Host: o.Host, Port: o.Port, TLSConfig: o.TLS, TLS: o.TLS != nil, TLSTimeout: 5,
		NoSigs: true, DisableJetStreamBanner: true,
		JetStream: true, StoreDir: o.Dir, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 42,
		MaxConn: o.MaxConnections + 2, MaxSubs: maxSubscriptions, MaxPayload: maxPayload, MaxPending: maxPending, WriteDeadline: writeDeadline,
		AuthTimeout: 5, PingInterval: 20 * time.Second, MaxPingsOut: 2, NoFastProducerStall: true,
		Users: []*server.User{{Username: ownUser, Password: s.secret}},
	}
	if o.Port == 0 {
		out.Port = server.RANDOM_PORT
	}
	for _, u := range o.Users {
		if err := u.check(); err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name+u.NKey, err)
		}
		switch {
		case u.NKey != "":
			out.Nkeys = append(out.Nkeys, &server.NkeyUser{Nkey: u.NKey, Permissions: names.permissions(u.Role)})
		case u.Name == ownUser || u.Name == anonymousUser:
			return nil, fmt.Errorf("user %q: the name is taken", u.Name)
		default:
			out.Users = append(out.Users, &server.User{Username: u.Name, Password: u.Password, Permissions: names.permissions(u.Role)})
		}
	}
	if o.Public {
		out.Users = append(out.Users, &server.User{Username: anonymousUser, Password: rand.Text(), Permissions: names.permissions(RoleReader)})
		out.NoAuthUser = anonymousUser
	}
	return out, s.cluster(out)
}

const anonymousUser = "anonymous"

func (s *Server) cluster(out *server.Options) error {
	c := s.opts.Cluster
	if c == nil {
		return nil
	}
	if s.opts.Name == "" {
		return errors.New("a server of a cluster needs a name")
	}
	out.Cluster = server.ClusterOpts{Name: c.Name, Host: c.Host, Port: c.Port, Username: c.User, Password: c.Password, TLSConfig: c.TLS, TLSTimeout: 5, PoolSize: -1}
	if c.Port == 0 {
		out.Cluster.Port = server.RANDOM_PORT
	}
	for _, r := range c.Routes {
		u, err := url.Parse(r)
		if err != nil {
			return errors.New("route of the cluster: not a URL") // it may hold a password
		}
		out.Routes = append(out.Routes, u)
	}
	return nil
}

// URL is where clients connect.
func (s *Server) URL() string {
	scheme := "nats://"
	if s.opts.TLS != nil {
		scheme = "tls://"
	}
	return scheme + s.ns.Addr().String()
}

// ClusterAddr is where other servers of a cluster connect, as host:port.
func (s *Server) ClusterAddr() string { return s.ns.ClusterAddr().String() }

// Connections is how many there are.
func (s *Server) Connections() int { return s.ns.NumClients() }

// Close ends all connections and closes the streams.
func (s *Server) Close() {
	if s.history != nil {
		s.history.close()
	}
	s.stop()
}

func (s *Server) stop() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// own are the options of a connection of this process.
func (s *Server) own() []nats.Option {
	return []nats.Option{nats.InProcessServer(s.ns), nats.UserInfo(ownUser, s.secret)}
}

// natsLog is the server's log. What it says about connections is for debugging; its errors
// are warnings here, since nothing of this process depends on it.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) {
	l.log.Debug("feed server: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Warnf(format string, v ...any) {
	l.log.Debug("feed server: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Errorf(format string, v ...any) {
	l.log.Warn("feed server: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Fatalf(format string, v ...any) {
	l.log.Error("feed server: " + fmt.Sprintf(format, v...))
}
func (l natsLog) Debugf(string, ...any) {}
func (l natsLog) Tracef(string, ...any) {}
