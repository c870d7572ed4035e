package state

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// journalModel is a journal without cleverness: a snapshot is a copy of it all.
type journalModel struct {
	accounts   map[common.Address]Account
	code       map[common.Hash][]byte
	storage    map[[2]common.Hash]common.Hash
	transient  map[[2]common.Hash]common.Hash
	warm       map[[2]common.Hash]bool
	created    map[common.Address]bool
	destructed map[common.Address]bool
	logs       []types.Log
	refund     uint64
}

func (m *journalModel) clone() *journalModel {
	c := *m
	c.accounts, c.code = maps.Clone(m.accounts), maps.Clone(m.code)
	c.storage, c.transient, c.warm = maps.Clone(m.storage), maps.Clone(m.transient), maps.Clone(m.warm)
	c.created, c.destructed = maps.Clone(m.created), maps.Clone(m.destructed)
	c.logs = slices.Clone(m.logs)
	return &c
}

func newJournalModel() *journalModel {
	return (&journalModel{accounts: map[common.Address]Account{}, code: map[common.Hash][]byte{},
		storage: map[[2]common.Hash]common.Hash{}, transient: map[[2]common.Hash]common.Hash{}, warm: map[[2]common.Hash]bool{},
		created: map[common.Address]bool{}, destructed: map[common.Address]bool{}})
}

func place(addr common.Address, slot common.Hash) [2]common.Hash {
	return [2]common.Hash{common.BytesToHash(addr[:]), slot}
}

func (m *journalModel) account(addr common.Address) Account {
	if a, ok := m.accounts[addr]; ok {
		return a
	}
	return EmptyAccount
}

// The model before any change is also the View.

func (m *journalModel) Account(addr common.Address) (Account, bool) {
	a, ok := m.accounts[addr]
	return a, ok
}

func (m *journalModel) Storage(addr common.Address, slot common.Hash) common.Hash {
	return m.storage[place(addr, slot)]
}

func (m *journalModel) Code(hash common.Hash) []byte { return m.code[hash] }

func (m *journalModel) HasStorage(addr common.Address) bool {
	for k, v := range m.storage {
		if k[0] == common.BytesToHash(addr[:]) && v != (common.Hash{}) {
			return true
		}
	}
	return false
}

// diff is the change from before to m, found by comparing everything.
func (m *journalModel) diff(before *journalModel, addrs []common.Address, slots []common.Hash) Diff {
	var d Diff
	for _, addr := range addrs { // ascending
		was, is := before.account(addr), m.account(addr)
		if m.destructed[addr] {
			is = EmptyAccount
		}
		ad := AccountDiff{Address: addr}
		if was.Nonce != is.Nonce {
			ad.Nonce = &is.Nonce
		}
		if was.Balance != is.Balance {
			ad.Balance = &is.Balance
		}
		if was.CodeHash != is.CodeHash {
			ad.CodeChanged, ad.Code = true, m.code[is.CodeHash]
			if !m.destructed[addr] {
				ad.CodeHash = is.CodeHash
			}
		}
		for _, slot := range slots { // ascending
			v := m.storage[place(addr, slot)]
			if m.destructed[addr] {
				v = common.Hash{}
			}
			if v != before.storage[place(addr, slot)] {
				ad.Storage = append(ad.Storage, SlotDiff{Slot: slot, Value: v})
			}
		}
		if !reflect.DeepEqual(ad, AccountDiff{Address: addr}) {
			d = append(d, ad)
		}
	}
	return d
}

type journalWorld struct {
	addrs []common.Address
	slots []common.Hash
	codes [][]byte
	base  *journalModel
}

func newJournalWorld() *journalWorld {
	w := &journalWorld{base: newJournalModel()}
	for i := range byte(6) {
		w.addrs = append(w.addrs, common.Address{i})
	}
	for i := range byte(3) {
		w.slots = append(w.slots, common.Hash{31: i})
		w.codes = append(w.codes, bytes.Repeat([]byte{i + 1}, int(i)*7)) // the first is empty
	}
	for i, addr := range w.addrs[:4] {
		a := Account{Nonce: uint64(i), Balance: *uint256.NewInt(uint64(1000 * i)), CodeHash: types.EmptyCodeHash}
		if i >= 2 {
			a.Nonce, a.CodeHash = 1, crypto.Keccak256Hash(w.codes[1])
			w.base.storage[place(addr, w.slots[1])] = common.Hash{7}
		}
		if i > 0 {
			w.base.accounts[addr] = a
		}
	}
	w.base.code[crypto.Keccak256Hash(w.codes[1])] = w.codes[1]
	return w
}

