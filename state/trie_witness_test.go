package state

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/trie/trienode"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"
)

// gethTouched adds to nodes those that go-ethereum's trie resolves when it looks the keys
// up and then makes the changes, insertions first as go-ethereum's state does.
func gethTouched(t testing.TB, nodes map[string]bool, content map[common.Hash][]byte, reads []common.Hash, changes map[common.Hash][]byte) {
	t.Helper()
	if len(content) == 0 || len(reads)+len(changes) == 0 {
		return
	}
	db := triedb.NewDatabase(rawdb.NewMemoryDatabase(), triedb.HashDefaults)
	full := trie.NewEmpty(db)
	for key, value := range content {
		if err := full.Update(key[:], value); err != nil {
			t.Fatal(err)
		}
	}
	root, set := full.Commit(false)
	if err := db.Update(root, types.EmptyRootHash, 0, trienode.NewWithNodeSet(set), nil); err != nil {
		t.Fatal(err)
	}
	tr, err := trie.New(trie.TrieID(root), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range reads {
		if _, err := tr.Get(key[:]); err != nil {
			t.Fatal(err)
		}
	}
	for _, deletions := range []bool{false, true} {
		for key, value := range changes {
			if deletions != (value == nil) {
				continue
			}
			if value == nil {
				err = tr.Delete(key[:])
			} else {
				err = tr.Update(key[:], value)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, node := range tr.Witness() {
		nodes[string(node)] = true
	}
}

// trieContent is what go-ethereum's tries of the model hold, by hashed keys.
func (m *model) trieContent(t testing.TB) (accounts map[common.Hash][]byte, slots map[common.Address]map[common.Hash][]byte) {
	slots = make(map[common.Address]map[common.Hash][]byte)
	for key, value := range m.slots {
		if slots[key.Address] == nil {
			slots[key.Address] = make(map[common.Hash][]byte)
		}
		slots[key.Address][crypto.Keccak256Hash(key.Slot[:])] = encodedSlot(value)
	}
	accounts = make(map[common.Hash][]byte)
	for addr, a := range m.accounts {
		enc, err := rlp.EncodeToBytes(&types.StateAccount{Nonce: a.Nonce, Balance: &a.Balance, CodeHash: a.CodeHash[:], Root: gethRoot(t, slots[addr])})
		if err != nil {
			t.Fatal(err)
		}
		accounts[crypto.Keccak256Hash(addr[:])] = enc
	}
	return accounts, slots
}

func encodedSlot(value common.Hash) []byte {
	if value == (common.Hash{}) {
		return nil
	}
	enc, err := rlp.EncodeToBytes(bytes.TrimLeft(value[:], "\x00"))
	if err != nil {
		panic(err) // bytes
	}
	return enc
}

// gethWitness are the nodes that go-ethereum needs for reads and a diff over the model.
func gethWitness(t testing.TB, m *model, reads *ReadSet, d Diff) []string {
	t.Helper()
	after := m.clone()
	after.apply(d)
	accounts, slots := m.trieContent(t)
	accountsAfter, _ := after.trieContent(t)

	readAccounts, readSlots := []common.Hash{}, make(map[common.Address][]common.Hash)
	for _, addr := range reads.index.keys {
		readAccounts = append(readAccounts, crypto.Keccak256Hash(addr[:]))
	}
	for _, k := range reads.slots.keys {
		addr := reads.index.keys[k.account]
		readSlots[addr] = append(readSlots[addr], crypto.Keccak256Hash(k.slot[:]))
	}
	nodes := make(map[string]bool)
	changed := make(map[common.Hash][]byte)
	slotChanges := make(map[common.Address]map[common.Hash][]byte)
	for i := range d {
		key := crypto.Keccak256Hash(d[i].Address[:])
		changed[key] = accountsAfter[key]
		slotChanges[d[i].Address] = make(map[common.Hash][]byte)
		for _, s := range d[i].Storage {
			slotChanges[d[i].Address][crypto.Keccak256Hash(s.Slot[:])] = encodedSlot(s.Value)
		}
	}
	gethTouched(t, nodes, accounts, readAccounts, changed)
	for addr, content := range slots {
		gethTouched(t, nodes, content, readSlots[addr], slotChanges[addr])
	}
	return slices.Sorted(maps.Keys(nodes))
}

// checkWitness compares with go-ethereum and returns the nodes.
func checkWitness(t *testing.T, tr *Trie, m *model, reads *ReadSet, d Diff) [][]byte {
	t.Helper()
	want := gethWitness(t, m, reads, d)
	got, codes := tr.Witness(reads, d)
	if len(got) != len(want) {
		t.Fatalf("%d nodes, go-ethereum needs %d", len(got), len(want))
	}
	for i := range got {
		if string(got[i]) != want[i] {
			t.Fatalf("node %d of %d is %x, go-ethereum's %x", i, len(got), got[i], want[i])
		}
	}
	wantCodes := make(map[common.Hash]bool)
	for i, used := range reads.codes {
		if a, ok := m.accounts[reads.index.keys[i]]; ok && used && a.CodeHash != types.EmptyCodeHash {
			wantCodes[a.CodeHash] = true
		}
	}
	if sorted := slices.SortedFunc(maps.Keys(wantCodes), common.Hash.Cmp); !slices.Equal(codes, sorted) {
		t.Fatalf("codes %v, want %v", codes, sorted)
	}
	return got
}

// randomReads are some accounts and slots that are there and some that are not.
func (m *model) randomReads(r *rand.Rand, n int) *ReadSet {
	set := new(ReadSet)
	for _, addr := range m.someAddresses(r, n) {
		switch r.IntN(3) {
		case 0:
			set.Code(addr)
		case 1:
			set.Account(addr)
		default:
			for _, slot := range m.someSlots(r, addr, 1+r.IntN(3)) {
				set.Slot(addr, slot)
			}
		}
	}
	return set
}

func TestAWitnessIsWhatGethsTrieLooksAt(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			m, tr := newModel(), NewTrie()
			for range 40 {
				d := m.randomDiff(r, 1+r.IntN(20))
				reads := m.randomReads(r, r.IntN(8))
				if len(m.accounts) > 0 {
					checkWitness(t, tr, m, reads, d)
				}
				m.apply(d)
				tr.Apply(d)
			}
			checkWitness(t, tr, m, new(ReadSet), m.clearing())
			checkWitness(t, tr, m, m.randomReads(r, 20), nil)
		})
	}
}

// Several goroutines share large witnesses: of the accounts, and of one large storage.
func TestALargeWitnessIsWhatGethsTrieLooksAt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	m, tr := newModel(), NewTrie()
	tr.SetWorkers(3)
	d := manyAccounts(r, 5000)
	large := &d[len(d)/2]
	for i := range 6000 {
		large.Storage = append(large.Storage, SlotDiff{benchSlot(i), common.Hash{31: byte(i) | 1}})
	}
	m.apply(d)
	tr.Apply(d)
	reads := new(ReadSet)
	var change Diff
	for i := range d {
		a := AccountDiff{Address: d[i].Address}
		switch r.IntN(5) {
		case 0:
			reads.Account(a.Address)
			continue
		case 1:
			a.Nonce = new(uint64)
		case 2:
			a = emptying(a.Address, m.accounts[a.Address])
		default:
			continue
		}
		if a.Address != large.Address {
			change = append(change, a)
		}
	}
	a := AccountDiff{Address: large.Address}
	for i := range 6000 {
		switch r.IntN(4) {
		case 0:
			reads.Slot(large.Address, benchSlot(i*2))
		case 1, 2:
			a.Storage = append(a.Storage, SlotDiff{benchSlot(i), common.Hash{31: byte(r.IntN(2))}})
		}
	}
	change = append(change, a)
	slices.SortFunc(change, func(a, b AccountDiff) int { return a.Address.Cmp(b.Address) })
	several := checkWitness(t, tr, m, reads, change)
	tr.SetWorkers(1)
	one, _ := tr.Witness(reads, change)
	if !slices.EqualFunc(one, several, bytes.Equal) {
		t.Fatal("one goroutine finds other nodes than several")
	}
}

