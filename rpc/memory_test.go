package rpc

import (
	"bufio"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
)

// heldBytes is what the process holds in heap and stacks after a collection.
func heldBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools keep their content for one round
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func TestAnIdleWebSocketHoldsLittleMemory(t *testing.T) {
	t.Run("that asked", func(t *testing.T) { holdIdle(t, rpcBody(1, "eth_chainId", "[]"), "0x1cf3") })
	t.Run("that subscribed", func(t *testing.T) { holdIdle(t, rpcBody(1, "eth_subscribe", `["miniBlocks"]`), `"result":"0x`) })
}

// holdIdle has many WebSockets make a request, and measures what they hold after the answer.
func holdIdle(t *testing.T, body, want string) {
	count := 500
	if os.Getenv("TALARIA_LONG") != "" {
		count = 9_000 // both ends are here: needs 18,000 open files
	}
	_, addr := serve(t, newFake(t), Options{})
	before := heldBytes()
	conns := make([]net.Conn, 0, count)
	request := []byte(masked(0x81, body))
	answer := make([]byte, 256)
	for range count {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		writeRaw(t, conn, handshake+"\r\n")
		// The answer to a request behind the handshake: the connection has worked once.
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		for text := ""; !strings.Contains(text, want); {
			n, err := conn.Read(answer)
			if err != nil {
				t.Fatal(err)
			}
			text += string(answer[:n])
		}
	}
	each := (heldBytes() - before) / int64(count)
	t.Logf("%d idle WebSockets hold %d bytes each, both ends", count, each)
	if each > 12<<10 {
		t.Errorf("an idle WebSocket holds %d bytes", each)
	}
	if os.Getenv("TALARIA_LONG") != "" {
		status, err := os.Open("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		defer status.Close()
		for lines := bufio.NewScanner(status); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "VmRSS") {
				t.Log(lines.Text())
			}
		}
	}
	runtime.KeepAlive(conns)
}
