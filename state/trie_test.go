package state

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"
)

// gethRoot computes a root with go-ethereum's trie, from nothing.
func gethRoot(t testing.TB, content map[common.Hash][]byte) common.Hash {
	t.Helper()
	keys := make([]common.Hash, 0, len(content))
	for key := range content {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, common.Hash.Cmp)
	st := trie.NewStackTrie(nil)
	for _, key := range keys {
		if err := st.Update(key[:], content[key]); err != nil {
			t.Fatal(err)
		}
	}
	return st.Hash()
}

// gethStateRoot computes the root of the model with go-ethereum's trie.
func gethStateRoot(t testing.TB, m *model) common.Hash {
	t.Helper()
	content := make(map[common.Hash][]byte)
	for addr, a := range m.accounts {
		enc, err := rlp.EncodeToBytes(&types.StateAccount{
			Nonce: a.Nonce, Balance: &a.Balance, CodeHash: a.CodeHash[:], Root: gethStorageRoot(t, m, addr),
		})
		if err != nil {
			t.Fatal(err)
		}
		content[crypto.Keccak256Hash(addr[:])] = enc
	}
	return gethRoot(t, content)
}

func gethStorageRoot(t testing.TB, m *model, addr common.Address) common.Hash {
	t.Helper()
	content := make(map[common.Hash][]byte)
	for key, value := range m.slots {
		if key.Address == addr {
			enc, err := rlp.EncodeToBytes(bytes.TrimLeft(value[:], "\x00"))
			if err != nil {
				t.Fatal(err)
			}
			content[crypto.Keccak256Hash(key.Slot[:])] = enc
		}
	}
	return gethRoot(t, content)
}

func TestEmptyTrieHasTheEmptyRoot(t *testing.T) {
	tr := NewTrie()
	if got := tr.Root(); got != types.EmptyRootHash {
		t.Errorf("root %s, want %s", got, types.EmptyRootHash)
	}
	if got := tr.StorageRoot(common.Address{1}); got != types.EmptyRootHash {
		t.Errorf("storage root %s, want %s", got, types.EmptyRootHash)
	}
}

func TestTrieRootsEqualGethsAfterRandomDiffs(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			m, db, tr := newModel(), NewDB(), NewTrie()
			for step := range 40 {
				d := m.randomDiff(r, 1+r.IntN(30))
				m.apply(d)
				db.Apply(d)
				tr.Apply(d)
				if r.IntN(3) > 0 {
					continue // several diffs between two roots
				}
				want := gethStateRoot(t, m)
				if got := tr.Root(); got != want {
					t.Fatalf("step %d: root %s, want %s", step, got, want)
				}
				if got := BuildTrie(db).Root(); got != want {
					t.Fatalf("step %d: root of the built trie %s, want %s", step, got, want)
				}
				for _, addr := range m.someAddresses(r, 3) {
					if got, want := tr.StorageRoot(addr), gethStorageRoot(t, m, addr); got != want {
						t.Fatalf("step %d: storage root of %s is %s, want %s", step, addr, got, want)
					}
				}
			}
			tr.Apply(m.clearing())
			if got := tr.Root(); got != types.EmptyRootHash {
				t.Errorf("root after everything was deleted: %s", got)
			}
			checkReleased(t, tr)
		})
	}
}

// checkReleased checks that an empty trie has no nodes.
func checkReleased(t *testing.T, tr *Trie) {
	t.Helper()
	free := func(of func(*trieWorker) *freeList) (n int) {
		for _, w := range tr.workers {
			n += of(w).len()
		}
		return n
	}
	check := func(name string, size int, of func(*trieWorker) *freeList) {
		if n := free(of); n != size {
			t.Errorf("%s: %d of %d are free", name, n, size)
		}
	}
	check("account leaves", tr.accounts.leaves.size(), func(w *trieWorker) *freeList { return &w.accounts.space.leaves })
	check("account extensions", tr.accounts.exts.size(), func(w *trieWorker) *freeList { return &w.accounts.space.exts })
	check("slots", tr.storage.leaves.size(), func(w *trieWorker) *freeList { return &w.storage.space.leaves })
	check("storage extensions", tr.storage.exts.size(), func(w *trieWorker) *freeList { return &w.storage.space.exts })
	for i := range branchWidths {
		check("account branches", tr.accounts.branches[i].size(), func(w *trieWorker) *freeList { return &w.accounts.space.branches[i] })
		check("storage branches", tr.storage.branches[i].size(), func(w *trieWorker) *freeList { return &w.storage.space.branches[i] })
	}
	check("tries", tr.roots.size()-1, func(w *trieWorker) *freeList { return &w.roots })
}

