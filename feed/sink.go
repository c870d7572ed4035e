package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/nats-io/nats.go"

	"github.com/talaria-l2/talaria/chain"
)

// Limits of a Sink's queues, each of which is of one kind.
const (
	maxQueue      = 4096
	maxQueueBytes = 256 << 20 // as estimate has it
)

// sink publishes what is of one kind: a goroutine encodes, compresses and hands over.
type sink struct {
	c     *Client
	k     kind
	queue chan queued
	bytes atomic.Int64 // waiting
	stop  context.CancelFunc
	done  chan struct{} // closed when nothing is published any more
	err   error         // why, once done is closed
	w     *writer       // nil for attestations

	mu      sync.Mutex
	waiting int           // in the queue, or being encoded
	empty   chan struct{} // closed when there are none; nil: nobody waits for it
}

// queued is something to be published.
type queued struct {
	label  label
	size   int64 // estimate
	encode func() []byte
}

// Mark is where a stream ends: the last mini-block, block or witness that it holds whole.
type Mark struct {
	Number uint64
	ID     string // MiniBlockID or BlockID
}

// MiniBlockID names a mini-block in the feed: epoch, number and the first bytes of its
// hash, since a block that is derived from L1 may have the epoch of the one it replaces.
func MiniBlockID(h *chain.MiniBlockHeader) string {
	hash := h.Hash()
	return fmt.Sprintf("%d.%d.%x", h.Epoch, h.Number, hash[:8])
}

// PublishMiniBlock implements Sink.
func (c *Client) PublishMiniBlock(m *MiniBlock) error {
	return c.publish(miniBlocks, queued{label{id: MiniBlockID(&m.Header), number: m.Header.Number}, sizeOf(m), m.Encode})
}

// PublishBlock implements Sink.
func (c *Client) PublishBlock(b *Block) error {
	number, hash := b.Header.Number.Uint64(), b.Header.Hash()
	return c.publish(blocks, queued{label{id: BlockID(number, hash), number: number}, int64(1024 + len(b.Header.Extra)), b.Encode})
}

// PublishWitness implements Sink.
func (c *Client) PublishWitness(w *Witness) error {
	return c.publish(witnesses, queued{label{id: BlockID(w.Number, w.Hash), number: w.Number}, int64(w.Witness.Size()), w.Encode})
}

// PublishAttestation implements Sink.
func (c *Client) PublishAttestation(a *Attestation) error {
	id := fmt.Sprintf("%s.%x", BlockID(a.Number, a.Hash), a.Key[:8])
	return c.publish(attestations, queued{label{id: id, number: a.Number}, 512, a.Encode})
}

// BlockID names a sealed block, and its witness, in the feed.
func BlockID(number uint64, hash common.Hash) string { return fmt.Sprintf("%d.%x", number, hash[:8]) }

// sizeOf is about how much memory a mini-block holds.
func sizeOf(m *MiniBlock) int64 {
	size := int64(1024 + len(m.Diff) + len(m.Txs)*512)
	for _, tx := range m.Txs {
		size += int64(len(tx.Raw()))
	}
	for _, r := range m.Receipts {
		for _, l := range r.Logs {
			size += int64(200 + len(l.Data))
		}
	}
	return size
}

// publish queues.
func (c *Client) publish(k kind, q queued) error {
	s, err := c.sink(k)
	if err != nil {
		return err
	}
	var over <-chan struct{}
	if s.w != nil {
		over = s.w.done
	}
	select {
	case <-s.done:
		return s.err
	case <-over:
		return s.w.err
	default:
	}
	// One that is alone may be of any size.
	if waiting := s.bytes.Add(q.size); waiting > maxQueueBytes && waiting > q.size {
		s.bytes.Add(-q.size)
		return ErrBehind
	}
	s.taken(1)
	select {
	case s.queue <- q:
		return nil
	default:
		s.taken(-1)
		s.bytes.Add(-q.size)
		return ErrBehind
	}
}

// sink is that of a kind; the first call starts it.
func (c *Client) sink(k kind) (*sink, error) {
	c.mu.Lock()
	s := c.sinks[k]
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	if k != attestations {
		if _, err := c.resume(c.ctx, k); err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sinks[k], nil
	}
	return c.start(k, nil), nil
}

// start begins to publish a kind, through the writer if there is one.
func (c *Client) start(k kind, w *writer) *sink {
	ctx, cancel := context.WithCancel(c.ctx)
	s := &sink{c: c, k: k, queue: make(chan queued, maxQueue), stop: cancel, done: make(chan struct{}), w: w}
	c.mu.Lock()
	c.sinks[k] = s
	c.mu.Unlock()
	var wg sync.WaitGroup
	if w != nil {
		wg.Go(func() { w.run(ctx) })
	}
	c.wg.Go(func() {
		defer close(s.done)
		if s.err = s.run(ctx); s.err == nil || c.ctx.Err() != nil {
			s.err = errClosed
		}
		cancel()
		wg.Wait()
	})
	return s
}

