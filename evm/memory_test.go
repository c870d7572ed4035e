package evm

import (
	"maps"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// memory is a View in maps to which diffs can be applied.
type memory struct {
	accounts map[common.Address]state.Account
	storage  map[common.Address]map[common.Hash]common.Hash
	code     map[common.Hash][]byte
}

func newMemory() *memory {
	return &memory{
		accounts: make(map[common.Address]state.Account),
		storage:  make(map[common.Address]map[common.Hash]common.Hash),
		code:     make(map[common.Hash][]byte),
	}
}

func newMemoryFrom(alloc types.GenesisAlloc) *memory {
	m := newMemory()
	for addr, a := range alloc {
		acct := state.Account{Nonce: a.Nonce, CodeHash: types.EmptyCodeHash}
		if a.Balance != nil {
			acct.Balance.SetFromBig(a.Balance)
		}
		if len(a.Code) > 0 {
			acct.CodeHash = crypto.Keccak256Hash(a.Code)
			m.code[acct.CodeHash] = a.Code
		}
		m.accounts[addr] = acct
		for slot, v := range a.Storage {
			m.set(addr, slot, v)
		}
	}
	return m
}

// warmCode makes machines compile all code, as if it had run often.
func (m *memory) warmCode() { m.setRuns(coldRuns) }

// coolCode makes machines interpret code that does not loop, as if it had never run.
func (m *memory) coolCode() { m.setRuns(math.MinInt32 / 2) }

func (m *memory) setRuns(n int32) {
	for hash, b := range m.code {
		codes.get(hash, b).runs.Store(n)
	}
}

func (m *memory) clone() *memory {
	c := &memory{accounts: maps.Clone(m.accounts), storage: make(map[common.Address]map[common.Hash]common.Hash), code: maps.Clone(m.code)}
	for addr, slots := range m.storage {
		c.storage[addr] = maps.Clone(slots)
	}
	return c
}

func (m *memory) set(addr common.Address, slot, v common.Hash) {
	if v == (common.Hash{}) {
		delete(m.storage[addr], slot)
		return
	}
	if m.storage[addr] == nil {
		m.storage[addr] = make(map[common.Hash]common.Hash)
	}
	m.storage[addr][slot] = v
}

func (m *memory) Account(addr common.Address) (state.Account, bool) {
	if a, ok := m.accounts[addr]; ok {
		return a, true
	}
	return state.EmptyAccount, false
}

func (m *memory) Storage(addr common.Address, slot common.Hash) common.Hash {
	return m.storage[addr][slot]
}

func (m *memory) Code(hash common.Hash) []byte { return m.code[hash] }

func (m *memory) HasStorage(addr common.Address) bool { return len(m.storage[addr]) > 0 }

func (m *memory) apply(d state.Diff) {
	for _, ad := range d {
		a, _ := m.Account(ad.Address)
		if ad.Nonce != nil {
			a.Nonce = *ad.Nonce
		}
		if ad.Balance != nil {
			a.Balance = *ad.Balance
		}
		if ad.CodeChanged {
			a.CodeHash = types.EmptyCodeHash
			if len(ad.Code) > 0 {
				a.CodeHash = crypto.Keccak256Hash(ad.Code)
				m.code[a.CodeHash] = ad.Code
			}
		}
		for _, s := range ad.Storage {
			m.set(ad.Address, s.Slot, s.Value)
		}
		if a.IsEmpty() {
			delete(m.accounts, ad.Address)
			delete(m.storage, ad.Address)
			continue
		}
		m.accounts[ad.Address] = a
	}
}

// executeOn is Machine.Execute into a result of its own.
func executeOn(m *Machine, view state.View, tx *chain.Tx, env *Env) (*Result, error) {
	r := new(Result)
	if err := m.Execute(view, tx, env, r); err != nil {
		return nil, err
	}
	return r, nil
}

// executeOnce is executeOn with a machine for this one transaction.
func executeOnce(view state.View, tx *chain.Tx, env *Env) (*Result, error) {
	m := NewMachine(env.Config)
	defer m.Close()
	return executeOn(m, view, tx, env)
}
