package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// ended checks that the server has closed the connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection is still open: %d bytes, %v", n, err)
	}
}

func TestHellosThatAreNotAllowedAreRefused(t *testing.T) {
	keys := func(o *Options) {
		o.Authorize = func(key string) (rpc.Sender, error) {
			if key != "sesame" {
				return rpc.Sender{}, errors.New("unknown key")
			}
			return rpc.Sender{Name: "ali"}, nil
		}
	}
	hello := func(h wire.ClientHello) string { return string(h.Append(nil)) }
	for _, test := range []struct {
		name   string
		change func(*Options)
		ready  error
		hello  string
		want   wire.HelloStatus // noHello: closed without a word
	}{
		{"the right hello", nil, nil, hello(wire.ClientHello{ChainID: 7411}), wire.HelloOK},
		{"any chain", nil, nil, hello(wire.ClientHello{}), wire.HelloOK},
		{"another version", nil, nil, "TLRI\x02" + strings.Repeat("\x00", 11), wire.HelloVersion},
		{"an unknown flag", nil, nil, hello(wire.ClientHello{Flags: 4}), wire.HelloMalformed},
		{"a key too long", nil, nil, hello(wire.ClientHello{Key: strings.Repeat("k", wire.MaxKeySize+1)}), wire.HelloMalformed},
		{"another chain", nil, nil, hello(wire.ClientHello{ChainID: 1}), wire.HelloChain},
		{"the right key", keys, nil, hello(wire.ClientHello{Key: "sesame"}), wire.HelloOK},
		{"a wrong key", keys, nil, hello(wire.ClientHello{Key: "barley"}), wire.HelloKey},
		{"a node that is not ready", nil, errors.New("no L1"), hello(wire.ClientHello{}), wire.HelloNotReady},
		{"another protocol", nil, nil, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", noHello},
		{"half a hello", func(o *Options) { o.HelloTimeout = 50 * time.Millisecond }, nil, "TLRI\x01", noHello},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newFake()
			n.ready = test.ready
			_, addr := serve(t, n, test.change)
			c := connect(t, addr)
			if _, err := c.Write([]byte(test.hello)); err != nil {
				t.Fatal(err)
			}
			if test.want == noHello {
				ended(t, c)
				return
			}
			h := readHello(t, c)
			if h.Status != test.want || h.Version != wire.Version || h.ChainID != 7411 || h.Window != 8192 || h.MaxTxBytes != 128<<10 {
				t.Fatalf("%+v, want status %v", h, test.want)
			}
			if test.want != wire.HelloOK {
				ended(t, c)
			}
		})
	}
}

func TestTheCallerIsWhoTheKeySays(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, func(o *Options) {
		o.Authorize = func(key string) (rpc.Sender, error) { return rpc.Sender{Name: "caller of " + key}, nil }
	})
	c := dial(t, addr, wire.Options{Key: "k"})
	if err := c.Send(context.Background(), wire.Tx{Raw: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	<-c.Acks()
	if got := n.sends[0].Caller; got != "caller of k" {
		t.Fatalf("caller %q", got)
	}
}

// What came before a frame that is not allowed is executed and acknowledged; then the
// server says why and closes.
func TestAFrameThatIsNotAllowedEndsTheConnection(t *testing.T) {
	header := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	for _, test := range []struct {
		name  string
		flags byte
		frame []byte
	}{
		{"a giant length", wire.FlagHints, header(wire.MaxPayload)},
		{"one byte too many", wire.FlagHints, header(128<<10 + 1)},
		{"one byte too many behind a hint", wire.FlagHints, header(1<<31 | (128<<10 + 1 + wire.HintSize))},
		{"an empty transaction", wire.FlagHints, header(0)},
		{"only a hint", wire.FlagHints, header(1<<31 | wire.HintSize)},
		{"half a hint", wire.FlagHints, header(1<<31 | 5)},
		{"an unknown bit", wire.FlagHints, header(1<<30 | 1)},
		{"a hint that was not announced", 0, wire.AppendFrame(nil, []byte("a"), common.Address{1})},
		{"garbage", wire.FlagHints, []byte("GET / HTTP/1.1\r\n\r\n")},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newFake()
			_, addr := serve(t, n, nil)
			c := connect(t, addr)
			hello := wire.ClientHello{Flags: test.flags}
			out := append(hello.Append(nil), frame("a1")...)
			out = append(append(out, frame("a2")...), test.frame...)
			out = append(out, bytes.Repeat(frame("a3"), 1000)...) // is not read any more
			if _, err := c.Write(out); err != nil {
				t.Fatal(err)
			}
			readHello(t, c)
			for range 2 {
				if a := readAck(t, c); a.Status != wire.Succeeded {
					t.Fatalf("%+v", a)
				}
			}
			if a := readAck(t, c); a.Status != wire.Closing || wire.Reason(a.Detail) != wire.ReasonFrame || a.Hash != (common.Hash{}) {
				t.Fatalf("farewell %+v", a)
			}
			ended(t, c)
			if len(n.raws) != 2 {
				t.Fatalf("the node got %q", n.raws)
			}
		})
	}
}

