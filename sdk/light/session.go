package light

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// session follows the chain over one endpoint until something is wrong.
type session struct {
	c        *Client
	endpoint string
	tell     func(Event) error

	progress bool // a mini-block was added
	lost     bool // the endpoint does not continue the chain
	refused  bool // tell returned an error
	gapped   bool // the endpoint said that it leaves something out

	jobs    sync.WaitGroup
	results chan result
	busy    *Header // whose parent block is being checked; nil: none
	giveUp  context.CancelFunc
	want    *Header // first mini-block of a block, whose parent block is to be checked next
	behind  int     // comparisons in turn that found this endpoint on a left branch
}

// result is what a job found out.
type result struct {
	voucher *Header
	blocks  []*Block
	behind  bool // another endpoint is on a later branch
	err     error
}

// run returns the reason for the end, a *Error of the endpoint if it is at fault.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.results = make(chan result, 1)
	defer s.jobs.Wait()
	defer cancel()
	dialing, done := context.WithTimeout(ctx, s.c.opts.Timeout)
	stream, err := dial(dialing, s.endpoint, s.c.opts.MaxMessage)
	done()
	if err != nil {
		return err
	}
	defer stream.close()
	if err := s.subscribe(ctx, stream); err != nil {
		return err
	}
	s.c.mu.Lock()
	s.c.active = s.endpoint
	s.c.mu.Unlock()
	age := time.NewTicker(s.c.opts.StaleAfter)
	defer age.Stop()
	lag := time.Duration(-1)
	for {
		var err error
		select {
		case e, ok := <-stream.events:
			if !ok {
				return stream.broken()
			}
			err = s.take(ctx, e, len(stream.events) == 0)
		case r := <-s.results:
			err = s.finish(ctx, r)
		case <-age.C:
			lag, err = s.checkAge(lag)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return at(s.endpoint, err)
		}
	}
}

// checkAge compares the head with this machine's clock. before is how old it was the last
// time, negative at first.
func (s *session) checkAge(before time.Duration) (time.Duration, error) {
	head := s.c.Head()
	if head == nil {
		return before, fault(CodeStale, "nothing signed came in %s", s.c.opts.StaleAfter)
	}
	lag := time.Since(time.UnixMicro(int64(head.Header.TimestampMicros)))
	if lag > s.c.opts.StaleAfter && (lag >= before && before >= 0 || !s.progress) {
		return lag, fault(CodeStale, "mini-block %d is the newest, %s old", head.Header.Number, lag.Round(time.Millisecond))
	}
	return lag, nil
}

// subscribe asks for everything behind what was checked. Where the node's chain is
// another it looks for the newest mini-block that both have.
func (s *session) subscribe(ctx context.Context, stream *conn) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.opts.Timeout)
	defer cancel()
	origins := s.c.origins()
	for i, origin := range origins {
		_, err := stream.call(ctx, "eth_subscribe", "miniBlocks", nil, origin)
		if err == nil || !rewound(err) {
			return err
		}
		if i == len(origins)-1 {
			s.lost = true
			return &Error{Code: CodeLink, Endpoint: s.endpoint, Detail: "the node's chain has nothing of what was checked", Err: err}
		}
	}
	return nil
}

// origins are where a subscription may begin, the newest first.
func (c *Client) origins() (list []map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.chain.fixed {
		return []map[string]string{{"fromBlock": "latest"}}
	}
	cursor := func(number int64, hash common.Hash) {
		text := "v1:m:start"
		if number >= 0 {
			text = fmt.Sprintf("v1:m:%d.0:%x", number, hash[:8])
		}
		list = append(list, map[string]string{"cursor": text})
	}
	n := len(c.chain.line)
	for back := 1; back <= n; back *= 2 {
		l := &c.chain.line[n-back]
		cursor(int64(l.Header.Number), l.hash)
	}
	cursor(c.chain.anchor.Number, c.chain.anchor.Hash)
	return list
}

// take handles an event. last says that no other waits.
func (s *session) take(ctx context.Context, e event, last bool) error {
	if absent(e.Result) {
		s.gapped = true // what follows shows by itself whether it continues the chain
		return nil
	}
	m, err := ParseMiniBlock(e.Result)
	if err != nil {
		return err
	}
	step, err := s.c.add(m)
	if err != nil {
		if f := new(Error); errors.As(err, &f) {
			s.lost = s.gapped && (f.Code == CodeGap || f.Code == CodeLink) || errors.Is(err, errNothingSigned)
		}
		return err
	}
	if step.Rewound != nil {
		if err := s.emit(step.Rewound); err != nil {
			return err
		}
		if s.busy != nil && s.busy.Number >= step.Rewound.From {
			s.giveUp()
		}
	}
	if step.Gap != nil {
		if err := s.emit(step.Gap); err != nil {
			return err
		}
	}
	for _, m := range step.Added {
		s.progress = true
		if err := s.emit(m); err != nil {
			return err
		}
		if h := m.Header; h.Index == 0 && h.BlockNumber > 0 {
			s.want = &h
		}
	}
	if s.want != nil && (last || time.Since(time.UnixMicro(int64(s.want.TimestampMicros))) < s.c.opts.StaleAfter) {
		s.start(ctx)
	}
	return nil
}

