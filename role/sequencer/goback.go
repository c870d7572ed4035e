package sequencer

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
)

// L1 decides. When it decides otherwise than this sequencer, whose blocks were too late
// or built on an L1 block that is gone, the sequencer goes back and on from there.

// startUndone completes going back if that was interrupted, and says what is void.
func (s *Sequencer) startUndone() (err error) {
	if s.undone, err = s.node.Undone(); err != nil || s.undone.Target == nil {
		return err
	}
	if err := s.node.Rewind(*s.undone.Target); err != nil {
		return err
	}
	s.undone.Target = nil
	return s.node.SaveUndone(s.undone)
}

// Adopt makes a derived block the newest one, in place of what the sequencer has from its
// number on. An error that wraps node.ErrInvalid says that it does not execute.
func (s *Sequencer) Adopt(ctx context.Context, in *derive.BlockInput) (hash common.Hash, err error) {
	done := make(chan error, 1)
	run := func(l *loop) error {
		h, err := l.adopt(in)
		hash = h
		done <- err
		if errors.Is(err, node.ErrInvalid) {
			return nil
		}
		return err
	}
	select {
	case s.commands <- run:
	case <-ctx.Done():
		return hash, ctx.Err()
	case <-s.looped:
		return hash, errors.New("the sequencer is shutting down")
	}
	return hash, <-done
}

// adopt is Adopt on the executing goroutine.
func (l *loop) adopt(in *derive.BlockInput) (common.Hash, error) {
	if l.chain.IsOpen() || l.head.Number >= in.Number {
		why := fmt.Sprintf("L1 block %d decides otherwise on block %d (%s)", in.PostedIn.Number, in.Number, in.Kind)
		if err := l.rollBack(in.Number-1, why); err != nil {
			return common.Hash{}, err
		}
	}
	return l.derived(in)
}

// derived executes a block that L1 decides. It is not logged: its inputs are on L1.
func (l *loop) derived(in *derive.BlockInput) (common.Hash, error) {
	if err := l.drain(); err != nil {
		return common.Hash{}, err
	}
	hash, err := l.s.node.Execute(in)
	if err != nil && !errors.Is(err, node.ErrInvalid) {
		return hash, err
	}
	l.unsynced, l.stale = true, true
	return hash, errors.Join(err, l.reload())
}

// rollBack makes block number the newest one. Transactions of the blocks that are void
// are executed again, as far as they still can be.
func (l *loop) rollBack(number uint64, why string) error {
	l.settleChecks() // what is executed again is by whom it says
	first, last := number+1, l.head.Number
	if l.chain.IsOpen() {
		last++
	}
	epoch := max(l.epoch, l.chain.Epoch()) + 1
	_ = l.lose(rpc.NotReadyError("the chain went back to an earlier block"))
	if err := l.drain(); err != nil {
		return err
	}
	s := l.s
	until, err := l.reached()
	if err != nil {
		return err
	}
	void, surplus, err := l.voidTxs(first, why, until+againOrigins)
	if err != nil {
		return err
	}
	s.log.Error("blocks of this sequencer are void; going back", "why", why, "first", first, "last", last,
		"transactionsToExecuteAgain", len(void), "transactionsLost", surplus)
	if s.opts.Metrics != nil {
		s.opts.Metrics.Rewinds.Inc()
	}
	s.step("void transactions are known")
	again, err := s.again.begin(void, until+againOrigins)
	if err != nil {
		return err
	}
	s.step("void transactions are kept")
	s.undone = node.Undone{Seq: max(s.wal.Durable(), s.durable.reached()), Target: &number, Epoch: epoch}
	if err := s.node.SaveUndone(s.undone); err != nil {
		return err
	}
	s.again.lost(surplus)
	s.step("the target is kept")
	if err := s.node.Rewind(number); err != nil {
		return err
	}
	s.step("rewound")
	s.undone.Target = nil
	if err := s.node.SaveUndone(s.undone); err != nil {
		return err
	}
	s.step("back")
	l.epoch, l.stale, l.forged = epoch, true, nil
	l.next = append(again, l.next...)
	return l.reload()
}

// reached is the L1 origin of the newest block, the open one included.
func (l *loop) reached() (uint64, error) {
	if !l.chain.IsOpen() {
		return l.head.Origin.Number, nil
	}
	txs, _, _ := l.chain.OpenBlock()
	if len(txs) == 0 {
		return l.head.Origin.Number, nil
	}
	attrs, err := chain.ParseL1Attributes(txs[0])
	return attrs.Number, err
}

