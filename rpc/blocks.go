package rpc

import (
	"errors"
)

// found looks the block of a reference up and renders it; an absent one is null.
func (s *Server) found(c *call, a *args, ref blockRef, render func(v *blockView) rawJSON) (rawJSON, error) {
	if a.err != nil {
		return nil, a.err
	}
	v, err := s.block(c.ctx, ref)
	if err != nil || v == nil {
		return nil, err
	}
	return render(v), nil
}

func byHash(a *args, i int) blockRef { return blockRef{tag: tagHash, hash: a.hash(i)} }

func (s *Server) getBlockByNumber(c *call, a *args) (rawJSON, error) {
	ref, full := a.block(0), a.flag(1)
	return s.found(c, a, ref, func(v *blockView) rawJSON { return blockJSON(v, full) })
}

func (s *Server) getBlockByHash(c *call, a *args) (rawJSON, error) {
	ref, full := byHash(a, 0), a.flag(1)
	return s.found(c, a, ref, func(v *blockView) rawJSON { return blockJSON(v, full) })
}

func headerOf(v *blockView) rawJSON {
	w := newWriter(2048)
	w.open('{')
	w.headerFields(v.header, v.hash, v.open)
	w.shut('}')
	return w.b
}

func (s *Server) getHeaderByNumber(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, a.block(0), headerOf)
}

func (s *Server) getHeaderByHash(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, byHash(a, 0), headerOf)
}

func txCount(v *blockView) rawJSON { return quantity(uint64(len(v.txs))) }

func (s *Server) txCountByNumber(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, a.block(0), txCount)
}

func (s *Server) txCountByHash(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, byHash(a, 0), txCount)
}

func noUncles(*blockView) rawJSON { return quantity(0) }

func (s *Server) uncleCountByNumber(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, a.block(0), noUncles)
}

func (s *Server) uncleCountByHash(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, byHash(a, 0), noUncles)
}

// getBlockReceipts stops as soon as the answer is too large.
func (s *Server) getBlockReceipts(c *call, a *args) (rawJSON, error) {
	ref := read(a, 0, decodeBlockRef)
	if a.err != nil {
		return nil, a.err
	}
	v, err := s.block(c.ctx, ref)
	if err != nil || v == nil {
		return nil, err
	}
	limit := s.opts.MaxResponseBytes
	w := newWriter(min(1700*(len(v.receipts)+1), limit))
	tier := s.tiers().of(v.number(), !v.open)
	w.open('[')
	v.each(func(t *TxInfo) bool {
		w.receipt(t, tier)
		return len(w.b) <= limit
	})
	w.shut(']')
	if len(w.b) > limit {
		return nil, Errorf(CodeLimit, "response is larger than %d bytes: ask for single receipts with eth_getTransactionReceipt", limit)
	}
	return w.b, nil
}

// miniRef is a mini-block as a client names it.
type miniRef struct {
	byHash bool
	ref    blockRef
	number uint64
}

func decodeMiniRef(raw []byte) (m miniRef, err error) {
	if len(raw) == 2+66 {
		m.byHash = true
		m.ref.hash, err = decodeHash(raw)
		return m, err
	}
	if m.number, err = decodeCount(raw); err != nil {
		return m, errors.New("want the number or the hash of a mini-block")
	}
	return m, nil
}

func (s *Server) getMiniBlock(c *call, a *args) (rawJSON, error) {
	m, err := s.miniBlock(c, a)
	if err != nil || m == nil {
		return nil, err
	}
	return miniBlockJSON(m, s.tiers()), nil
}

// getMiniBlockDiff is what a light client proves the hash of a block with.
func (s *Server) getMiniBlockDiff(c *call, a *args) (rawJSON, error) {
	m, err := s.miniBlock(c, a)
	if err != nil || m == nil {
		return nil, err
	}
	diff, err := s.backend.MiniBlockDiff(c.ctx, m)
	if err != nil {
		return nil, err
	}
	if 2*len(diff) > s.opts.MaxResponseBytes {
		return nil, s.tooLarge()
	}
	return hexData(diff), nil
}

// miniBlock is the one that the first parameter names, nil if there is none.
func (s *Server) miniBlock(c *call, a *args) (*MiniBlock, error) {
	ref := read(a, 0, decodeMiniRef)
	if a.err != nil {
		return nil, a.err
	}
	if ref.byHash {
		return s.backend.MiniBlockByHash(c.ctx, ref.ref.hash)
	}
	return s.backend.MiniBlockByNumber(c.ctx, ref.number)
}