// emit tells the user.
func (s *session) emit(e Event) error {
	err := s.tell(e)
	s.refused = err != nil
	return err
}

// start checks the newest sealed block, one at a time: of those that are sealed meanwhile
// the newest comes next, and its ancestors come with it.
func (s *session) start(ctx context.Context) {
	if s.busy != nil || s.want == nil {
		return
	}
	voucher := s.want
	s.want, s.busy = nil, voucher
	ctx, s.giveUp = context.WithTimeout(ctx, s.c.opts.Timeout)
	s.jobs.Add(1)
	go func() {
		defer s.jobs.Done()
		r := result{voucher: voucher}
		if r.blocks, r.err = s.c.vouch(ctx, s.endpoint, voucher); r.err == nil {
			r.behind, r.err = s.c.compare(ctx, s.endpoint)
		}
		s.results <- r
	}()
}

// finish takes the result of a job.
func (s *session) finish(ctx context.Context, r result) error {
	s.giveUp()
	s.busy = nil
	if r.err != nil {
		if _, ok := s.c.holds(r.voucher); ok || errors.As(r.err, new(*Equivocation)) {
			return r.err
		}
	} else if s.c.vouched(r.voucher, r.blocks) {
		for _, b := range r.blocks {
			if err := s.emit(b); err != nil {
				return err
			}
		}
	}
	if s.behind++; !r.behind {
		s.behind = 0
	}
	if s.behind == 3 {
		return fault(CodeStale, "another endpoint is on a later branch")
	}
	s.start(ctx)
	return nil
}

// holds reports whether the header is of the chain.
func (c *Client) holds(h *Header) (common.Hash, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, hash, ok := c.chain.At(h.Number)
	return hash, ok && s.Header == *h
}

// vouch checks the block before voucher's, and the blocks between it and the newest that
// was checked, at most as many as are remembered.
func (c *Client) vouch(ctx context.Context, endpoint string, voucher *Header) ([]*Block, error) {
	a, err := c.ask(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	raw, err := a.await(ctx, "talaria_getMiniBlockDiff", voucher.Hash())
	if err != nil {
		return nil, err
	}
	var diff hexutil.Bytes
	if err := json.Unmarshal(raw, &diff); err != nil {
		return nil, fault(CodeEncoding, "diff of mini-block %d: %v", voucher.Number, err)
	}
	hash, err := ParentBlock(voucher, diff)
	if err != nil {
		return nil, err
	}
	header, err := a.await(ctx, "eth_getHeaderByHash", hash)
	if err != nil {
		return nil, err
	}
	b, err := VerifyBlock(voucher, diff, header)
	if err != nil {
		return nil, err
	}
	blocks, known := []*Block{b}, c.Block()
	for known != nil && blocks[0].Number() > known.Number()+1 && len(blocks) < c.opts.Blocks {
		parent := blocks[0].Header.ParentHash
		raw, err := a.await(ctx, "eth_getHeaderByHash", parent)
		if err != nil {
			return nil, err
		}
		h, err := ParseHeader(raw, parent)
		if err != nil {
			return nil, err
		}
		blocks = append([]*Block{{Header: h, Hash: parent, Voucher: voucher.Number}}, blocks...)
	}
	return blocks, nil
}

// askPause is between questions for what the node does not have yet.
const askPause = 20 * time.Millisecond

// await asks for something of which a signed mini-block says that it exists, until the
// node has it or ctx ends.
func (c *conn) await(ctx context.Context, method string, hash common.Hash) (json.RawMessage, error) {
	for {
		raw, err := c.call(ctx, method, hash)
		if err != nil || !absent(raw) {
			return raw, err
		}
		timer := time.NewTimer(askPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &Error{Code: CodeStale, Endpoint: c.endpoint, Detail: fmt.Sprintf("%s of %s: the node does not have it", method, hash)}
		}
	}
}

// comparePatience is how long another endpoint may keep the next block waiting.
const comparePatience = 2 * time.Second

// compare asks another endpoint for its mini-block at the height of the head. Two that the
// leader signed in one epoch are the evidence that it shows different chains to different
// people. An endpoint that fails here is none to complain of: it is not followed.
func (c *Client) compare(ctx context.Context, endpoint string) (behind bool, err error) {
	head := c.Head()
	if len(c.opts.Endpoints) == 1 || head == nil {
		return false, nil
	}
	c.mu.Lock()
	c.other = (c.other + 1) % len(c.opts.Endpoints)
	if c.opts.Endpoints[c.other] == endpoint {
		c.other = (c.other + 1) % len(c.opts.Endpoints)
	}
	other := c.opts.Endpoints[c.other]
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, comparePatience)
	defer cancel()
	a, err := c.ask(ctx, other)
	if err != nil {
		return false, nil
	}
	raw, err := a.call(ctx, "talaria_getMiniBlock", hexutil.Uint64(head.Header.Number))
	if err != nil || absent(raw) {
		return false, nil
	}
	var theirs Signed
	if theirs.UnmarshalJSON(raw) != nil || theirs.Unsigned() {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.chain.CheckSignature(&theirs)
	if errors.As(err, new(*Equivocation)) {
		return false, err
	}
	now := c.chain.Head()
	return err == nil && now != nil && theirs.Header.Epoch > now.Header.Epoch, nil
}
