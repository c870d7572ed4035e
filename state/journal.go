package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// Journal is the working state of one transaction over a View: what was read, what
// was changed, and how to take changes back. It is used by one goroutine and is
// meant to be reused: Reset keeps the memory of the transaction before.
//
// Original values are those of the View; current values include the transaction's
// own changes. Everything that Ethereum reverts with a failed call frame is
// journalled: balances, nonces, code, storage, transient storage (EIP-1153), the
// access list (EIP-2929), the refund counter, logs, creations (EIP-6780) and
// self-destructions.
type Journal struct {
	view View

	index    map[common.Address]int32
	accounts []journalAccount
	last     int32 // account found last, -1 for none

	slotIndex map[slotKey]int32
	slots     []journalSlot

	transient map[slotKey]common.Hash

	logs    []*types.Log
	refund  uint64
	credits []Credit

	undos    []undo
	balances []uint256.Int // previous balances, one per undoBalance
	words    []common.Hash // previous words, one per undo of a word
	codes    [][]byte      // previous code, one per undoCode

	changedAccounts, changedSlots []int32 // scratch of Diff
}

// journalAccount is an account as the transaction sees it.
type journalAccount struct {
	address  common.Address
	original Account
	current  Account
	code     []byte // code of current.CodeHash if codeKnown

	loaded       bool // original and current are valid
	codeKnown    bool
	existed      bool // in the View
	exists       bool // in the View or made by the transaction
	created      bool // became a contract in this transaction
	destructed   bool // self-destructed in this transaction
	warm         bool // in the access list
	slotsChanged bool // scratch of Diff
}

type slotKey struct {
	account int32
	slot    common.Hash
}

type journalSlot struct {
	account  int32
	slot     common.Hash
	original common.Hash
	current  common.Hash
	loaded   bool
	warm     bool
}

type undoKind uint8

const (
	undoBalance undoKind = iota
	undoNonce
	undoCode
	undoExists
	undoCreated
	undoDestructed
	undoStorage
	undoTransient
	undoRefund
	undoLog
	undoWarmAccount
	undoWarmSlot
)

// undo is one step back. Previous values of more than 8 bytes lie on the stacks
// beside it, in the same order.
type undo struct {
	number uint64
	target int32 // account or slot
	kind   undoKind
}

// keepEntries bounds what Reset keeps: clearing a map costs its capacity, so one
// large transaction must not slow all that follow.
const keepEntries = 1024

// NewJournal returns a journal over view.
func NewJournal(view View) *Journal {
	j := new(Journal)
	j.Reset(view)
	return j
}

// Reset forgets everything and starts again over view.
func (j *Journal) Reset(view View) {
	j.view = view
	j.last = -1
	j.index = emptied(j.index)
	j.slotIndex = emptied(j.slotIndex)
	j.transient = emptied(j.transient)
	clear(j.accounts) // drops references to code
	j.accounts = j.accounts[:0]
	j.slots = j.slots[:0]
	j.logs = nil // handed out by Logs
	j.refund = 0
	j.credits = j.credits[:0]
	j.undos, j.balances, j.words = j.undos[:0], j.balances[:0], j.words[:0]
	clear(j.codes)
	j.codes = j.codes[:0]
}

func emptied[K comparable, V any](m map[K]V) map[K]V {
	if m == nil || len(m) > keepEntries {
		return make(map[K]V)
	}
	clear(m)
	return m
}

// find returns the entry of addr without reading the View.
func (j *Journal) find(addr common.Address) int32 {
	if j.last >= 0 && j.accounts[j.last].address == addr {
		return j.last
	}
	i, ok := j.index[addr]
	if !ok {
		i = int32(len(j.accounts))
		j.accounts = append(j.accounts, journalAccount{address: addr})
		j.index[addr] = i
	}
	j.last = i
	return i
}

// load returns the entry of addr with its values; the pointer is valid until the
// next call of find or load.
func (j *Journal) load(addr common.Address) (*journalAccount, int32) {
	i := j.find(addr)
	a := &j.accounts[i]
	if !a.loaded {
		a.original, a.existed = j.view.Account(addr)
		if !a.existed {
			a.original = EmptyAccount
		}
		a.current, a.exists, a.loaded = a.original, a.existed, true
	}
	return a, i
}

// change is load for a writer: the account exists afterwards.
func (j *Journal) change(addr common.Address) (*journalAccount, int32) {
	a, i := j.load(addr)
	if !a.exists {
		a.exists = true
		j.undos = append(j.undos, undo{kind: undoExists, target: i})
	}
	return a, i
}

// Exists reports whether the account is in the state, made by this transaction
// (even if still empty), or destroyed by it.
func (j *Journal) Exists(addr common.Address) bool {
	a, _ := j.load(addr)
	return a.exists
}

// Empty reports emptiness as EIP-161 defines it.
func (j *Journal) Empty(addr common.Address) bool {
	a, _ := j.load(addr)
	return a.current.IsEmpty()
}

// Balance is the current balance in wei.
func (j *Journal) Balance(addr common.Address) uint256.Int {
	a, _ := j.load(addr)
	return a.current.Balance
}

