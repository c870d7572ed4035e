package verify

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	// foreseenBytes bounds a diff that is looked into ahead. A longer one is not, and its hash
	// is compared at the end of its mini-block.
	foreseenBytes = 4 << 20
	// mostForeseen bounds the accounts and slots of a block that are met ahead, at some 400
	// to 600 bytes each. Those beyond are hashed when execution meets them.
	mostForeseen = 1 << 17
)

// proveDiffs notes which diffs that came with the block have the hash that the signed header
// names. Whoever passes a mini-block on can replace its diff: before this nothing looks into
// one.
func (w *work) proveDiffs() {
	w.proven = make([]bool, len(w.in.MiniBlocks))
	s := &w.v.sums // is empty
	sum := func() {
		claims := s.claims
		s.drop()
		for i, c := range claims {
			w.proven[c.mini] = s.hashes[i] == c.hash
		}
	}
	for i, m := range w.in.MiniBlocks {
		if m.Diff == nil || len(m.Diff) > foreseenBytes {
			continue
		}
		if s.add(m.Diff, summed{KindDiffHash, m.Header.DiffHash, i}); s.full() {
			sum()
		}
	}
	sum()
}

// foresee hashes, eight at a time, the keys of the accounts and slots that the mini-blocks'
// proven diffs name, as many as it may. Nothing is read of them before somebody asks; what a
// diff names wrongly costs its hash, and what it does not name is hashed when it is met.
func (w *work) foresee() {
	f := foresight{work: w, left: mostForeseen}
	for i, m := range w.in.MiniBlocks {
		if w.proven[i] {
			f.diff(m.Diff)
		}
	}
	f.hashAccounts()
	f.hashSlots()
}

// foresight meets what diffs name, and hashes it a group at a time.
type foresight struct {
	*work
	left     int // accounts and slots that may still be met
	accounts []*account
	slots    []*slot
}

// diff meets what the encoded diff names, until it is not one or enough was met.
func (f *foresight) diff(raw []byte) {
	list, _, err := rlp.SplitList(raw)
	for err == nil && len(list) > 0 && f.left > 0 {
		var item, addr, storage []byte
		if item, list, err = rlp.SplitList(list); err != nil {
			return
		}
		if addr, item, err = rlp.SplitString(item); err != nil || len(addr) != common.AddressLength {
			return
		}
		a := f.account(common.Address(addr))
		storage, _, err = rlp.SplitList(item)
		for err == nil && len(storage) > 0 && f.left > 0 {
			var one, slot []byte
			if one, storage, err = rlp.SplitList(storage); err != nil {
				return
			}
			if slot, _, err = rlp.SplitString(one); err != nil || len(slot) > common.HashLength {
				return
			}
			f.slot(a, common.BytesToHash(slot))
		}
	}
}

func (f *foresight) account(addr common.Address) *account {
	a := f.world.known[addr]
	if a != nil {
		return a
	}
	a = f.world.meet(addr)
	f.accounts, f.left = append(f.accounts, a), f.left-1
	if f.v.batch.Add(addr[:]); len(f.accounts) == hashTogether {
		f.hashAccounts()
	}
	return a
}

func (f *foresight) slot(a *account, key common.Hash) {
	if a.slots[key] != nil {
		return
	}
	f.slots, f.left = append(f.slots, f.world.meetSlot(a, key)), f.left-1
	if f.v.sums.batch.Add(key[:]); len(f.slots) == hashTogether {
		f.hashSlots()
	}
}

func (f *foresight) hashAccounts() {
	f.v.hashes = f.v.batch.Sum(f.v.hashes[:0])
	for i, a := range f.accounts {
		a.key = f.v.memory.nibblesOf(f.v.hashes[i][:])
	}
	f.accounts = f.accounts[:0]
}

func (f *foresight) hashSlots() {
	f.v.hashes = f.v.sums.batch.Sum(f.v.hashes[:0])
	for i, s := range f.slots {
		s.key = f.v.memory.nibblesOf(f.v.hashes[i][:])
	}
	f.slots = f.slots[:0]
}
