package rpc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"
)

var errBadJSON = errors.New("parse error")

// checkJSON reports whether data is one JSON value of valid UTF-8, nested at most
// maxDepth deep. The scanners below need no more checks on data that passed.
func checkJSON(data []byte, maxDepth int) error {
	v := validator{data: data, maxDepth: maxDepth}
	i := v.value(skipSpace(data, 0), 1)
	if i >= 0 && skipSpace(data, i) != len(data) {
		i = -1
	}
	switch {
	case v.tooDeep:
		return Errorf(CodeLimit, "JSON is nested deeper than %d levels: flatten the request", maxDepth)
	case i < 0, v.wide && !utf8.Valid(data):
		return errBadJSON
	}
	return nil
}

// validator walks over JSON once. Its methods take the index where something begins
// and return the index after it, -1 where it is malformed.
type validator struct {
	data     []byte
	maxDepth int
	tooDeep  bool
	wide     bool // a string has bytes beyond ASCII
}

// value is any value; depth counts the objects and arrays around and including it.
func (v *validator) value(i, depth int) int {
	if i >= len(v.data) {
		return -1
	}
	switch c := v.data[i]; c {
	case '"':
		return v.str(i)
	case '{', '[':
		if depth > v.maxDepth {
			v.tooDeep = true
			return -1
		}
		if c == '{' {
			return v.object(i, depth)
		}
		return v.array(i, depth)
	case 't':
		return v.word(i, jsonTrue)
	case 'f':
		return v.word(i, jsonFalse)
	case 'n':
		return v.word(i, jsonNull)
	}
	return v.number(i)
}

func (v *validator) word(i int, word string) int {
	if end := i + len(word); end <= len(v.data) && string(v.data[i:end]) == word {
		return end
	}
	return -1
}

func (v *validator) object(i, depth int) int {
	d := v.data
	if i = skipSpace(d, i+1); i < len(d) && d[i] == '}' {
		return i + 1
	}
	for i < len(d) && d[i] == '"' {
		if i = v.str(i); i < 0 {
			return -1
		}
		if i = skipSpace(d, i); i >= len(d) || d[i] != ':' {
			return -1
		}
		if i = v.value(skipSpace(d, i+1), depth+1); i < 0 {
			return -1
		}
		if i = skipSpace(d, i); i >= len(d) {
			return -1
		}
		if d[i] == '}' {
			return i + 1
		}
		if d[i] != ',' {
			return -1
		}
		i = skipSpace(d, i+1)
	}
	return -1
}

func (v *validator) array(i, depth int) int {
	d := v.data
	if i = skipSpace(d, i+1); i < len(d) && d[i] == ']' {
		return i + 1
	}
	for {
		if i = v.value(i, depth+1); i < 0 {
			return -1
		}
		if i = skipSpace(d, i); i >= len(d) {
			return -1
		}
		if d[i] == ']' {
			return i + 1
		}
		if d[i] != ',' {
			return -1
		}
		i = skipSpace(d, i+1)
	}
}

// str is a string. Eight bytes at a time are passed over while none of them is a
// quote, a backslash, a control character or beyond ASCII.
func (v *validator) str(i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	d := v.data
	for i++; ; {
		for i+8 <= len(d) {
			x := binary.LittleEndian.Uint64(d[i:])
			quote, slash := x^(ones*'"'), x^(ones*'\\')
			if (x|(x-ones*' ')|((quote-ones)&^quote)|((slash-ones)&^slash))&tops != 0 {
				break
			}
			i += 8
		}
		if i >= len(d) {
			return -1
		}
		switch c := d[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = v.escape(i + 1); i < 0 {
				return -1
			}
		case c >= utf8.RuneSelf:
			v.wide = true
			i++
		default:
			i++
		}
	}
}

