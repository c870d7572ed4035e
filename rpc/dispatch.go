package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

// call is what handlers know of the message they serve.
type call struct {
	ctx  context.Context // ends with the request or its time limit
	conn *wsConn         // nil over HTTP
	subs []*subscription // made by the message; they start with its answer
}

// future is the answer to a send: settled when its submission is, or when the time
// is up.
type future struct {
	raw      []byte // to be handed over
	sub      *Submission
	err      error // refused before submission
	sync     bool  // answer with the receipt, else with the hash
	deadline time.Time
	millis   int64 // waiting time, for messages
}

// message is one body on its way through the server.
type message struct {
	reqs    []request
	batch   bool
	fail    *Error    // the whole message is refused
	futures []*future // of the sends started so far, by index
}

// begin parses a body and starts the sends that lead it, so that the caller can keep
// the order of sends between messages without waiting for their answers.
func (s *Server) begin(c *call, body []byte) *message {
	m := new(message)
	m.reqs, m.batch, m.fail = parseMessage(body, &s.opts)
	if m.fail == nil {
		m.futures = make([]*future, len(m.reqs))
		s.startSends(c, m, 0)
	}
	return m
}

// startSends hands the consecutive sends from request i on over, all at once.
func (s *Server) startSends(c *call, m *message, i int) {
	var sends []Send
	first := i
	for ; i < len(m.reqs); i++ {
		r := &m.reqs[i]
		if r.bad != nil {
			break
		}
		mt, ok := s.methods[r.method]
		if !ok || mt.send == nil {
			break
		}
		f := s.start(c, r, mt)
		if m.futures[i] = f; f.err == nil {
			sends = append(sends, Send{Raw: f.raw})
		}
	}
	if len(sends) == 0 {
		return
	}
	subs := s.backend.SubmitTxs(c.ctx, sends)
	for _, f := range m.futures[first:i] {
		if f.err == nil {
			f.sub, subs = subs[0], subs[1:]
		}
	}
}

// finish works the message off and returns the answer, nil when there is none.
// Sends that follow each other are all started before the first is awaited; what
// comes after them sees their effects.
func (s *Server) finish(c *call, m *message) []byte {
	if m.fail != nil {
		return appendError(nil, nil, m.fail)
	}
	waitCtx, limited := c.ctx, false // the time limit is for reads
	var out []byte
	if m.batch {
		out = append(out, '[')
	}
	full := false
	for i := range m.reqs {
		r := &m.reqs[i]
		if r.bad == nil && m.futures[i] == nil {
			s.startSends(c, m, i)
		}
		var result rawJSON
		var fail *Error
		switch f := m.futures[i]; {
		case f != nil:
			result, fail = s.await(waitCtx, f)
		case full:
			fail = s.tooLarge()
		default:
			if !limited {
				limited = true
				var cancel context.CancelFunc
				c.ctx, cancel = context.WithTimeout(waitCtx, s.opts.RequestTimeout)
				defer cancel()
			}
			result, fail = s.answer(c, r)
		}
		if r.id == nil && r.bad == nil {
			continue // notification
		}
		if len(out)+len(result) > s.opts.MaxResponseBytes {
			full, fail = true, s.tooLarge()
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if fail != nil {
			out = appendError(out, r.id, fail)
		} else {
			out = appendResult(out, r.id, result)
		}
	}
	if !m.batch {
		return out
	}
	if len(out) == 1 {
		return nil
	}
	return append(out, ']')
}

func (s *Server) tooLarge() *Error {
	return Errorf(CodeLimit, "response is larger than %d bytes: ask for less at once", s.opts.MaxResponseBytes)
}

// argsOf checks the parameters' shape and number.
func argsOf(r *request, mt *method) (*args, error) {
	raw, err := splitParams(r.params)
	if err != nil {
		return nil, err
	}
	if len(raw) > mt.maxArgs {
		return nil, Errorf(CodeInvalidParams, "too many arguments, want at most %d", mt.maxArgs)
	}
	return &args{raw: raw}, nil
}

// guard turns a crash of a handler into an error and tells the log.
func (s *Server) guard(r *request, fail *error) {
	if v := recover(); v != nil {
		s.opts.Logger.Error("rpc method crashed", "method", r.method, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		*fail = Errorf(CodeInternal, "method handler crashed")
	}
}

// start reads the arguments of a send.
func (s *Server) start(c *call, r *request, mt *method) (f *future) {
	var crash error
	defer func() {
		if crash != nil {
			f = &future{err: crash}
		}
	}()
	defer s.guard(r, &crash)
	a, err := argsOf(r, mt)
	if err != nil {
		return &future{err: err}
	}
	f = mt.send(c, a)
	if a.err != nil {
		return &future{err: a.err}
	}
	return f
}

// answer runs a read.
func (s *Server) answer(c *call, r *request) (rawJSON, *Error) {
	if r.bad != nil {
		return nil, r.bad
	}
	mt, ok := s.methods[r.method]
	if !ok {
		return nil, Errorf(CodeNoMethod, "the method %s does not exist/is not available", r.method)
	}
	result, err := s.read(c, r, mt)
	if err != nil {
		return nil, asError(err)
	}
	if result == nil {
		result = rawJSON(jsonNull)
	}
	return result, nil
}

func (s *Server) read(c *call, r *request, mt *method) (result rawJSON, err error) {
	defer s.guard(r, &err)
	a, err := argsOf(r, mt)
	if err != nil {
		return nil, err
	}
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	result, err = mt.read(c, a)
	if a.err != nil {
		return nil, a.err
	}
	return result, err
}

// await waits for a send's answer.
func (s *Server) await(ctx context.Context, f *future) (rawJSON, *Error) {
	if f.err != nil {
		return nil, asError(f.err)
	}
	select {
	case <-f.sub.Done():
	default:
		timer := time.NewTimer(time.Until(f.deadline))
		defer timer.Stop()
		select {
		case <-f.sub.Done():
		case <-timer.C:
			return nil, f.late()
		case <-ctx.Done():
			return nil, asError(ctx.Err())
		}
	}
	info, err := f.sub.Result()
	if err != nil {
		e := asError(err)
		if e.Code == CodeNonceGap && !f.sync {
			e = &Error{Code: CodeServer, Message: e.Message}
		}
		return nil, e
	}
	if !f.sync {
		hash := f.sub.Hash()
		return hexData(hash[:]), nil
	}
	return receiptJSON(info, s.tiers().of(info.BlockNumber, info.BlockHash != zeroHash)), nil
}

// late is the answer of a send whose time is up.
func (f *future) late() *Error {
	hash := crypto.Keccak256Hash(f.raw)
	if f.sync {
		return timeoutError(hash, f.millis)
	}
	e := Errorf(CodeServer, "transaction is not durable after %d ms: look it up by its hash", f.millis)
	e.Data = hash
	return e
}

func appendHead(out, id []byte) []byte {
	out = append(out, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		return append(out, jsonNull...)
	}
	return append(out, id...)
}

func appendResult(out, id []byte, result rawJSON) []byte {
	out = appendHead(out, id)
	out = append(out, `,"result":`...)
	out = append(out, result...)
	return append(out, '}')
}

func appendError(out, id []byte, e *Error) []byte {
	out = appendHead(out, id)
	w := writer{b: append(out, `,"error":`...)}
	w.open('{')
	w.key("code").int(e.Code)
	w.key("message").text(e.Message)
	if e.Data != nil {
		if data, err := json.Marshal(e.Data); err == nil {
			w.key("data").rawBytes(data)
		}
	}
	w.shut('}')
	return append(w.b, '}')
}
