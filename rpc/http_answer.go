package rpc

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// manner is how an answer is framed, apart from its body.
type manner struct {
	status    int // 0: 200
	close     bool
	keepAlive bool   // the client has to be told that the connection stays
	origin    string // of the browser's page that asks
	allow     bool   // name the methods of HTTP that are served
	raw       []byte // the body, instead of that of a message
	kind      string // its type; empty: JSON
	noBody    bool   // as HEAD wants it
	noStore   bool
	wsVersion bool // name the version of WebSocket that is served
}

// manner is how the present request wants its answer.
func (c *httpConn) manner() manner {
	h := &c.head
	if c.size == 0 {
		return manner{}
	}
	m := manner{close: h.closes() || c.s.stopping.Load(), keepAlive: h.minor == 0 && h.keepAlive}
	if h.origin != nil {
		m.origin = string(h.origin)
	}
	return m
}

// snapshotPath is below what Options.Snapshots answers.
var snapshotPath = []byte("/snapshot/")

// request serves a whole request.
func (c *httpConn) request(body []byte) *ending {
	h := &c.head
	m := c.manner()
	end := func() *ending {
		if m.close {
			return &ending{}
		}
		return nil
	}
	refused := func(bad *refusal) *ending {
		m.status, m.close = bad.status, m.close || bad.status == http.StatusForbidden
		c.answer(&exchange{manner: m, msg: &message{fail: bad.err}})
		return end()
	}
	if bad := c.s.admit(h); bad != nil {
		return refused(bad)
	}
	if h.webSocket && h.upgrade && string(h.method) == "GET" {
		return c.upgrade()
	}
	switch string(h.method) {
	case "POST":
		return c.post(m, body, refused)
	case "GET", "HEAD":
		if c.s.opts.Snapshots != nil && bytes.HasPrefix(h.path, snapshotPath) {
			if _, bad := c.s.identify(h, c.link); bad != nil {
				return refused(bad)
			}
			if m.noBody = string(h.method) == "HEAD"; m.noBody { // costs as much, and nobody reads it
				return refused(refuse(405, "HTTP method not allowed: use GET"))
			}
			m.status, m.kind, m.raw = c.s.opts.Snapshots(c.ctx, string(h.path))
			c.answer(&exchange{manner: m})
			return end()
		}
		c.s.health(&m, string(h.path), string(h.method) == "HEAD")
		c.answer(&exchange{manner: m})
	case "OPTIONS":
		m.status = http.StatusNoContent
		c.answer(&exchange{manner: m})
	default:
		m.allow = true
		return refused(refuse(405, "HTTP method not allowed: use POST"))
	}
	return end()
}

// post serves a JSON-RPC message.
func (c *httpConn) post(m manner, body []byte, refused func(*refusal) *ending) *ending {
	h := &c.head
	if h.encoded {
		return refused(refuse(415, "Content-Encoding is not served: send the body as it is"))
	}
	if !c.s.anyOrigin() && !bytes.HasPrefix(h.contentType, []byte("application/json")) {
		// A page of another origin can send other types without asking first.
		return refused(refuse(415, "invalid content type, only application/json is supported"))
	}
	type whole struct { // one allocation
		x exchange
		c call
		m message
		l limitedContext
	}
	who, bad := c.s.identify(h, c.link)
	if bad != nil {
		return refused(bad)
	}
	w := &whole{x: exchange{manner: m}, c: call{ctx: c.ctx, caller: who.name, asker: who.asker, admin: who.admin, why: who.why}}
	x := &w.x
	x.call, x.msg, w.c.limit = &w.c, &w.m, &w.l
	c.s.parse(x.msg, body)
	switch {
	case !c.s.charge(&who, x.msg):
		x.manner.status = http.StatusTooManyRequests
	case !x.msg.batch && !who.admin && x.msg.fail == nil && x.msg.reqs[0].admin():
		x.manner.status = http.StatusUnauthorized
	}
	switch {
	case c.s.lead(x.call, x.msg, &c.group) > 0:
		x.own(body)
		c.wait = append(c.wait, x)
		if len(c.wait) >= c.s.opts.MaxInFlight {
			c.handOver()
		}
	case x.msg.waits():
		x.own(body)
		c.later(x)
	default:
		if c.turn() {
			c.answer(x)
		} else {
			x.own(body)
			c.later(x)
		}
	}
	if m.close {
		return &ending{}
	}
	return nil
}

