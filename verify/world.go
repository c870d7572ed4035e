package verify

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/state"
)

const (
	// keptSlots bounds the memory that an account keeps for the slots of the next block's.
	keptSlots = 1 << 4
	// keptCodes bounds the codes whose place in the map is kept.
	keptCodes = 1 << 10
)

// world is the state that a block sees: that of its parent, as the witness has it, with
// what was executed so far on top. It implements state.View. A read that the witness does
// not answer gives zero values, and the first of them is kept in fault: whoever executes
// looks at it afterwards.
type world struct {
	memory   *memory
	nodes    *nodeSet
	accounts tree
	codes    map[common.Hash][]byte
	known    map[common.Address]*account // that were read, or whose keys are hashed
	last     *account                    // found last
	written  []*account                  // touched by a diff, in order
	changes  changes                     // of the open mini-block
	fault    *Fault
}

// account is one that was read, or is about to be.
type account struct {
	address common.Address
	key     []byte // nibbles of the address's hash
	state.Account
	read     bool
	inTrie   bool // it was there before the block
	touched  bool // by a diff
	root     tree // of its storage
	slots    map[common.Hash]*slot
	written  []changedSlot // in order, once each
	lastKey  common.Hash
	lastSlot *slot
	history  accountHistory
}

// clear keeps the memory of histories, and that of slots unless they are many.
func (a *account) clear() {
	h, slots := a.history, len(a.slots)
	h.nonce.clear()
	h.balance.clear()
	h.code.clear()
	clear(a.slots)
	*a = account{slots: a.slots, written: shrunk(a.written, keptSlots)}
	if slots > keptSlots {
		a.slots = nil
	}
	a.history = accountHistory{nonce: h.nonce, balance: h.balance, code: h.code, slots: shrunk(h.slots, keptSlots)}
}

// slot is one that was read, or is about to be.
type slot struct {
	key     []byte // nibbles of the slot's hash
	read    bool
	touched bool // by a diff
	before  common.Hash
	value   common.Hash
	history history[common.Hash]
}

func (s *slot) clear() {
	h := s.history
	h.clear()
	*s = slot{history: h}
}

// open makes the world that of a block behind the state with the root.
func (w *world) open(root common.Hash, codes [][]byte, hashes []common.Hash) {
	if w.known == nil {
		w.known, w.codes = make(map[common.Address]*account), make(map[common.Hash][]byte)
	}
	w.accounts = newTree(w.nodes, root)
	for i, code := range codes {
		w.codes[hashes[i]] = code
	}
}

// release forgets the block.
func (w *world) release() {
	if len(w.known) > keptAccounts || len(w.codes) > keptCodes {
		w.known, w.codes = nil, nil // open makes both
	}
	clear(w.known)
	clear(w.codes)
	w.accounts, w.last, w.fault = tree{}, nil, nil
	w.written = shrunk(w.written, keptValues)
	w.changes.release()
}

// fail keeps the first fault.
func (w *world) fail(err error, where string, args ...any) {
	if w.fault != nil {
		return
	}
	var missing *missingNode
	if !errors.As(err, &missing) {
		w.fault = fault(KindWitnessNode, "a node of the trie", err, where, args...)
		return
	}
	have := "none"
	if missing.err != nil {
		have = missing.err.Error()
	}
	w.fault = fault(KindWitnessNode, "node "+missing.hash.Hex(), have, "%s, path %s", fmt.Sprintf(where, args...), nibbleText(missing.path))
}

// account reads an account.
func (w *world) account(addr common.Address) *account {
	if w.last != nil && w.last.address == addr {
		return w.last
	}
	a := w.known[addr]
	if a == nil {
		a = w.meet(addr)
		hash := keccak.Sum256(addr[:])
		a.key = w.memory.nibblesOf(hash[:])
	}
	if !a.read {
		w.read(a)
	}
	w.last = a
	return a
}

// meet makes room for an account. Its key is for the caller to set.
func (w *world) meet(addr common.Address) *account {
	a := w.memory.accounts.take()
	a.address, a.Account = addr, state.EmptyAccount
	w.known[addr] = a
	return a
}

