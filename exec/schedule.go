package exec

import (
	"hash/maphash"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// A transaction that executes before one that it depends on has executed in vain. The
// planner guesses dependencies: what it guesses wrong costs time and nothing else.
//
// Certain are those of a sender's transactions, and of a sender on plain transfers to
// it. Others are learned from conflicts, by class: the contract and the function that
// transactions call. The transactions of a class conflict all with each other, as swaps
// on one pool do, or those do that have an address in common among sender and
// arguments, as transfers of one token do. Both are scored.
type planner struct {
	seed    maphash.Seed
	last    [lastPlaces]lastUse
	classes [classPlaces]class
	buf     [28]byte
}

const (
	lastPlaces  = 4096 // power of two, well above what one window of a batch uses
	classPlaces = 1024 // power of two

	maxScore     = 64
	orderAbove   = 8 // score from which the class is put in order
	scoreWhole   = 8 // what a conflict adds
	scorePartial = 8
)

// lastUse is the last transaction that used what the hash names.
type lastUse struct {
	hash uint64
	at   int64
}

// class is what was learned about calls of one function of one contract.
type class struct {
	hash     uint64
	resource uint64 // account that the calls compete for
	whole    int    // score of conflicts between calls that share no address
	partial  int    // score of conflicts between calls that share one
}

// plan is the planner's guess for one transaction.
type plan struct {
	needs  [maxNeeds]int64 // positions of transactions to wait for
	count  int             // of needs
	sure   int             // of needs: those that no class had a part in
	class  uint64          // 0 if a class had no part in it
	partly bool            // the class is ordered by shared addresses
}

const maxNeeds = 5

func newPlanner() *planner {
	p := &planner{seed: maphash.MakeSeed()}
	p.forget()
	return p
}

// forget drops the last uses, of which none is in the batch to come.
func (p *planner) forget() {
	for i := range p.last {
		p.last[i] = lastUse{at: nobody}
	}
}

// use notes that the transaction at the position uses what hash names, and adds the
// last one that did to the plan if it is not committed.
func (p *planner) use(pl *plan, hash uint64, at, committed int64) {
	u := &p.last[hash%lastPlaces]
	if u.hash == hash && u.at >= committed && u.at != at {
		pl.need(u.at)
	}
	u.hash, u.at = hash, at
}

func (pl *plan) need(at int64) {
	for _, n := range pl.needs[:pl.count] {
		if n == at {
			return
		}
	}
	if pl.count < maxNeeds {
		pl.needs[pl.count] = at
		pl.count++
	}
}

func (p *planner) hash(kind byte, resource uint64, addr *common.Address) uint64 {
	b := &p.buf
	for i := range 7 {
		b[i] = byte(resource >> (8 * i))
	}
	b[7] = kind
	copy(b[8:], addr[:])
	return maphash.Bytes(p.seed, b[:])
}

// Kinds of what transactions use.
const (
	useAccount = iota // an account's nonce and balance
	useClass
	useWhole
	usePartly
)

// plan says what the transaction at the position probably depends on.
func (p *planner) plan(pl *plan, tx *chain.Tx, at, committed int64) {
	pl.count, pl.class = 0, 0
	from := tx.From()
	p.use(pl, p.hash(useAccount, 0, &from), at, committed)
	to := tx.To()
	if to == nil {
		return
	}
	data := tx.Data()
	if len(data) < 4 {
		if len(data) == 0 && *to != from {
			hash := p.hash(useAccount, 0, to)
			p.last[hash%lastPlaces] = lastUse{hash, at}
		}
		return
	}
	hash, c := p.class(to, data)
	if c.hash != hash || c.whole < orderAbove && c.partial < orderAbove {
		return
	}
	pl.sure = pl.count
	if c.whole >= orderAbove {
		pl.partly = false
		p.use(pl, p.hash(useWhole, c.resource, &common.Address{}), at, committed)
	} else {
		pl.partly = true
		var words [maxWords]common.Address
		contract := p.hash(useClass, 0, to)
		for _, w := range words[:addresses(&words, tx)] {
			p.use(pl, p.hash(usePartly, contract, &w), at, committed)
		}
	}
	if pl.count > pl.sure {
		pl.class = hash
	}
}

func (p *planner) class(to *common.Address, data []byte) (uint64, *class) {
	selector := uint64(data[0]) | uint64(data[1])<<8 | uint64(data[2])<<16 | uint64(data[3])<<24
	hash := p.hash(useClass, selector, to) | 1
	return hash, &p.classes[hash>>8%classPlaces]
}

const maxWords = 4

// addresses are the sender and what looks like an address among the first arguments.
func addresses(words *[maxWords]common.Address, tx *chain.Tx) int {
	words[0] = tx.From()
	n := 1
	data := tx.Data()
	for i := 4; i+32 <= len(data) && n < maxWords && i < 4+4*32; i += 32 {
		w := data[i : i+32]
		if isZero(w[:12]) && !isZero(w[12:16]) {
			copy(words[n][:], w[12:])
			n++
		}
	}
	return n
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// conflict learns that tx read what writer had yet to write, at an account.
func (p *planner) conflict(tx, writer *chain.Tx, addr *common.Address) {
	if tx.From() == writer.From() {
		return
	}
	var a, b [maxWords]common.Address
	partly := false
	na, nb := addresses(&a, tx), addresses(&b, writer)
	for _, x := range a[:na] {
		for _, y := range b[:nb] {
			partly = partly || x == y
		}
	}
	resource := p.hash(useClass, 0, addr)
	for _, t := range []*chain.Tx{tx, writer} {
		to, data := t.To(), t.Data()
		if to == nil || len(data) < 4 {
			continue
		}
		hash, c := p.class(to, data)
		if c.hash != hash {
			*c = class{hash: hash}
		}
		c.resource = resource
		if partly {
			c.partial = min(maxScore, c.partial+scorePartial)
		} else {
			c.whole = min(maxScore, c.whole+scoreWhole)
		}
	}
}

// outcome learns whether a transaction did depend on what its plan made it wait for.
func (p *planner) outcome(t *work) {
	if t.plan.class == 0 {
		return
	}
	c := &p.classes[t.plan.class>>8%classPlaces]
	if c.hash != t.plan.class {
		return
	}
	score := &c.whole
	if t.plan.partly {
		score = &c.partial
	}
	if t.dependedOnPlan() {
		*score = min(maxScore, *score+1)
	} else {
		*score = max(0, *score-1)
	}
}

func (t *work) dependedOnPlan() bool {
	for _, n := range t.plan.needs[t.plan.sure:t.plan.count] {
		for i := range t.accounts {
			if t.accounts[i].writer == n {
				return true
			}
		}
		for i := range t.slots {
			if t.slots[i].writer == n {
				return true
			}
		}
	}
	return false
}