// turn reports whether everything before the present request is answered, after
// handing over what was collected.
func (c *httpConn) turn() bool {
	c.handOver()
	return c.quiet()
}

// own makes the exchange independent of the input buffer.
func (x *exchange) own(body []byte) {
	x.msg.own(body)
	x.bytes = int64(len(body))
}

// render appends the whole answer of x.
func (s *Server) render(out []byte, x *exchange) []byte {
	m := &x.manner
	start := len(out)
	status := m.status
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusOK {
		out = append(out, "HTTP/1.1 200 OK\r\n"...)
	} else {
		out = append(out, "HTTP/1.1 "...)
		out = strconv.AppendInt(out, int64(status), 10)
		out = append(out, ' ')
		out = append(out, http.StatusText(status)...)
		out = append(out, "\r\n"...)
	}
	if status != http.StatusNoContent {
		out = append(out, "Content-Type: "...)
		if m.kind != "" {
			out = append(append(out, m.kind...), "\r\n"...)
		} else {
			out = append(out, "application/json\r\n"...)
		}
	}
	out = s.appendManner(out, m)
	if status == http.StatusNoContent {
		return append(out, "\r\n"...)
	}
	out = append(out, "Content-Length: 000\r\n\r\n"...)
	body := len(out)
	switch {
	case x.msg == nil:
		out = append(out, m.raw...)
	case x.call == nil:
		out = appendError(out, nil, x.msg.fail)
	default:
		out = s.appendAnswer(out, x.call, x.msg)
		if len(out) == body { // notifications only
			m.status = http.StatusNoContent
			return s.render(out[:start], &exchange{manner: *m})
		}
	}
	return putLength(out, body, m.noBody)
}

// putLength writes the length of the body into the three places left for it, or makes
// room when it has more digits.
func putLength(out []byte, body int, noBody bool) []byte {
	n := len(out) - body
	const tail = len("000\r\n\r\n")
	var digits [20]byte
	num := strconv.AppendInt(digits[:0], int64(n), 10)
	if more := len(num) - 3; more != 0 {
		if more > 0 {
			out = append(out, num[:more]...) // room; overwritten
		}
		copy(out[body+more:], out[body:body+n])
		out = out[:body+more+n]
		body += more
		copy(out[body-4:], "\r\n\r\n")
		copy(out[body-4-len(num):], num)
	} else {
		copy(out[body-tail:], num)
	}
	if noBody {
		return out[:body]
	}
	return out
}

