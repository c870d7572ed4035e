package validator

import (
	"slices"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
)

// where says what is waited for.
func (a *assembler) where() (next, newest uint64, bytes, rewinds int, missing string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.blocks[a.next]
	switch {
	case p == nil || len(p.minis) == 0:
		missing = "mini-blocks"
	case len(p.headers) == 0:
		missing = "sealed header"
	case len(p.witnesses) == 0:
		missing = "witness"
	case p.job == nil:
		missing = "parts that fit together"
	}
	return a.next, a.newest, a.bytes, a.rewinds, missing
}

// lacks says what the next block waits for longer than the grace: a sealed header that
// fits, or the witness of the header that is returned.
func (a *assembler) lacks() (number uint64, header bool, witness *feed.Block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.blocks[a.next]
	if p == nil || p.job != nil || len(p.minis) == 0 || time.Since(p.changed) < a.grace {
		return a.next, false, nil
	}
	last := p.minis[len(p.minis)-1].Header.Hash()
	for i := len(p.headers) - 1; i >= 0; i-- {
		extra, err := chain.DecodeExtra(p.headers[i].Header.Extra)
		if err != nil || extra.LastMiniBlock != last {
			continue
		}
		hash := p.headers[i].Header.Hash()
		if slices.ContainsFunc(p.witnesses, func(w *feed.Witness) bool { return w.Hash == hash }) {
			return a.next, false, nil
		}
		return a.next, false, p.headers[i]
	}
	return a.next, true, nil
}

// continues is the number of the mini-block behind the newest, if there is one.
func (a *assembler) continues() (uint64, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return 0, false
	}
	return a.last.Number + 1, true
}

// forget makes the next mini-block the first, whatever it is: the chain was taken back
// behind what is known.
func (a *assembler) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return
	}
	a.rewind(&chain.MiniBlockHeader{BlockNumber: a.next})
	a.last, a.lost = nil, true
}