// Hashed keys never make nodes short enough to be part of their parents, nor long
// extensions: keys that are alike do.
func TestForestEqualsGethsTrieForKeysThatAreAlike(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		tr := NewTrie()
		w := tr.workers[0]
		id := tr.newRoot(w)
		content := make(map[common.Hash][]byte)
		oracle := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
		dense := 3 + int(seed%2)*13
		for step := range 200 {
			batch := make(map[common.Hash]common.Hash)
			for range 1 + r.IntN(4)*r.IntN(20) {
				var value common.Hash
				if r.IntN(3) > 0 {
					value = common.Hash{31: byte(1 + r.IntN(255))}
					if r.IntN(4) == 0 {
						value[r.IntN(32)] = 0xff
					}
				}
				batch[alikeKey(r, dense)] = value
			}
			if r.IntN(20) == 0 {
				for key := range content {
					batch[key] = common.Hash{}
				}
			}
			changeSlots(t, tr, id, batch)
			for key, value := range batch {
				content[key] = bytes.TrimLeft(value[:], "\x00")
				var err error
				if len(content[key]) == 0 {
					delete(content, key)
					err = oracle.Delete(key[:])
				} else {
					content[key], _ = rlp.EncodeToBytes(content[key])
					err = oracle.Update(key[:], content[key])
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(3) == 0 {
				continue // several batches between two roots
			}
			w.storageSums.addTrie(id)
			w.storageSums.sum(0)
			want, root := oracle.Hash(), rootAt(&tr.roots, id)
			if root.hash != want {
				t.Fatalf("seed %d step %d: root %s, want %s", seed, step, root.hash, want)
			}
			key := alikeKey(r, dense)
			verifyProof(t, want, key, w.storageSums.prove(root.node, &key), content[key])
		}
	}
}

// changeSlots changes a trie whose keys are not hashed.
func changeSlots(t *testing.T, tr *Trie, id uint32, batch map[common.Hash]common.Hash) {
	t.Helper()
	w := tr.workers[0]
	tr.in.slotKeys, tr.in.values = nil, nil
	var items []item
	for key, value := range batch {
		items = append(items, newItem(&key, len(items)))
		tr.in.slotKeys, tr.in.values = append(tr.in.slotKeys, key), append(tr.in.values, value)
	}
	w.storage.keys = tr.in.slotKeys
	w.items = sortItems(items, w.items, compareKeys(tr.in.slotKeys))
	root := rootAt(&tr.roots, id)
	root.node, root.dirty = w.storage.update(root.node, 0, items), true
}

// alikeKey returns one of few keys that share prefixes of many lengths; their
// branches have up to dense children.
func alikeKey(r *rand.Rand, dense int) common.Hash {
	var key common.Hash
	for range r.IntN(3) {
		i := r.IntN(2)*30 + r.IntN(2)
		key[i] = byte(r.IntN(dense)) << (4 * r.IntN(2))
	}
	return key
}

// verifyProof checks with go-ethereum that the proof shows value, nil for absence,
// and that it holds no other nodes.
func verifyProof(t *testing.T, root, key common.Hash, proof [][]byte, value []byte) {
	t.Helper()
	if root == types.EmptyRootHash {
		if len(proof) != 0 {
			t.Fatalf("%d nodes prove absence from the empty trie", len(proof))
		}
		return
	}
	db := memorydb.New()
	for _, node := range proof {
		if err := db.Put(crypto.Keccak256(node), node); err != nil {
			t.Fatal(err)
		}
	}
	got, err := trie.VerifyProof(root, key[:], db)
	if err != nil {
		t.Fatalf("proof of %s: %v", key, err)
	}
	if !bytes.Equal(got, value) {
		t.Fatalf("proof of %s shows %x, want %x", key, got, value)
	}
	for i, node := range proof {
		if err := db.Delete(crypto.Keccak256(node)); err != nil {
			t.Fatal(err)
		}
		if _, err := trie.VerifyProof(root, key[:], db); err == nil {
			t.Fatalf("proof of %s does not need its node %d", key, i)
		}
		if err := db.Put(crypto.Keccak256(node), node); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProofsVerifyWithGeth(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 3))
		m, tr := newModel(), NewTrie()
		for range 10 {
			d := m.randomDiff(r, 40)
			m.apply(d)
			tr.Apply(d)
			for _, addr := range append(m.someAddresses(r, 5), common.Address{19: 0xff}) {
				slots := append(m.someSlots(r, addr, 4), common.Hash{1: 0xff})
				p := tr.Prove(addr, slots)
				if p.Root != tr.Root() || p.Address != addr {
					t.Fatalf("proof is of %s at root %s", p.Address, p.Root)
				}
				verifyAccountProof(t, m, p)
				for i, slot := range slots {
					value := m.slots[SlotKey{addr, slot}]
					if p.Storage[i].Slot != slot || p.Storage[i].Value != value {
						t.Fatalf("slot proof shows %s = %s, want %s = %s", p.Storage[i].Slot, p.Storage[i].Value, slot, value)
					}
					var enc []byte
					if value != (common.Hash{}) {
						enc, _ = rlp.EncodeToBytes(bytes.TrimLeft(value[:], "\x00"))
					}
					verifyProof(t, p.StorageRoot, crypto.Keccak256Hash(slot[:]), p.Storage[i].Proof, enc)
				}
			}
		}
	}
}