func (w *world) read(a *account) {
	a.read = true
	root := types.EmptyRootHash
	value, err := w.accounts.get(a.key)
	if err == nil && value != nil {
		a.inTrie = true
		a.Account, root, err = decodeAccount(value)
	}
	if err != nil {
		w.fail(err, "account %s", a.address)
	}
	a.root = newTree(w.nodes, root)
	a.history.reset(&a.Account)
}

// decodeAccount reads the RLP of [nonce, balance, storage root, code hash].
func decodeAccount(raw []byte) (a state.Account, root common.Hash, err error) {
	b, rest, err := rlp.SplitList(raw)
	if err != nil || len(rest) > 0 {
		return a, root, fmt.Errorf("%w: account %#x", errNode, raw)
	}
	nonce, b, err1 := rlp.SplitUint64(b)
	balance, b, err2 := rlp.SplitString(b)
	storage, b, err3 := rlp.SplitString(b)
	code, b, err4 := rlp.SplitString(b)
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(b) > 0 ||
		len(balance) > 32 || len(storage) != common.HashLength || len(code) != common.HashLength {
		return a, root, fmt.Errorf("%w: account %#x", errNode, raw)
	}
	a.Nonce, a.CodeHash = nonce, common.Hash(code)
	a.Balance.SetBytes(balance)
	return a, common.Hash(storage), nil
}

func (w *world) encodeAccount(a *state.Account, root common.Hash) []byte {
	out := append(w.memory.room(2+4*33), 0xf8, 0) // 68 to 108 bytes follow
	out = rlp.AppendUint64(out, a.Nonce)
	out = appendWei(out, &a.Balance)
	out = append(append(out, 0x80+common.HashLength), root[:]...)
	out = append(append(out, 0x80+common.HashLength), a.CodeHash[:]...)
	out[1] = byte(len(out) - 2)
	return out
}

// Account implements state.View.
func (w *world) Account(addr common.Address) (state.Account, bool) {
	a := w.account(addr)
	if a.IsEmpty() {
		return state.EmptyAccount, false
	}
	return a.Account, true
}

// slotOf reads a slot.
func (w *world) slotOf(a *account, key common.Hash) *slot {
	if a.lastSlot != nil && a.lastKey == key {
		return a.lastSlot
	}
	s := a.slots[key]
	if s == nil {
		s = w.meetSlot(a, key)
		hash := keccak.Sum256(key[:])
		s.key = w.memory.nibblesOf(hash[:])
	}
	if !s.read {
		s.read = true
		value, err := a.root.get(s.key)
		if err == nil && value != nil {
			s.before, err = decodeSlot(value)
		}
		if err != nil {
			w.fail(err, "account %s, slot %s", a.address, key)
		}
		s.value = s.before
		s.history.start = s.value
	}
	a.lastKey, a.lastSlot = key, s
	return s
}

// meetSlot makes room for a slot. Its key is for the caller to set.
func (w *world) meetSlot(a *account, key common.Hash) *slot {
	s := w.memory.slots.take()
	if a.slots == nil {
		a.slots = make(map[common.Hash]*slot)
	}
	a.slots[key] = s
	return s
}

// decodeSlot reads the RLP of an integer.
func decodeSlot(raw []byte) (common.Hash, error) {
	digits, rest, err := rlp.SplitString(raw)
	if err != nil || len(rest) > 0 || len(digits) == 0 || len(digits) > common.HashLength || digits[0] == 0 {
		return common.Hash{}, fmt.Errorf("%w: slot %#x", errNode, raw)
	}
	return common.BytesToHash(digits), nil
}

// Storage implements state.View.
func (w *world) Storage(addr common.Address, key common.Hash) common.Hash {
	return w.slotOf(w.account(addr), key).value
}

// Code implements state.View.
func (w *world) Code(hash common.Hash) []byte {
	code, ok := w.codes[hash]
	if !ok && hash != types.EmptyCodeHash && w.fault == nil {
		w.fault = fault(KindWitnessCode, "code "+hash.Hex(), "none", "codes")
	}
	return code
}

