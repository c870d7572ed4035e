package exec

import (
	"math"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/state"
)

// memory is the state that the transactions of a mini-block see: the state in the
// database and, over it, what each of them wrote, by its position. A transaction sees
// the writes of those before it, whether they are committed or not.
//
// Positions count the transactions that were tried since the chain was made. Any
// number of goroutines may read and write; the database must not change meanwhile.
type memory struct {
	base     state.View
	accounts *index[common.Address, state.Account]
	slots    *index[state.SlotKey, common.Hash]

	codesMu sync.RWMutex
	codes   map[common.Hash][]byte // written since the last reset

	// The accounts that nearly every transaction pays are kept apart, so that paying
	// them leaves no trace in the index: only what is committed is here.
	payees [3]payee
}

// payee is an account that receives fees.
type payee struct {
	address common.Address
	account state.Account // committed
	frozen  state.Account // what transactions see that run ahead of the commit
}

// nobody is the writer of a value that is in the database.
const nobody = -1

func newMemory(base state.View, payees ...common.Address) *memory {
	m := &memory{
		base: base, accounts: newIndex[common.Address, state.Account](), slots: newIndex[state.SlotKey, common.Hash](),
		codes: make(map[common.Hash][]byte),
	}
	for i := range m.payees {
		m.payees[i].address = payees[i]
	}
	m.reset()
	return m
}

// reset forgets all writes: the database has them.
func (m *memory) reset() {
	m.accounts.reset()
	m.slots.reset()
	clear(m.codes)
	for i := range m.payees {
		m.payees[i].account, _ = m.base.Account(m.payees[i].address)
	}
	m.freeze()
}

// freeze shows the payees to transactions that run ahead as they are now.
func (m *memory) freeze() {
	for i := range m.payees {
		m.payees[i].frozen = m.payees[i].account
	}
}

func (m *memory) payee(addr *common.Address) *payee {
	for i := range m.payees {
		if m.payees[i].address == *addr {
			return &m.payees[i]
		}
	}
	return nil
}

// account is what the transaction at the position sees of an account that is not a
// payee, and the position of the last one that wrote it.
func (m *memory) account(hash uint64, addr *common.Address, at int64) (state.Account, int64) {
	writer := int64(nobody)
	c := m.accounts.find(hash, addr)
	if c == nil {
		a, _ := m.base.Account(*addr)
		return a, writer
	}
	var a state.Account
	for n := c.head.Load(); ; n = n.next.Load() {
		if n == nil {
			b, _ := m.base.Account(*addr)
			b.Balance.Add(&b.Balance, &a.Balance)
			return b, writer
		}
		if n.at >= at {
			continue
		}
		writer = max(writer, n.at)
		if !n.credit {
			b := n.value
			b.Balance.Add(&b.Balance, &a.Balance)
			return b, writer
		}
		a.Balance.Add(&a.Balance, &n.value.Balance)
	}
}

// codeHash is account's code hash; credits do not count as writes of it.
func (m *memory) codeHash(hash uint64, addr *common.Address, at int64) (common.Hash, int64) {
	if c := m.accounts.find(hash, addr); c != nil {
		for n := c.head.Load(); n != nil; n = n.next.Load() {
			if n.at < at && !n.credit {
				return n.value.CodeHash, n.at
			}
		}
	}
	a, _ := m.base.Account(*addr)
	return a.CodeHash, nobody
}

// slot is what the transaction at the position sees of a slot, and who wrote it.
func (m *memory) slot(hash uint64, key *state.SlotKey, at int64) (common.Hash, int64) {
	if c := m.slots.find(hash, key); c != nil {
		for n := c.head.Load(); n != nil; n = n.next.Load() {
			if n.at < at {
				return n.value, n.at
			}
		}
	}
	return m.base.Storage(key.Address, key.Slot), nobody
}

func (m *memory) code(hash common.Hash) []byte {
	if code := m.base.Code(hash); len(code) > 0 {
		return code
	}
	m.codesMu.RLock()
	defer m.codesMu.RUnlock()
	return m.codes[hash]
}

// addCode keeps a code that was written.
func (m *memory) addCode(hash common.Hash, code []byte) {
	if len(code) == 0 {
		return
	}
	m.codesMu.Lock()
	defer m.codesMu.Unlock()
	m.codes[hash] = code
}

