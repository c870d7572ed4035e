package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
)

const (
	maxQueued   = 256  // mini-blocks that are verified and wait
	maxUnsigned = 4096 // mini-blocks that wait for one that is signed
	maxExpected = 1024 // sealed blocks that wait for their mini-blocks
)

// follow reads mini-blocks of the feed from a number on, and sealed blocks, until one does
// not fit or the feed fails.
func (l *Live) follow(ctx context.Context, from uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	minis, blocks := make(chan *feed.MiniBlock, maxQueued), make(chan *feed.Block, maxQueued)
	ended := make(chan error, 1)
	readers.Go(func() {
		err := l.opts.Feed.MiniBlocks(ctx, from, func(m *feed.MiniBlock) error {
			if err := l.verify(ctx, m); err != nil {
				return err
			}
			return hand(ctx, minis, m)
		})
		if err == nil {
			err = errors.New("the feed ended")
		}
		ended <- err
	})
	first := l.node.PublishedHead().Number.Uint64() + 1
	readers.Go(func() {
		for ctx.Err() == nil {
			// Without them blocks are sealed when the next one begins.
			err := l.opts.Feed.Blocks(ctx, first, func(b *feed.Block) error {
				first = b.Header.Number.Uint64() + 1
				return hand(ctx, blocks, b)
			})
			if errors.Is(err, feed.ErrGone) {
				first++
			}
			sleep(ctx, l.opts.Retry/16)
		}
	})
	var failed error
	silence := time.NewTimer(l.opts.Patience)
	defer silence.Stop()
	for {
		var err error
		select {
		case <-silence.C:
			return errSilent
		case m := <-minis:
			silence.Reset(l.opts.Patience)
			if err = l.take(m); err == nil {
				l.follows(nil)
			}
		case b := <-blocks:
			err = l.sealed(b)
		case req := <-l.posts:
			l.derived = req
			err = l.derive()
		case failed = <-ended:
			ended = nil
		}
		if err != nil {
			return err
		}
		if failed != nil && len(minis) == 0 {
			return failed
		}
	}
}

// errSilent says that nothing comes from the feed, which may have its reasons.
var errSilent = errors.New("nothing comes from the feed")

