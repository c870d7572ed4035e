package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var errHTTP = errors.New("not an HTTP/1.1 answer")

// maxAnswerHead bounds the head of an answer, in bytes.
const maxAnswerHead = 64 << 10

// httpAnswer is one HTTP/1.1 answer at the beginning of a text.
type httpAnswer struct {
	status  int
	chunked bool
	body    []byte // points into the text, or into what was given for chunks
	size    int    // bytes of the text that it takes; 0: it has not come whole
	need    int    // of a size of 0: bytes there must be, as far as that is known
}

// parseAnswer reads the answer at the beginning of text. A body in chunks is put
// together in room, which is overwritten.
func parseAnswer(text, room []byte) (httpAnswer, error) {
	var a httpAnswer
	head := bytes.Index(text, []byte("\r\n\r\n"))
	if head < 0 {
		if len(text) > maxAnswerHead {
			return a, fmt.Errorf("%w: a head above %d bytes", errHTTP, maxAnswerHead)
		}
		return a, nil
	}
	line, rest, _ := bytes.Cut(text[:head+2], []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return a, errHTTP
	}
	status, ok := number(line[9:12])
	if !ok {
		return a, errHTTP
	}
	a.status = status
	length := -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch len(name) {
		case len("content-length"):
			if bytes.EqualFold(name, []byte("content-length")) {
				if length, ok = number(bytes.TrimSpace(value)); !ok || length > maxAnswer {
					return a, fmt.Errorf("%w: content length %q", errHTTP, value)
				}
			}
		case len("transfer-encoding"):
			if bytes.EqualFold(name, []byte("transfer-encoding")) {
				a.chunked = bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
			}
		}
	}
	at := head + 4
	if a.chunked {
		return parseChunks(a, text, at, room[:0])
	}
	if length < 0 {
		return a, fmt.Errorf("%w: neither a length nor chunks", errHTTP)
	}
	if len(text) < at+length {
		a.need = at + length
		return a, nil
	}
	a.body, a.size = text[at:at+length], at+length
	return a, nil
}

// parseChunks reads a chunked body from at on.
func parseChunks(a httpAnswer, text []byte, at int, body []byte) (httpAnswer, error) {
	for {
		end := bytes.Index(text[at:], []byte("\r\n"))
		if end < 0 {
			return a, nil
		}
		size, _, _ := bytes.Cut(text[at:at+end], []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil || len(body)+int(n) > maxAnswer {
			return a, fmt.Errorf("%w: chunk size %q", errHTTP, size)
		}
		at += end + 2
		if len(text) < at+int(n)+2 {
			return a, nil
		}
		body = append(body, text[at:at+int(n)]...)
		if at += int(n); text[at] != '\r' || text[at+1] != '\n' {
			return a, fmt.Errorf("%w: a chunk or its trailer does not end", errHTTP)
		}
		at += 2
		if n == 0 {
			a.body, a.size = body, at
			return a, nil
		}
	}
}
