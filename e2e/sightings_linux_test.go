package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// sightings are when a node told its subscribers of mini-blocks.
type sightings struct {
	mu sync.Mutex
	at map[uint64]time.Time // by number
}

// watch subscribes to the party's mini-blocks, in its namespace, until ctx ends or the
// party is gone.
func (p *party) watch(ctx context.Context, t *testing.T) *sightings {
	t.Helper()
	conn, _, err := websocket.Dial(ctx, "ws"+nodeURL[len("http"):], &websocket.DialOptions{HTTPClient: p.http()})
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	conn.SetReadLimit(64 << 20)
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["miniBlocks"]}`)); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	if _, answer, err := conn.Read(ctx); err != nil || !bytes.Contains(answer, []byte(`"result"`)) {
		t.Fatalf("%s: subscribe: %s, %v", p.name, answer, err)
	}
	s := &sightings{at: map[uint64]time.Time{}}
	go func() {
		defer func() { _ = conn.CloseNow() }()
		for {
			_, event, err := conn.Read(ctx)
			now := time.Now()
			if err != nil {
				return
			}
			if number, err := numberIn(event); err == nil {
				s.mu.Lock()
				s.at[number] = now
				s.mu.Unlock()
			}
		}
	}()
	return s
}

// numberIn is the number of the mini-block that an event tells. The header's fields come
// first in it.
func numberIn(event []byte) (uint64, error) {
	_, rest, ok := bytes.Cut(event, []byte(`"number":"0x`))
	digits, _, end := bytes.Cut(rest, []byte(`"`))
	if !ok || !end {
		return 0, fmt.Errorf("no number in %.200s", event)
	}
	return strconv.ParseUint(string(digits), 16, 64)
}

// trailing is by how much later than the other's subscribers these were told of the mini-blocks
// that both were told of.
func (s *sightings) trailing(leader *sightings) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	leader.mu.Lock()
	defer leader.mu.Unlock()
	var out []time.Duration
	for number, at := range s.at {
		if first, ok := leader.at[number]; ok {
			out = append(out, at.Sub(first))
		}
	}
	return out
}
