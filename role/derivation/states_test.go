package derivation

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// journal is a disk that notes what it is told.
type journal struct {
	states map[uint64]derive.State
	ops    []string
}

func (j *journal) Load() (out []derive.State, err error) {
	for _, s := range j.states {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b derive.State) int { return int(a.PostedIn.Number) - int(b.PostedIn.Number) })
	return out, nil
}

func (j *journal) Put(s derive.State) error {
	j.states[s.PostedIn.Number] = s
	j.ops = append(j.ops, fmt.Sprint("put ", s.PostedIn.Number))
	return nil
}

func (j *journal) Drop(s derive.State) error {
	delete(j.states, s.PostedIn.Number)
	j.ops = append(j.ops, fmt.Sprint("drop ", s.PostedIn.Number))
	return nil
}

func (j *journal) Undecide(s derive.State) error {
	j.ops = append(j.ops, fmt.Sprint("undecide above ", s.Head.Number))
	return nil
}

func (j *journal) Sync() error {
	j.ops = append(j.ops, "sync")
	return nil
}

// stateIn is a state that an L1 block decides.
func stateIn(l1 uint64) derive.State {
	return derive.State{Head: derive.Head{Number: 2 * l1}, PostedIn: chain.L1Origin{Number: l1, Hash: common.Hash{31: byte(l1), 30: byte(l1 >> 8)}}}
}

func newStates(t *testing.T, to uint64) (*States, *journal) {
	t.Helper()
	j := &journal{states: map[uint64]derive.State{0: stateIn(0)}}
	s, err := LoadStates(j)
	if err != nil {
		t.Fatal(err)
	}
	for l1 := uint64(1); l1 <= to; l1++ {
		if err := s.Add(stateIn(l1)); err != nil {
			t.Fatal(err)
		}
	}
	return s, j
}

// agree checks that the disk has what is in memory.
func agree(t *testing.T, s *States, j *journal) {
	t.Helper()
	if onDisk, _ := j.Load(); !slices.Equal(onDisk, s.list) {
		t.Fatalf("on disk %d states, in memory %d", len(onDisk), len(s.list))
	}
}

func TestStatesAreDroppedFromTheNewestAndSyncedBeforeARewind(t *testing.T) {
	s, j := newStates(t, 5)
	j.ops = nil
	if err := s.BackTo(stateIn(2)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"drop 5", "drop 4", "drop 3", "undecide above 4", "sync"}; !slices.Equal(j.ops, want) || s.Newest() != stateIn(2) {
		t.Fatalf("%q, newest %+v", j.ops, s.Newest())
	}
	agree(t, s, j)
}

func TestTheOldestStateIsTheNewestThatIsFinal(t *testing.T) {
	s, j := newStates(t, 9)
	for _, step := range []struct{ final, want uint64 }{{0, 0}, {4, 4}, {3, 4}, {4, 4}, {7, 7}, {100, 9}} {
		if err := s.Final(step.final); err != nil {
			t.Fatal(err)
		}
		if s.Oldest() != stateIn(step.want) {
			t.Fatalf("L1 block %d is final: oldest %+v", step.final, s.Oldest())
		}
		agree(t, s, j)
	}
	if err := s.Add(stateIn(12)); err != nil || s.Oldest() != stateIn(9) {
		t.Fatal(err, s.Oldest())
	}
	agree(t, s, j)
}

func TestStatesFarBackAreThinnedOut(t *testing.T) {
	s, j := newStates(t, 5_000)
	agree(t, s, j)
	if len(s.list) > maxStates || s.Oldest() != stateIn(0) || s.Newest() != stateIn(5_000) {
		t.Fatalf("%d states, %+v to %+v", len(s.list), s.Oldest(), s.Newest())
	}
	for i := len(s.list) - maxStates/2; i < len(s.list); i++ {
		if s.list[i] != stateIn(5_000-uint64(len(s.list)-1-i)) {
			t.Fatalf("state %d from the end is of L1 block %d", len(s.list)-1-i, s.list[i].PostedIn.Number)
		}
	}
	// Going back never loses more than about what has passed since.
	for i := 1; i+1 < len(s.list); i++ {
		if gap, age := s.list[i].PostedIn.Number-s.list[i-1].PostedIn.Number, 5_000-s.list[i-1].PostedIn.Number; i > 1 && gap > age {
			t.Fatalf("a gap of %d, %d back", gap, age)
		}
	}
}

func TestAReorgAfterARestartGoesBackToAKeptState(t *testing.T) {
	for shared := genesisBlock; shared <= 9; shared++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start()
			r.stop(t)
			kept := slices.Clone(r.driver.States.list)
			if len(kept) != 3 {
				t.Fatalf("%d states", len(kept))
			}
			// L1 reorganises while nobody looks.
			r.headers = r.headers[:shared+1]
			r.grow(1, 12-shared)
			r.derived, r.ended = nil, make(chan struct{})
			r.driver.States = statesOf(t, kept...)
			r.start()
			defer r.stop(t)
			want, posted := kept[0], genesisBlock
			for i, in := range []int{4, 7} {
				if in <= shared {
					want, posted = kept[i+1], in
				}
			}
			if shared >= 7 {
				if len(r.rewound) != 0 {
					t.Fatalf("shared %d: rewound to %+v", shared, r.rewound)
				}
			} else if len(r.rewound) != 1 || r.rewound[0] != want || r.rewound[0].PostedIn != r.id(posted) {
				t.Fatalf("shared %d: rewound to %+v", shared, r.rewound)
			}
			if r.state.Head != want.Head || r.next != uint64(len(r.headers)) {
				t.Fatalf("shared %d: at %+v, read up to %d", shared, r.state.Head, r.next)
			}
		})
	}
}

func TestNothingGoesBackBehindWhatIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		if err := r.driver.States.Final(5); err != nil {
			t.Fatal(err)
		}
		r.update(func() {
			r.headers = r.headers[:4] // block 4, which decides L2 block 1, was final
			r.grow(1, 12)
		})
		<-r.ended
		r.cancel()
		if !errors.Is(r.err, ErrForeignL1) || len(r.rewound) != 0 {
			t.Fatalf("error %v, rewound %+v", r.err, r.rewound)
		}
	})
}