// escape is what follows a backslash.
func (v *validator) escape(i int) int {
	d := v.data
	if i >= len(d) {
		return -1
	}
	switch d[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 > len(d) {
			return -1
		}
		for _, c := range d[i+1 : i+5] {
			if nibble(c) > 0xf {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

func (v *validator) number(i int) int {
	d := v.data
	if d[i] == '-' {
		i++
	}
	switch {
	case i < len(d) && d[i] == '0':
		i++
	case i < len(d) && isDigit(d[i]):
		i = v.digits(i)
	default:
		return -1
	}
	if i < len(d) && d[i] == '.' {
		if i = v.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		if i++; i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		return v.digits(i)
	}
	return i
}

// digits are one or more decimal digits.
func (v *validator) digits(i int) int {
	first := i
	for i < len(v.data) && isDigit(v.data[i]) {
		i++
	}
	if i == first {
		return -1
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// trimSpace returns valid JSON without the space around it.
func trimSpace(data []byte) []byte {
	for len(data) > 0 && isSpace(data[0]) {
		data = data[1:]
	}
	for len(data) > 0 && isSpace(data[len(data)-1]) {
		data = data[:len(data)-1]
	}
	return data
}

// skipSpace returns the index of the next byte of data, from i, that is no space.
func skipSpace(data []byte, i int) int {
	for i < len(data) && isSpace(data[i]) {
		i++
	}
	return i
}

// stringEnd returns the index after the string whose first character stands at i.
func stringEnd(data []byte, i int) int {
	for {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return len(data)
		}
		k := i + n // is the quote escaped?
		for k > i && data[k-1] == '\\' {
			k--
		}
		if i += n + 1; (i-1-k)%2 == 0 {
			return i
		}
	}
}

// valueEnd returns the index after the JSON value that starts at i.
func valueEnd(data []byte, i int) int {
	depth := 0
	for ; i < len(data); i++ {
		switch data[i] {
		case '"':
			if i = stringEnd(data, i+1); depth == 0 {
				return i
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // end of what holds a number or word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// elements calls visit for each element of the valid JSON array data until visit
// returns false.
func elements(data []byte, visit func(elem []byte) bool) {
	for i := skipSpace(data, 1); i < len(data) && data[i] != ']'; {
		end := valueEnd(data, i)
		if !visit(data[i:end]) {
			return
		}
		if i = skipSpace(data, end); i < len(data) && data[i] == ',' {
			i = skipSpace(data, i+1)
		}
	}
}

// members calls visit for each member of the valid JSON object data.
func members(data []byte, visit func(key string, value []byte)) {
	memberBytes(data, func(quoted, value []byte) { visit(unquote(quoted), value) })
}

// memberBytes is members with the keys as they are written.
func memberBytes(data []byte, visit func(quoted, value []byte)) {
	for i := skipSpace(data, 1); i < len(data) && data[i] != '}'; {
		end := valueEnd(data, i)
		key := data[i:end]
		i = skipSpace(data, skipSpace(data, end)+1)
		end = valueEnd(data, i)
		visit(key, data[i:end])
		if i = skipSpace(data, end); i < len(data) && data[i] == ',' {
			i = skipSpace(data, i+1)
		}
	}
}

// unquote returns what the valid JSON string stands for.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			if json.Unmarshal(quoted, &s) != nil {
				return ""
			}
			return s
		}
	}
	return string(inner)
}

// request is one JSON-RPC message from a client. Its slices are part of the body.
type request struct {
	id     []byte // nil: a notification
	method []byte
	params []byte  // nil or a JSON value
	entry  *method // nil: there is none of that name
	bad    *Error  // the message is no valid request
}

// admin reports whether the request is for the operator only.
func (r *request) admin() bool { return r.entry != nil && r.entry.admin }

// parseMessage splits a body into its requests, which it appends to reqs. The error
// is for a body that is no message at all.
func parseMessage(reqs []request, body []byte, o *Options) (_ []request, batch bool, fail *Error) {
	if err := checkJSON(body, o.MaxJSONDepth); err != nil {
		var limit *Error
		if errors.As(err, &limit) {
			return nil, false, limit
		}
		return nil, false, Errorf(CodeParse, "parse error")
	}
	body = trimSpace(body)
	if body[0] != '[' {
		return append(reqs, parseRequest(body)), false, nil
	}
	elements(body, func(elem []byte) bool {
		if len(reqs) == o.MaxBatchItems {
			fail = Errorf(CodeLimit, "batch has more than %d items: split it", o.MaxBatchItems)
			return false
		}
		if len(reqs) == 1 && len(elem) > 0 { // the others may be alike
			reqs = slices.Grow(reqs, min(o.MaxBatchItems, len(body)/len(elem)))
		}
		reqs = append(reqs, parseRequest(elem))
		return true
	})
	if fail == nil && len(reqs) == 0 {
		fail = Errorf(CodeInvalidRequest, "empty batch")
	}
	return reqs, true, fail
}

// parseRequest reads one request from valid JSON.
func parseRequest(data []byte) request {
	var r request
	if data[0] != '{' {
		r.bad = Errorf(CodeInvalidRequest, "invalid request: want an object")
		return r
	}
	version, badID := false, false
	memberBytes(data, func(key, value []byte) {
		if bytes.IndexByte(key, '\\') >= 0 {
			key = strconv.AppendQuote(nil, unquote(key))
		}
		switch string(key) {
		case `"jsonrpc"`:
			version = string(value) == `"2.0"` || value[0] == '"' && unquote(value) == "2.0"
		case `"id"`:
			if c := value[0]; c == '{' || c == '[' || c == 't' || c == 'f' {
				badID = true
				return
			}
			r.id = value
		case `"method"`:
			switch {
			case value[0] != '"':
			case bytes.IndexByte(value, '\\') >= 0:
				r.method = []byte(unquote(value))
			default:
				r.method = value[1 : len(value)-1]
			}
		case `"params"`:
			r.params = value
		}
	})
	switch {
	case badID:
		r.id = nil
		r.bad = Errorf(CodeInvalidRequest, "invalid request: id must be a string or a number")
	case !version:
		r.bad = Errorf(CodeInvalidRequest, `invalid request: jsonrpc must be "2.0"`)
	case len(r.method) == 0:
		r.bad = Errorf(CodeInvalidRequest, "invalid request: method must be a non-empty string")
	case len(r.method) > maxMethodLen:
		r.bad = Errorf(CodeInvalidRequest, "invalid request: method is longer than %d bytes", maxMethodLen)
	}
	return r
}

const maxMethodLen = 128

// splitParams appends the positional parameters to out.
func splitParams(out [][]byte, params []byte) ([][]byte, error) {
	if len(params) == 0 || params[0] == 'n' {
		return out, nil
	}
	if params[0] != '[' {
		return nil, Errorf(CodeInvalidParams, "non-array args")
	}
	elements(params, func(elem []byte) bool {
		out = append(out, elem)
		return len(out) <= maxParams
	})
	if len(out) > maxParams {
		return nil, Errorf(CodeInvalidParams, "too many arguments, want at most %d", maxParams)
	}
	return out, nil
}

// maxParams is more than any method takes.
const maxParams = 8