// Nodes within their parents are not listed, whatever happens to them: only keys that are
// alike have such.
func TestAWitnessOfKeysThatAreAlike(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		tr := NewTrie()
		w := tr.workers[0]
		id := tr.newRoot(w)
		content := make(map[common.Hash][]byte)
		dense := 3 + int(seed%2)*13
		for step := range 40 {
			batch := make(map[common.Hash]common.Hash)
			for range 1 + r.IntN(4)*r.IntN(20) {
				var value common.Hash
				if r.IntN(3) > 0 {
					value = common.Hash{31: byte(1 + r.IntN(255))}
				}
				batch[alikeKey(r, dense)] = value
			}
			var reads []common.Hash
			for range r.IntN(3) {
				reads = append(reads, alikeKey(r, dense))
			}
			changes := make(map[common.Hash][]byte)
			for key, value := range batch {
				changes[key] = encodedSlot(value)
			}
			want := make(map[string]bool)
			gethTouched(t, want, content, reads, changes)

			w.storageSums.addTrie(id)
			w.storageSums.sum(0)
			found := witnessOf(tr, rootAt(&tr.roots, id).node, reads, batch)
			if !maps.Equal(found, want) {
				t.Fatalf("seed %d step %d: %d nodes, go-ethereum needs %d", seed, step, len(found), len(want))
			}
			changeSlots(t, tr, id, batch)
			for key := range batch {
				if content[key] = changes[key]; content[key] == nil {
					delete(content, key)
				}
			}
		}
	}
}

