package node

import (
	"testing"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

func TestWhichL1BlockDecidesABlockIsKnown(t *testing.T) {
	w := newNodeWorld(t)
	if _, known, err := w.node.DecidedIn(1); known || err != nil {
		t.Errorf("nothing derives, and yet: %v %v", known, err)
	}
	d := w.node.DerivationStates("test")
	if _, err := d.Load(); err != nil {
		t.Fatal(err)
	}
	put := func(number, l1 uint64) derive.State {
		t.Helper()
		s := derive.State{Head: derive.Head{Number: number}, PostedIn: chain.L1Origin{Number: l1}}
		if err := d.Put(s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	is := func(number, l1 uint64) {
		t.Helper()
		got, known, err := w.node.DecidedIn(number)
		if err != nil || known != (l1 != 0) || known && got != l1 {
			t.Errorf("block %d is decided by %d (known: %v) %v, want %d", number, got, known, err, l1)
		}
	}
	third := put(3, 10)
	is(1, 10)
	is(3, 10)
	is(4, 0)
	put(5, 12)
	put(9, 13)
	put(5, 12) // once more, when an older state is dropped
	is(3, 10)
	is(4, 12)
	is(5, 12)
	is(6, 13)
	is(10, 0)

	// L1 took back what decides the blocks above 3; another L1 block decides the first of them.
	if err := d.Undecide(third); err != nil {
		t.Fatal(err)
	}
	is(3, 10)
	is(4, 0)
	put(4, 14)
	is(4, 14)
	is(5, 0)

	// A store in which the first blocks were derived before this was noted.
	if err := w.node.store.DropMetaFrom(d.decided, ""); err != nil {
		t.Fatal(err)
	}
	put(7, 20)
	is(4, 0)
	is(5, 20)
}