// HasStorage implements state.View.
func (w *world) HasStorage(addr common.Address) bool {
	a := w.account(addr)
	for _, s := range a.slots {
		if s.value != (common.Hash{}) {
			return true
		}
	}
	if a.root.isEmpty() {
		return false
	}
	if err := a.root.load(); err != nil {
		w.fail(err, "storage of %s", addr)
		return false
	}
	gone := make(map[string]bool)
	for _, s := range a.slots {
		if s.read {
			gone[string(s.key)] = true // it is zero, see above
		}
	}
	return anyBut(a.root.root, nil, func(key []byte) bool { return gone[string(key)] })
}

// apply makes a diff's values those of the world, as a step of the open mini-block.
func (w *world) apply(index uint32, d state.Diff) {
	for i := range d {
		c := &d[i]
		a := w.account(c.Address)
		if !a.touched {
			a.touched = true
			w.written = append(w.written, a)
		}
		w.changes.touch(a)
		if c.Nonce != nil {
			a.Nonce = *c.Nonce
			a.history.nonce.set(index, a.Nonce)
		}
		if c.Balance != nil {
			a.Balance = *c.Balance
			a.history.balance.set(index, a.Balance)
		}
		if c.CodeChanged {
			if a.CodeHash = c.NewCodeHash(); len(c.Code) > 0 {
				w.codes[a.CodeHash] = c.Code
			}
			a.history.code.set(index, a.CodeHash)
		}
		for k := range c.Storage {
			s := w.slotOf(a, c.Storage[k].Slot)
			if !s.touched {
				s.touched = true
				a.written = append(a.written, changedSlot{c.Storage[k].Slot, s})
			}
			if len(s.history.changes) == 0 {
				a.history.slots = append(a.history.slots, changedSlot{c.Storage[k].Slot, s})
			}
			s.value = c.Storage[k].Value
			s.history.set(index, s.value)
		}
	}
}

// root computes the state root after the block. Keys that came or changed go before those
// that went, so that no node is needed which only a detour asks for.
func (w *world) root(r *rooter) common.Hash {
	for _, a := range w.written {
		w.storeSlots(a)
		r.add(&a.root)
	}
	r.sum()
	var gone []*account
	for _, a := range w.written {
		switch {
		case a.IsEmpty() && a.root.isEmpty():
			if a.inTrie {
				gone = append(gone, a)
			}
		default:
			if err := w.accounts.put(a.key, w.encodeAccount(&a.Account, a.root.rootHash())); err != nil {
				w.fail(err, "account %s", a.address)
			}
		}
	}
	for _, a := range gone {
		if err := w.accounts.remove(a.key); err != nil {
			w.fail(err, "account %s", a.address)
		}
	}
	if w.fault != nil {
		return common.Hash{}
	}
	r.add(&w.accounts)
	r.sum()
	return w.accounts.rootHash()
}

// storeSlots puts the changed slots of an account into its trie.
func (w *world) storeSlots(a *account) {
	zero := common.Hash{}
	for _, c := range a.written {
		if s := c.slot; s.value != s.before && s.value != zero {
			if err := a.root.put(s.key, appendWord(w.memory.room(33), &s.value)); err != nil {
				w.fail(err, "account %s, slot %s", a.address, c.key)
			}
		}
	}
	for _, c := range a.written {
		if s := c.slot; s.value != s.before && s.value == zero {
			if err := a.root.remove(s.key); err != nil {
				w.fail(err, "account %s, slot %s", a.address, c.key)
			}
		}
	}
}

// appendWord appends the RLP of a word as the integer that it is.
func appendWord(out []byte, word *common.Hash) []byte {
	first := 0
	for first < len(word) && word[first] == 0 {
		first++
	}
	return appendString(out, word[first:])
}

// appendWei appends the RLP of an amount.
func appendWei(out []byte, v *uint256.Int) []byte {
	word := common.Hash(v.Bytes32())
	return appendWord(out, &word)
}
