package verify

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/keccak"
)

// longDiff names n slots of one account.
func longDiff(n int) []byte {
	w := rlp.NewEncoderBuffer(nil)
	all, account := w.List(), w.List()
	w.WriteBytes(common.Address{19: 1}.Bytes())
	storage := w.List()
	for i := range n {
		slot := w.List()
		w.WriteBytes(binary.BigEndian.AppendUint32(nil, uint32(i)|1<<31))
		w.ListEnd(slot)
	}
	w.ListEnd(storage)
	w.ListEnd(account)
	w.ListEnd(all)
	return w.ToBytes()
}

func megabytes(f func(*runtime.MemStats) uint64) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return f(&m) >> 20
}

func allocated(m *runtime.MemStats) uint64 { return m.TotalAlloc }
func alive(m *runtime.MemStats) uint64     { return m.HeapAlloc }

// Whoever passes a mini-block on needs no key to replace the diff beside its header.
func TestADiffThatNobodySignedCostsItsHash(t *testing.T) {
	l := newLab(t)
	in := l.rich()[0].input()
	m := *in.MiniBlocks[0]
	m.Diff = longDiff(mostForeseen)
	in.MiniBlocks[0] = &m
	v := New(&l.g.Config)
	defer v.Close()
	before := megabytes(allocated)
	_, err := v.Block(in)
	if took := megabytes(allocated) - before; took > 24 {
		t.Errorf("%d bytes of a diff take %d MiB", len(m.Diff), took)
	}
	var fault *Fault
	if !errors.As(err, &fault) || fault.Kind != KindDiffHash {
		t.Errorf("%v, want %s", err, KindDiffHash)
	}
}

func TestWhatASignedDiffNamesIsMetAheadUpToABound(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		slots    int
		min, max int // that are met
	}{
		{1000, 1000, 1100},
		{mostForeseen + 10*hashTogether, mostForeseen / 2, mostForeseen},
		{foreseenBytes / 6, 0, 100}, // too long
	} {
		blocks := newLab(t).rich()
		made := blocks[0]
		made.MiniBlocks[0].Diff = longDiff(c.slots)
		made.MiniBlocks[0].Header.DiffHash = keccak.Sum256(made.MiniBlocks[0].Diff)
		l.sign(made)
		w := &work{v: New(&l.g.Config), in: made.input()}
		for _, step := range []func() *Fault{w.checkHeader, w.checkMiniBlocks, w.decode, w.prepare} {
			if f := step(); f != nil {
				t.Fatal(f)
			}
		}
		if met := w.v.memory.slots.used; met < c.min || met > c.max {
			t.Errorf("%d slots are met of %d, want %d to %d", met, c.slots, c.min, c.max)
		}
		if met := w.v.memory.accounts.used + w.v.memory.slots.used; met > mostForeseen {
			t.Errorf("%d accounts and slots are met, want at most %d", met, mostForeseen)
		}
		if rooms := cap(w.v.hashes); rooms > 4*hashTogether {
			t.Errorf("%d are hashed together", rooms)
		}
		for key, s := range w.world.known[common.Address{19: 1}].orEmpty() {
			if hash := keccak.Sum256(key[:]); string(s.key) != string((*memory)(nil).nibblesOf(hash[:])) {
				t.Fatalf("slot %s has another key", key)
			}
		}
		w.v.Close()
	}
}

// orEmpty are the slots of an account, none of no account.
func (a *account) orEmpty() map[common.Hash]*slot {
	if a == nil {
		return nil
	}
	return a.slots
}

func TestAVerifierDoesNotKeepWhatALargeBlockTook(t *testing.T) {
	l := newLab(t)
	made := l.rich()[0]
	right := made.input()
	lie := clone(made)
	lie.MiniBlocks[0].Diff = longDiff(mostForeseen)
	lie.MiniBlocks[0].Header.DiffHash = keccak.Sum256(lie.MiniBlocks[0].Diff)
	l.sign(lie)
	in := lie.input()
	v := New(&l.g.Config)
	defer v.Close()
	if _, err := v.Block(right); err != nil {
		t.Fatal(err)
	}
	before := megabytes(alive)
	if _, err := v.Block(in); err == nil {
		t.Fatal("the lie is not found")
	}
	if more := int64(megabytes(alive) - before); more > 48 {
		t.Errorf("%d MiB stay after the block", more)
	}
	if n := len(v.memory.slots.chunks) * slabSize; n > keptValues {
		t.Errorf("%d slots stay", n)
	}
	if _, err := v.Block(right); err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(in)
}
