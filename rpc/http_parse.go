package rpc

import (
	"bytes"
)

// Bounds of a request's head.
const (
	maxHeadBytes  = 32 << 10
	maxHeadFields = 100
)

// refusal is an answer without a request behind it: a status of HTTP and the error in
// the body.
type refusal struct {
	status int
	err    *Error
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status, Errorf(CodeInvalidRequest, format, args...)}
}

// head is the head of an HTTP request, RFC 9112. Its slices are part of the input and
// nil when the field is not there.
type head struct {
	method  []byte
	path    []byte // without the query
	minor   byte   // of the version: HTTP/1.minor
	length  int64  // Content-Length; -1: not given
	chunked bool

	host, origin, contentType []byte
	auth, apiKey              []byte
	wsKey, wsVersion          []byte
	wsExtensions              []byte

	close, keepAlive, upgrade bool // options of Connection
	webSocket                 bool // Upgrade names it
	expect                    bool // 100-continue
	encoded                   bool // Content-Encoding is not identity
	seen                      uint8
}

// Fields that may come once.
const (
	seenHost = 1 << iota
	seenLength
	seenEncoding
	seenAuth
	seenKey
	seenOrigin
)

// once marks a field and reports whether it had come already.
func (h *head) once(bit uint8) bool {
	again := h.seen&bit != 0
	h.seen |= bit
	return again
}

// headEnd returns the length of the head that buf starts with, 0 while its end has
// not come. Bytes before from were searched already.
func headEnd(buf []byte, from int) int {
	from = max(0, from-3)
	if i := bytes.Index(buf[from:], crlf2); i >= 0 {
		return from + i + len(crlf2)
	}
	return 0
}

var crlf2 = []byte("\r\n\r\n")

// tokenBytes are the characters of methods and field names, RFC 9110 section 5.6.2.
var tokenBytes = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-32] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

// parseHead reads a head that ends with an empty line. What could be understood in two
// ways is refused: behind a proxy that understands it in the other way a request could
// be smuggled in.
func parseHead(buf []byte, h *head) *refusal {
	*h = head{length: -1}
	line, rest := cutLine(buf)
	if bad := h.requestLine(line); bad != nil {
		return bad
	}
	for fields := 0; ; fields++ {
		if line, rest = cutLine(rest); len(line) == 0 {
			break
		}
		if fields == maxHeadFields {
			return &refusal{431, Errorf(CodeLimit, "request has more than %d header fields, which is the limit", maxHeadFields)}
		}
		if bad := h.field(line); bad != nil {
			return bad
		}
	}
	return h.check()
}

// cutLine splits the first line off. A line that ends without a carriage return keeps
// its line feed, which no check lets pass.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	if i > 0 && b[i-1] == '\r' {
		return b[:i-1], b[i+1:]
	}
	return b[:i+1], b[i+1:]
}

var errRequestLine = refuse(400, "malformed HTTP request line: want METHOD /path HTTP/1.1")

func (h *head) requestLine(line []byte) *refusal {
	sp := bytes.IndexByte(line, ' ')
	if sp < 0 {
		return errRequestLine
	}
	h.method = line[:sp]
	target := line[sp+1:]
	sp = bytes.IndexByte(target, ' ')
	if sp < 0 || !isToken(h.method) {
		return errRequestLine
	}
	version := target[sp+1:]
	target = target[:sp]
	if len(version) != 8 || string(version[:5]) != "HTTP/" || !isDigit(version[5]) || version[6] != '.' || !isDigit(version[7]) {
		return errRequestLine
	}
	if h.minor = version[7] - '0'; version[5] != '1' || h.minor > 1 {
		return refuse(505, "HTTP version is not served: use HTTP/1.1")
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return errRequestLine
		}
	}
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	switch {
	case len(target) > 0 && target[0] == '/':
	case string(target) == "*" && string(h.method) == "OPTIONS":
	case bytes.HasPrefix(target, []byte("http://")), bytes.HasPrefix(target, []byte("https://")):
		target = target[bytes.IndexByte(target, ':')+3:]
		if i := bytes.IndexByte(target, '/'); i >= 0 {
			target = target[i:]
		} else {
			target = []byte("/")
		}
	default:
		return errRequestLine
	}
	h.path = target
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

var (
	errField  = refuse(400, "malformed HTTP header field")
	errLength = refuse(400, "malformed Content-Length: want one decimal number")
	errTwice  = refuse(400, "HTTP header field that may come once came twice")
)

