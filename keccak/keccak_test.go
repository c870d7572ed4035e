package keccak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestSum256EqualsGeths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 1000 {
		data := randomBytes(r, n)
		want := crypto.Keccak256Hash(data)
		if got := Sum256(data); got != want {
			t.Fatalf("%d bytes: %s, want %s", n, got, want)
		}
		if got := portable(data); got != want {
			t.Fatalf("%d bytes, portable: %s, want %s", n, got, want)
		}
	}
	data := randomBytes(r, 1<<20)
	if got, want := Sum256(data), crypto.Keccak256Hash(data); got != want {
		t.Fatalf("a megabyte: %s, want %s", got, want)
	}
}

func TestBatchEqualsGethsForAllLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b Batch
	var messages [][]byte
	for n := range 601 {
		messages = append(messages, randomBytes(r, n))
	}
	checkBatch(t, &b, messages)
}

// Long messages are hashed together where they are of about equal length.
func TestBatchEqualsGethsForLongMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	var b Batch
	for _, lengths := range [][]int{
		{20_000, 20_001, 19_000, 18_000, 20_000, 17_000, 16_000, 20_400, 20_399},
		{1200, 50_000, 1300, 4000, 300}, {100_000, 2000, 2001, 2002, 1500, 1400, 1300, 1200, 1100, 1088, 1087}, {9000},
	} {
		var messages [][]byte
		for _, n := range lengths {
			messages = append(messages, randomBytes(r, n))
		}
		checkBatch(t, &b, messages)
	}
}

func TestBatchEqualsGethsForRandomMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	var b Batch
	for range 2000 {
		longest := []int{1, 20, 140, 600, 2000}[r.IntN(5)]
		messages := make([][]byte, r.IntN(40))
		for i := range messages {
			messages[i] = randomBytes(r, r.IntN(longest+1))
		}
		checkBatch(t, &b, messages)
	}
}

func checkBatch(t *testing.T, b *Batch, messages [][]byte) {
	t.Helper()
	for i, m := range messages {
		if i%3 > 0 {
			b.Add(m)
			continue
		}
		skip := i % 4
		room := b.Room(skip + len(m))
		room = append(room, bytes.Repeat([]byte{0xee}, skip)...)
		room = append(room, m...)
		b.Added(skip, len(m))
	}
	if b.Len() != len(messages) {
		t.Fatalf("batch has %d messages, want %d", b.Len(), len(messages))
	}
	hashes := b.Sum([]common.Hash{{1}})
	if len(hashes) != len(messages)+1 || hashes[0] != (common.Hash{1}) || b.Len() != 0 {
		t.Fatalf("%d hashes and %d messages left of %d", len(hashes), b.Len(), len(messages))
	}
	for i, m := range messages {
		if want := crypto.Keccak256Hash(m); hashes[i+1] != want {
			t.Fatalf("message %d of %d, %d bytes: %s, want %s", i, len(messages), len(m), hashes[i+1], want)
		}
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	var b Batch
	data, hashes := make([]byte, 500), make([]common.Hash, 0, 100)
	round := func() {
		for i := range 100 {
			b.Add(data[:5*i])
		}
		hashes = b.Sum(hashes[:0])
		hashes[0] = Sum256(data)
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSum256(b *testing.B) {
	for _, n := range []int{32, 64, 532, 24576} {
		data := make([]byte, n)
		b.Run(fmt.Sprintf("%d bytes", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				Sum256(data)
			}
		})
		b.Run(fmt.Sprintf("%d bytes with go-ethereum", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				crypto.Keccak256Hash(data)
			}
		})
	}
}

func BenchmarkBatch(b *testing.B) {
	const count = 1024
	for _, n := range []int{20, 32, 110, 532} {
		data := make([]byte, n)
		b.Run(fmt.Sprintf("%d bytes", n), func(b *testing.B) {
			b.ReportAllocs()
			var batch Batch
			var hashes []common.Hash
			for b.Loop() {
				for range count {
					batch.Add(data)
				}
				hashes = batch.Sum(hashes[:0])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/message")
		})
	}
}

func TestABatchThatShrinksHashesOn(t *testing.T) {
	var b Batch
	long := make([]byte, 1<<16)
	b.Add(long)
	if b.Shrink(1); b.Len() != 1 {
		t.Fatal("a message is gone")
	}
	b.Sum(nil)
	if b.Shrink(1 << 20); cap(b.buf) == 0 {
		t.Error("dropped memory that it may keep")
	}
	if b.Shrink(1 << 15); cap(b.buf) != 0 {
		t.Errorf("keeps %d bytes", cap(b.buf))
	}
	b.Add(long)
	if hash := b.Sum(nil)[0]; hash != Sum256(long) {
		t.Error("another hash")
	}
}
