package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"
)

// largeBench names the environment variable that adds measurements of 10,000,000
// accounts, without go-ethereum, whose tries would take more memory than is at hand.
const largeBench = "TALARIA_BENCH_LARGE"

// benchAddress and benchSlot make as many different ones as wanted.
func benchAddress(i int) (a common.Address) {
	binary.BigEndian.PutUint64(a[:], uint64(i)*0x9e3779b97f4a7c15)
	return a
}

func benchSlot(i int) (s common.Hash) {
	binary.BigEndian.PutUint64(s[24:], uint64(i))
	return s
}

// A benchLoad changes leaves of a state with n of them.
type benchLoad struct {
	name  string
	n     int
	alone bool // without go-ethereum
	// diff returns a diff of the leaves, which are ascending, with values made of
	// the round.
	diff func(leaves []int, round uint64) Diff
}

func benchLoads(b *testing.B) []benchLoad {
	loads := []benchLoad{
		{name: "1M accounts", n: 1_000_000, diff: accountsDiff},
		{name: "1 contract with 1M slots", n: 1_000_000, diff: slotsDiff(1_000_000)},
		{name: "10k contracts with 100 slots", n: 1_000_000, diff: slotsDiff(100)},
	}
	if os.Getenv(largeBench) != "" && !testing.Short() {
		loads = append(loads, benchLoad{name: "10M accounts", n: 10_000_000, alone: true, diff: accountsDiff})
	}
	return loads
}

func accountsDiff(leaves []int, round uint64) Diff {
	d := make(Diff, len(leaves))
	for i, leaf := range leaves {
		nonce := round
		d[i] = AccountDiff{Address: benchAddress(leaf), Nonce: &nonce, Balance: uint256.NewInt(1e18 + round)}
	}
	return d
}

func slotsDiff(slotsOfContract int) func([]int, uint64) Diff {
	return func(leaves []int, round uint64) (d Diff) {
		last := -1
		for _, leaf := range leaves {
			if contract := leaf / slotsOfContract; contract != last {
				nonce := uint64(1)
				d = append(d, AccountDiff{Address: benchAddress(contract), Nonce: &nonce})
				last = contract
			}
			a := &d[len(d)-1]
			value := common.Hash{31: 1}
			binary.BigEndian.PutUint64(value[16:], round)
			a.Storage = append(a.Storage, SlotDiff{benchSlot(leaf), value})
		}
		return d
	}
}

// someLeaves returns count different leaves of n, ascending.
func someLeaves(r *rand.Rand, n, count int) []int {
	leaves := make([]int, count)
	for i := range leaves { // one of each part of equal size
		leaves[i] = n/count*i + r.IntN(n/count)
	}
	return leaves
}

func allLeaves(start, end int) []int {
	leaves := make([]int, end-start)
	for i := range leaves {
		leaves[i] = start + i
	}
	return leaves
}

// usageNanos returns the processor time of the process or of the thread.
func usageNanos(who int) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkTrie compares the CPU time (of all cores) and the elapsed time per leaf of
// a batch of changes, root included, with go-ethereum's trie.
func BenchmarkTrie(b *testing.B) {
	for _, load := range benchLoads(b) {
		b.Run(load.name, func(b *testing.B) {
			ours := NewTrie()
			benchTrie(b, "talaria", load, []int{1, 1000, 10_000, 50_000}, func(d Diff) common.Hash {
				ours.Apply(d)
				return ours.Root()
			})
			if load.alone {
				return
			}
			theirs := newGethState()
			benchTrie(b, "go-ethereum", load, []int{1000, 10_000, 50_000}, theirs.apply)
			last := load.diff(someLeaves(rand.New(rand.NewPCG(1, 9)), load.n, 1000), 1<<40)
			all := load.diff(allLeaves(0, load.n), 1)
			ours.Apply(all)
			ours.Apply(last)
			theirs.apply(all)
			if theirs.apply(last) != ours.Root() {
				b.Error("the roots differ")
			}
		})
	}
}

