package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/state"
)

// TrieRow is the update of a state trie, root included, on one core.
type TrieRow struct {
	Accounts int     `json:"accounts"`
	Batch    int     `json:"batch"`  // changed accounts for each root
	Micros   float64 `json:"micros"` // an account
	Geth     float64 `json:"geth"`   // microseconds an account of go-ethereum's trie
	Times    float64 `json:"times"`  // how many times longer it takes
	// Core is the share of one core that 50,000 changed accounts a second take.
	Core float64 `json:"core"`
}

// trieLeaves is how many changed leaves a second the trie must keep up with.
const trieLeaves = 50_000

// tries measures with a million accounts and, if asked, with ten.
func tries(o Options) ([]TrieRow, error) {
	sizes := []int{1_000_000}
	if o.Large {
		sizes = append(sizes, 10_000_000)
	}
	var rows []TrieRow
	for _, size := range sizes {
		name := fmt.Sprintf("trie of %d accounts", size)
		if l := (lazy{name: name, group: "trie"}); !l.selected(o.Filter) {
			continue
		}
		measured, err := measureTrie(size, o.Rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range measured {
			fmt.Fprintln(o.Log, measured[i].line())
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

func measureTrie(size, rounds int) ([]TrieRow, error) {
	ours, theirs := state.NewTrie(), newGethTrie()
	ours.SetWorkers(1)
	for start := 0; start < size; start += 100_000 {
		leaves := make([]int, 100_000)
		for i := range leaves {
			leaves[i] = start + i
		}
		d := leafDiff(leaves, 1)
		ours.Apply(d)
		theirs.apply(d)
	}
	if ours.Root() != theirs.root() {
		return nil, fmt.Errorf("the roots differ")
	}
	random := rand.New(rand.NewPCG(1, 1))
	version := uint64(1)
	var rows []TrieRow
	for _, batch := range []int{1_000, 10_000, 50_000} {
		times := make([][]float64, 2) // ours, theirs
		start := processorTime()
		for round := 0; round < rounds && !enough(processorTime()-start, times); round++ {
			version++
			leaves := make([]int, batch)
			for i := range leaves { // one of each part of equal size
				leaves[i] = size/batch*i + random.IntN(size/batch)
			}
			d := leafDiff(leaves, version)
			var a, b common.Hash
			runtime.GC() // takes long; the heap that it leaves has room for both
			times[0] = append(times[0], micros(batch, func() { ours.Apply(d); a = ours.Root() }))
			times[1] = append(times[1], micros(batch, func() { theirs.apply(d); b = theirs.root() }))
			if a != b {
				return nil, fmt.Errorf("the roots differ")
			}
		}
		row := TrieRow{Accounts: size, Batch: batch, Micros: median(times[0]), Geth: median(times[1]), Times: ratio(times[1], times[0])}
		row.Core = row.Micros * trieLeaves / 1e6
		rows = append(rows, row)
	}
	return rows, nil
}

// micros is the processor time of f for each of n.
func micros(n int, f func()) float64 {
	start := processorTime()
	f()
	return inMicros(processorTime()-start) / float64(n)
}

// leafDiff changes the accounts, which are ascending.
func leafDiff(leaves []int, version uint64) state.Diff {
	d := make(state.Diff, len(leaves))
	for i, leaf := range leaves {
		nonce := version
		d[i] = state.AccountDiff{Nonce: &nonce, Balance: uint256.NewInt(1e18 + version)}
		binary.BigEndian.PutUint64(d[i].Address[:], uint64(leaf)<<32) // ascending; keys are hashes
	}
	return d
}

// gethTrie is go-ethereum's account trie, all of it in memory.
type gethTrie struct{ t *trie.Trie }

func newGethTrie() *gethTrie {
	return &gethTrie{trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))}
}

func (g *gethTrie) apply(d state.Diff) {
	for i := range d {
		encoded, err := rlp.EncodeToBytes(&types.StateAccount{
			Nonce: *d[i].Nonce, Balance: d[i].Balance, Root: types.EmptyRootHash, CodeHash: types.EmptyCodeHash[:],
		})
		if err != nil {
			panic(err) // of our own making
		}
		g.t.MustUpdate(crypto.Keccak256(d[i].Address[:]), encoded)
	}
}

func (g *gethTrie) root() common.Hash { return g.t.Hash() }