// voidTxs are the user transactions from block first on, the open one included, to be
// executed again. How many there are beyond the limits is surplus: the store has why they
// are gone, and memory has none of them.
func (l *loop) voidTxs(first uint64, why string, until uint64) (void []*voided, surplus int, err error) {
	a, since := l.s.again, uint64(now()/1000)
	room, over := a.room(), a.surplus()
	var lost []node.GoneTx
	add := func(number uint64, txs []*chain.Tx, minis []chain.MiniBlockHeader) error {
		for _, mini := range minis {
			for i := mini.FirstTxIndex; i < mini.FirstTxIndex+mini.TxCount; i++ {
				tx := txs[i]
				if tx.IsDeposit() {
					continue
				}
				place := node.VoidPlace{Block: number, MiniBlock: mini.Number, Index: i, Why: why, Since: since}
				f, is := l.forged[signedBy(tx)]
				if f.copied {
					continue
				}
				if is && f.right == nil {
					lost = append(lost, node.GoneTx{Hash: tx.Hash(), Place: place, Refusal: f.err.Error()})
					continue
				} else if is {
					tx = f.right
				}
				if room.take(tx) {
					void = append(void, a.make(tx, place, until))
				} else if err := over.add(tx.Hash(), place); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for n := first; n <= l.head.Number; n++ {
		block, err := l.sealed(n)
		if err != nil {
			return nil, 0, err
		}
		if err := add(n, block.Txs, block.MiniBlocks); err != nil {
			return nil, 0, err
		}
	}
	if l.chain.IsOpen() {
		txs, minis, _ := l.chain.OpenBlock()
		if err := add(l.head.Number+1, txs, minis); err != nil {
			return nil, 0, err
		}
	}
	if err := l.nameForged(lost); err != nil {
		return nil, 0, err
	}
	return void, over.count, over.flush()
}

// sealed is a block of the chain, which the node must hold.
func (l *loop) sealed(number uint64) (*chain.Block, error) {
	block, err := l.s.node.BlockByNumber(context.Background(), number)
	if err == nil && block == nil {
		err = fmt.Errorf("block %d: sealed but not held", number)
	}
	return block, err
}

// resync brings the sequencer back to where its own blocks can go on: what it adopted is
// on disk before the log goes on behind it, and L1 is read from the head's origin.
func (l *loop) resync() error {
	if l.unsynced {
		if err := l.s.node.AfterWrites(l.s.node.Store().Sync); err != nil {
			return err
		}
		l.unsynced = false
	}
	if !l.stale {
		return nil
	}
	from, err := l.s.opts.Connect(l.head.Origin)
	if errors.Is(err, l1feed.ErrOrphaned) {
		return l.reorged()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errL1, err)
	}
	if l.s.l1.Close != nil {
		l.s.l1.Close()
	}
	l.s.l1, l.origin, l.stale = from, from.Origin, false
	return nil
}

// errL1 means that L1 cannot be read now.
var errL1 = errors.New("L1 cannot be read")

// reorged goes back to the newest block whose L1 origin is still there.
func (l *loop) reorged() error {
	if err := l.drain(); err != nil {
		return err
	}
	var asked chain.L1Origin
	for n := l.head.Number; ; n-- {
		origin := l.s.node.Genesis.L1Origin
		if n > 0 {
			block, err := l.sealed(n)
			if err != nil {
				return err
			}
			attrs, err := chain.ParseL1Attributes(block.Txs[0])
			if err != nil {
				return err
			}
			if origin = (chain.L1Origin{Number: attrs.Number, Hash: attrs.Hash}); origin == asked {
				continue // of the same origin as the one behind it
			}
		}
		asked = origin
		there, err := l.s.l1.Canonical(origin)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errL1, err)
		case there && n == l.head.Number:
			l.stale = true // its successor was of another fork: read again
			return nil
		case there:
			return l.rollBack(n, "L1 reorganised behind block "+fmt.Sprint(origin.Number))
		case n == 0:
			return fmt.Errorf("L1 does not have block %d, on which the chain began: this is another L1 than the chain's", origin.Number)
		}
	}
}

// Derived is what derivation from L1 says beside the sequencer.
type Derived struct {
	Head     derive.Head // newest block that L1 decides
	Tip      uint64      // newest L1 block read
	CaughtUp bool        // with what L1 had when the process started
	Stuck    error       // why a block that is not the sequencer's cannot be adopted yet; nil: there is none
}

// errBehind means that no block may be opened yet, or none with transactions of users.
var errBehind = errors.New("waiting for derivation")

// progress decides what the next block may be. forced says that derivation will make it
// from deposits alone before a batch can arrive, so that the sequencer makes the same. An
// error that wraps errBehind says why no transactions are taken; catchUp, that blocks are
// made all the same, to come nearer to L1's head.
func (l *loop) progress() (forced, catchUp bool, err error) {
	if l.s.opts.Derived == nil {
		return false, true, nil
	}
	d, cfg := l.s.opts.Derived(), l.s.node.Config()
	next := l.s.l1.Next.Peek()
	behind := l.s.l1.Next.Backlog() > 1
	switch {
	case !d.CaughtUp:
		return false, false, fmt.Errorf("%w: it has not read all of L1 yet", errBehind)
	case d.Stuck != nil:
		return false, false, fmt.Errorf("%w: %w", errBehind, d.Stuck)
	case l.head.Number < d.Head.Number:
		return false, false, fmt.Errorf("%w: block %d is still to be taken over from L1", errBehind, l.head.Number+1)
	case l.head.Origin.Number < derive.LastForced(cfg, d.Tip):
		if next == nil {
			return false, false, fmt.Errorf("%w: L1 block %d is not known", errBehind, l.head.Origin.Number+1)
		}
		return true, true, nil
	case d.Tip > d.Head.Origin.Number+derive.MaxUnposted(cfg):
		return false, behind, fmt.Errorf("%w: nothing was posted for %d L1 blocks, and blocks that are not posted within %d may be void (is the batcher running, and does L1 take its transactions?)",
			errBehind, d.Tip-d.Head.Origin.Number, cfg.InclusionWindow)
	}
	return false, true, nil
}

// openForced makes the block that derivation will force.
func (l *loop) openForced() error {
	next := l.s.l1.Next.Peek()
	in, _ := derive.NextForced(l.s.node.Config(), l.head, next)
	in.ParentHash = l.head.Hash
	if _, err := l.derived(&in); err != nil {
		return err
	}
	l.origin, l.stale = next, false // this L1 block is at hand
	l.s.l1.Next.Pop()
	return nil
}
