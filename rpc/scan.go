package rpc

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var errBadJSON = errors.New("parse error")

// checkJSON reports whether data is one JSON value of valid UTF-8, nested at most
// maxDepth deep. The scanners below need no more checks on data that passed.
func checkJSON(data []byte, maxDepth int) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return Errorf(CodeLimit, "JSON is nested deeper than %d levels: flatten the request", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if !utf8.Valid(data) || !json.Valid(data) {
		return errBadJSON
	}
	return nil
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

// valueEnd returns the index after the JSON value that starts at i.
func valueEnd(data []byte, i int) int {
	depth := 0
	for ; i < len(data); i++ {
		switch data[i] {
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
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
	for i := skipSpace(data, 1); i < len(data) && data[i] != '}'; {
		end := valueEnd(data, i)
		key := unquote(data[i:end])
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
	method string
	params []byte  // nil or a JSON value
	entry  *method // nil: there is none of that name
	bad    *Error  // the message is no valid request
}

// parseMessage splits a body into its requests. The error is for a body that is no
// message at all.
func parseMessage(body []byte, o *Options) (reqs []request, batch bool, fail *Error) {
	if err := checkJSON(body, o.MaxJSONDepth); err != nil {
		var limit *Error
		if errors.As(err, &limit) {
			return nil, false, limit
		}
		return nil, false, Errorf(CodeParse, "parse error")
	}
	body = trimSpace(body)
	if body[0] != '[' {
		return []request{parseRequest(body)}, false, nil
	}
	elements(body, func(elem []byte) bool {
		if len(reqs) == o.MaxBatchItems {
			fail = Errorf(CodeLimit, "batch has more than %d items: split it", o.MaxBatchItems)
			return false
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
	members(data, func(key string, value []byte) {
		switch key {
		case "jsonrpc":
			version = value[0] == '"' && unquote(value) == "2.0"
		case "id":
			if c := value[0]; c == '{' || c == '[' || c == 't' || c == 'f' {
				badID = true
				return
			}
			r.id = value
		case "method":
			if value[0] == '"' {
				r.method = unquote(value)
			}
		case "params":
			r.params = value
		}
	})
	switch {
	case badID:
		r.id = nil
		r.bad = Errorf(CodeInvalidRequest, "invalid request: id must be a string or a number")
	case !version:
		r.bad = Errorf(CodeInvalidRequest, `invalid request: jsonrpc must be "2.0"`)
	case r.method == "":
		r.bad = Errorf(CodeInvalidRequest, "invalid request: method must be a non-empty string")
	case len(r.method) > maxMethodLen:
		r.bad = Errorf(CodeInvalidRequest, "invalid request: method is longer than %d bytes", maxMethodLen)
	}
	return r
}

const maxMethodLen = 128

// splitParams returns the positional parameters.
func splitParams(params []byte) ([][]byte, error) {
	if len(params) == 0 || params[0] == 'n' {
		return nil, nil
	}
	if params[0] != '[' {
		return nil, Errorf(CodeInvalidParams, "non-array args")
	}
	var out [][]byte
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
