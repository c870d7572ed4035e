package exec

import (
	"slices"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/state"
)

// task is a place in a batch's ring: one transaction at a time passes through it.
type task struct {
	state   atomic.Uint64 // position << phaseBits | phase
	done    atomic.Int64  // position of the transaction that is executed, plus one
	waiters atomic.Uint64 // see waitFor
	waiting atomic.Uint32 // place of the next that waits for the same transaction, plus one
	// work belongs to whoever moved the task to running, then to whoever commits.
	work atomic.Pointer[work]
	_    [24]byte
}

// Phases of a task.
const (
	idle      = iota // claimed
	queued           // waits for another transaction
	running          // being executed
	closing          // executed by the one who ran it
	stolen           // executed and committed by another
	phaseBits = 3
)

// move changes the phase of the transaction at the position; false if it is not in the
// phase from.
func (t *task) move(at int64, from, to uint64) bool {
	return t.state.CompareAndSwap(uint64(at)<<phaseBits|from, uint64(at)<<phaseBits|to)
}

// work is one transaction in execution: what it read, what it wrote and what came of it.
type work struct {
	plan

	tx       *chain.Tx
	at       int64  // position
	passes   uint32 // executions so far
	err      error  // why the transaction is not valid
	result   evm.Result
	receipt  *chain.Receipt
	accounts []accountRead
	slots    []slotRead
	// opaque: something was read that cannot be compared.
	opaque bool
	wrote  writes
	before writes // by the execution before; memory for the next

	reads      state.Reads // for the witness
	readHashes uint64      // how far back it asked for block hashes
	readsKnown bool
}

type accountRead struct {
	address common.Address
	payee   bool
	// codeOnly: only the code hash was read.
	codeOnly bool
	hash     uint64 // in the index
	value    state.Account
	writer   int64 // position of the transaction that wrote it, or nobody
}

type slotRead struct {
	key    state.SlotKey
	hash   uint64
	value  common.Hash
	writer int64
}

// writes are the keys that a transaction has versions of.
type writes struct {
	accounts []written[common.Address]
	slots    []written[state.SlotKey]
}

type written[K comparable] struct {
	key  K
	hash uint64
}

func (t *work) begin(tx *chain.Tx, at int64) {
	t.tx, t.at, t.passes = tx, at, 0
	t.wrote = writes{t.wrote.accounts[:0], t.wrote.slots[:0]}
}

// observer is the state.View of a transaction in a batch. It notes what is read in the
// work.
type observer struct {
	m *memory
	t *work
	// exact: all transactions before this one are committed.
	exact bool
}

func (o *observer) payee(addr *common.Address) *state.Account {
	p := o.m.payee(addr)
	switch {
	case p == nil:
		return nil
	case o.exact:
		return &p.account
	}
	return &p.frozen
}

// Account implements state.View.
func (o *observer) Account(addr common.Address) (state.Account, bool) {
	t := o.t
	t.accounts = append(t.accounts, accountRead{address: addr, writer: nobody})
	r := &t.accounts[len(t.accounts)-1]
	if p := o.payee(&addr); p != nil {
		r.payee, r.value = true, *p
	} else {
		r.hash = o.m.accounts.hash(&addr)
		r.value, r.writer = o.m.account(r.hash, &addr, t.at)
	}
	return r.value, !r.value.IsEmpty()
}

// CodeHash is the code hash of Account, and notes no more than that.
func (o *observer) CodeHash(addr common.Address) common.Hash {
	t := o.t
	t.accounts = append(t.accounts, accountRead{address: addr, codeOnly: true, writer: nobody})
	r := &t.accounts[len(t.accounts)-1]
	if p := o.payee(&addr); p != nil {
		r.payee, r.value.CodeHash = true, p.CodeHash
	} else {
		r.hash = o.m.accounts.hash(&addr)
		r.value.CodeHash, r.writer = o.m.codeHash(r.hash, &addr, t.at)
	}
	return r.value.CodeHash
}

// Storage implements state.View.
func (o *observer) Storage(addr common.Address, slot common.Hash) common.Hash {
	t := o.t
	t.slots = append(t.slots, slotRead{key: state.SlotKey{Address: addr, Slot: slot}})
	r := &t.slots[len(t.slots)-1]
	r.hash = o.m.slots.hash(&r.key)
	r.value, r.writer = o.m.slot(r.hash, &r.key, t.at)
	return r.value
}

// Code implements state.View. A code is named by its content: there is nothing to note.
func (o *observer) Code(hash common.Hash) []byte { return o.m.code(hash) }

// HasStorage implements state.View.
func (o *observer) HasStorage(addr common.Address) bool {
	if o.exact {
		return o.m.hasStorage(addr, o.t.at)
	}
	o.t.opaque = true
	return o.m.base.HasStorage(addr)
}

