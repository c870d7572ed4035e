package state

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// model is the state in plain maps, the oracle of the tests.
type model struct {
	accounts map[common.Address]Account // none empty
	slots    map[SlotKey]common.Hash    // none zero
	codes    map[common.Hash][]byte
}

func newModel() *model {
	return &model{
		accounts: make(map[common.Address]Account),
		slots:    make(map[SlotKey]common.Hash),
		codes:    make(map[common.Hash][]byte),
	}
}

func (m *model) clone() *model {
	return &model{maps.Clone(m.accounts), maps.Clone(m.slots), maps.Clone(m.codes)}
}

func (m *model) account(addr common.Address) (Account, bool) {
	if a, ok := m.accounts[addr]; ok {
		return a, true
	}
	return EmptyAccount, false
}

func (m *model) hasStorage(addr common.Address) bool {
	for key := range m.slots {
		if key.Address == addr {
			return true
		}
	}
	return false
}

func (m *model) apply(d Diff) {
	for _, a := range d {
		acc, _ := m.account(a.Address)
		if a.Nonce != nil {
			acc.Nonce = *a.Nonce
		}
		if a.Balance != nil {
			acc.Balance = *a.Balance
		}
		if a.CodeChanged {
			acc.CodeHash = crypto.Keccak256Hash(a.Code)
			m.codes[acc.CodeHash] = a.Code
		}
		m.accounts[a.Address] = acc
		if acc.IsEmpty() {
			delete(m.accounts, a.Address)
		}
		for _, s := range a.Storage {
			m.slots[SlotKey{a.Address, s.Slot}] = s.Value
			if s.Value == (common.Hash{}) {
				delete(m.slots, SlotKey{a.Address, s.Slot})
			}
		}
	}
}

// The model's addresses and slots are few, so that values change often.
const (
	modelAddresses = 64
	modelSlots     = 24
)

func modelAddress(i int) common.Address { return common.Address{0: byte(i * 37), 19: byte(i)} }

func modelSlot(i int) common.Hash { return common.Hash{0: byte(i % 2), 31: byte(i)} }

func (m *model) someAddresses(r *rand.Rand, n int) []common.Address {
	addrs := make([]common.Address, n)
	for i := range addrs {
		addrs[i] = modelAddress(r.IntN(modelAddresses))
	}
	return addrs
}

func (m *model) someSlots(r *rand.Rand, _ common.Address, n int) []common.Hash {
	slots := make([]common.Hash, n)
	for i := range slots {
		slots[i] = modelSlot(r.IntN(modelSlots))
	}
	return slots
}

// randomDiff returns a diff of about n accounts that is valid in the model: all
// values differ from those before, and what ceases to exist has no storage.
func (m *model) randomDiff(r *rand.Rand, n int) Diff {
	chosen := make(map[common.Address]bool)
	for range n {
		chosen[modelAddress(r.IntN(modelAddresses))] = true
	}
	var d Diff
	for i := range modelAddresses {
		addr := modelAddress(i)
		if !chosen[addr] {
			continue
		}
		a := AccountDiff{Address: addr}
		before, _ := m.account(addr)
		if before.Nonce == 0 && r.IntN(2) == 0 && !m.hasStorage(addr) {
			a = emptying(addr, before) // deletes an account that only had a balance
		} else {
			m.randomChange(r, &a, before)
		}
		if a.Nonce != nil || a.Balance != nil || a.CodeChanged || len(a.Storage) > 0 {
			d = append(d, a)
		}
	}
	slices.SortFunc(d, func(a, b AccountDiff) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	return d
}

func (m *model) randomChange(r *rand.Rand, a *AccountDiff, before Account) {
	if r.IntN(3) == 0 {
		nonce := before.Nonce + 1 + r.Uint64N(300)
		a.Nonce = &nonce
	}
	if balance := randomBalance(r); balance != before.Balance && r.IntN(2) == 0 {
		a.Balance = &balance
	}
	if before.Nonce == 0 && a.Nonce == nil {
		return
	}
	if r.IntN(6) == 0 {
		code := bytes.Repeat([]byte{byte(r.IntN(4))}, r.IntN(40))
		if crypto.Keccak256Hash(code) != before.CodeHash {
			a.Code, a.CodeChanged = code, true
		}
	}
	for i := range modelSlots {
		slot := modelSlot(i)
		value := randomWord(r)
		if r.IntN(6) == 0 && value != m.slots[SlotKey{a.Address, slot}] {
			a.Storage = append(a.Storage, SlotDiff{slot, value})
		}
	}
	slices.SortFunc(a.Storage, func(a, b SlotDiff) int { return a.Slot.Cmp(b.Slot) })
}

func emptying(addr common.Address, before Account) AccountDiff {
	a := AccountDiff{Address: addr, CodeChanged: before.CodeHash != types.EmptyCodeHash}
	if before.Nonce != 0 {
		a.Nonce = new(uint64)
	}
	if !before.Balance.IsZero() {
		a.Balance = new(uint256.Int)
	}
	return a
}

// clearing returns the diff that deletes everything.
func (m *model) clearing() Diff {
	var d Diff
	for _, addr := range slices.SortedFunc(maps.Keys(m.accounts), common.Address.Cmp) {
		a := emptying(addr, m.accounts[addr])
		for key := range m.slots {
			if key.Address == addr {
				a.Storage = append(a.Storage, SlotDiff{Slot: key.Slot})
			}
		}
		slices.SortFunc(a.Storage, func(a, b SlotDiff) int { return a.Slot.Cmp(b.Slot) })
		d = append(d, a)
	}
	return d
}

func randomBalance(r *rand.Rand) (v uint256.Int) {
	word := randomWord(r)
	return *v.SetBytes32(word[:])
}

// randomWord returns words of all lengths, a quarter of them zero.
func randomWord(r *rand.Rand) (w common.Hash) {
	if r.IntN(4) == 0 {
		return w
	}
	for i := r.IntN(32); i < 32; i++ {
		w[i] = byte(r.Uint32())
	}
	return w
}

// manyAccounts returns a diff that creates n plain accounts.
func manyAccounts(r *rand.Rand, n int) Diff {
	d := make(Diff, n)
	for i := range d {
		a := &d[i]
		for j := range a.Address {
			a.Address[j] = byte(r.Uint32())
		}
		nonce := 1 + r.Uint64N(1000)
		a.Nonce = &nonce
		a.Balance = uint256.NewInt(r.Uint64())
	}
	slices.SortFunc(d, func(a, b AccountDiff) int { return a.Address.Cmp(b.Address) })
	return d
}