func verifyAccountProof(t *testing.T, m *model, p *Proof) {
	t.Helper()
	want, ok := m.account(p.Address)
	if p.Account != want {
		t.Fatalf("proof shows %+v, want %+v", p.Account, want)
	}
	if root := gethStorageRoot(t, m, p.Address); p.StorageRoot != root {
		t.Fatalf("proof shows storage root %s, want %s", p.StorageRoot, root)
	}
	var enc []byte
	if ok {
		enc, _ = rlp.EncodeToBytes(&types.StateAccount{
			Nonce: want.Nonce, Balance: &want.Balance, CodeHash: want.CodeHash[:], Root: p.StorageRoot,
		})
	}
	verifyProof(t, p.Root, crypto.Keccak256Hash(p.Address[:]), p.AccountProof, enc)
}

// Large batches are shared among goroutines, small ones are not.
func TestParallelRootEqualsSerial(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	create := manyAccounts(r, 3*parallelLeaves)
	for _, i := range []int{5, 100, 200} { // some have large storage, others a little
		for slot := range 2 * parallelLeaves {
			create[i].Storage = append(create[i].Storage, SlotDiff{common.BigToHash(big.NewInt(int64(slot))), common.Hash{31: 1}})
		}
	}
	for i := 300; i < 1000; i++ {
		create[i].Storage = []SlotDiff{{common.Hash{1}, common.Hash{2}}, {common.Hash{2}, common.Hash{byte(i)}}}
	}
	remove := make(Diff, len(create))
	for i, a := range create {
		remove[i] = AccountDiff{Address: a.Address, Nonce: new(uint64), Balance: new(uint256.Int)}
		for _, s := range a.Storage {
			remove[i].Storage = append(remove[i].Storage, SlotDiff{Slot: s.Slot})
		}
	}
	parallel, serial := NewTrie(), NewTrie()
	parallel.SetWorkers(4)
	serial.SetWorkers(1)
	steps := []Diff{create, remove[:2*parallelLeaves], create[:parallelLeaves+7], remove[:10], remove[2*parallelLeaves:], remove[:2*parallelLeaves]}
	for n, d := range steps {
		parallel.Apply(d)
		for len(d) > 0 {
			part := min(len(d), 1+r.IntN(300))
			serial.Apply(d[:part])
			if r.IntN(2) == 0 {
				serial.Root()
			}
			d = d[part:]
		}
		if got, want := parallel.Root(), serial.Root(); got != want {
			t.Fatalf("step %d: parallel root %s, serial root %s", n, got, want)
		}
		for _, a := range []int{5, 100, 301} {
			if got, want := parallel.StorageRoot(create[a].Address), serial.StorageRoot(create[a].Address); got != want {
				t.Fatalf("step %d: parallel storage root %s, serial %s", n, got, want)
			}
		}
	}
	if got := parallel.Root(); got != types.EmptyRootHash {
		t.Errorf("root after everything was removed: %s", got)
	}
	checkReleased(t, parallel)
	checkReleased(t, serial)
}