// AddBalance adds amount wei, modulo 2^256, and returns the balance before. Adding
// zero makes the account exist until the end of the transaction.
func (j *Journal) AddBalance(addr common.Address, amount *uint256.Int) uint256.Int {
	a, i := j.change(addr)
	before := a.current.Balance
	if !amount.IsZero() {
		j.setBalance(a, i, new(uint256.Int).Add(&before, amount))
	}
	return before
}

// SubBalance subtracts amount wei, modulo 2^256, and returns the balance before;
// the caller has checked that it suffices.
func (j *Journal) SubBalance(addr common.Address, amount *uint256.Int) uint256.Int {
	a, i := j.change(addr)
	before := a.current.Balance
	if !amount.IsZero() {
		j.setBalance(a, i, new(uint256.Int).Sub(&before, amount))
	}
	return before
}

func (j *Journal) setBalance(a *journalAccount, i int32, v *uint256.Int) {
	j.undos = append(j.undos, undo{kind: undoBalance, target: i})
	j.balances = append(j.balances, a.current.Balance)
	a.current.Balance = *v
}

// Nonce is the current nonce.
func (j *Journal) Nonce(addr common.Address) uint64 {
	a, _ := j.load(addr)
	return a.current.Nonce
}

// SetNonce changes the nonce.
func (j *Journal) SetNonce(addr common.Address, nonce uint64) {
	a, i := j.change(addr)
	j.undos = append(j.undos, undo{kind: undoNonce, target: i, number: a.current.Nonce})
	a.current.Nonce = nonce
}

// CodeHash is the hash of the current code, zero for an account that does not exist.
func (j *Journal) CodeHash(addr common.Address) common.Hash {
	a, _ := j.load(addr)
	if !a.exists {
		return common.Hash{}
	}
	return a.current.CodeHash
}

// CodeHashUnread is the hash of the code of an account, types.EmptyCodeHash also if it
// does not exist. It does not read nonce and balance, so that the transaction does not
// depend on them and may still pay the account by Credit.
func (j *Journal) CodeHashUnread(addr common.Address) common.Hash {
	if a := &j.accounts[j.find(addr)]; a.loaded {
		return a.current.CodeHash
	}
	return CodeHash(j.view, addr)
}

// Code is the current code; the caller must not change it.
func (j *Journal) Code(addr common.Address) []byte {
	a, _ := j.load(addr)
	if a.current.CodeHash == types.EmptyCodeHash {
		return nil
	}
	if !a.codeKnown {
		a.code, a.codeKnown = j.view.Code(a.current.CodeHash), true
	}
	return a.code
}

// SetCode changes the code, keeping a reference to it, and returns the code before.
func (j *Journal) SetCode(addr common.Address, code []byte) []byte {
	before := j.Code(addr)
	a, i := j.change(addr)
	j.undos = append(j.undos, undo{kind: undoCode, target: i})
	j.words = append(j.words, a.current.CodeHash)
	j.codes = append(j.codes, before)
	a.code, a.codeKnown = code, true
	a.current.CodeHash = types.EmptyCodeHash
	if len(code) > 0 {
		a.current.CodeHash = crypto.Keccak256Hash(code)
	}
	return before
}

func (j *Journal) findSlot(account int32, slot common.Hash) int32 {
	key := slotKey{account, slot}
	i, ok := j.slotIndex[key]
	if !ok {
		i = int32(len(j.slots))
		j.slots = append(j.slots, journalSlot{account: account, slot: slot})
		j.slotIndex[key] = i
	}
	return i
}

func (j *Journal) loadSlot(addr common.Address, slot common.Hash) (*journalSlot, int32) {
	a, account := j.load(addr)
	existed := a.existed
	i := j.findSlot(account, slot)
	s := &j.slots[i]
	if !s.loaded {
		if existed {
			s.original = j.view.Storage(addr, slot)
		}
		s.current, s.loaded = s.original, true
	}
	return s, i
}

// Storage is the current value of a slot and the value it had before the transaction.
func (j *Journal) Storage(addr common.Address, slot common.Hash) (current, original common.Hash) {
	s, _ := j.loadSlot(addr, slot)
	return s.current, s.original
}

// SetStorage changes a slot and returns the value before.
func (j *Journal) SetStorage(addr common.Address, slot, value common.Hash) common.Hash {
	j.change(addr)
	s, i := j.loadSlot(addr, slot)
	before := s.current
	if before != value {
		j.undos = append(j.undos, undo{kind: undoStorage, target: i})
		j.words = append(j.words, before)
		s.current = value
	}
	return before
}

// HasStorage reports whether the account had storage before the transaction (EIP-7610).
func (j *Journal) HasStorage(addr common.Address) bool {
	a, _ := j.load(addr)
	return a.existed && j.view.HasStorage(addr)
}

// Transient is the value of a transient slot (EIP-1153).
func (j *Journal) Transient(addr common.Address, slot common.Hash) common.Hash {
	if len(j.transient) == 0 {
		return common.Hash{}
	}
	return j.transient[slotKey{j.find(addr), slot}]
}

// SetTransient changes a transient slot.
func (j *Journal) SetTransient(addr common.Address, slot, value common.Hash) {
	key := slotKey{j.find(addr), slot}
	before := j.transient[key]
	if before == value {
		return
	}
	j.undos = append(j.undos, undo{kind: undoTransient, target: key.account})
	j.words = append(j.words, slot, before)
	j.transient[key] = value
}