var errClosed = errors.New("connection to the feed is closed")

// ResumeMiniBlocks gives up what is queued, and begins to publish behind what the stream
// holds: its last mini-block, nil if it never held one. Before it, and after ErrOvertaken,
// nothing is known of what is missing.
func (c *Client) ResumeMiniBlocks(ctx context.Context) (*Mark, error) {
	return c.resume(ctx, miniBlocks)
}

// ResumeBlocks does the same for sealed blocks.
func (c *Client) ResumeBlocks(ctx context.Context) (*Mark, error) { return c.resume(ctx, blocks) }

// ResumeWitnesses does the same for witnesses.
func (c *Client) ResumeWitnesses(ctx context.Context) (*Mark, error) { return c.resume(ctx, witnesses) }

func (c *Client) resume(ctx context.Context, k kind) (*Mark, error) {
	c.mu.Lock()
	old := c.sinks[k]
	c.mu.Unlock()
	if old != nil {
		old.stop()
		<-old.done
		c.mu.Lock()
		c.sinks[k] = nil
		c.mu.Unlock()
	}
	last, mark, err := c.mark(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("feed: end of the stream of %ss: %w", k, err)
	}
	w, err := c.newWriter(k, last)
	if err != nil {
		return nil, err
	}
	c.start(k, w)
	return mark, nil
}

// mark is how long a stream is, and what it holds whole at its end.
func (c *Client) mark(ctx context.Context, k kind) (last uint64, mark *Mark, err error) {
	stream, err := c.js.Stream(ctx, c.names.stream(k))
	if err != nil {
		return 0, nil, err
	}
	state := stream.CachedInfo().State
	last = state.LastSeq
	for seq := last; seq >= max(state.FirstSeq, 1) && state.Msgs > 0; {
		m, err := stream.GetMsg(ctx, seq)
		if isAbsent(err) { // the oldest went meanwhile
			return last, nil, nil
		}
		if err != nil {
			return 0, nil, err
		}
		l, err := readLabel(m.Header)
		if err != nil {
			return 0, nil, err
		}
		if l.part == l.parts {
			return last, &Mark{Number: l.number, ID: l.id}, nil
		}
		if uint64(l.part) >= seq {
			break
		}
		seq -= uint64(l.part)
	}
	return last, nil, nil
}

// run publishes until ctx ends or the writer is overtaken.
func (s *sink) run(ctx context.Context) error {
	p, err := newPacker()
	if err != nil {
		return err
	}
	defer p.close()
	var over <-chan struct{}
	if s.w != nil {
		over = s.w.done
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return s.w.err
		case q := <-s.queue:
			err := s.put(ctx, p, &q)
			s.bytes.Add(-q.size)
			s.taken(-1)
			switch {
			case errors.Is(err, ErrTooLarge):
				// Followers see the gap, and ask elsewhere.
				s.c.log.Warn("the feed leaves out what is too large for it; followers must take it from L1", "kind", s.k, "number", q.label.number, "err", err)
			case err != nil:
				return err
			}
		}
	}
}

func (s *sink) put(ctx context.Context, p *packer, q *queued) error {
	raw := q.encode()
	msgs, err := p.pack(s.c.names.publish(s.k), q.label, raw)
	if err != nil {
		return err
	}
	size := 0
	for _, m := range msgs {
		size += len(m.Data)
		if s.w != nil {
			err = s.w.put(ctx, m)
		} else {
			m.Header.Set(headerMsgID, q.label.id)
			err = s.request(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	s.c.opts.Metrics.FeedPublished(s.k.String(), len(raw), size)
	return nil
}

// request publishes a message that has no place among others, until it is taken.
func (s *sink) request(ctx context.Context, m *nats.Msg) error {
	for {
		once, cancel := context.WithTimeout(ctx, requestTimeout)
		answer, err := s.c.nc.RequestMsgWithContext(once, m)
		cancel()
		var a ack
		if err == nil {
			if err = json.Unmarshal(answer.Data, &a); err == nil && a.Error != nil {
				err = fmt.Errorf("refused: %s", a.Error.Description)
			}
		}
		if err == nil {
			return nil
		}
		s.c.log.Debug("feed: not published", "kind", s.k, "err", err)
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

// taken counts what is taken and not handed over.
func (s *sink) taken(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting += n
	if s.waiting == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// handedOver is closed when nothing waits.
func (s *sink) handedOver() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.empty == nil {
		s.empty = make(chan struct{})
		if s.waiting == 0 {
			none := s.empty
			close(none)
			s.empty = nil
			return none
		}
	}
	return s.empty
}

// Flush returns when everything that was taken is published. Nobody may publish meanwhile.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	sinks := c.sinks
	c.mu.Unlock()
	for _, s := range sinks {
		if s == nil {
			continue
		}
		select {
		case <-s.handedOver():
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.w != nil {
			if err := s.w.wait(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