func benchTrie(b *testing.B, name string, load benchLoad, batches []int, apply func(Diff) common.Hash) {
	for start := 0; start < load.n; start += 100_000 {
		apply(load.diff(allLeaves(start, start+100_000), 1))
	}
	runtime.GC()
	r := rand.New(rand.NewPCG(1, 1))
	round := uint64(1)
	for _, batch := range batches {
		b.Run(fmt.Sprintf("batch %d %s", batch, name), func(b *testing.B) {
			var cpu int64
			for b.Loop() {
				b.StopTimer()
				round++
				d := load.diff(someLeaves(r, load.n, batch), round)
				b.StartTimer()
				cpu -= usageNanos(syscall.RUSAGE_SELF)
				apply(d)
				cpu += usageNanos(syscall.RUSAGE_SELF)
			}
			leaves := float64(b.N * batch)
			b.ReportMetric(float64(cpu)/leaves, "cpu-ns/leaf")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/leaves, "ns/leaf")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// gethState is the same state in go-ethereum's tries, all nodes in memory.
type gethState struct {
	db       *triedb.Database
	accounts *trie.Trie
	storage  map[common.Address]*trie.Trie
}

func newGethState() *gethState {
	db := triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil)
	return &gethState{db, trie.NewEmpty(db), make(map[common.Address]*trie.Trie)}
}

func (s *gethState) apply(d Diff) common.Hash {
	for i := range d {
		a := &d[i]
		v := types.StateAccount{Balance: new(uint256.Int), CodeHash: types.EmptyCodeHash[:], Root: types.EmptyRootHash}
		if a.Nonce != nil {
			v.Nonce = *a.Nonce
		}
		if a.Balance != nil {
			v.Balance = a.Balance
		}
		if len(a.Storage) > 0 {
			t := s.storage[a.Address]
			if t == nil {
				t = trie.NewEmpty(s.db)
				s.storage[a.Address] = t
			}
			for _, slot := range a.Storage {
				enc, _ := rlp.EncodeToBytes(common.TrimLeftZeroes(slot.Value[:]))
				t.MustUpdate(crypto.Keccak256(slot.Slot[:]), enc)
			}
			v.Root = t.Hash()
		}
		enc, _ := rlp.EncodeToBytes(&v)
		s.accounts.MustUpdate(crypto.Keccak256(a.Address[:]), enc)
	}
	return s.accounts.Hash()
}

// BenchmarkMemory measures what an account and a slot take in the flat state and in
// the trie.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	for _, load := range []benchLoad{
		{name: "account", diff: accountsDiff},
		{name: "slot of one contract", diff: slotsDiff(n)},
		{name: "slot of contracts with 100", diff: slotsDiff(100)},
	} {
		b.Run(load.name, func(b *testing.B) {
			for b.Loop() {
				empty := heapBytes()
				db := NewDB()
				for start := 0; start < n; start += 100_000 {
					db.Trim(db.Apply(load.diff(allLeaves(start, start+100_000), 1)))
				}
				flat := heapBytes()
				t := BuildTrie(db)
				t.Root()
				all := heapBytes()
				b.ReportMetric(float64(flat-empty)/n, "B/flat")
				b.ReportMetric(float64(all-flat)/n, "B/trie")
				runtime.KeepAlive(db)
				runtime.KeepAlive(t)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkTrieBuild(b *testing.B) {
	const n = 1_000_000
	db := NewDB()
	db.Reserve(n, n)
	for i := range n / 2 {
		addr := benchAddress(i)
		db.LoadAccount(addr, Account{Nonce: 1, CodeHash: EmptyAccount.CodeHash})
		db.LoadSlot(benchAddress(i%256), benchSlot(i), common.Hash{31: 1})
	}
	root := BuildTrie(db).Root()
	b.ReportAllocs()
	for b.Loop() {
		if BuildTrie(db).Root() != root {
			b.Fatal("another root")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/leaf")
}

func BenchmarkTrieProve(b *testing.B) {
	const n = 100_000
	r := rand.New(rand.NewPCG(1, 1))
	tr := NewTrie()
	tr.Apply(accountsDiff(allLeaves(0, n), 1))
	tr.Root()
	b.ReportAllocs()
	for b.Loop() {
		if p := tr.Prove(benchAddress(r.IntN(n)), nil); len(p.AccountProof) == 0 {
			b.Fatal("no proof")
		}
	}
}
