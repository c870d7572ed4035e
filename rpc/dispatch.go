package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

// call is what handlers know of the message they serve.
type call struct {
	ctx  context.Context // ends with the request or its time limit
	conn *wsConn         // nil over HTTP
	subs []*subscription // made by the message; they start with its answer

	// caller names who asks: the name of its key; else, over WebSocket, the connection.
	// Empty: nobody in particular.
	caller string
	asker  asker  // for its turns
	admin  bool   // the operator's token came along
	why    string // it did, but is not valid

	limit *limitedContext // of its reads; nil: to be made
	args  args            // of one send at a time
	slab  slab            // what its sends are made of
	began time.Time       // when the first of the sends that follow each other was read; zero: none was
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
	failID  []byte    // in its name
	futures []*future // of the sends started so far, by index; nil: none
	one     [1]request
	slow    bool // a method of it may take long
	calls   bool // a method of it simulates
}

// sendGroup collects sends to be handed over together.
type sendGroup struct {
	sends   []Send
	futures []*future
}

// parse reads a body into m and looks its methods up.
func (s *Server) parse(m *message, body []byte) {
	m.reqs, m.batch, m.fail = parseMessage(m.one[:0], body, &s.opts)
	if m.fail != nil {
		return
	}
	for i := range m.reqs {
		r := &m.reqs[i]
		if r.bad != nil {
			continue
		}
		if r.entry = s.methods[string(r.method)]; r.entry != nil {
			m.slow = m.slow || r.entry.class == classSlow
			m.calls = m.calls || r.entry.class == classCall
		}
	}
}

// lead starts the sends that lead the message and puts them into the group, so that
// the caller can keep the order of sends between messages without waiting for their
// answers. It returns how many of the requests they are.
func (s *Server) lead(c *call, m *message, g *sendGroup) int {
	if m.fail != nil {
		return 0
	}
	return s.collect(c, m, 0, g)
}

// collect starts the consecutive sends from request i on.
func (s *Server) collect(c *call, m *message, first int, g *sendGroup) int {
	i := first
	c.began, c.slab.more = time.Time{}, min(len(m.reqs)-first, maxSlab)
	for ; i < len(m.reqs); i++ {
		r := &m.reqs[i]
		if r.bad != nil || r.entry == nil || r.entry.send == nil {
			break
		}
		if m.futures == nil {
			m.futures = make([]*future, len(m.reqs))
		}
		f := s.startSend(c, r, r.entry)
		if m.futures[i] = f; f.err == nil {
			g.sends = append(g.sends, Send{Raw: f.raw, Caller: c.caller})
			g.futures = append(g.futures, f)
		}
	}
	c.args = args{} // which were parts of the body
	return i - first
}

// submit hands a group over and empties it.
func (s *Server) submit(ctx context.Context, g *sendGroup) {
	if len(g.sends) == 0 {
		return
	}
	subs := s.backend.SubmitTxs(ctx, g.sends)
	for i, f := range g.futures {
		f.sub = subs[i]
	}
	*g = sendGroup{}
}

// begin parses a body and hands the sends that lead it over.
func (s *Server) begin(c *call, body []byte) *message {
	m := new(message)
	s.parse(m, body)
	var g sendGroup
	s.lead(c, m, &g)
	s.submit(c.ctx, &g)
	return m
}

// waits reports whether answering may take long.
func (m *message) waits() bool { return m.slow && m.fail == nil }

// ready reports whether the message can be answered without waiting.
func (m *message) ready() bool {
	if m.fail == nil && (m.slow || m.calls) {
		return false
	}
	for _, f := range m.futures {
		if f == nil || f.err != nil {
			continue
		}
		if f.sub == nil {
			return false
		}
		if !f.sub.Settled() {
			return false
		}
	}
	return true
}

// started reports whether the message consists of sends that are all under way: of its
// body only the ids are still needed.
func (m *message) started() bool {
	for _, f := range m.futures {
		if f == nil {
			return false
		}
	}
	return len(m.futures) > 0
}

// ownIDs copies the ids, of which alone the answers are made.
func (m *message) ownIDs() {
	size := 0
	for i := range m.reqs {
		size += len(m.reqs[i].id)
	}
	held := make([]byte, 0, size)
	for i := range m.reqs {
		r := &m.reqs[i]
		r.method, r.params = nil, nil
		if r.id != nil {
			held = append(held, r.id...)
			r.id = held[len(held)-len(r.id) : len(held) : len(held)]
		}
	}
}

// own copies what the message needs of the body, which is then free.
func (m *message) own(body []byte) {
	if m.started() {
		m.ownIDs()
		return
	}
	body = body[:len(body):len(body)]
	held := bytes.Clone(body)
	move := func(part []byte) []byte {
		if part == nil {
			return nil
		}
		at := cap(body) - cap(part) // both end where the body ends
		return held[at : at+len(part)]
	}
	m.failID = move(m.failID)
	for i := range m.reqs {
		r := &m.reqs[i]
		r.id, r.params = move(r.id), move(r.params)
		r.method = bytes.Clone(r.method) // it may be a string without its escapes
	}
}

// finish works the message off and returns the answer, nil when there is none.
func (s *Server) finish(c *call, m *message) []byte { return s.appendAnswer(nil, c, m) }

