package state

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/keccak"
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
	view   View
	hasher codeHasher // view, if it can read a code hash alone

	accountIndex addressIndex
	accounts     []journalAccount
	last         int32 // account found last, -1 for none

	slotIndex slotIndex
	slots     []journalSlot
	lastSlot  int32 // slot found last, -1 for none

	transientIndex slotIndex
	transient      []common.Hash

	logs     []*types.Log // memory up to its capacity holds logs to use again
	logsLent bool         // somebody holds logs: they must not be used again
	cells    []logCell    // for logs to come
	refund   uint64
	credits  []Credit

	undos    []undo
	balances []uint256.Int // previous balances, one per undoBalance
	words    []common.Hash // previous words, one per undo of a word
	codes    [][]byte      // previous code, one per undoCode

	changedAccounts, changedSlots []int32 // scratch of Diff
}

// journalAccount is an account as the transaction sees it.
type journalAccount struct {
	original Account
	current  Account
	code     []byte // code of current.CodeHash if codeKnown
	accountFlags
}

// accountFlags are all that a new entry must have: the rest is valid only if they say so.
type accountFlags struct {
	loaded       bool // original and current are valid
	hashed       bool // the code hashes of original and current are valid
	isContract   bool // hashed, and has code in the View
	codeKnown    bool
	codeUsed     bool // the code itself was looked at
	existed      bool // in the View
	exists       bool // in the View or made by the transaction
	created      bool // became a contract in this transaction
	destructed   bool // self-destructed in this transaction
	warm         bool // in the access list
	slotsChanged bool // scratch of Diff
}

type journalSlot struct {
	original common.Hash
	current  common.Hash
	loaded   bool // original and current are valid
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
	target int32 // account, slot or transient slot
	kind   undoKind
}

// keepEntries bounds the memory that is kept from one transaction to the next: that of
// so many accounts, slots and changes, and twice as much at most.
const keepEntries = 4096

// NewJournal returns a journal over view.
func NewJournal(view View) *Journal {
	j := &Journal{accountIndex: newAddressIndex(), slotIndex: newSlotIndex(), transientIndex: newSlotIndex()}
	j.Reset(view)
	return j
}

// Reset forgets everything and starts again over view.
func (j *Journal) Reset(view View) {
	j.view = view
	j.hasher, _ = view.(codeHasher)
	for i := range j.accounts {
		j.accounts[i].code = nil
	}
	j.accountIndex.reset(keepEntries)
	j.accounts, j.last = emptied(j.accounts, keepEntries), -1
	if len(j.slots) > 0 {
		j.slotIndex.reset(keepEntries)
		j.slots = emptied(j.slots, keepEntries)
	}
	j.lastSlot = -1
	if len(j.transient) > 0 {
		j.transientIndex.reset(keepEntries)
		j.transient = emptied(j.transient, keepEntries)
	}
	j.resetLogs()
	j.refund = 0
	j.credits = emptied(j.credits, keepEntries)
	j.undos = emptied(j.undos, keepEntries)
	j.balances, j.words = emptied(j.balances, keepEntries), emptied(j.words, keepEntries)
	clear(j.codes)
	j.codes = emptied(j.codes, keepEntries)
}

// find returns the entry of addr without reading the View.
func (j *Journal) find(addr *common.Address) int32 {
	if j.last >= 0 && sameAddress(&j.accountIndex.keys[j.last], addr) {
		return j.last
	}
	return j.lookUp(addr)
}

func (j *Journal) lookUp(addr *common.Address) int32 {
	i, isNew := j.accountIndex.add(addr)
	if isNew {
		j.accounts = extended(j.accounts)
		a := &j.accounts[i]
		a.accountFlags, a.code = accountFlags{}, nil
	}
	j.last = i
	return i
}

// load returns the entry of addr with its values; the pointer is valid until the
// next call of find or load.
func (j *Journal) load(addr *common.Address) (*journalAccount, int32) {
	i := j.find(addr)
	a := &j.accounts[i]
	if !a.loaded {
		a.original, a.existed = j.view.Account(*addr)
		if !a.existed {
			a.original = EmptyAccount
		}
		a.current, a.exists, a.loaded = a.original, a.existed, true
	}
	return a, i
}