// hasStorage reports whether the account has a slot that is not zero for the
// transaction at the position. It is slow if slots of the account were written.
func (m *memory) hasStorage(addr common.Address, at int64) bool {
	c := m.accounts.find(m.accounts.hash(&addr), &addr)
	if c == nil || !c.owner.Load() {
		return m.base.HasStorage(addr)
	}
	diff := state.AccountDiff{Address: addr}
	m.slots.each(func(c *cell[state.SlotKey, common.Hash]) {
		if c.key.Address != addr {
			return
		}
		for n := c.head.Load(); n != nil; n = n.next.Load() {
			if n.at < at {
				diff.Storage = append(diff.Storage, state.SlotDiff{Slot: c.key.Slot, Value: n.value})
				return
			}
		}
	})
	o := state.NewOverlay(m.base)
	o.Apply(state.Diff{diff})
	return o.HasStorage(addr)
}

// apply writes a change of the transaction at the position, which is the latest, while
// nobody else uses the memory.
func (m *memory) apply(at int64, diff state.Diff, pool *pools) {
	for i := range diff {
		d := &diff[i]
		if len(d.Storage) > 0 {
			m.own(&d.Address)
		}
		for k := range d.Storage {
			s := &d.Storage[k]
			key := state.SlotKey{Address: d.Address, Slot: s.Slot}
			v := pool.slots.new(at, 0)
			v.value = s.Value
			m.slots.put(m.slots.hash(&key), &key, v)
		}
		if d.Nonce == nil && d.Balance == nil && !d.CodeChanged || m.payee(&d.Address) != nil {
			continue
		}
		hash := m.accounts.hash(&d.Address)
		a, _ := m.account(hash, &d.Address, at)
		v := pool.accounts.new(at, 0)
		v.value = changed(m, a, d)
		m.accounts.put(hash, &d.Address, v)
	}
}

// settle makes what a committed transaction wrote to payees the newest.
func (m *memory) settle(diff state.Diff) {
	for i := range diff {
		if p := m.payee(&diff[i].Address); p != nil {
			p.account = changed(m, p.account, &diff[i])
		}
	}
}

// credit pays a credit of the transaction at the position, which is the latest that is
// committed, and returns the balance after.
func (m *memory) credit(at int64, c *state.Credit, pool *pools) uint256.Int {
	if p := m.payee(&c.Address); p != nil {
		p.account.Balance.Add(&p.account.Balance, &c.Amount)
		return p.account.Balance
	}
	hash := m.accounts.hash(&c.Address)
	v := pool.accounts.new(at, committedPass)
	v.value, _ = m.account(hash, &c.Address, at)
	v.value.Balance.Add(&v.value.Balance, &c.Amount)
	m.accounts.link(hash, &c.Address, v)
	return v.value.Balance
}

// committedPass is the pass of versions that are never taken back.
const committedPass = math.MaxUint32

// own notes that slots of the account were written.
func (m *memory) own(addr *common.Address) {
	hash := m.accounts.hash(addr)
	if c := m.accounts.find(hash, addr); c != nil && c.owner.Load() {
		return
	}
	s := m.accounts.shard(hash)
	s.lock.lock()
	s.insert(hash, addr).owner.Store(true)
	s.lock.unlock()
}

// snapshot is a state.View of what the transaction at a position sees, payees as they
// are committed. The goroutine that commits reads through it.
type snapshot struct {
	m  *memory
	at int64
}

// Account implements state.View.
func (s *snapshot) Account(addr common.Address) (state.Account, bool) {
	var a state.Account
	if p := s.m.payee(&addr); p != nil {
		a = p.account
	} else {
		a, _ = s.m.account(s.m.accounts.hash(&addr), &addr, s.at)
	}
	return a, !a.IsEmpty()
}

// CodeHash is the code hash of Account.
func (s *snapshot) CodeHash(addr common.Address) common.Hash {
	if p := s.m.payee(&addr); p != nil {
		return p.account.CodeHash
	}
	hash, _ := s.m.codeHash(s.m.accounts.hash(&addr), &addr, s.at)
	return hash
}

// Storage implements state.View.
func (s *snapshot) Storage(addr common.Address, slot common.Hash) common.Hash {
	key := state.SlotKey{Address: addr, Slot: slot}
	v, _ := s.m.slot(s.m.slots.hash(&key), &key, s.at)
	return v
}

// Code implements state.View.
func (s *snapshot) Code(hash common.Hash) []byte { return s.m.code(hash) }

// HasStorage implements state.View.
func (s *snapshot) HasStorage(addr common.Address) bool { return s.m.hasStorage(addr, s.at) }