func TestFramesMayArriveByteByByte(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, nil)
	c := raw(t, addr)
	for _, b := range append(frame("a one"), wire.AppendFrame(nil, []byte("a two"), common.Address{9})...) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	readAck(t, c)
	readAck(t, c)
	if len(n.raws) != 2 || n.raws[0] != "a one" || n.raws[1] != "a two" || n.sends[1].Sender != (common.Address{9}) {
		t.Fatalf("%q", n.raws)
	}
}

func TestTransactionsOfEverySizeArriveWhole(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, nil)
	c := dial(t, addr, wire.Options{OnAck: func([]wire.Ack) {}})
	var want []string
	for i := range 300 {
		size := []int{1, 100, chunkSize - 5, chunkSize, minRead, 128 << 10, 3000, chunkSize - minRead}[i%8]
		tx := bytes.Repeat([]byte{byte(i%26) + 'A'}, size)
		want = append(want, string(tx))
		if err := c.Send(context.Background(), wire.Tx{Raw: tx}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range want {
		if n.raws[i] != want[i] || string(n.sends[i].Raw) != want[i] {
			t.Fatalf("transaction %d of %d bytes arrived as %d bytes", i, len(want[i]), len(n.raws[i]))
		}
	}
	if err := c.Send(context.Background(), wire.Tx{Raw: make([]byte, 128<<10+1)}); !errors.Is(err, wire.ErrTooLarge) {
		t.Fatalf("oversized: %v", err)
	}
	if err := c.Send(context.Background(), wire.Tx{}); !errors.Is(err, wire.ErrTooLarge) {
		t.Fatalf("empty: %v", err)
	}
}

func TestWhatIsCompleteIsExecutedWhenTheConnectionBreaksInAFrame(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, nil)
	c := raw(t, addr)
	half := frame("a whole frame")
	if _, err := c.Write(append(append(frame("h1"), frame("a2")...), half[:len(half)-3]...)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	n.until(t, "both transactions", func() bool { return len(n.raws) == 2 })
	if n.raws[0] != "h1" || n.raws[1] != "a2" {
		t.Fatalf("%q", n.raws)
	}
}

func TestAClientThatEndsItsSideGetsTheRestOfItsAcknowledgements(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, nil)
	c := raw(t, addr)
	if _, err := c.Write(append(frame("h1"), frame("a2")...)); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a := readAck(t, c); a.Status != wire.Succeeded {
		t.Fatalf("%+v", a)
	}
	n.release()
	if a := readAck(t, c); a.Status != wire.Succeeded {
		t.Fatalf("%+v", a)
	}
	ended(t, c)
}

func TestSilenceAndHalfFramesEndTheConnection(t *testing.T) {
	short := func(o *Options) { o.IdleTimeout = 50 * time.Millisecond }
	for name, sent := range map[string][]byte{"silence": nil, "half a frame": frame("abc")[:5], "half a header": {0}} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, newFake(), short)
			c := raw(t, addr)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			if a := readAck(t, c); a.Status != wire.Closing || wire.Reason(a.Detail) != wire.ReasonIdle {
				t.Fatalf("%+v", a)
			}
			ended(t, c)
		})
	}
}

func TestAFullWindowStopsReading(t *testing.T) {
	for _, test := range []struct {
		name  string
		limit func(*Options)
		tx    string
		most  int // unacknowledged at once
	}{
		{"of transactions", func(o *Options) { o.Window = 10 }, "h", 10},
		{"of bytes", func(o *Options) { o.MaxTxBytes, o.WindowBytes = 1000, 2500 }, "h" + strings.Repeat("x", 999), 2},
		{"of bytes for one transaction", func(o *Options) { o.MaxTxBytes, o.WindowBytes = 1000, 1 }, "h" + strings.Repeat("x", 999), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newFake()
			_, addr := serve(t, n, test.limit)
			c := raw(t, addr)
			const total = 25
			if _, err := c.Write(bytes.Repeat(frame(test.tx), total)); err != nil {
				t.Fatal(err)
			}
			for released := 0; released < total; {
				n.until(t, "more transactions", func() bool { return len(n.held) > 0 })
				released += n.release()
			}
			for range total {
				readAck(t, c)
			}
			if n.mostHeld > test.most {
				t.Fatalf("%d unacknowledged, at most %d", n.mostHeld, test.most)
			}
			if len(n.raws) != total {
				t.Fatalf("%d transactions", len(n.raws))
			}
		})
	}
}