// hash returns the entry of addr with valid code hashes, and with the rest of its values
// only if the View cannot read a code hash alone.
func (j *Journal) hash(addr *common.Address) (*journalAccount, int32) {
	i := j.find(addr)
	a := &j.accounts[i]
	if a.loaded || a.hashed {
		return a, i
	}
	if j.hasher == nil {
		return j.load(addr)
	}
	hash := j.hasher.CodeHash(*addr)
	a.original.CodeHash, a.current.CodeHash, a.hashed = hash, hash, true
	if !sameWord(&hash, &types.EmptyCodeHash) {
		a.isContract, a.existed, a.exists = true, true, true
	}
	return a, i
}

// glance is load for one who may be content to know that there is a contract: one that
// the View has need not be loaded. Then isContract is set, existed and exists are valid,
// nonce and balance are not.
func (j *Journal) glance(addr *common.Address) (*journalAccount, int32) {
	if a, i := j.hash(addr); a.loaded || a.isContract {
		return a, i
	}
	return j.load(addr)
}

// change is load for a writer: the account exists afterwards.
func (j *Journal) change(addr *common.Address) (*journalAccount, int32) {
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
	a, _ := j.glance(&addr)
	return a.exists
}

// Empty reports emptiness as EIP-161 defines it.
func (j *Journal) Empty(addr common.Address) bool {
	a, _ := j.glance(&addr)
	return a.loaded && a.current.IsEmpty()
}

// Balance is the current balance in wei.
func (j *Journal) Balance(addr common.Address) uint256.Int {
	a, _ := j.load(&addr)
	return a.current.Balance
}

// AddBalance adds amount wei, modulo 2^256, and returns the balance before. Adding
// zero makes the account exist until the end of the transaction.
func (j *Journal) AddBalance(addr common.Address, amount *uint256.Int) uint256.Int {
	a, i := j.change(&addr)
	before := a.current.Balance
	if !amount.IsZero() {
		j.setBalance(a, i, new(uint256.Int).Add(&before, amount))
	}
	return before
}

// SubBalance subtracts amount wei, modulo 2^256, and returns the balance before;
// the caller has checked that it suffices.
func (j *Journal) SubBalance(addr common.Address, amount *uint256.Int) uint256.Int {
	a, i := j.change(&addr)
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
	a, _ := j.load(&addr)
	return a.current.Nonce
}

// SetNonce changes the nonce.
func (j *Journal) SetNonce(addr common.Address, nonce uint64) {
	a, i := j.change(&addr)
	j.undos = append(j.undos, undo{kind: undoNonce, target: i, number: a.current.Nonce})
	a.current.Nonce = nonce
}

// CodeHash is the hash of the current code, zero for an account that does not exist.
func (j *Journal) CodeHash(addr common.Address) common.Hash {
	a, _ := j.glance(&addr)
	if !a.exists {
		return common.Hash{}
	}
	return a.current.CodeHash
}

// CodeHashUnread is the hash of the code of an account, types.EmptyCodeHash also if it
// does not exist. It does not read nonce and balance, so that the transaction does not
// depend on them and may still pay the account by Credit.
func (j *Journal) CodeHashUnread(addr common.Address) common.Hash {
	if a := &j.accounts[j.find(&addr)]; j.hasher == nil && !a.loaded {
		return CodeHash(j.view, addr)
	}
	a, _ := j.hash(&addr)
	return a.current.CodeHash
}

// UseCode is CodeHash for one who looks at the code itself and may have it from
// elsewhere: Reads tell of it.
func (j *Journal) UseCode(addr common.Address) common.Hash {
	a, _ := j.glance(&addr)
	if !a.exists {
		return common.Hash{}
	}
	a.codeUsed = a.codeUsed || !sameWord(&a.current.CodeHash, &types.EmptyCodeHash)
	return a.current.CodeHash
}

// Code is the current code; the caller must not change it.
func (j *Journal) Code(addr common.Address) []byte {
	a, _ := j.hash(&addr)
	if sameWord(&a.current.CodeHash, &types.EmptyCodeHash) {
		return nil
	}
	a.codeUsed = true
	if !a.codeKnown {
		a.code, a.codeKnown = j.view.Code(a.current.CodeHash), true
	}
	return a.code
}

// SetCode changes the code, keeping a reference to it, and returns the code before.
func (j *Journal) SetCode(addr common.Address, code []byte) []byte {
	before := j.Code(addr)
	a, i := j.change(&addr)
	j.undos = append(j.undos, undo{kind: undoCode, target: i})
	j.words = append(j.words, a.current.CodeHash)
	j.codes = append(j.codes, before)
	a.code, a.codeKnown = code, true
	a.current.CodeHash = types.EmptyCodeHash
	if len(code) > 0 {
		a.current.CodeHash = keccak.Sum256(code)
	}
	return before
}