// hand passes v on, unless ctx ends.
func hand[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// verify checks that the leader signed a mini-block, unless nobody did.
func (l *Live) verify(ctx context.Context, m *feed.MiniBlock) error {
	if h := &m.Header; h.ChainID != l.node.Config().ChainID {
		return fmt.Errorf("%w: the feed is of chain %d, this is %d", errFatal, h.ChainID, l.node.Config().ChainID)
	}
	if !signed(m) {
		return l.recover(m)
	}
	if err := l.checkSigner(ctx, m); err != nil {
		return fmt.Errorf("mini-block %d: %w: %w", m.Header.Number, exec.ErrContent, err)
	}
	return l.recover(m)
}

// take adds a verified mini-block to the chain, if it is what comes next. One that the
// chain has, or that is of an older branch, is passed over.
func (l *Live) take(m *feed.MiniBlock) error {
	h, at := &m.Header, l.tip()
	if n := len(l.branch); n > 0 && h.ParentHash == l.branch[n-1].Header.Hash() {
		return l.branched(m)
	}
	switch {
	case h.Number < l.chain.NextMini():
		return l.again(m)
	case h.Epoch < at.epoch:
		return nil // of a branch that is void
	case h.Number > at.next:
		return &elsewhereError{at.next, fmt.Sprintf("mini-block %d follows %d", h.Number, at.next)}
	case h.Number < at.next:
		if w := l.unsigned[h.Number-l.chain.NextMini()]; w.Header.Hash() == h.Hash() && !signed(m) {
			return nil
		}
		l.unsigned = nil // something else is there
		return &elsewhereError{l.chain.NextMini(), fmt.Sprintf("mini-block %d comes twice", h.Number)}
	case h.ParentHash != at.hash:
		l.unsigned = nil
		return l.stray(m)
	case !signed(m):
		if len(l.unsigned) == maxUnsigned {
			return fmt.Errorf("%d mini-blocks without a signature follow each other: whether they hold only L1 can tell", maxUnsigned)
		}
		l.unsigned = append(l.unsigned, m)
		return nil
	}
	waiting := l.unsigned
	l.unsigned = nil
	for _, w := range append(waiting, m) {
		if err := l.add(w); err != nil {
			return err
		}
	}
	return nil
}

// stray decides on a mini-block with the number that comes next and another parent.
func (l *Live) stray(m *feed.MiniBlock) error {
	switch h := &m.Header; {
	case !signed(m):
		return nil // what is signed behind it will tell
	case h.Epoch > l.chain.Epoch():
		return l.earlier(h.Number)
	case h.Number > 0 && l.back == 0:
		// In the same epoch the leader signs one chain only: the one before differs.
		l.back = 1
		return &elsewhereError{h.Number - 1, fmt.Sprintf("mini-block %d has another parent", h.Number)}
	}
	return nil // behind blocks that L1 decided otherwise on: the leader will learn of it
}

// earlier reads from further back each time, for the beginning of a branch.
func (l *Live) earlier(number uint64) error {
	if number == 0 {
		return fmt.Errorf("%w: the feed is of another chain than the data directory", errFatal)
	}
	l.back = max(1, 2*l.back)
	return &elsewhereError{number - min(number, l.back), "a later branch of the chain begins further back"}
}

// again decides on a mini-block whose number the chain has.
func (l *Live) again(m *feed.MiniBlock) error {
	h := &m.Header
	held, err := l.node.MiniBlockByNumber(context.Background(), h.Number)
	var refused *rpc.Error
	switch {
	case errors.As(err, &refused) && refused.Code == rpc.CodePruned && signed(m) && h.Epoch > l.chain.Epoch():
		return fmt.Errorf("%w: the leader took the chain back behind block %d, with which a snapshot began this data directory (remove it, and load a newer one)", errFatal, l.node.Base())
	case errors.As(err, &refused) && refused.Code == rpc.CodePruned:
		return nil
	case err != nil:
		return err
	}
	begins := h.Index == 0 && held != nil && held.Header.Index == 0 && h.ParentHash == held.Header.ParentHash
	switch {
	case held == nil:
		return fmt.Errorf("mini-block %d: published but not held", h.Number)
	case held.Hash == h.Hash() || h.Epoch < held.Header.Epoch:
		return nil
	case !signed(m):
		// Nothing is given up for what nobody signed, before something signed follows it.
		if l.branch = nil; begins {
			l.branch = []*feed.MiniBlock{m}
		}
		return nil
	case h.Epoch > l.chain.Epoch() && begins:
		return l.rewind(m, nil)
	case h.Epoch > l.chain.Epoch():
		return l.earlier(h.Number)
	case h.Epoch == held.Header.Epoch && signed(&feed.MiniBlock{MiniBlock: held.MiniBlock}):
		return l.equivocation(m, held)
	}
	return nil // L1 decided otherwise, and the leader will learn of it
}

// branched decides on a mini-block behind unsigned ones of another branch.
func (l *Live) branched(m *feed.MiniBlock) error {
	switch {
	case signed(m) && m.Header.Epoch > l.chain.Epoch():
		return l.rewind(m, l.branch)
	case !signed(m) && len(l.branch) < maxUnsigned:
		l.branch = append(l.branch, m)
	default:
		l.branch = nil
	}
	return nil
}

// rewind makes the block before a branch the newest, and goes on with the branch: with m,
// which is signed, behind unsigned ones.
func (l *Live) rewind(m *feed.MiniBlock, unsigned []*feed.MiniBlock) error {
	first := m
	if len(unsigned) > 0 {
		first = unsigned[0]
	}
	target := first.Header.BlockNumber - 1
	if _, final := l.node.Finality(); target < final {
		return l.diverged("final", m, fmt.Errorf("the leader took the chain back to block %d, L1 made %d final", target, final))
	}
	l.log.Warn("the leader took the chain back", "block", target, "epoch", m.Header.Epoch, "head", l.node.PublishedHead().Number)
	if err := l.goBack(target); err != nil {
		return err
	}
	if first.Header.Number != l.chain.NextMini() || first.Header.ParentHash != l.chain.LastMini() {
		return l.diverged("branch", m, fmt.Errorf("mini-block %d says that it begins block %d, which begins with %d", first.Header.Number, target+1, l.chain.NextMini()))
	}
	l.unsigned = unsigned
	return l.take(m)
}

// goBack makes a block the newest again.
func (l *Live) goBack(number uint64) error {
	if err := l.node.Rewind(number); err != nil {
		return fmt.Errorf("%w: %w", errFatal, err)
	}
	l.chain, l.unsigned, l.branch, l.complete, l.heard = l.node.Exec(), nil, nil, nil, false
	clear(l.expected)
	l.note()
	return nil
}

// add makes a mini-block that follows the newest one part of the chain.
func (l *Live) add(m *feed.MiniBlock) error {
	if l.complete != nil || m.Header.Index == 0 && l.chain.IsOpen() {
		return l.begin(m)
	}
	version, err := l.effects(m)
	if err != nil {
		return err
	}
	return l.publish(m, version)
}

// publish makes an added mini-block the newest that readers see, and seals its block if
// the feed has told that it is the last.
func (l *Live) publish(m *feed.MiniBlock, version uint64) error {
	l.node.PublishMiniBlock(m.MiniBlock, l.chain.OpenHeader(), m.Attributes, version)
	l.moved, l.back = time.Now(), 0
	l.mu.Lock()
	l.unsignedTx = common.Hash{}
	l.mu.Unlock()
	l.saw(m.Header.BlockNumber)
	if b := l.expected[m.Header.BlockNumber]; b != nil && b.LastMiniBlock == m.Header.Number {
		return l.sealed(b)
	}
	return l.derive()
}

// effects applies or executes a mini-block.
func (l *Live) effects(m *feed.MiniBlock) (version uint64, err error) {
	if m.Header.Index == 0 {
		l.heard = l.asking && (l.complete == nil || l.heard)
	}
	if l.opts.Execute {
		return l.execute(m)
	}
	version, err = l.chain.Adopt(m.MiniBlock, m.Attributes)
	switch {
	case errors.Is(err, exec.ErrContent):
		return 0, err // whoever passed it on changed it: others have it as it was
	case err != nil:
		return 0, l.doubted(err, func(why error) error { return l.contradicted("mini-block", m, why) })
	}
	return version, nil
}

// doubted decides on what does not follow from what a block began with, which no signature
// covers: whoever passed that on may have changed it. So the block is given up, to be had
// from the leader; without one, from the feed again. If that was done, it is certain.
func (l *Live) doubted(why error, certain func(why error) error) error {
	if l.heard || l.opts.Leader == nil && l.dropped {
		return certain(why)
	}
	if err := l.giveUp(); err != nil {
		return err
	}
	l.dropped = true
	return fmt.Errorf("%w: %w", exec.ErrContent, why)
}

// giveUp takes the chain back to before the block that is open, or that waits for
// something to confirm it.
func (l *Live) giveUp() error {
	number := l.chain.Parent().Number.Uint64()
	if l.complete != nil {
		number--
	}
	return l.goBack(number)
}

// sealedBlock is a block with what sealing it gave.
type sealedBlock struct {
	block   *chain.Block
	diff    state.Diff
	witness *chain.Witness
}

// completes tells whether the block is the one that waits to be confirmed.
func (l *Live) completes(b *feed.Block) bool {
	if l.complete == nil || l.complete.block.Header.Number.Cmp(b.Header.Number) != 0 {
		return false
	}
	extra, err := chain.DecodeExtra(b.Header.Extra)
	return err == nil && extra.LastMiniBlock == l.chain.LastMini()
}

// seal ends the open block. It stays unknown to readers until something confirms its hash.
func (l *Live) seal() error {
	block, diff, err := l.chain.Seal()
	if err != nil {
		return fmt.Errorf("%w: %w", errFatal, err)
	}
	l.complete = &sealedBlock{block, diff, l.chain.Witness()}
	return nil
}

// begin adds the first mini-block of a block. What that holds of the hash of its parent
// must be what was computed.
func (l *Live) begin(m *feed.MiniBlock) error {
	if l.complete == nil {
		number := l.chain.OpenHeader().Number.Uint64()
		if b := l.expected[number]; b != nil && l.ends(b) {
			if err := l.sealed(b); err != nil {
				return err
			}
			return l.add(m)
		}
		if err := l.seal(); err != nil {
			return err
		}
	}
	version, err := l.effects(m)
	if err != nil {
		return err
	}
	if err := l.announce(); err != nil {
		return err
	}
	l.heard = l.asking
	return l.publish(m, version)
}

// ends tells whether the open block ends, as it is, as the feed says.
func (l *Live) ends(b *feed.Block) bool {
	extra, err := chain.DecodeExtra(b.Header.Extra)
	return err == nil && extra.LastMiniBlock == l.chain.LastMini() && l.chain.IsOpen() && l.chain.OpenHeader().Number.Cmp(b.Header.Number) == 0
}

// announce publishes the block that was sealed, and its witness, if there is one.
func (l *Live) announce() error {
	c := l.complete
	l.complete = nil
	if err := l.node.PublishBlock(c.block, c.diff, nil); err != nil {
		return fmt.Errorf("%w: %w", errFatal, err)
	}
	l.node.PublishWitness(c.block, c.witness)
	l.moved, l.dropped = time.Now(), false
	delete(l.expected, c.block.Number())
	l.note()
	return nil
}

// sealed decides on a block of which the feed says that it is sealed.
func (l *Live) sealed(b *feed.Block) error {
	number := b.Header.Number.Uint64()
	l.saw(number)
	switch {
	case number <= l.deaf && !l.asking:
		return nil
	case l.ends(b):
		if err := l.seal(); err != nil {
			return err
		}
		fallthrough
	case l.completes(b):
		if ours := l.complete.block.Header; ours.Hash() != b.Header.Hash() {
			l.disbelieve(otherBlock(b, ours), number)
			if err := l.giveUp(); err != nil { // it may go on
				return err
			}
			return fmt.Errorf("sealed block %d of the feed: %w", number, exec.ErrContent)
		}
		if err := l.announce(); err != nil {
			return err
		}
		return l.derive()
	case number <= l.chain.Parent().Number.Uint64():
		return l.compare(b)
	case len(l.expected) == maxExpected:
		clear(l.expected) // they are sealed when the next one begins
	}
	l.expected[number] = b
	return nil
}

// compare checks a block of the feed that is sealed here, too. One that ends with another
// mini-block is of another branch.
func (l *Live) compare(b *feed.Block) error {
	h, err := l.node.HeaderByNumber(context.Background(), b.Header.Number.Uint64())
	if err != nil || h == nil || h.Hash() == b.Header.Hash() {
		return err
	}
	ours, err := chain.DecodeExtra(h.Extra)
	if err != nil {
		return nil // genesis
	}
	if theirs, err := chain.DecodeExtra(b.Header.Extra); err != nil || theirs.LastMiniBlock != ours.LastMiniBlock {
		return nil
	}
	l.disbelieve(otherBlock(b, h), b.Header.Number.Uint64())
	return nil
}

// maxDeaf is for how many blocks the feed's word of sealed ones is not taken after a wrong
// one.
const maxDeaf = 1024

// disbelieve notes that the feed told wrong of a sealed block. Nobody has signed that, so
// it shows nothing against the leader: what the next block begins with does. Until then,
// and for a while, blocks are sealed when the next one begins.
func (l *Live) disbelieve(why error, number uint64) {
	l.log.Error("the feed tells of a block that is not what its mini-blocks give; what it tells of sealed blocks is passed over for a while", "blocks", maxDeaf, "err", why)
	l.deaf = number + maxDeaf
	clear(l.expected)
}