// appendManner appends the fields that depend on the request.
func (s *Server) appendManner(out []byte, m *manner) []byte {
	out = s.appendDate(out)
	switch {
	case m.close:
		out = append(out, "Connection: close\r\n"...)
	case m.keepAlive:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	if m.allow {
		out = append(out, "Allow: GET, HEAD, OPTIONS, POST\r\n"...)
	}
	if m.wsVersion {
		out = append(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"...)
	}
	if m.noStore {
		out = append(out, "Cache-Control: no-store\r\n"...)
	}
	if m.status == http.StatusTooManyRequests || m.status == http.StatusServiceUnavailable {
		out = append(out, "Retry-After: 1\r\n"...)
	}
	if m.status == http.StatusUnauthorized {
		out = append(out, "WWW-Authenticate: Bearer\r\n"...)
	}
	if m.origin == "" {
		return out
	}
	if s.anyOrigin() {
		out = append(out, "Access-Control-Allow-Origin: *\r\n"...)
	} else {
		out = append(append(append(out, "Vary: Origin\r\nAccess-Control-Allow-Origin: "...), m.origin...), "\r\n"...)
	}
	return append(out, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\nAccess-Control-Allow-Headers: *, Authorization, Content-Type, X-Api-Key\r\nAccess-Control-Max-Age: 600\r\n"...)
}

// date is the field Date of one second.
type date struct {
	second int64
	field  []byte
}

// setDate makes the field Date, which the janitor does now and then.
func (s *Server) setDate() {
	now := time.Now()
	if d := s.date.Load(); d == nil || d.second != now.Unix() {
		s.date.Store(&date{now.Unix(), []byte("Date: " + now.UTC().Format(http.TimeFormat) + "\r\n")})
	}
}

func (s *Server) appendDate(out []byte) []byte { return append(out, s.date.Load().field...) }

// admit checks the head's host and origin.
func (s *Server) admit(h *head) *refusal {
	if !s.hostAllowed(h.host) {
		return refuse(403, "Host %q is not served here: add it to the allowed hosts", clip(string(h.host)))
	}
	if len(h.origin) > 0 && !s.originAllowed(string(h.origin), string(h.host)) {
		return refuse(403, "origin %q is not allowed: add it to the allowed origins", clip(string(h.origin)))
	}
	return nil
}

func (s *Server) anyOrigin() bool { return slices.Contains(s.opts.Origins, "*") }

// originAllowed lets listed origins and the server's own pages in.
func (s *Server) originAllowed(origin, host string) bool {
	if s.anyOrigin() || slices.ContainsFunc(s.opts.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host) && s.isOwn(host)
}

// isOwn reports whether nobody else can have given the host its name: a page of a name
// that was made to resolve to this machine (DNS rebinding) has our address as its own
// origin. Names in Hosts were checked before.
func (s *Server) isOwn(host string) bool {
	name := hostName(host)
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return len(s.opts.Hosts) > 0 || err == nil || strings.EqualFold(name, "localhost")
}

// hostName is a Host without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func (s *Server) hostAllowed(raw []byte) bool {
	if len(s.opts.Hosts) == 0 {
		return true
	}
	host := hostName(string(raw))
	return slices.ContainsFunc(s.opts.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

func (s *Server) bodyTooLarge() *refusal {
	return &refusal{413, Errorf(CodeLimit, "request body is larger than %d bytes: send less at once", s.opts.MaxBodyBytes)}
}

// plainEnd reports whether a head ends in plain line feeds.
func plainEnd(b []byte) bool {
	return bytes.Contains(b, []byte("\n\n")) || bytes.Contains(b, []byte("\n\r\n")) || len(b) > 0 && b[0] == '\n'
}

// health answers GET: / and /health while the process serves, /ready when the node is
// fit for requests.
func (s *Server) health(m *manner, path string, headOnly bool) {
	m.noBody = headOnly
	var notReady error
	switch path {
	case "/", "/health":
	case "/ready":
		notReady = s.backend.Ready()
	default:
		m.status, m.kind, m.raw = http.StatusNotFound, "text/plain; charset=utf-8", []byte("404 page not found\n")
		return
	}
	out := newWriter(256)
	out.open('{')
	out.key("client").text(s.opts.ClientVersion)
	out.key("chainId").raw(u64(s.backend.Config().ChainID))
	out.key("block").raw(u64(s.backend.Head().Number.Uint64()))
	if s.opts.Trailing != nil {
		now := s.opts.Trailing()
		out.key("trailing").open('{')
		out.key("seconds").raw(strconv.FormatFloat(now.Age.Seconds(), 'f', 3, 64))
		out.key("blocks").raw(u64(now.Blocks))
		out.shut('}')
	}
	if notReady != nil {
		out.key("status").str("not ready")
		out.key("reason").text(notReady.Error())
		m.status = http.StatusServiceUnavailable
	} else {
		out.key("status").str("ok")
	}
	out.shut('}')
	m.raw, m.noStore = append(out.b, '\n'), true
}