// step makes one random change to both.
func (w *journalWorld) step(t *testing.T, rng *rand.Rand, j *Journal, m *journalModel) {
	t.Helper()
	addr, slot := w.addrs[rng.IntN(len(w.addrs))], w.slots[rng.IntN(len(w.slots))]
	a := m.account(addr)
	n := uint64(rng.IntN(4))
	write := func() { m.accounts[addr] = a }
	switch op := rng.IntN(12); op {
	case 0:
		j.AddBalance(addr, uint256.NewInt(n))
		a.Balance.AddUint64(&a.Balance, n)
		write()
	case 1:
		j.SubBalance(addr, uint256.NewInt(n))
		a.Balance.SubUint64(&a.Balance, n)
		write()
	case 2:
		j.SetNonce(addr, n)
		a.Nonce = n
		write()
	case 3:
		code := w.codes[rng.IntN(len(w.codes))]
		before := j.SetCode(addr, code)
		if !bytes.Equal(before, m.code[a.CodeHash]) {
			t.Fatal("SetCode returned other code than there was")
		}
		a.CodeHash = types.EmptyCodeHash
		if len(code) > 0 {
			a.CodeHash = crypto.Keccak256Hash(code)
			m.code[a.CodeHash] = code
		}
		write()
	case 4, 5:
		j.SetStorage(addr, slot, common.Hash{byte(n)})
		m.storage[place(addr, slot)] = common.Hash{byte(n)}
		write()
	case 6:
		j.SetTransient(addr, slot, common.Hash{byte(n)})
		m.transient[place(addr, slot)] = common.Hash{byte(n)}
	case 7:
		if n%2 == 0 {
			j.WarmSlot(addr, slot)
			m.warm[place(addr, common.MaxHash)] = true
		} else if j.TouchSlot(addr, slot) != m.warm[place(addr, slot)] {
			t.Fatalf("slot %x of %x was warm: %t", slot[31], addr[:1], !m.warm[place(addr, slot)])
		}
		m.warm[place(addr, slot)] = true
	case 8:
		if n%2 == 0 {
			j.Warm(addr)
		} else if j.TouchAccount(addr) != m.warm[place(addr, common.MaxHash)] {
			t.Fatalf("account %x was warm: %t", addr[:1], !m.warm[place(addr, common.MaxHash)])
		}
		m.warm[place(addr, common.MaxHash)] = true
	case 9:
		j.AddRefund(n + 1)
		j.SubRefund(1)
		m.refund += n
		l := types.Log{Address: addr, Topics: []common.Hash{slot}, Data: bytes.Repeat([]byte{byte(n)}, 1+rng.IntN(2*keepLogBytes))}
		if n == 0 {
			j.AddLog(&types.Log{Address: addr, Topics: l.Topics, Data: l.Data})
		} else {
			j.AppendLog(addr, l.Topics, l.Data).BlockNumber = n
			l.BlockNumber = n
		}
		m.logs = append(m.logs, l)
	case 10:
		j.CreateContract(addr)
		m.created[addr] = true
		write()
	case 11:
		// As the EVM does it: only what was made by this transaction, where
		// nothing was before.
		if _, before := w.base.accounts[addr]; !before && m.created[addr] {
			j.SelfDestruct(addr)
			m.destructed[addr] = true
		}
	}
}

