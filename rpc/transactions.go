package rpc

import (
	"time"
)

func (s *Server) getTransactionByHash(c *call, a *args) (rawJSON, error) {
	t, err := s.lookup(c, a)
	if err != nil || t == nil {
		return nil, err
	}
	return txJSON(t), nil
}

// lookup finds the transaction whose hash is the first argument.
func (s *Server) lookup(c *call, a *args) (*TxInfo, error) {
	hash := a.hash(0)
	if a.err != nil {
		return nil, a.err
	}
	return s.backend.TxByHash(c.ctx, hash)
}

func (s *Server) getRawTransactionByHash(c *call, a *args) (rawJSON, error) {
	t, err := s.lookup(c, a)
	if err != nil || t == nil {
		return nil, err
	}
	return hexData(t.Tx.Raw()), nil
}

func (s *Server) getTransactionReceipt(c *call, a *args) (rawJSON, error) {
	t, err := s.lookup(c, a)
	if err != nil || t == nil || t.Receipt == nil {
		return nil, err
	}
	return receiptJSON(t, s.tiers().of(t.BlockNumber, t.BlockHash != zeroHash)), nil
}

func (s *Server) getTransactionByNumberAndIndex(c *call, a *args) (rawJSON, error) {
	ref, i := a.block(0), a.index(1)
	return s.found(c, a, ref, func(v *blockView) rawJSON { return txAt(v, i) })
}

func (s *Server) getTransactionByHashAndIndex(c *call, a *args) (rawJSON, error) {
	ref, i := byHash(a, 0), a.index(1)
	return s.found(c, a, ref, func(v *blockView) rawJSON { return txAt(v, i) })
}

func txAt(v *blockView, i uint64) rawJSON {
	if i >= uint64(len(v.txs)) {
		return nil
	}
	return txJSON(v.place(int(i)))
}

// pendingTransactions are those of the open block, L1's aside.
func (s *Server) pendingTransactions(*call, *args) (rawJSON, error) {
	w := newWriter(1024)
	w.open('[')
	if p := s.backend.Pending(); p != nil {
		v := openView(p)
		for i, tx := range v.txs {
			if tx.IsDeposit() {
				continue
			}
			w.tx(v.place(i))
			if len(w.b) > s.opts.MaxResponseBytes {
				return nil, s.tooLarge()
			}
		}
	}
	w.shut(']')
	return w.b, nil
}

// submission is the future of the first argument, which has yet to be handed over.
func (s *Server) submission(c *call, a *args, sync bool, wait time.Duration) *future {
	raw := read(a, 0, func(text []byte) ([]byte, error) { return decodeBytesIn(text, c.slab.bytes) })
	if a.err != nil {
		return nil
	}
	if c.began.IsZero() {
		c.began = time.Now()
	}
	f := c.slab.future()
	f.raw, f.sync = raw, sync
	f.deadline, f.millis = c.began.Add(wait), wait.Milliseconds()
	return f
}

func (s *Server) sendRaw(c *call, a *args) *future {
	return s.submission(c, a, false, s.opts.SendTimeout)
}

// sendRawSync is EIP-7966: the answer is the receipt. A timeout of zero is the
// default, and one above the limit is the limit.
func (s *Server) sendRawSync(c *call, a *args) *future {
	wait := s.opts.SyncTimeout
	if millis := readOr(a, 1, 0, decodeCount); millis > 0 {
		wait = s.opts.MaxSyncTimeout
		if millis < uint64(wait.Milliseconds()) {
			wait = time.Duration(millis) * time.Millisecond
		}
	}
	if a.err != nil {
		return nil
	}
	return s.submission(c, a, true, wait)
}
