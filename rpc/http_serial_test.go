package rpc

import (
	"bufio"
	"context"
	"net"
	"testing"
	"time"
)

// linkOf is the server's side of its only connection.
func linkOf(t *testing.T, s *Server) *link {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.links {
		return l
	}
	t.Fatal("no connection")
	return nil
}

// settleHeld settles the held submissions from a number on, and returns how many there were.
func (b *fakeBackend) settleHeld(from int) int {
	b.mu.Lock()
	held := b.held
	b.mu.Unlock()
	for _, settle := range held[from:] {
		settle()
	}
	return len(held)
}

func (b *fakeBackend) waitHeld(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		have := len(b.held)
		b.mu.Unlock()
		if have >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d transactions were handed over, want %d", have, n)
		}
	}
}

func send(t *testing.T, b *fakeBackend, conn net.Conn, id int) {
	t.Helper()
	writeRaw(t, conn, httpRequest(rpcBody(id, "eth_sendRawTransaction", "["+b.raw(t, uint64(id))+"]")))
}

func wantID(t *testing.T, r *bufio.Reader, id string) {
	t.Helper()
	if got := replyFrom(t, r); string(got.ID) != id || got.Error != nil {
		t.Fatalf("answer %s %+v, want that of %s", got.ID, got.Error, id)
	}
}

// A client that waits for each answer is answered by the goroutine that reads; what it
// sends on while one of its transactions waits is read all the same.
func TestAClientThatWaitsAndThenDoesNot(t *testing.T) {
	b := newFake(t)
	b.hold = true
	s, addr := serve(t, b, Options{})
	conn, r := dialRaw(t, addr)
	const before = 3
	for id := range before {
		send(t, b, conn, id)
		b.waitHeld(t, id+1)
		b.settleHeld(id)
		wantID(t, r, string(rune('0'+id)))
	}
	l := linkOf(t, s)
	if l.serial.off || l.serial.count != before {
		t.Fatalf("%d of %d were answered by the reader, off: %t", l.serial.count, before, l.serial.off)
	}
	send(t, b, conn, before)
	b.waitHeld(t, before+1)
	send(t, b, conn, before+1) // the one before may wait for it
	sent := time.Now()
	b.waitHeld(t, before+2)
	if took := time.Since(sent); took > 300*time.Millisecond {
		t.Errorf("what the client sent on was read after %v", took)
	}
	if !l.serial.off {
		t.Error("that the client sends on was not noticed")
	}
	b.settleHeld(before)
	wantID(t, r, "3")
	wantID(t, r, "4")
}

// Requests that come together are under way together.
func TestAPipeliningClientIsNoticedAtOnce(t *testing.T) {
	b := newFake(t)
	b.hold = true
	s, addr := serve(t, b, Options{})
	conn, r := dialRaw(t, addr)
	text := ""
	for id := range 4 {
		text += httpRequest(rpcBody(id, "eth_sendRawTransaction", "["+b.raw(t, uint64(id))+"]"))
	}
	writeRaw(t, conn, text)
	b.waitHeld(t, 4)
	if l := linkOf(t, s); !l.serial.off {
		t.Error("not noticed")
	}
	b.settleHeld(0)
	for _, id := range []string{"0", "1", "2", "3"} {
		wantID(t, r, id)
	}
}

// The end of the server does not wait for transactions that wait.
func TestShutdownWhileASendWaits(t *testing.T) {
	b := newFake(t)
	b.hold = true
	s, addr := serve(t, b, Options{PingInterval: 80 * time.Millisecond})
	conn, _ := dialRaw(t, addr)
	send(t, b, conn, 0)
	b.waitHeld(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Shutdown(ctx)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the server does not end")
	}
}
