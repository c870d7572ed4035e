package verify

import (
	"bytes"
	"errors"
	"math/rand"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/talaria-l2/talaria/keccak"
)

// geth is go-ethereum's trie, to compare with.
func geth(t *testing.T, content map[string][]byte) *trie.Trie {
	tr := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for k, v := range content {
		if err := tr.Update([]byte(k), v); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// nodesOf are all nodes of a trie that have a hash.
func nodesOf(tr *trie.Trie) *nodeSet {
	var raw [][]byte
	if _, set := tr.Commit(false); set != nil {
		for _, n := range set.Nodes {
			raw = append(raw, n.Blob)
		}
	}
	return newNodeSet(raw)
}

func newNodeSet(raw [][]byte) *nodeSet {
	s := &nodeSet{memory: new(memory)}
	s.read(raw, new(keccak.Batch))
	return s
}

// TestTriesGoWhereGoEthereumsGo changes tries of short keys, so that there are branches,
// extensions and leaves of all kinds, embedded ones too, and compares roots.
func TestTriesGoWhereGoEthereumsGo(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 400 {
		content := make(map[string][]byte)
		key := func() []byte { return []byte{byte(r.Intn(3)) << 4, byte(r.Intn(4)), byte(r.Intn(256)), 0} }
		value := func() []byte { return bytes.Repeat([]byte{1 + byte(r.Intn(200))}, 1+r.Intn(40)) }
		for range r.Intn(30) {
			content[string(key())] = value()
		}
		full := newTree(nodesOf(geth(t, content)), geth(t, content).Hash())
		for range r.Intn(20) {
			k := key()
			got, err := full.get((*memory)(nil).nibblesOf(k))
			if err != nil || !bytes.Equal(got, content[string(k)]) {
				t.Fatalf("get %x: %x, %v, want %x", k, got, err, content[string(k)])
			}
			if r.Intn(2) == 0 {
				content[string(k)] = value()
				err = full.put((*memory)(nil).nibblesOf(k), content[string(k)])
			} else {
				delete(content, string(k))
				err = full.remove((*memory)(nil).nibblesOf(k))
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Intn(3) == 0 {
				compareRoots(t, full, content)
			}
		}
		compareRoots(t, full, content)
	}
}

func compareRoots(t *testing.T, got tree, content map[string][]byte) {
	t.Helper()
	rooter := rooter{batch: new(keccak.Batch)}
	rooter.add(&got)
	rooter.sum()
	if want := geth(t, content).Hash(); got.rootHash() != want {
		t.Fatalf("root %s, want %s, of %d keys", got.rootHash(), want, len(content))
	}
}

func TestAMissingNodeIsNamed(t *testing.T) {
	content := make(map[string][]byte)
	for i := range byte(40) {
		content[string([]byte{i, 1})] = bytes.Repeat([]byte{i + 1}, 40)
	}
	full := nodesOf(geth(t, content))
	root := geth(t, content).Hash()
	if len(full.raw) < 40 {
		t.Fatalf("%d nodes", len(full.raw))
	}
	for i, hash := range full.hashes {
		less := newNodeSet(slices.Delete(slices.Clone(full.raw), i, i+1))
		var found *missingNode
		for k := range content {
			tr := newTree(less, root)
			if _, err := tr.get((*memory)(nil).nibblesOf([]byte(k))); errors.As(err, &found) {
				break
			}
		}
		if found == nil || found.hash != hash || found.err != nil {
			t.Fatalf("node %s: %v", hash, found)
		}
	}
}

func TestListsHaveEthereumsRoots(t *testing.T) {
	for _, n := range []int{0, 1, 2, 16, 127, 128, 129, 300, 70_000} {
		var items [][]byte
		var list types.Transactions
		for i := range n {
			tx := types.NewTx(&types.LegacyTx{Nonce: uint64(i)})
			raw, err := tx.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			list, items = append(list, tx), append(items, raw)
		}
		if got, want := new(memory).listRoot(items, new(keccak.Batch)), types.DeriveSha(list, trie.NewStackTrie(nil)); got != want {
			t.Fatalf("%d items: %s, want %s", n, got, want)
		}
	}
}

// FuzzNode wants that whatever decodes is what it was decoded from, and that nothing
// panics on the way through it.
func FuzzNode(f *testing.F) {
	f.Add([]byte{0xc2, 0x20, 0x01}, []byte{})
	f.Add(common.FromHex("d580c220018080808080808080808080808080808080"), []byte{1})
	f.Add(common.FromHex("e21ba00000000000000000000000000000000000000000000000000000000000000000"), []byte{0xb0})
	f.Fuzz(func(t *testing.T, raw, key []byte) {
		if len(key) > 32 {
			key = key[:32]
		}
		nodes := newNodeSet([][]byte{raw})
		hash := keccak.Sum256(raw)
		nibbles := (*memory)(nil).nibblesOf(key)
		read, cut, changed := newTree(nodes, hash), newTree(nodes, hash), newTree(nodes, hash)
		_, _ = read.get(nibbles)
		_ = cut.remove(nibbles)
		if changed.put(nibbles, []byte{1}) == nil {
			r := rooter{batch: new(keccak.Batch)}
			r.add(&changed)
			r.sum()
			changed.rootHash()
		}
	})
}