// field reads one line of the header.
func (h *head) field(line []byte) *refusal {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !isToken(line[:colon]) { // also a line that goes on from the last
		return errField
	}
	name, value := line[:colon], trimBlank(line[colon+1:])
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return errField
		}
	}
	switch len(name) {
	case 4:
		if isName(name, "host") {
			if h.host = value; h.once(seenHost) {
				return errTwice
			}
		}
	case 6:
		switch {
		case isName(name, "origin"):
			if h.origin = value; h.once(seenOrigin) {
				return errTwice
			}
		case isName(name, "expect"):
			if !isName(value, "100-continue") {
				return refuse(417, "unknown expectation: only 100-continue is met")
			}
			h.expect = true
		}
	case 7:
		if isName(name, "upgrade") {
			listed(value, func(o []byte) { h.webSocket = h.webSocket || isName(o, "websocket") })
		}
	case 9:
		if isName(name, "x-api-key") {
			if h.apiKey = value; h.once(seenKey) {
				return errTwice
			}
		}
	case 10:
		if isName(name, "connection") {
			listed(value, func(o []byte) {
				h.close = h.close || isName(o, "close")
				h.keepAlive = h.keepAlive || isName(o, "keep-alive")
				h.upgrade = h.upgrade || isName(o, "upgrade")
			})
		}
	case 12:
		if isName(name, "content-type") {
			h.contentType = value
		}
	case 13:
		if isName(name, "authorization") {
			if h.auth = value; h.once(seenAuth) {
				return errTwice
			}
		}
	case 14:
		if isName(name, "content-length") {
			return h.setLength(value)
		}
	case 16:
		if isName(name, "content-encoding") {
			h.encoded = len(value) > 0 && !isName(value, "identity")
		}
	case 17:
		switch {
		case isName(name, "transfer-encoding"):
			if h.once(seenEncoding) {
				return errTwice
			}
			if !isName(value, "chunked") {
				return refuse(501, "transfer encoding is not served: send the body plain or chunked")
			}
			h.chunked = true
		case isName(name, "sec-websocket-key"):
			h.wsKey = value
		}
	case 21:
		if isName(name, "sec-websocket-version") {
			h.wsVersion = value
		}
	case 24:
		if isName(name, "sec-websocket-extensions") {
			h.wsExtensions = value
		}
	}
	return nil
}

func (h *head) setLength(value []byte) *refusal {
	if h.once(seenLength) || len(value) == 0 || len(value) > 18 {
		return errLength
	}
	h.length = 0
	for _, c := range value {
		if !isDigit(c) {
			return errLength
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return nil
}

// check is what several fields have to agree on.
func (h *head) check() *refusal {
	switch {
	case h.chunked && h.length >= 0:
		return refuse(400, "request has both Content-Length and Transfer-Encoding: send one")
	case h.chunked && h.minor == 0:
		return refuse(400, "HTTP/1.0 has no Transfer-Encoding: send a Content-Length")
	case h.minor > 0 && h.seen&seenHost == 0:
		return refuse(400, "request has no Host")
	case bytes.ContainsAny(h.host, " \t,/@"):
		return refuse(400, "malformed Host")
	}
	return nil
}

// closes reports whether the connection ends with the answer.
func (h *head) closes() bool { return h.close || h.minor == 0 && !h.keepAlive }

// isName reports whether b is the name, which is in small letters.
func isName(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// trimBlank removes optional white space around a value.
func trimBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// listed visits the members of a comma-separated list.
func listed(value []byte, visit func(member []byte)) {
	for len(value) > 0 {
		member := value
		if i := bytes.IndexByte(value, ','); i >= 0 {
			member, value = value[:i], value[i+1:]
		} else {
			value = nil
		}
		visit(trimBlank(member))
	}
}

// chunks decodes a chunked body, RFC 9112 section 7.1, as it comes.
type chunks struct {
	state chunkState
	left  int64 // bytes of the present chunk
	digit int   // of its size so far
	extra int   // bytes of extensions and trailers so far
	line  int   // bytes of the present trailer line
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeEnd // line feed after the size
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkTrailerLF
	chunkDone
)

// maxChunkExtra bounds what chunks carry besides the body.
const maxChunkExtra = 4 << 10

var errChunk = refuse(400, "malformed chunked body")

// decode takes what it can from in, appends the body to out, and says how many bytes
// it took. It ends in chunkDone.
func (d *chunks) decode(in, out []byte, limit int64) (body []byte, n int, bad *refusal) {
	for n < len(in) && d.state != chunkDone {
		c := in[n]
		if d.state == chunkData {
			take := int(min(d.left, int64(len(in)-n)))
			out = append(out, in[n:n+take]...)
			n += take
			if d.left -= int64(take); d.left == 0 {
				d.state = chunkDataCR
			}
			continue
		}
		n++
		ok := true
		switch d.state {
		case chunkSize:
			ok = d.size(c)
			if int64(len(out))+d.left > limit {
				return out, n, &refusal{413, nil}
			}
		case chunkExtension:
			if d.extra++; c == '\r' {
				d.state = chunkSizeEnd
			} else {
				ok = c >= ' ' || c == '\t'
			}
		case chunkSizeEnd:
			if ok = c == '\n'; d.left > 0 {
				d.state = chunkData
			} else {
				d.state, d.line = chunkTrailer, 0
			}
		case chunkDataCR:
			ok, d.state = c == '\r', chunkDataLF
		case chunkDataLF:
			ok, d.state, d.digit = c == '\n', chunkSize, 0
		case chunkTrailer: // read over: nothing here looks at trailers
			d.extra++
			if c == '\r' {
				d.state = chunkTrailerLF
			} else {
				ok = c >= ' ' || c == '\t'
				d.line++
			}
		case chunkTrailerLF:
			ok, d.state = c == '\n', chunkTrailer
			if d.line == 0 {
				d.state = chunkDone
			}
			d.line = 0
		}
		if !ok || d.extra > maxChunkExtra {
			return out, n, errChunk
		}
	}
	return out, n, nil
}

// size reads one character of a chunk's size line.
func (d *chunks) size(c byte) bool {
	if v := nibble(c); v <= 0xf {
		if d.digit == 0 {
			d.left = 0
		}
		d.digit++
		d.left = d.left<<4 | int64(v)
		return d.digit <= 8
	}
	switch {
	case d.digit == 0:
		return false
	case c == '\r':
		d.state = chunkSizeEnd
	case c == ';':
		d.state = chunkExtension
	default:
		return false
	}
	return true
}