// witnessOf traces a trie whose keys are not hashed.
func witnessOf(tr *Trie, root nodeRef, reads []common.Hash, batch map[common.Hash]common.Hash) map[string]bool {
	var list nodeList
	w := witness{}
	for key, value := range batch {
		w.slotKeys, w.written = append(w.slotKeys, key), append(w.written, &SlotDiff{key, value})
	}
	w.slotKeys = append(w.slotKeys, reads...)
	items := make([]item, len(w.slotKeys))
	for i := range items {
		items[i] = newItem(&w.slotKeys[i], i)
	}
	sortItems(items, nil, compareKeys(w.slotKeys))
	t := tracer[common.Hash]{sums: &tr.workers[0].storageSums, keys: w.slotKeys, found: &list, keep: w.keepSlots}
	t.walk(root, 0, items, false)
	found := make(map[string]bool)
	for i := range list.nodes {
		found[string(list.at(&list.nodes[i]))] = true
	}
	return found
}

// A journal tells what it looked at, apart from what it changed.
func TestAJournalTellsItsReads(t *testing.T) {
	account := func(i byte) common.Address { return common.Address{i} }
	db := NewDB()
	db.Apply(Diff{
		{Address: account(1), Code: []byte{1}, CodeChanged: true, Storage: []SlotDiff{{Slot: common.Hash{1}, Value: common.Hash{1}}, {Slot: common.Hash{2}, Value: common.Hash{1}}}},
		{Address: account(2), Code: []byte{2}, CodeChanged: true},
		{Address: account(3), Code: []byte{3}, CodeChanged: true},
	})
	j := NewJournal(db.Head())
	j.Storage(account(1), common.Hash{1})                        // read
	j.SetStorage(account(1), common.Hash{2}, common.Hash{31: 9}) // changed
	j.CodeHash(account(2))                                       // hash, not code
	j.UseCode(account(3))
	j.Warm(account(4)) // not looked at
	j.Balance(account(5))
	one := uint256.NewInt(1)
	j.AddBalance(account(6), one) // changed
	j.Credit(account(7), one)     // not looked at
	before := j.Snapshot()
	j.AddBalance(account(8), one) // taken back: looked at
	j.Revert(before)
	var r Reads
	j.ReadsInto(&r)
	if want := []common.Address{account(1), account(2), account(5), account(8)}; !slices.Equal(r.Accounts, want) {
		t.Errorf("accounts %v, want %v", r.Accounts, want)
	}
	if want := []common.Address{account(3)}; !slices.Equal(r.Codes, want) {
		t.Errorf("codes %v, want %v", r.Codes, want)
	}
	if want := []SlotKey{{account(1), common.Hash{1}}}; !slices.Equal(r.Slots, want) {
		t.Errorf("slots %v, want %v", r.Slots, want)
	}
	j.Reset(db.Head())
	r.Reset()
	if j.ReadsInto(&r); len(r.Accounts)+len(r.Codes)+len(r.Slots) > 0 {
		t.Errorf("a fresh journal tells %+v", r)
	}
}