func (w *journalWorld) compare(t *testing.T, j *Journal, m *journalModel) {
	t.Helper()
	for _, addr := range w.addrs {
		a := m.account(addr)
		_, exists := m.accounts[addr]
		got := Account{Nonce: j.Nonce(addr), Balance: j.Balance(addr), CodeHash: a.CodeHash}
		hash := j.CodeHash(addr)
		if got != a || exists != j.Exists(addr) || (exists && hash != a.CodeHash) || (!exists && hash != common.Hash{}) ||
			j.Empty(addr) != a.IsEmpty() || !bytes.Equal(j.Code(addr), m.code[a.CodeHash]) {
			t.Fatalf("account %x: %+v, code hash %v, want %+v", addr[:1], got, hash, a)
		}
		if j.CreatedContract(addr) != m.created[addr] || j.SelfDestructed(addr) != m.destructed[addr] || j.IsWarm(addr) != m.warm[place(addr, common.MaxHash)] {
			t.Fatalf("flags of %x differ", addr[:1])
		}
		for _, slot := range w.slots {
			current, original := j.Storage(addr, slot)
			if at := place(addr, slot); current != m.storage[at] || original != w.base.storage[at] || j.Transient(addr, slot) != m.transient[at] {
				t.Fatalf("slot %x of %x: %v, before %v", slot[31], addr[:1], current, original)
			}
			address, both := j.IsWarmSlot(addr, slot)
			if address != m.warm[place(addr, common.MaxHash)] || both != m.warm[place(addr, slot)] {
				t.Fatalf("warmth of slot %x of %x differs", slot[31], addr[:1])
			}
		}
	}
	if j.Refund() != m.refund {
		t.Fatalf("refund %d, want %d", j.Refund(), m.refund)
	}
	compareLogs(t, j.logs, m.logs)
	if got, want := j.Diff(), m.diff(w.base, w.addrs, w.slots); !sameDiff(got, want) {
		t.Fatalf("diff %+v, want %+v", got, want)
	}
}

// glance looks at one account and one of its slots, in any order and not at all of it:
// the model must not know more than the transaction has read.
func (w *journalWorld) glance(t *testing.T, rng *rand.Rand, j *Journal, m *journalModel) {
	t.Helper()
	addr, slot := w.addrs[rng.IntN(len(w.addrs))], w.slots[rng.IntN(len(w.slots))]
	a := m.account(addr)
	_, exists := m.accounts[addr]
	ok, aspect := true, rng.IntN(8)
	switch aspect {
	case 0:
		ok = j.Exists(addr) == exists
	case 1:
		ok = j.Empty(addr) == a.IsEmpty()
	case 2:
		ok = bytes.Equal(j.Code(addr), m.code[a.CodeHash])
	case 3:
		ok = (j.CodeHash(addr) != common.Hash{}) == exists && (!exists || j.CodeHash(addr) == a.CodeHash)
	case 4:
		ok = j.CodeHashUnread(addr) == a.CodeHash
	case 5:
		current, original := j.Storage(addr, slot)
		ok = current == m.storage[place(addr, slot)] && original == w.base.storage[place(addr, slot)]
	case 6:
		ok = j.HasStorage(addr) == w.base.HasStorage(addr)
	case 7:
		ok = j.Balance(addr) == a.Balance && j.Nonce(addr) == a.Nonce
	}
	if !ok {
		t.Fatalf("account %x or slot %x differs in aspect %d", addr[:1], slot[31], aspect)
	}
}

func compareLogs(t *testing.T, got []*types.Log, want []types.Log) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d logs, want %d", len(got), len(want))
	}
	for i, l := range got {
		if !reflect.DeepEqual(*l, want[i]) {
			t.Fatalf("log %d is %+v, want %+v", i, *l, want[i])
		}
	}
}