// check looks the reads up again now that everything before the transaction is committed.
// It reports whether all of them are as they were; if not, the last writer of the first
// that is not, and its account.
func (t *work) check(m *memory) (ok bool, writer int64, addr common.Address) {
	if t.opaque {
		return false, nobody, addr
	}
	for i := range t.accounts {
		r := &t.accounts[i]
		var now state.Account
		switch {
		case r.payee && r.codeOnly:
			now.CodeHash = m.payee(&r.address).account.CodeHash
		case r.payee:
			now = m.payee(&r.address).account
		case r.codeOnly:
			now.CodeHash, r.writer = m.codeHash(r.hash, &r.address, t.at)
		default:
			now, r.writer = m.account(r.hash, &r.address, t.at)
		}
		if now != r.value {
			return false, r.writer, r.address
		}
	}
	for i := range t.slots {
		r := &t.slots[i]
		now, writer := m.slot(r.hash, &r.key, t.at)
		r.writer = writer
		if now != r.value {
			return false, writer, r.key.Address
		}
	}
	return true, nobody, addr
}

// scanReads is the number of reads up to which looking at each is cheaper than sorting.
const scanReads = 32

// sortReads orders the reads of accounts for find, if they are many.
func (t *work) sortReads() {
	if len(t.accounts) > scanReads {
		slices.SortFunc(t.accounts, func(a, b accountRead) int {
			if c := a.address.Cmp(b.address); c != 0 {
				return c
			}
			if a.codeOnly == b.codeOnly {
				return 0
			} else if b.codeOnly {
				return -1
			}
			return 1
		})
	}
}

// read is what the transaction saw of an account, all of it; nil if it did not look.
func (t *work) read(addr *common.Address) *accountRead {
	if len(t.accounts) <= scanReads {
		for i := range t.accounts {
			if r := &t.accounts[i]; !r.codeOnly && r.address == *addr {
				return r
			}
		}
		return nil
	}
	i, ok := slices.BinarySearchFunc(t.accounts, *addr, func(r accountRead, a common.Address) int { return r.address.Cmp(a) })
	if !ok || t.accounts[i].codeOnly {
		return nil
	}
	return &t.accounts[i]
}

// publish makes the transaction's writes visible to later transactions, with versions from
// pool, and takes back those of its execution before. Payees are left to the commit.
// If exact, everything before the task is committed.
func (t *work) publish(m *memory, pool *pools, exact bool) {
	old := t.wrote
	t.wrote = writes{t.before.accounts[:0], t.before.slots[:0]}
	t.before = old
	t.passes++
	if t.err == nil {
		t.sortReads()
		for i := range t.result.Diff {
			t.publishAccount(m, pool, &t.result.Diff[i], exact)
		}
		for i := range t.result.Credits {
			c := &t.result.Credits[i]
			if m.payee(&c.Address) == nil {
				// One account has at most one credit that is not a fee.
				v := pool.accounts.new(t.at, t.passes)
				v.credit, v.value.Balance = true, c.Amount
				t.link(m, c.Address, m.accounts.hash(&c.Address), v)
			}
		}
	}
	old.withdraw(m, t.at, t.passes-1)
}

func (t *work) publishAccount(m *memory, pool *pools, d *state.AccountDiff, exact bool) {
	if len(d.Storage) > 0 {
		m.own(&d.Address)
	}
	for i := range d.Storage {
		s := &d.Storage[i]
		key := state.SlotKey{Address: d.Address, Slot: s.Slot}
		hash := m.slots.hash(&key)
		v := pool.slots.new(t.at, t.passes)
		v.value = s.Value
		t.wrote.slots = append(t.wrote.slots, written[state.SlotKey]{key, hash})
		m.slots.link(hash, &key, v)
	}
	if d.Nonce == nil && d.Balance == nil && !d.CodeChanged || m.payee(&d.Address) != nil {
		return
	}
	v := pool.accounts.new(t.at, t.passes)
	hash := m.accounts.hash(&d.Address)
	if r := t.read(&d.Address); r != nil {
		v.value = r.value
	} else {
		// Changed without being read: what was there may change until the commit.
		t.opaque = !exact
		v.value, _ = m.account(hash, &d.Address, t.at)
	}
	v.value = changed(m, v.value, d)
	t.link(m, d.Address, hash, v)
}

func (t *work) link(m *memory, addr common.Address, hash uint64, v *version[state.Account]) {
	t.wrote.accounts = append(t.wrote.accounts, written[common.Address]{addr, hash})
	m.accounts.link(hash, &addr, v)
}

// withdraw takes back the versions of a transaction up to one of its executions.
func (w *writes) withdraw(m *memory, at int64, pass uint32) {
	for i := range w.accounts {
		m.accounts.unlink(w.accounts[i].hash, &w.accounts[i].key, at, pass)
	}
	for i := range w.slots {
		m.slots.unlink(w.slots[i].hash, &w.slots[i].key, at, pass)
	}
}

// changed is a after the change d.
func changed(m *memory, a state.Account, d *state.AccountDiff) state.Account {
	if d.Nonce != nil {
		a.Nonce = *d.Nonce
	}
	if d.Balance != nil {
		a.Balance = *d.Balance
	}
	if d.CodeChanged {
		a.CodeHash = d.NewCodeHash()
		m.addCode(a.CodeHash, d.Code)
	}
	return a
}

// pools are the versions that one goroutine hands out.
type pools struct {
	accounts versions[state.Account]
	slots    versions[common.Hash]
}

func (p *pools) reset() {
	p.accounts.reset()
	p.slots.reset()
}
