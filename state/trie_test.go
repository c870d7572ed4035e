package state

import (
	"bytes"
	"fmt"
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
			if n := len(tr.accounts.leaves.free); uint32(n) != tr.accounts.leaves.next {
				t.Errorf("%d of %d account leaves were released", n, tr.accounts.leaves.next)
			}
			for name, a := range map[string][2]int{
				"storage leaves":     {len(tr.storage.leaves.free), int(tr.storage.leaves.next)},
				"storage extensions": {len(tr.storage.exts.free), int(tr.storage.exts.next)},
				"storage branches":   {len(tr.storage.branches.free), int(tr.storage.branches.next)},
				"account extensions": {len(tr.accounts.exts.free), int(tr.accounts.exts.next)},
				"storage copies":     {len(tr.storage.copies.free), int(tr.storage.copies.next)},
				"account copies":     {len(tr.accounts.copies.free), int(tr.accounts.copies.next)},
				"account branches":   {len(tr.accounts.branches.free), int(tr.accounts.branches.next)},
			} {
				if a[0] != a[1] {
					t.Errorf("%s: %d of %d were released", name, a[0], a[1])
				}
			}
		})
	}
}

// Hashed keys never make nodes short enough to be part of their parents, nor long
// extensions: keys that are alike do.
func TestForestEqualsGethsTrieForKeysThatAreAlike(t *testing.T) {
	encode := func(h *trieHasher, v *common.Hash) []byte {
		return appendString(h.value[:0], bytes.TrimLeft(v[:], "\x00"))
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		f := forest[common.Hash]{encode: encode}
		h := newTrieHasher()
		content := make(map[common.Hash][]byte)
		oracle := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
		root := noNode
		dense := 3 + int(seed%2)*13
		for step := range 300 {
			key := alikeKey(r, dense)
			if r.IntN(3) == 0 {
				before := root
				_, present := content[key]
				var changed bool
				root, changed = f.remove(root, 0, &key)
				if changed != present || !changed && root != before {
					t.Fatalf("seed %d step %d: removal of %s reports %t", seed, step, key, changed)
				}
				delete(content, key)
				if err := oracle.Delete(key[:]); err != nil {
					t.Fatal(err)
				}
			} else {
				var leaf *leafNode[common.Hash]
				root, leaf = f.upsert(root, 0, &key)
				leaf.value = common.Hash{31: byte(1 + r.IntN(255))}
				if r.IntN(4) == 0 {
					leaf.value[r.IntN(32)] = 0xff
				}
				content[key] = bytes.Clone(encode(h, &leaf.value))
				if err := oracle.Update(key[:], content[key]); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(4) > 0 {
				continue
			}
			want := oracle.Hash()
			if got := f.root(h, root); got != want {
				t.Fatalf("seed %d step %d: root %s, want %s", seed, step, got, want)
			}
			key = alikeKey(r, dense)
			verifyProof(t, want, key, f.prove(h, root, &key), content[key])
		}
	}
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

func TestParallelRootEqualsSerial(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	d := manyAccounts(r, 3*parallelRootLeaves)
	parallel, serial := NewTrie(), NewTrie()
	parallel.Apply(d)
	for len(d) > 0 {
		n := min(len(d), parallelRootLeaves/2)
		serial.Apply(d[:n])
		serial.Root()
		d = d[n:]
	}
	if got, want := parallel.Root(), serial.Root(); got != want {
		t.Errorf("parallel root %s, serial root %s", got, want)
	}
}
