package light

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Options of a client. The zero value of a field means its default.
type Options struct {
	Trust     Trust
	Endpoints []string // ws:// or wss://, 1..16, asked in this order

	Window     int           // headers that are remembered, 64.. [4096]
	Blocks     int           // sealed blocks that are remembered, 2.. [256]
	MaxMessage int64         // bytes of one answer, of which a connection holds up to six [32 MiB]
	Timeout    time.Duration // of connecting and of one question [10 s]
	// StaleAfter is how far what a node tells may lie behind this machine's clock without
	// coming nearer, before the next endpoint is asked. It is longer than a block [10 s].
	StaleAfter time.Duration
	// MinBackoff and MaxBackoff bound the pause after all endpoints failed [250 ms, 5 s].
	MinBackoff, MaxBackoff time.Duration
}

func (o *Options) fill() error {
	if len(o.Endpoints) == 0 || len(o.Endpoints) > 16 {
		return errors.New("light: want 1..16 endpoints")
	}
	def := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	def(&o.Timeout, 10*time.Second)
	def(&o.StaleAfter, 10*time.Second)
	def(&o.MinBackoff, 250*time.Millisecond)
	def(&o.MaxBackoff, 5*time.Second)
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.Blocks == 0 {
		o.Blocks = 256
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = 32 << 20
	}
	if o.Window < 64 || o.Blocks < 2 {
		return errors.New("light: want a window of at least 64 headers and 2 blocks")
	}
	return nil
}

// Event is a *MiniBlock, *Block, *Rewind, *Gap or *Fault.
type Event interface{ event() }

// Gap says that mini-blocks From to To are not told of: no endpoint replays them. The
// chain goes on behind them on the leader's signature.
type Gap struct{ From, To uint64 }

// Fault says that an endpoint failed or lied, and the next is asked.
type Fault struct{ Err *Error }

func (*MiniBlock) event() {}
func (*Block) event()     {}
func (*Rewind) event()    {}
func (*Gap) event()       {}
func (*Fault) event()     {}

// Client follows a chain. Run must be running for the questions to be answered; all
// methods are safe for concurrent use, also inside Run's callback.
type Client struct {
	opts Options

	mu     sync.Mutex
	chain  *Chain
	blocks []*Block // that mini-blocks of the chain vouch for, ascending, without holes
	asks   map[string]*conn
	active string // the endpoint that is followed
	other  int    // which endpoint is compared with next
	lost   int    // endpoints in turn that do not know the chain of the head
	end    error  // an *Equivocation
}

// New checks the options.
func New(o Options) (*Client, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	chain, err := NewChain(o.Trust, o.Window)
	if err != nil {
		return nil, err
	}
	return &Client{opts: o, chain: chain, asks: make(map[string]*conn), active: o.Endpoints[0]}, nil
}

// Run follows the chain and tells f, one event after the other, until ctx ends, f returns
// an error or the leader is caught: then the error is a *Equivocation. Mini-blocks come in
// order without gap, those that are void after a *Rewind; what f does not take waits at
// the node. A *Client runs once at a time; a second Run goes on where the first ended.
func (c *Client) Run(ctx context.Context, f func(Event) error) error {
	pause := c.opts.MinBackoff
	for i := 0; ; i++ {
		c.mu.Lock()
		end := c.end
		c.mu.Unlock()
		if end != nil {
			return end
		}
		s := &session{c: c, endpoint: c.opts.Endpoints[i%len(c.opts.Endpoints)], tell: f}
		err := s.run(ctx)
		fault := new(Error)
		switch caught := new(Equivocation); {
		case errors.As(err, &caught):
			c.mu.Lock()
			c.end = caught
			c.mu.Unlock()
			return caught
		case ctx.Err() != nil:
			return ctx.Err()
		case s.refused || !errors.As(err, &fault):
			return err
		}
		if err := f(&Fault{fault}); err != nil {
			return err
		}
		c.noteLost(s)
		if s.progress {
			pause = c.opts.MinBackoff
		}
		if (i+1)%len(c.opts.Endpoints) != 0 && !s.progress {
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, c.opts.MaxBackoff)
	}
}

// Close hangs up. Run must have ended.
func (c *Client) Close() {
	c.mu.Lock()
	asks := c.asks
	c.asks = make(map[string]*conn)
	c.mu.Unlock()
	for _, ask := range asks {
		ask.close()
	}
}

// Head is the newest mini-block that was checked, nil before the first.
func (c *Client) Head() *Signed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head := c.chain.Head(); head != nil {
		s := *head
		return &s
	}
	return nil
}

// Block is the newest sealed block that was checked, nil before the first.
func (c *Client) Block() *Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.blocks); n > 0 {
		return c.blocks[n-1]
	}
	return nil
}

// noteLost begins the chain anew when no endpoint continues it: what lies between is older
// than they replay, or the chain went back further than is remembered.
func (c *Client) noteLost(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.progress || !s.lost {
		c.lost = 0
	}
	if s.lost {
		c.lost++
	}
	if c.lost == len(c.opts.Endpoints) {
		c.chain.Restart()
		c.lost = 0
	}
}

// add takes a mini-block into the chain.
func (c *Client) add(m *MiniBlock) (Step, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step, err := c.chain.Add(m)
	if r := step.Rewound; r != nil {
		c.blocks = slices.DeleteFunc(c.blocks, func(b *Block) bool { return b.Voucher >= r.From })
	}
	return step, err
}

// vouched notes consecutive blocks that were checked. It reports false if the chain went
// back meanwhile.
func (c *Client) vouched(voucher *Header, blocks []*Block) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, _, ok := c.chain.At(voucher.Number); !ok || s.Header != *voucher {
		return false
	}
	if n := len(c.blocks); n > 0 && c.blocks[n-1].Hash != blocks[0].Header.ParentHash {
		c.blocks = nil // blocks are left out, or the chain went back
	}
	c.blocks = append(c.blocks, blocks...)
	if over := len(c.blocks) - c.opts.Blocks; over > 0 {
		c.blocks = slices.Clone(c.blocks[over:])
	}
	return true
}

// ask is a connection for questions to the endpoint.
func (c *Client) ask(ctx context.Context, endpoint string) (*conn, error) {
	c.mu.Lock()
	a := c.asks[endpoint]
	c.mu.Unlock()
	if a != nil && a.broken() == nil {
		return a, nil
	}
	fresh, err := dial(ctx, endpoint, c.opts.MaxMessage)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if a = c.asks[endpoint]; a != nil && a.broken() == nil {
		a, fresh = fresh, a // another question was faster
	} else {
		c.asks[endpoint] = fresh
	}
	c.mu.Unlock()
	if a != nil {
		a.close()
	}
	return fresh, nil
}
