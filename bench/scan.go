package bench

import (
	"encoding/json"
	"errors"
	"fmt"
)

// reply is one JSON-RPC response; the slices point into the scanned text.
type reply struct {
	id     int
	hasID  bool
	result []byte // JSON; nil with an error
	err    []byte // JSON
}

// rpcFault is the error of a response.
type rpcFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// fault decodes the reply's error.
func (r *reply) fault() rpcFault {
	var f rpcFault
	if err := json.Unmarshal(r.err, &f); err != nil {
		f.Message = "unreadable error: " + string(r.err)
	}
	return f
}

var errScan = errors.New("not a JSON-RPC response")

// scanReplies calls f for every response of a text: one object or an array of them.
// It looks at no more than it must: which member is where, and the id.
func scanReplies(text []byte, f func(reply)) error {
	s := scanner{text: text}
	s.space()
	if s.at >= len(text) {
		return fmt.Errorf("%w: empty", errScan)
	}
	if text[s.at] != '[' {
		return s.object(f)
	}
	s.at++
	for first := true; ; first = false {
		s.space()
		switch {
		case s.at >= len(text):
			return fmt.Errorf("%w: the array does not end", errScan)
		case text[s.at] == ']':
			return nil
		case !first && text[s.at] == ',':
			s.at++
			s.space()
		case !first:
			return fmt.Errorf("%w: no comma at byte %d", errScan, s.at)
		}
		if err := s.object(f); err != nil {
			return err
		}
	}
}

type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) && s.text[s.at] <= ' ' {
		s.at++
	}
}

// object reads one response.
func (s *scanner) object(f func(reply)) error {
	if s.at >= len(s.text) || s.text[s.at] != '{' {
		return fmt.Errorf("%w: no object at byte %d", errScan, s.at)
	}
	s.at++
	var r reply
	for {
		s.space()
		if s.at < len(s.text) && s.text[s.at] == ',' {
			s.at++
			s.space()
		}
		if s.at < len(s.text) && s.text[s.at] == '}' {
			s.at++
			if r.result == nil && r.err == nil {
				return fmt.Errorf("%w: neither result nor error", errScan)
			}
			f(r)
			return nil
		}
		name, err := s.value()
		if err != nil {
			return err
		}
		s.space()
		if s.at >= len(s.text) || s.text[s.at] != ':' {
			return fmt.Errorf("%w: no colon at byte %d", errScan, s.at)
		}
		s.at++
		s.space()
		value, err := s.value()
		if err != nil {
			return err
		}
		switch string(name) {
		case `"id"`:
			r.id, r.hasID = number(value)
		case `"result"`:
			r.result = value
		case `"error"`:
			if string(value) != "null" {
				r.err = value
			}
		}
	}
}

func number(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// value skips one JSON value and returns its text.
func (s *scanner) value() ([]byte, error) {
	start, depth := s.at, 0
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			if !s.quoted() {
				return nil, fmt.Errorf("%w: a string does not end", errScan)
			}
			if depth == 0 {
				return s.text[start:s.at], nil
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',', ':':
			if depth == 0 {
				if s.at == start {
					return nil, fmt.Errorf("%w: no value at byte %d", errScan, start)
				}
				return s.text[start:s.at], nil
			}
			if c == '}' || c == ']' {
				if depth--; depth == 0 {
					s.at++
					return s.text[start:s.at], nil
				}
			}
		case ' ', '\t', '\r', '\n':
			if depth == 0 {
				return s.text[start:s.at], nil
			}
		}
		s.at++
	}
	return nil, fmt.Errorf("%w: it does not end", errScan)
}

// quoted skips a string.
func (s *scanner) quoted() bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return true
		}
	}
	return false
}
