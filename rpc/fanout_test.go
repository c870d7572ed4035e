package rpc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fanOut is a run of subscribers that each want heads, mini-blocks and the logs of one
// contract.
type fanOut struct {
	Addr    string
	Clients int
	Minis   int // to be received by each
	Blocks  int // to be received by each
}

// fanOutFigures are of all clients together.
type fanOutFigures struct {
	Events        int
	P50, P99, Max time.Duration // of mini-blocks, from the cut to the client
}

// fanOutEnv has a process of this test play the clients.
const fanOutEnv = "TALARIA_FANOUT"

// TestEverySubscriberGetsEveryEventOfAFastChain has 100 mini-blocks a second fanned out.
// With TALARIA_LONG there are 1,000 clients, in a process of their own, and the test tells
// what they cost the server.
func TestEverySubscriberGetsEveryEventOfAFastChain(t *testing.T) {
	if text := os.Getenv(fanOutEnv); text != "" {
		var f fanOut
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		got, err := f.receive(func() { fmt.Println("ready") })
		if err != nil {
			t.Fatal(err)
		}
		out, _ := json.Marshal(got)
		fmt.Println(string(out))
		return
	}
	f := fanOut{Clients: 20, Minis: 50, Blocks: 1}
	long := os.Getenv("TALARIA_LONG") != ""
	if long {
		f.Clients, f.Minis, f.Blocks = 1000, 500, 5
		if n, err := strconv.Atoi(os.Getenv("TALARIA_FANOUT_CLIENTS")); err == nil {
			f.Clients = n
		}
	}
	b := newFake(t)
	b.stamps = true
	_, addr := serve(t, b, Options{})
	f.Addr = addr
	start, wait := f.start(t, long)
	before := heldBytes()
	start()
	connected := heldBytes()
	spent, begun := processorTime(t), time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range f.Minis {
		<-tick.C
		b.Deposit()
		if (i+1)%(f.Minis/f.Blocks) == 0 {
			b.Seal()
		}
	}
	published := time.Since(begun)
	got := wait()
	took := time.Since(begun)
	spent = processorTime(t) - spent
	if want := f.Clients * (2*f.Minis + f.Blocks); got.Events != want {
		t.Errorf("%d events, want %d", got.Events, want)
	}
	t.Logf("%d clients, %d mini-blocks in %s, received after %s: %d events, latency p50 %s p99 %s max %s",
		f.Clients, f.Minis, published.Round(time.Millisecond), took.Round(time.Millisecond), got.Events, got.P50, got.P99, got.Max)
	if long {
		t.Logf("processor time %s: %.2f ms a second of each client, %.1f us an event; memory of a connected client %d bytes, at the end %d",
			spent, float64(spent.Microseconds())/1000/took.Seconds()/float64(f.Clients), float64(spent.Microseconds())/float64(got.Events),
			(connected-before)/int64(f.Clients), (heldBytes()-before)/int64(f.Clients))
	}
}

// start makes the clients; start returns when all have subscribed, and wait when all have
// received everything.
func (f *fanOut) start(t *testing.T, apart bool) (start func(), wait func() fanOutFigures) {
	ready := make(chan struct{})
	if !apart {
		var got fanOutFigures
		failed := make(chan error, 1)
		return func() {
				go func() {
					var err error
					got, err = f.receive(func() { close(ready) })
					failed <- err
				}()
				select {
				case <-ready:
				case err := <-failed:
					t.Fatal(err)
				}
			}, func() fanOutFigures {
				if err := <-failed; err != nil {
					t.Fatal(err)
				}
				return got
			}
	}
	text, _ := json.Marshal(f)
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.timeout", "2m")
	cmd.Env = append(os.Environ(), fanOutEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line := func() string {
		text, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the clients: %q, %v", text, err)
		}
		return text
	}
	return func() {
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			if text := line(); text != "ready\n" {
				t.Fatalf("the clients: %s", text)
			}
		}, func() (got fanOutFigures) {
			if text := line(); json.Unmarshal([]byte(text), &got) != nil {
				t.Fatalf("the clients: %s", text)
			}
			return got
		}
}

// receive connects all clients, calls ready, and returns when each has everything.
func (f *fanOut) receive(ready func()) (got fanOutFigures, err error) {
	var mu sync.Mutex
	var late []time.Duration
	var all, subscribed sync.WaitGroup
	subscribed.Add(f.Clients)
	for range f.Clients {
		all.Add(1)
		go func() {
			defer all.Done()
			times, events, fail := f.client(sync.OnceFunc(subscribed.Done))
			mu.Lock()
			defer mu.Unlock()
			late, err = append(late, times...), errors.Join(err, fail)
			got.Events += events
		}()
	}
	subscribed.Wait()
	mu.Lock()
	fail := err
	mu.Unlock()
	if fail == nil {
		ready()
	}
	all.Wait()
	if err == nil {
		slices.Sort(late)
		got.P50, got.P99, got.Max = late[len(late)/2], late[len(late)*99/100], late[len(late)-1]
	}
	return got, err
}

// client is one subscriber. It reads frames itself: a library would cost more than what is
// measured.
func (f *fanOut) client(subscribed func()) (late []time.Duration, events int, err error) {
	defer subscribed()
	conn, err := net.Dial("tcp", f.Addr)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(100 * time.Second))
	in := bufio.NewReaderSize(conn, 8<<10)
	if _, err := io.WriteString(conn, handshake+"\r\n"); err != nil {
		return nil, 0, err
	}
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			return nil, 0, err
		}
	}
	for i, params := range []string{`["newHeads"]`, `["miniBlocks"]`, `["logs",{"address":"0x00000000000000000000000000000000000000aa"}]`} {
		if _, err := io.WriteString(conn, masked(0x81, rpcBody(i+1, "eth_subscribe", params))); err != nil {
			return nil, 0, err
		}
		if _, err := readFrame(in, nil); err != nil {
			return nil, 0, err
		}
	}
	subscribed()
	late = make([]time.Duration, 0, f.Minis)
	stamp := []byte(`"timestampMicros":"0x`)
	var msg []byte
	for want := 2*f.Minis + f.Blocks; events < want; events++ {
		if msg, err = readFrame(in, msg); err != nil {
			return nil, events, fmt.Errorf("after %d of %d events: %w", events, want, err)
		}
		if at := bytes.Index(msg, stamp); at > 0 {
			text := msg[at+len(stamp):]
			micros, err := strconv.ParseInt(string(text[:bytes.IndexByte(text, '"')]), 16, 64)
			if err != nil {
				return nil, events, err
			}
			late = append(late, time.Since(time.UnixMicro(micros)))
		}
	}
	if len(late) != f.Minis {
		return nil, events, fmt.Errorf("%d mini-blocks, want %d", len(late), f.Minis)
	}
	return late, events, nil
}

// readFrame reads the payload of a server's text frame into buf, which it may replace.
func readFrame(in *bufio.Reader, buf []byte) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return buf, err
	}
	if head[0] != 0x80|opText {
		return buf, fmt.Errorf("frame of kind %x", head[0])
	}
	size := uint64(head[1])
	more := map[uint64]int{126: 2, 127: 8}[size]
	if more > 0 {
		if _, err := io.ReadFull(in, head[:more]); err != nil {
			return buf, err
		}
		size = 0
		for _, x := range head[:more] {
			size = size<<8 | uint64(x)
		}
	}
	buf = slices.Grow(buf[:0], int(size))[:size]
	_, err := io.ReadFull(in, buf)
	return buf, err
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
