package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

func BenchmarkTrieUpdate(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	all := manyAccounts(r, 1_000_000)
	tr := NewTrie()
	tr.Apply(all)
	tr.Root()
	for _, changed := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("%d of a million accounts", changed), func(b *testing.B) {
			b.ReportAllocs()
			step := make(Diff, changed)
			root := tr.Root()
			for b.Loop() {
				for i := range step {
					step[i] = all[r.IntN(len(all))]
					step[i].Balance.AddUint64(step[i].Balance, 1)
				}
				tr.Apply(step)
				next := tr.Root()
				if next == root {
					b.Fatal("the root did not change")
				}
				root = next
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*changed), "ns/account")
		})
	}
}

func BenchmarkTrieBuild(b *testing.B) {
	const n = 1_000_000
	r := rand.New(rand.NewPCG(1, 1))
	db := NewDB()
	db.Reserve(n, n)
	for i, a := range manyAccounts(r, n/2) {
		db.LoadAccount(a.Address, Account{Nonce: *a.Nonce, Balance: *a.Balance, CodeHash: EmptyAccount.CodeHash})
		db.LoadSlot(common.Address{byte(i)}, common.BytesToHash(a.Address[:]), common.Hash{31: 1})
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
	r := rand.New(rand.NewPCG(1, 1))
	all := manyAccounts(r, 100_000)
	tr := NewTrie()
	tr.Apply(all)
	tr.Root()
	b.ReportAllocs()
	for b.Loop() {
		if p := tr.Prove(all[r.IntN(len(all))].Address, nil); len(p.AccountProof) == 0 {
			b.Fatal("no proof")
		}
	}
}
