package verify

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// foresee hashes, eight at a time, the keys of the accounts and slots that the mini-blocks'
// diffs name. Nothing is read of them before somebody asks; what a diff names wrongly costs
// its hash, and what it does not name is hashed when it is met.
func (w *work) foresee() {
	var accounts []*account
	var slots []*slot
	addresses, keys := &w.v.batch, &w.v.sums.batch // both are empty
	for _, m := range w.in.MiniBlocks {
		list, _, err := rlp.SplitList(m.Diff)
		for err == nil && len(list) > 0 {
			var item, addr, storage []byte
			if item, list, err = rlp.SplitList(list); err != nil {
				break
			}
			if addr, item, err = rlp.SplitString(item); err != nil || len(addr) != common.AddressLength {
				break
			}
			a := w.world.known[common.Address(addr)]
			if a == nil {
				a = w.world.meet(common.Address(addr))
				accounts = append(accounts, a)
				addresses.Add(addr)
			}
			storage, _, err = rlp.SplitList(item)
			for err == nil && len(storage) > 0 {
				var one, slot []byte
				if one, storage, err = rlp.SplitList(storage); err != nil {
					break
				}
				if slot, _, err = rlp.SplitString(one); err != nil || len(slot) > common.HashLength {
					break
				}
				if key := common.BytesToHash(slot); a.slots[key] == nil {
					slots = append(slots, w.world.meetSlot(a, key))
					keys.Add(key[:])
				}
			}
		}
	}
	w.v.hashes = addresses.Sum(w.v.hashes[:0])
	for i, a := range accounts {
		a.key = w.v.memory.nibblesOf(w.v.hashes[i][:])
	}
	w.v.hashes = keys.Sum(w.v.hashes[:0])
	for i, s := range slots {
		s.key = w.v.memory.nibblesOf(w.v.hashes[i][:])
	}
}