// sameDiff takes nil and empty code for the same.
func sameDiff(a, b Diff) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if !bytes.Equal(x.Code, y.Code) {
			return false
		}
		x.Code, y.Code = nil, nil
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func TestJournalEqualsAModelThatCopiesEverything(t *testing.T) {
	w := newJournalWorld()
	j := NewJournal(w.base)
	var buf DiffBuffer
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var view View = w.base
		if seed%2 == 1 {
			view = hashingView{w.base}
		}
		j.Reset(view) // reuse is part of the test
		m := w.base.clone()
		type frame struct {
			id    int
			model *journalModel
		}
		var frames []frame
		for range 60 {
			switch rng.IntN(8) {
			case 0:
				frames = append(frames, frame{j.Snapshot(), m.clone()})
			case 1:
				if len(frames) > 0 {
					n := rng.IntN(len(frames)) // may skip frames
					j.Revert(frames[n].id)
					m, frames = frames[n].model, frames[:n]
				}
			default:
				w.step(t, rng, j, m)
			}
			// Comparing reads everything. What is not read yet is tested by the rest.
			if seed%3 == 0 {
				w.compare(t, j, m)
			} else {
				w.glance(t, rng, j, m)
			}
		}
		if seed%5 > 0 { // the buffer is as often new as used
			buf = DiffBuffer{}
		}
		if got, want := j.Diff(), m.diff(w.base, w.addrs, w.slots); !sameDiff(got, want) {
			t.Fatalf("seed %d: diff %+v, want %+v", seed, got, want)
		}
		diff, credits := j.DiffInto(&buf)
		if want := j.Diff(); !sameDiff(diff, want) || len(credits) != 0 {
			t.Fatalf("seed %d: diff %+v, %d credits, want %+v", seed, diff, len(credits), want)
		}
		w.compare(t, j, m)
		compareLogs(t, j.LogsInto(&buf), m.logs)
	}
}

// hashingView reads the hash of a code alone.
type hashingView struct{ *journalModel }

func (v hashingView) CodeHash(addr common.Address) common.Hash { return v.account(addr).CodeHash }

func TestJournalReadsOfAContractAreNotReadsOfItsBalance(t *testing.T) {
	w := newJournalWorld()
	base := &countingView{journalModel: w.base}
	j := NewJournal(struct {
		*countingView
		codeHasher
	}{base, hashingView{w.base}})
	contract, plain := common.Address{2}, common.Address{1}
	j.SetStorage(contract, common.Hash{31: 1}, common.Hash{9})
	if !j.Exists(contract) || j.Empty(contract) || len(j.Code(contract)) == 0 || (j.CodeHash(contract) == common.Hash{}) {
		t.Error("no contract")
	}
	if j.CodeHashUnread(plain) != types.EmptyCodeHash || j.Code(plain) != nil {
		t.Error("code of a plain account")
	}
	j.Credit(plain, uint256.NewInt(3))
	j.Credit(plain, new(uint256.Int))
	if base.accounts != 0 {
		t.Errorf("%d reads of accounts", base.accounts)
	}
	var buf DiffBuffer
	d, credits := j.DiffInto(&buf)
	if len(d) != 1 || d[0].Address != contract || d[0].Balance != nil || len(d[0].Storage) != 1 {
		t.Errorf("diff %+v", d)
	}
	if len(credits) != 1 || credits[0].Address != plain || credits[0].Amount.Uint64() != 3 {
		t.Errorf("credits %+v", credits)
	}
	j.FoldCredits()
	if d, credits := j.DiffInto(&buf); len(d) != 2 || d[0].Address != plain || d[0].Balance.Uint64() != 1003 || len(credits) != 0 {
		t.Errorf("folded: diff %+v, credits %+v", d, credits)
	}
	j.Credit(plain, uint256.NewInt(2)) // it is read by now
	if balance := j.Balance(plain); balance.Uint64() != 1005 {
		t.Errorf("balance %v", &balance)
	}
}

func TestJournalRefusesARefundBelowZero(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	NewJournal(newJournalModel()).SubRefund(1)
}

func TestJournalReadsTheViewOncePerAccountAndSlot(t *testing.T) {
	base := &countingView{journalModel: newJournalWorld().base}
	j := NewJournal(base)
	for range 3 {
		j.Balance(common.Address{2})
		j.Nonce(common.Address{2})
		j.Storage(common.Address{2}, common.Hash{31: 1})
	}
	j.Warm(common.Address{3}) // reads nothing
	if base.accounts != 1 || base.slots != 1 {
		t.Fatalf("%d reads of accounts, %d of slots", base.accounts, base.slots)
	}
}

type countingView struct {
	*journalModel
	accounts, slots int
}

func (v *countingView) Account(addr common.Address) (Account, bool) {
	v.accounts++
	return v.journalModel.Account(addr)
}

func (v *countingView) Storage(addr common.Address, slot common.Hash) common.Hash {
	v.slots++
	return v.journalModel.Storage(addr, slot)
}
