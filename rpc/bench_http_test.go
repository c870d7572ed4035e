package rpc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func httpRequest(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: 127.0.0.1:8545\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// benchmarkHTTP sends requests in groups of depth over one connection and waits for
// the answers of each group.
func benchmarkHTTP(b *testing.B, body string, depth int) {
	f := newFake(b)
	_, addr := serve(b, f, Options{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	group := []byte(strings.Repeat(httpRequest(body), depth))
	one := httpRequest(body)
	if _, err := io.WriteString(conn, one); err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	var size int // of one answer: all are alike
	for length := 0; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		size += len(line)
		fmt.Sscanf(line, "Content-Length: %d", &length)
		if line == "\r\n" {
			size += length
			r.Discard(length)
			break
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(group); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Discard(size * depth); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*depth)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/request")
}

func BenchmarkHTTP(b *testing.B) {
	for name, body := range map[string]string{
		"eth_chainId":     `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}`,
		"eth_blockNumber": `{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}`,
		"eth_getBalance":  `{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x00000000000000000000000000000000000000aa","latest"]}`,
	} {
		for _, depth := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/pipelined=%d", name, depth), func(b *testing.B) { benchmarkHTTP(b, body, depth) })
		}
	}
}
