package rpc

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// shared is the part of a notification that is the same for all who get it.
type shared struct {
	tail   []byte  // from "result" to the end of the message
	result rawJSON // in tail
}

// share renders a result once, with the cursor that names it.
func share(size int, at cursor, render func(w *writer)) shared {
	w := newWriter(size + 96)
	w.b = append(w.b, `"result":`...)
	start := len(w.b)
	render(w)
	end := len(w.b)
	w.b = append(at.append(append(w.b, `,"cursor":"`...)), `"}}`...)
	return shared{w.b, w.b[start:end:end]}
}

// shareHead is the event of a sealed block.
func shareHead(b *chain.Block) shared {
	at := cursor{letter: kindHeads.letter(), number: b.Number(), item: wholeItem, tag: tagOf(b.Hash())}
	return share(2048, at, func(w *writer) { w.rawBytes(newHeadJSON(b)) })
}

// shareGap is the event that says that a subscription missed what is between two
// positions, and why.
func shareGap(letter byte, from, to *position, reason string) []byte {
	w := newWriter(256)
	a, b := cursorAt(letter, from), cursorAt(letter, to)
	w.key("gap").open('{')
	w.key("from").str(a.String())
	w.key("to").str(b.String())
	w.key("reason").text(reason)
	w.shut('}')
	w.key("cursor").str(b.String())
	return append(w.b, `}}`...)
}

// miniPayloads renders the parts of a mini-block at most once each.
type miniPayloads struct {
	s      *Server
	m      *MiniBlock
	places []TxInfo
	logs   int // in all
	cache  [kinds][]shared
	diff   []AccountChange
	known  bool // diff is
}

func newMiniPayloads(s *Server, m *MiniBlock) *miniPayloads {
	p := &miniPayloads{s: s, m: m, places: m.places()}
	for _, r := range m.Receipts {
		p.logs += len(r.Logs)
	}
	return p
}

// item is one of n items of a kind.
func (p *miniPayloads) item(kind topicKind, i, n, size int, render func(w *writer)) *shared {
	if p.cache[kind] == nil {
		p.cache[kind] = make([]shared, n)
	}
	e := &p.cache[kind][i]
	if e.tail == nil {
		*e = share(size, cursor{letter: kind.letter(), number: p.m.Header.Number, item: uint64(i), tag: tagOf(p.m.Hash)}, render)
	}
	return e
}

// eachLog calls visit with every log, its number in the mini-block, and how to render
// it.
func (p *miniPayloads) eachLog(visit func(item int, l *types.Log, render func() *shared) bool) {
	item := 0
	for i := range p.places {
		t := &p.places[i]
		for k, l := range t.Receipt.Logs {
			at := item
			render := func() *shared {
				return p.item(kindLogs, at, p.logs, 800+2*len(l.Data), func(w *writer) { w.log(l, t, uint64(k)) })
			}
			if !visit(item, l, render) {
				return
			}
			item++
		}
	}
}

// whole is the mini-block itself.
func (p *miniPayloads) whole(kind topicKind) *shared {
	render := func(w *writer) { w.rawBytes(miniBlockJSON(p.m, p.s.tiers())) }
	if kind == kindMiniHashes {
		render = func(w *writer) { w.rawBytes(miniHashesJSON(p.m)) }
	}
	return p.item(kind, 0, 1, 1024, render)
}

// tx is the transaction at that place: its hash, itself, or its receipt.
func (p *miniPayloads) tx(kind topicKind, i int) *shared {
	t := &p.places[i]
	switch kind {
	case kindPending:
		return p.item(kind, i, len(p.places), 70, func(w *writer) { hash := t.Tx.Hash(); w.hex(hash[:]) })
	case kindPendingFull:
		return p.item(kind, i, len(p.places), 1024+2*len(t.Tx.Data()), func(w *writer) { w.tx(t) })
	}
	tier := p.s.tiers().of(t.BlockNumber, t.BlockHash != common.Hash{})
	return p.item(kindReceipts, i, len(p.places), 1700+800*len(t.Receipt.Logs), func(w *writer) { w.receipt(t, tier) })
}

// txs are the results of the mini-block's transactions without its deposits.
func (p *miniPayloads) txs(kind topicKind) []rawJSON {
	list := make([]rawJSON, 0, len(p.places))
	for i := range p.places {
		if !p.places[i].Tx.IsDeposit() {
			list = append(list, p.tx(kind, i).result)
		}
	}
	return list
}

// changes are the mini-block's changes of the state.
func (p *miniPayloads) changes(ctx context.Context) ([]AccountChange, error) {
	if !p.known {
		diff, err := p.s.backend.AccountChanges(ctx, p.m)
		if err != nil {
			return nil, err
		}
		p.diff, p.known = diff, true
	}
	return p.diff, nil
}

func (p *miniPayloads) change(i int) *shared {
	c := &p.diff[i]
	return p.item(kindChanges, i, len(p.diff), 400+140*len(c.Storage), func(w *writer) { w.accountChange(p.m, c) })
}

// accountChange writes the event of stateChanges.
func (w *writer) accountChange(m *MiniBlock, c *AccountChange) {
	w.open('{')
	w.key("address").hex(c.Address[:])
	w.key("blockNumber").qty(m.Header.BlockNumber)
	w.key("miniBlockNumber").qty(m.Header.Number)
	if c.Balance != nil {
		w.key("balance").big(new(big.Int).Set(c.Balance))
	}
	if c.Nonce != nil {
		w.key("nonce").qty(*c.Nonce)
	}
	if c.CodeHash != nil {
		w.key("codeHash").hex(c.CodeHash[:])
	}
	if len(c.Storage) > 0 {
		w.key("storage").open('{')
		for i := range c.Storage {
			w.key(c.Storage[i].Slot.Hex()).hex(c.Storage[i].Value[:])
		}
		w.shut('}')
	}
	w.shut('}')
}

// each calls deliver with what the subscription selects of the mini-block from item
// skip on, in order, until it says no.
func (p *miniPayloads) each(ctx context.Context, sub *subscription, skip uint64, deliver func(item int, e *shared) bool) error {
	from := int(min(skip, wholeItem>>1))
	switch sub.kind {
	case kindMiniBlocks, kindMiniHashes:
		if from == 0 {
			deliver(0, p.whole(sub.kind))
		}
	case kindLogs:
		if !sub.query.inRange(p.m.Header.BlockNumber) {
			return nil
		}
		p.eachLog(func(item int, l *types.Log, render func() *shared) bool {
			return item < from || !sub.query.matches(l) || deliver(item, render())
		})
	case kindPending, kindPendingFull, kindReceipts:
		for i := from; i < len(p.places); i++ {
			if p.selects(sub, i) && !deliver(i, p.tx(sub.kind, i)) {
				return nil
			}
		}
	case kindChanges:
		diff, err := p.changes(ctx)
		if err != nil {
			return err
		}
		for i := from; i < len(diff); i++ {
			if sub.wantsAddress(diff[i].Address) && !deliver(i, p.change(i)) {
				return nil
			}
		}
	}
	return nil
}

// selects reports whether the subscription is about the transaction.
func (p *miniPayloads) selects(sub *subscription, i int) bool {
	tx := p.places[i].Tx
	if sub.kind != kindReceipts {
		return !tx.IsDeposit()
	}
	return len(sub.hashes) == 0 || contains(sub.hashes, ptr(tx.Hash()), compareHashes)
}

func ptr[T any](v T) *T { return &v }
