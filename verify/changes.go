package verify

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

func appendString(out, s []byte) []byte { return chain.AppendString(out, s) }

// changes are what a mini-block changed, step by step: its diff (EIP-7928, as
// docs/spec/miniblock.md has it).
type changes struct {
	accounts            []*account // that a step touched, in any order
	list, scratch, diff []byte     // memory of encode
}

const (
	keptSteps = 1 << 3  // of a value, kept as memory for the next block
	keptDiff  = 4 << 20 // bytes of encode's memory
)

// history is what a value was after the steps that changed it.
type history[V comparable] struct {
	start   V // before the mini-block
	changes []step[V]
}

type step[V comparable] struct {
	index uint32
	value V
}

// set notes the value after a step. Of several with one index the last counts; a step that
// leaves the value as it was is no change.
func (h *history[V]) set(index uint32, v V) {
	n := len(h.changes)
	if n > 0 && h.changes[n-1].index == index {
		n--
		h.changes = h.changes[:n]
	}
	before := h.start
	if n > 0 {
		before = h.changes[n-1].value
	}
	if v != before {
		h.changes = append(h.changes, step[V]{index, v})
	}
}

// end makes the present value the one before the next mini-block.
func (h *history[V]) end() {
	if n := len(h.changes); n > 0 {
		h.start = h.changes[n-1].value
		h.changes = h.changes[:0]
	}
}

// accountHistory is the part of a diff about an account.
type accountHistory struct {
	listed  bool // in changes
	nonce   history[uint64]
	balance history[uint256.Int]
	code    history[common.Hash]
	slots   []changedSlot // once each or more often
}

type changedSlot struct {
	key  common.Hash
	slot *slot
}

func (h *accountHistory) reset(a *state.Account) {
	h.nonce.start, h.balance.start, h.code.start = a.Nonce, a.Balance, a.CodeHash
}

func (c *changes) touch(a *account) {
	if !a.history.listed {
		a.history.listed = true
		c.accounts = append(c.accounts, a)
	}
}

// encode returns the diff of the mini-block, which is good until the next call, and begins
// the next mini-block.
func (c *changes) encode(codes map[common.Hash][]byte) []byte {
	slices.SortFunc(c.accounts, func(a, b *account) int { return bytes.Compare(a.address[:], b.address[:]) })
	c.list = c.list[:0]
	for _, a := range c.accounts {
		if c.scratch = a.history.append(c.scratch[:0], &a.address, codes); len(c.scratch) > 0 {
			c.list = appendList(c.list, c.scratch)
		}
		a.history.listed = false
	}
	c.accounts = c.accounts[:0]
	c.diff = appendList(c.diff[:0], c.list)
	return c.diff
}

// appendList appends an RLP list of that content.
func appendList(out, content []byte) []byte {
	return append(chain.AppendListHead(out, uint64(len(content))), content...)
}

// append appends the content of the list of an account, and ends its history; nothing if
// nothing changed.
func (h *accountHistory) append(out []byte, addr *common.Address, codes map[common.Hash][]byte) []byte {
	slices.SortFunc(h.slots, func(a, b changedSlot) int { return bytes.Compare(a.key[:], b.key[:]) })
	var slots, item []byte
	changed := len(h.nonce.changes)+len(h.balance.changes)+len(h.code.changes) > 0
	for i, s := range h.slots {
		if i > 0 && s.key == h.slots[i-1].key || len(s.slot.history.changes) == 0 {
			continue
		}
		item = appendWord(item[:0], &s.key)
		item = appendSteps(item, s.slot.history.changes, func(out []byte, v *common.Hash) []byte { return appendWord(out, v) })
		slots = appendList(slots, item)
		changed = true
	}
	for _, s := range h.slots {
		s.slot.history.end()
	}
	h.slots = h.slots[:0]
	if changed {
		out = appendString(out, addr[:])
		out = appendList(out, slots)
		out = append(out, 0xc0) // storage reads
		out = appendSteps(out, h.balance.changes, appendWei)
		out = appendSteps(out, h.nonce.changes, func(out []byte, v *uint64) []byte { return rlp.AppendUint64(out, *v) })
		out = appendSteps(out, h.code.changes, func(out []byte, v *common.Hash) []byte { return appendString(out, codes[*v]) })
	}
	h.nonce.end()
	h.balance.end()
	h.code.end()
	return out
}

// appendSteps appends the list of [index, value].
func appendSteps[V comparable](out []byte, steps []step[V], value func([]byte, *V) []byte) []byte {
	var room, small [128]byte // of one step, unless it is a code
	list := room[:0]
	for i := range steps {
		item := value(rlp.AppendUint64(small[:0], uint64(steps[i].index)), &steps[i].value)
		list = appendList(list, item)
	}
	return appendList(out, list)
}

// clear makes the history that of nothing, and keeps its memory unless it is much.
func (h *history[V]) clear() { *h = history[V]{changes: shrunk(h.changes, keptSteps)} }

// release forgets everything.
func (c *changes) release() {
	c.accounts = shrunk(c.accounts, keptValues)
	for _, b := range []*[]byte{&c.list, &c.scratch, &c.diff} {
		if cap(*b) > keptDiff {
			*b = nil
		}
	}
}
