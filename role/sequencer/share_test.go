package sequencer

import (
	"strings"
	"testing"

	"github.com/talaria-l2/talaria/rpc"
)

// TestOneConnectionLeavesRoomToOthers: while nothing is executed, a connection gets half
// of the room, the next half of what is left, and one that comes late still finds some.
func TestOneConnectionLeavesRoomToOthers(t *testing.T) {
	in := &intake{wake: make(chan struct{}, 1), maxTxs: 1000}
	fill := func(g *rpc.Group) (n int) {
		for in.admit(&rpc.Send{Raw: []byte{1}, Group: g}) == nil {
			n++
		}
		return n
	}
	first, second, third := rpc.NewGroup(), rpc.NewGroup(), rpc.NewGroup()
	if a, b, c := fill(first), fill(second), fill(third); a != 500 || b != 250 || c != 125 {
		t.Errorf("three connections got %d, %d and %d places", a, b, c)
	}
	err := in.admit(&rpc.Send{Raw: []byte{1}, Group: first})
	if err == nil || !strings.Contains(err.Error(), "share of the limit of 1000") {
		t.Errorf("the first is refused with %v", err)
	}
	subs := rpc.NewSubmissions([]rpc.Send{{Group: first}})
	for range 300 {
		left(subs[0])
	}
	in.release(300, 300)
	if n := fill(first); n == 0 {
		t.Error("what was executed makes no room")
	}
	if n := fill(nil); n == 0 || in.waiting() != 1000 {
		t.Errorf("single requests got %d places, %d wait", n, in.waiting())
	}
}
