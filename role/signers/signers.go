package signers

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/l1feed"
)

// Options of Signers.
type Options struct {
	L1     l1feed.L1
	Config *chain.Config
	// From is a block whose L1 origin L1 keeps, and the configuration as of it. Nobody asks
	// for origins before.
	From derive.Head
	Poll time.Duration // how often L1 is asked for its head [250 ms]
	Log  *slog.Logger  // [slog.Default()]
}

// Signers follows L1's SystemConfig. Its methods are safe for concurrent use. It must be
// closed.
type Signers struct {
	opts Options

	mu      sync.Mutex
	read    []block       // the newest blocks that were read, consecutive, at least one
	changes []change      // of the signer, ascending
	moved   chan struct{} // closed, and made anew, whenever something was read

	cancel context.CancelFunc
	done   chan struct{}
}

// block is an L1 block that was read.
type block struct {
	id     chain.L1Origin
	system chain.SystemConfig // after it
}

// change is from which L1 block on somebody signs.
type change struct {
	number uint64
	signer common.Address
}

const (
	// keptBlocks are kept to go back to, twice as many at the most. L1 takes back fewer.
	keptBlocks = 1 << 12
	poll       = 250 * time.Millisecond
	longPause  = 4 * time.Second
)

// Start begins to read L1 behind the origin of From. Without a SystemConfig contract nothing
// is read: the signer is the configuration's.
func Start(opts Options) *Signers {
	if opts.Poll == 0 {
		opts.Poll = poll
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	s := &Signers{
		opts: opts, read: []block{{opts.From.Origin, opts.From.System}},
		changes: []change{{0, opts.From.System.Sequencer}}, moved: make(chan struct{}), done: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if opts.Config.SystemConfig == (common.Address{}) {
		close(s.done)
		return s
	}
	go func() {
		defer close(s.done)
		s.follow(ctx)
	}()
	return s
}

// Close stops reading and waits for it.
func (s *Signers) Close() {
	s.cancel()
	<-s.done
}

// At is who signs blocks with the L1 origin of that number. It waits until L1 is read so far.
func (s *Signers) At(ctx context.Context, origin uint64) (common.Address, error) {
	for {
		signer, known, moved := s.look(origin)
		if known {
			return signer, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return common.Address{}, ctx.Err()
		}
	}
}

// Known is who signs as far as L1 is read, and whether that is far enough.
func (s *Signers) Known(origin uint64) (common.Address, bool) {
	signer, known, _ := s.look(origin)
	return signer, known
}

func (s *Signers) look(origin uint64) (signer common.Address, known bool, moved <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	behind := sort.Search(len(s.changes), func(i int) bool { return s.changes[i].number > origin })
	known = origin <= s.read[len(s.read)-1].id.Number || s.opts.Config.SystemConfig == (common.Address{})
	return s.changes[max(behind, 1)-1].signer, known, s.moved
}

func (s *Signers) follow(ctx context.Context) {
	rest, told := s.opts.Poll, false
	for ctx.Err() == nil {
		err := s.step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			rest, told = s.opts.Poll, false
		default:
			if !told {
				s.opts.Log.Warn("L1 does not tell who signs mini-blocks; trying again", "err", err)
			}
			rest, told = min(2*rest, longPause), true
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// step reads what L1 has beyond what was read, and goes back where it has something else.
func (s *Signers) step(ctx context.Context) error {
	head, err := s.opts.L1.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return err
	}
	for {
		last := s.last()
		if head.Number.Uint64() == last.id.Number && head.Hash() == last.id.Hash {
			return nil
		}
		b, err := s.opts.L1.Fetch(ctx, last.id.Number+1, common.Address{})
		switch {
		case errors.Is(err, l1.ErrNotFound):
			h, err := s.opts.L1.HeaderByNumber(ctx, last.id.Number)
			if err == nil && h.Hash() == last.id.Hash {
				return nil
			}
			if err != nil && !errors.Is(err, l1.ErrNotFound) {
				return err
			}
			if err := s.back(); err != nil {
				return err
			}
		case err != nil:
			return err
		case b.ParentHash != last.id.Hash:
			if err := s.back(); err != nil {
				return err
			}
		default:
			s.add(block{chain.L1Origin{Number: b.Number, Hash: b.Hash}, derive.SystemAfter(s.opts.Config, last.system, l1feed.Convert(b), nil)})
		}
	}
}

func (s *Signers) last() block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read[len(s.read)-1]
}

func (s *Signers) add(b block) {
	s.mu.Lock()
	before := s.read[len(s.read)-1].system.Sequencer
	if s.read = append(s.read, b); len(s.read) > 2*keptBlocks {
		s.read = append(s.read[:0:0], s.read[len(s.read)-keptBlocks:]...)
	}
	if b.system.Sequencer != before {
		s.changes = append(s.changes, change{b.id.Number, b.system.Sequencer})
	}
	close(s.moved)
	s.moved = make(chan struct{})
	s.mu.Unlock()
	if b.system.Sequencer != before {
		s.opts.Log.Info("another key signs mini-blocks", "from L1 block", b.id.Number, "signer", b.system.Sequencer, "before", before)
	}
}

// errGone says that L1 does not have the block that all was read behind.
var errGone = errors.New("L1 has another block in place of the one that the chain was read from")

// back forgets the last block that was read.
func (s *Signers) back() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.read) - 1
	if last == 0 {
		return errGone
	}
	if n := len(s.changes) - 1; s.changes[n].number == s.read[last].id.Number && n > 0 {
		s.changes = s.changes[:n]
	}
	s.read = s.read[:last]
	return nil
}