// appendAnswer works the message off and appends the answer, nothing when there is
// none. Sends that follow each other are all started before the first is awaited;
// what comes after them sees their effects.
func (s *Server) appendAnswer(out []byte, c *call, m *message) []byte {
	if m.fail != nil {
		return appendError(out, m.failID, m.fail)
	}
	waitCtx, limited := c.ctx, false // the time limit is for reads
	start := len(out)
	if m.batch {
		out = append(out, '[')
	}
	full := false
	var hash []byte
	for i := range m.reqs {
		r := &m.reqs[i]
		if r.entry != nil && r.entry.send != nil && (m.futures == nil || m.futures[i] == nil) {
			var g sendGroup
			s.collect(c, m, i, &g)
			s.submit(waitCtx, &g)
		}
		var result rawJSON
		var fail *Error
		made := len(c.subs)
		switch {
		case m.futures != nil && m.futures[i] != nil:
			if hash == nil {
				hash = make([]byte, 0, hashAnswer)
			}
			result, fail = s.await(waitCtx, m.futures[i], hash)
		case full:
			fail = s.tooLarge()
		default:
			if !limited {
				limited = true
				if c.limit == nil {
					c.limit = new(limitedContext)
				}
				c.limit.Context, c.limit.until = waitCtx, time.Now().Add(s.opts.RequestTimeout)
				c.ctx = c.limit
				defer c.limit.end()
			}
			result, fail = s.answer(c, r)
		}
		if r.id == nil && r.bad == nil { // notification
			s.unheard(c, made)
			continue
		}
		if len(out)-start+len(result) > s.opts.MaxResponseBytes {
			full, fail = true, s.tooLarge()
			s.unheard(c, made)
		}
		if len(out)-start > 1 {
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
	if len(out)-start == 1 {
		return out[:start]
	}
	return append(out, ']')
}

// unheard ends the subscriptions from number made on: the client does not get their ids.
func (s *Server) unheard(c *call, made int) {
	if len(c.subs) > made {
		s.hub.dismiss(c.subs[made:])
		c.subs = c.subs[:made]
	}
}

// limitedContext is a context with a deadline that costs a timer only if somebody
// waits for it. Its users must not outlive end.
type limitedContext struct {
	context.Context
	until time.Time

	mu     sync.Mutex
	inner  context.Context // once somebody waits
	cancel context.CancelFunc
}

// within limits ctx to a duration from now. Over another limitedContext it keeps the
// earlier deadline and waits for what is below, so that there is one timer, not two.
func within(ctx context.Context, d time.Duration) *limitedContext {
	inner := &limitedContext{Context: ctx, until: time.Now().Add(d)}
	if outer, ok := ctx.(*limitedContext); ok {
		inner.Context = outer.Context
		if outer.until.Before(inner.until) {
			inner.until = outer.until
		}
	}
	return inner
}

// Deadline is the deadline.
func (c *limitedContext) Deadline() (time.Time, bool) { return c.until, true }

// Done closes at the deadline.
func (c *limitedContext) Done() <-chan struct{} { return c.waited().Done() }

func (c *limitedContext) waited() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithDeadline(c.Context, c.until)
	}
	return c.inner
}

// Err tells whether the context has ended, and how.
func (c *limitedContext) Err() error {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		return inner.Err()
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if time.Now().After(c.until) {
		return c.waited().Err()
	}
	return nil
}

// end frees the timer.
func (c *limitedContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

func (s *Server) tooLarge() *Error {
	return Errorf(CodeLimit, "response is larger than %d bytes: ask for less at once", s.opts.MaxResponseBytes)
}

// argsOf checks the parameters' shape and number.
func argsOf(r *request, mt *method) (*args, error) {
	a := new(args)
	return a, a.take(r, mt)
}

// take makes a the parameters of a request, after a check of their shape and number.
func (a *args) take(r *request, mt *method) error {
	*a = args{}
	raw, err := splitParams(a.buf[:0], r.params)
	if err != nil {
		return err
	}
	if len(raw) > mt.maxArgs {
		return Errorf(CodeInvalidParams, "too many arguments, want at most %d", mt.maxArgs)
	}
	a.raw = raw
	return nil
}

// guard turns a crash of a handler into an error and tells the log.
func (s *Server) guard(r *request, fail *error) {
	if v := recover(); v != nil {
		s.opts.Logger.Error("rpc method crashed", "method", string(r.method), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		*fail = Errorf(CodeInternal, "method handler crashed")
	}
}

// startSend reads the arguments of a send, in memory that the next one uses too.
func (s *Server) startSend(c *call, r *request, mt *method) (f *future) {
	var crash error
	defer func() {
		if crash != nil {
			f = &future{err: crash}
		}
	}()
	defer s.guard(r, &crash)
	a := &c.args
	if err := a.take(r, mt); err != nil {
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
	mt := r.entry
	if mt == nil {
		return nil, Errorf(CodeNoMethod, "the method %s does not exist/is not available", r.method)
	}
	if mt.admin && !c.admin {
		return nil, notAdmin(c, mt)
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
	if mt.class == classSlow {
		return s.runSlow(c, a, mt)
	}
	result, err = mt.read(c, a)
	if a.err != nil {
		return nil, a.err
	}
	return result, err
}

// await waits for a send's answer, which may be in room.
func (s *Server) await(ctx context.Context, f *future, room []byte) (rawJSON, *Error) {
	if f.err != nil {
		return nil, asError(f.err)
	}
	if !f.sub.Settled() {
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
		return appendHexData(room, hash[:]), nil
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