func TestAClientThatDoesNotReadItsAcknowledgementsIsClosed(t *testing.T) {
	n := newFake()
	_, addr := serve(t, n, func(o *Options) { o.Window, o.WriteTimeout = 1_000_000, 50*time.Millisecond })
	c := raw(t, addr)
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	many := bytes.Repeat(frame("a"), 10_000)
	for {
		if _, err := c.Write(many); err != nil {
			return // closed by the server
		}
	}
}

func TestOneConnectionTooManyIsTurnedAway(t *testing.T) {
	t.Run("in all", func(t *testing.T) { turnsAway(t, func(o *Options) { o.MaxConns = 2 }) })
	t.Run("of one address", func(t *testing.T) { turnsAway(t, func(o *Options) { o.MaxPerAddr = 2 }) })
}

// TestTheRateOfAKeyIsKept: nothing is refused, the server reads no further, and stopping
// does not wait for the rate.
func TestTheRateOfAKeyIsKept(t *testing.T) {
	n := newFake()
	var booked atomic.Int64
	s, addr := serve(t, n, func(o *Options) {
		o.Authorize = func(string) (rpc.Sender, error) {
			return rpc.Sender{Book: func(n int) time.Duration {
				if booked.Add(int64(n)) > 2 {
					return time.Hour
				}
				return 0
			}}, nil
		}
	})
	c := dial(t, addr, wire.Options{})
	for _, tx := range []string{"a", "b", "c"} {
		if err := c.Send(t.Context(), wire.Tx{Raw: []byte(tx)}); err != nil {
			t.Fatal(err)
		}
		if tx != "c" {
			<-c.Acks()
		}
	}
	for booked.Load() < 3 {
		runtime.Gosched()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := booked.Load(); n != 3 {
		t.Errorf("%d booked, want 3", n)
	}
}

// turnsAway opens two connections and one too many.
func turnsAway(t *testing.T, change func(*Options)) {
	n := newFake()
	_, addr := serve(t, n, change)
	a, _ := raw(t, addr), raw(t, addr)
	_, err := wire.Dial(context.Background(), addr, wire.Options{})
	var refused *wire.HelloError
	if !errors.As(err, &refused) || refused.Hello.Status != wire.HelloBusy {
		t.Fatalf("third connection: %v", err)
	}
	if err := a.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, a); err != nil {
		t.Fatal(err)
	}
	for { // its place is free in a moment
		c, err := wire.Dial(context.Background(), addr, wire.Options{})
		if err == nil {
			_ = c.Close()
			return
		}
		if !errors.As(err, &refused) || refused.Hello.Status != wire.HelloBusy {
			t.Fatal(err)
		}
	}
}

func TestShutdownAcknowledgesWhatWasTaken(t *testing.T) {
	n := newFake()
	s, addr := serve(t, n, nil)
	c := dial(t, addr, wire.Options{})
	if err := c.Send(context.Background(), wire.Tx{Raw: []byte("h")}, wire.Tx{Raw: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	<-c.Acks()
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	<-s.stopped
	n.release()
	if a := <-c.Acks(); a.Status != wire.Succeeded {
		t.Fatalf("%+v", a)
	}
	if a, more := <-c.Acks(); more {
		t.Fatalf("%+v", a)
	}
	var closing *wire.ClosingError
	if err := c.Err(); !errors.As(err, &closing) || closing.Reason != wire.ReasonShutdown {
		t.Fatalf("ended with %v", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestShutdownDoesNotWaitForever(t *testing.T) {
	n := newFake()
	s, addr := serve(t, n, nil)
	c := dial(t, addr, wire.Options{})
	if err := c.Send(context.Background(), wire.Tx{Raw: []byte("h")}); err != nil {
		t.Fatal(err)
	}
	n.until(t, "the transaction", func() bool { return len(n.raws) == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("shutdown: %v", err)
	}
	if left := c.Unacknowledged(); len(left) != 1 || string(left[0].Raw) != "h" {
		t.Fatalf("unacknowledged: %v", left)
	}
}
