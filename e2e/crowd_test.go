package e2e

import (
	"bytes"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

const (
	crowdKey = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"
	// crowdWait bounds everything that the crowd waits for.
	crowdWait = time.Minute
)

// webSocket is a connection that shook hands, with as little memory as possible.
func webSocket(host string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", host, crowdWait)
	if err != nil {
		return nil, err
	}
	err = conn.SetDeadline(time.Now().Add(crowdWait))
	if err == nil {
		_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", host)
	}
	var head []byte
	for err == nil && !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		var one [1]byte
		_, err = conn.Read(one[:])
		head = append(head, one[0])
	}
	if err == nil && !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		err = fmt.Errorf("handshake: %s", head)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

// textFrame is a masked frame of less than 126 bytes with the zero mask (RFC 6455 section
// 5.2).
func textFrame(text string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

// resident is the memory of a process in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("memory of a process is read from /proc")
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestACrowdOfWebSocketsFits: idle clients, and active ones that are told of heads, logs
// and mini-blocks while transactions flow, fit into memory and are all served. With
// TALARIA_LONG=1 they are 10,000 and 1,000, in 2 GiB.
func TestACrowdOfWebSocketsFits(t *testing.T) {
	idle, active, most, lasts := 500, 50, 600<<20, 2*time.Second
	if os.Getenv("TALARIA_LONG") != "" {
		idle, active, most, lasts = 10_000, 1_000, 2<<30, 20*time.Second
	}
	d := startDevnet(t, t.TempDir())
	host := hostOf(t, d.L2.HTTPURL)
	before := resident(t, d.cmd.Process.Pid)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range idle + active {
		conn, err := webSocket(host)
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		conns = append(conns, conn)
	}
	beside := resident(t, d.cmd.Process.Pid)

	told := make([]atomic.Int64, active)
	var readers sync.WaitGroup
	for i, conn := range conns[idle:] {
		for id, what := range []string{`"newHeads"`, `"logs",{}`, `"miniBlocks"`} {
			if _, err := conn.Write(textFrame(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"eth_subscribe","params":[%s]}`, id, what))); err != nil {
				t.Fatal(err)
			}
		}
		readers.Go(func() {
			const mark = `"eth_subscription"`
			buf := make([]byte, 8<<10)
			kept := 0 // the end of what was read before: a mark may be cut
			for {
				n, err := conn.Read(buf[kept:])
				if err != nil {
					return
				}
				all := buf[:kept+n]
				told[i].Add(int64(bytes.Count(all, []byte(mark))))
				kept = copy(buf, all[max(0, len(all)-len(mark)+1):])
			}
		})
	}
	s, client := newSender(t, d.L2.HTTPURL, crowdKey), dialEth(t, d.L2.HTTPURL)
	peer := common.Address{0xc0}
	sent := int64(0)
	highest, slowest := 0, time.Duration(0)
	for end := time.Now().Add(lasts); time.Now().Before(end); sent++ {
		start := time.Now()
		if _, err := sendSync(t.Context(), client.Client(), s.sign(t, &peer, big.NewInt(1), 21_000, nil)); err != nil {
			t.Fatalf("beside the crowd: %v", err)
		}
		slowest = max(slowest, time.Since(start))
		if sent%50 == 0 {
			highest = max(highest, resident(t, d.cmd.Process.Pid))
		}
	}
	// Each is told of a mini-block for each transaction that was answered before the next
	// was sent.
	eventually(t, crowdWait, "every active client is told of every mini-block", func() error {
		for i := range told {
			if n := told[i].Load(); n < sent {
				return fmt.Errorf("client %d was told of %d things, %d transactions were sent", i, n, sent)
			}
		}
		return nil
	})
	highest = max(highest, resident(t, d.cmd.Process.Pid))
	t.Logf("%d idle, %d active, %d transactions, the slowest took %v: %d MiB before, %d with all connected, %d at most",
		idle, active, sent, slowest, before>>20, beside>>20, highest>>20)
	if highest > most {
		t.Errorf("the node takes %d MiB, allowed are %d", highest>>20, most>>20)
	}
	for _, c := range conns {
		c.Close()
	}
	readers.Wait()
}
