package rpc

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestFramesOfOneConnectionMakeThoseOfTheNext: whatever two connections in a row have to be
// told, each gets its own frames.
func TestFramesOfOneConnectionMakeThoseOfTheNext(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		tails := make([][]byte, 3)
		for i := range tails {
			tails[i] = bytes.Repeat([]byte{byte('a' + i)}, 1+rnd.IntN(200))
		}
		var f frames
		for client := range 20 {
			var want []byte
			f.next = f.next[:0]
			for range 1 + rnd.IntN(3) {
				m := outgoing{b: fmt.Appendf(nil, "<%0*d>", 2+rnd.IntN(2), client), tail: tails[rnd.IntN(len(tails))]}
				switch rnd.IntN(8) {
				case 0:
					m.tail = nil
				case 1:
					m = outgoing{b: appendFrame(nil, opPing, []byte{byte(client)}), framed: true}
				}
				f.next = append(f.next, m)
				if m.framed {
					want = append(want, m.b...)
				} else {
					want = appendFrame(want, opText, append(append([]byte(nil), m.b...), m.tail...))
				}
			}
			if f.pack(); !bytes.Equal(f.b, want) {
				t.Fatalf("seed %d, client %d: %q, want %q", seed, client, f.b, want)
			}
			if rnd.IntN(10) == 0 {
				f.forget()
			}
		}
	}
}

// TestSubscribersThatDoNotReadDelayNobody: who reads gets every event, one by one, until
// the sockets and queues of all others are full and they have been left to their pumps.
func TestSubscribersThatDoNotReadDelayNobody(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxQueueMessages: 8})
	const dead = 4
	for range dead {
		ws, ctx := dial(t, addr)
		subscribed(t, ctx, ws, `["miniBlocks"]`)
	}
	ws, ctx := dial(t, addr)
	live := subscribed(t, ctx, ws, `["miniBlocks"]`)
	left := func() (n int) {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		for _, sub := range s.hub.subs {
			if !sub.live {
				n++
			}
		}
		return n
	}
	for i := 0; left() < dead; i++ {
		b.Deposit()
		if p := nextPush(t, ctx, ws); !strings.HasPrefix(p.Params.Cursor, fmt.Sprintf("v1:m:%d.0:", i)) {
			t.Fatalf("event %d has cursor %s", i, p.Params.Cursor)
		}
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if !s.hub.subs[live].live {
		t.Error("who reads everything is behind")
	}
}
