package state

import "github.com/ethereum/go-ethereum/common"

// findSlot returns the entry of a slot without reading the View.
func (j *Journal) findSlot(account int32, slot *common.Hash) int32 {
	if j.lastSlot >= 0 {
		if k := &j.slotIndex.keys[j.lastSlot]; k.account == account && sameWord(&k.slot, slot) {
			return j.lastSlot
		}
	}
	return j.lookUpSlot(account, slot)
}

func (j *Journal) lookUpSlot(account int32, slot *common.Hash) int32 {
	i, isNew := j.slotIndex.add(account, slot)
	if isNew {
		j.slots = extended(j.slots)
		j.slots[i].loaded, j.slots[i].warm = false, false
	}
	j.lastSlot = i
	return i
}

func (j *Journal) loadSlot(addr *common.Address, slot *common.Hash) (*journalSlot, int32) {
	i := j.findSlot(j.find(addr), slot)
	s := &j.slots[i]
	if !s.loaded {
		s.original = common.Hash{}
		if a, _ := j.glance(addr); a.existed {
			s.original = j.view.Storage(*addr, *slot)
		}
		s.current, s.loaded = s.original, true
	}
	return s, i
}

// Storage is the current value of a slot and the value it had before the transaction.
func (j *Journal) Storage(addr common.Address, slot common.Hash) (current, original common.Hash) {
	s, _ := j.loadSlot(&addr, &slot)
	return s.current, s.original
}

// SetStorage changes a slot and returns the value before.
func (j *Journal) SetStorage(addr common.Address, slot, value common.Hash) common.Hash {
	if a, _ := j.glance(&addr); !a.exists {
		j.change(&addr)
	}
	s, i := j.loadSlot(&addr, &slot)
	before := s.current
	if !sameWord(&before, &value) {
		j.undos = append(j.undos, undo{kind: undoStorage, target: i})
		j.words = append(j.words, before)
		s.current = value
	}
	return before
}

// HasStorage reports whether the account had storage before the transaction (EIP-7610).
func (j *Journal) HasStorage(addr common.Address) bool {
	a, _ := j.glance(&addr)
	return a.existed && j.view.HasStorage(addr)
}

// Transient is the value of a transient slot (EIP-1153).
func (j *Journal) Transient(addr common.Address, slot common.Hash) common.Hash {
	if len(j.transient) == 0 {
		return common.Hash{}
	}
	if i := j.transientIndex.find(j.find(&addr), &slot); i >= 0 {
		return j.transient[i]
	}
	return common.Hash{}
}

// SetTransient changes a transient slot.
func (j *Journal) SetTransient(addr common.Address, slot, value common.Hash) {
	i, isNew := j.transientIndex.add(j.find(&addr), &slot)
	if isNew {
		j.transient = append(j.transient, common.Hash{})
	}
	before := j.transient[i]
	if before == value {
		return
	}
	j.undos = append(j.undos, undo{kind: undoTransient, target: i})
	j.words = append(j.words, before)
	j.transient[i] = value
}
