package sequencer

import (
	"context"
	"fmt"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// A block of a development chain begins with L1 attributes only if it has deposits: test
// suites count the transactions of blocks. So its head does not tell its L1 origin, and
// the record does, up to a block; what came after it is looked for in the blocks.

// parentHead is the head that the last sealed block makes.
func (s *Sequencer) parentHead() (derive.Head, error) {
	number := s.node.Exec().Parent().Number.Uint64()
	if s.dev == nil || number == 0 {
		return s.node.ParentHead()
	}
	block, err := s.node.BlockByNumber(context.Background(), number)
	if err != nil {
		return derive.Head{}, err
	}
	if block == nil {
		return derive.Head{}, fmt.Errorf("block %d: sealed but not held", number)
	}
	return s.headOf(block)
}

// headOf is the head that a sealed block, not genesis, makes.
func (s *Sequencer) headOf(b *chain.Block) (derive.Head, error) {
	if s.dev == nil {
		return derive.HeadOf(s.node.Config(), b)
	}
	s.dev.OriginAt = b.Number()
	last := &b.MiniBlocks[len(b.MiniBlocks)-1]
	return derive.Head{Number: b.Number(), Hash: b.Hash(), Timestamp: b.Header.Time, LastMicros: last.TimestampMicros, Epoch: last.Epoch}, nil
}

// origin is the L1 block up to which deposits were executed.
func (s *Sequencer) origin() (chain.L1Origin, error) {
	if s.dev == nil {
		return s.node.Origin()
	}
	origin := s.dev.Origin
	if origin.Number < s.node.Genesis.L1Origin.Number {
		origin = s.node.Genesis.L1Origin
	}
	newer := func(txs []*chain.Tx) error {
		if len(txs) == 0 || !txs[0].IsDeposit() {
			return nil
		}
		attrs, err := chain.ParseL1Attributes(txs[0])
		if err != nil {
			return fmt.Errorf("L1 origin of a block with deposits: %w", err)
		}
		if attrs.Number > origin.Number {
			origin = chain.L1Origin{Number: attrs.Number, Hash: attrs.Hash}
		}
		return nil
	}
	head := s.node.PublishedHead().Number.Uint64()
	for n := s.dev.OriginAt + 1; n <= head; n++ {
		block, err := s.node.BlockByNumber(context.Background(), n)
		if err != nil || block == nil {
			return origin, fmt.Errorf("L1 origin of block %d: %v", n, err)
		}
		if err := newer(block.Txs); err != nil {
			return origin, err
		}
	}
	if open := s.node.Pending(); open != nil {
		if err := newer(open.Txs); err != nil {
			return origin, err
		}
	}
	s.dev.Origin = origin
	return origin, nil
}

// devOrigins takes over the L1 blocks that are known: one L2 block may take several,
// whatever their time, but the deposits of one only.
func (l *loop) devOrigins() {
	d, portal := l.dev, l.s.node.Config().Portal
	for next := l.s.l1.Next.Peek(); next != nil; next = l.s.l1.Next.Peek() {
		deposits := derive.Deposits(next, portal)
		if len(deposits) > 0 && len(d.deposits) > 0 {
			return
		}
		d.deposits = append(d.deposits, deposits...)
		l.origin = next
		if l.s.l1.Next.Pop(); len(d.deposits) == 0 {
			d.Origin = next.ID()
		}
	}
}

// devDeposits are what the next block begins with.
func (l *loop) devDeposits() []*chain.Tx {
	if len(l.dev.deposits) == 0 {
		return nil
	}
	system := l.s.node.Config().System()
	attributes := l.origin.Attributes(0, &system)
	return append([]*chain.Tx{attributes.Tx()}, l.dev.deposits...)
}
