package validator

import (
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

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

// lack is a part of a block that did not come.
type lack struct {
	number uint64
	header *types.Header // whose witness it is; nil: the sealed header itself
}

// lacks says what the next block, and ahead blocks behind it, wait for longer than the
// grace.
func (a *assembler) lacks(ahead uint64) (out []lack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n := a.next; n <= a.next+ahead; n++ {
		if p := a.blocks[n]; p != nil && p.job == nil && len(p.minis) > 0 && time.Since(p.changed) >= a.grace {
			// The last mini-block of the newest block may not be its last.
			if l, ok := p.lack(n); ok && (l.header != nil || a.last == nil || a.last.BlockNumber > n) {
				out = append(out, l)
			}
		}
	}
	return out
}

func (p *parts) lack(number uint64) (lack, bool) {
	last := p.minis[len(p.minis)-1].Header.Hash()
	for i := len(p.headers) - 1; i >= 0; i-- {
		h := p.headers[i].Header
		extra, err := chain.DecodeExtra(h.Extra)
		if err != nil || extra.LastMiniBlock != last {
			continue
		}
		hash := h.Hash()
		if slices.ContainsFunc(p.witnesses, func(w *feed.Witness) bool { return w.Hash == hash }) {
			return lack{}, false
		}
		return lack{number, h}, true
	}
	return lack{number, nil}, true
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
