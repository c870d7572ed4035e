package rpc

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// attackers is how many connections attack at once.
const attackers = 8

// TestAnAttackHurtsNobodyElse: while clients misbehave in every way that we know of,
// others are answered, reads and sends alike, and afterwards nothing is left over.
func TestAnAttackHurtsNobodyElse(t *testing.T) {
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, strings.Repeat(" ", 20<<20))
	w.Flush()
	over := func(body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	blocks := "[" + strings.TrimSuffix(strings.Repeat(rpcBody(1, "eth_getBlockByNumber", `["0x1",true]`)+",", 900), ",") + "]"
	upgrade := handshake + "\r\n"
	for name, attack := range map[string]func(conn net.Conn, stop <-chan struct{}){
		"garbage": func(conn net.Conn, stop <-chan struct{}) {
			junk := make([]byte, 64<<10)
			rand.New(rand.NewSource(1)).Read(junk)
			conn.Write(junk)
		},
		"deep JSON":           sends(over(strings.Repeat("[", 1<<20))),
		"deep JSON by halves": sends(over(`{"a":` + strings.Repeat(`{"a":[`, 1<<18))),
		"giant batch":         sends(over("[" + strings.Repeat("1,", 2<<20) + "1]")),
		"batch of much":       sends(over(blocks)),
		"more than a body":    sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n" + strings.Repeat("x", 1<<20)),
		"endless head":        sends("GET / HTTP/1.1\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 5000)),
		"one byte at a time": func(conn net.Conn, stop <-chan struct{}) {
			for _, c := range over(rpcBody(1, "eth_chainId", "[]")) {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				if _, err := conn.Write([]byte(string(c))); err != nil {
					return
				}
			}
		},
		"answers never read": func(conn net.Conn, stop <-chan struct{}) {
			for range 200 {
				if _, err := io.WriteString(conn, over(blocks)); err != nil {
					return
				}
			}
		},
		"frames never read": func(conn net.Conn, stop <-chan struct{}) {
			io.WriteString(conn, upgrade)
			for range 200 {
				if _, err := io.WriteString(conn, masked(0x81, blocks)); err != nil {
					return
				}
			}
		},
		"garbage in frames": sends(upgrade + strings.Repeat("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1000)),
		"compression bomb": sends(handshake + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" +
			masked(0xc1, strings.TrimSuffix(bomb.String(), "\x00\x00\xff\xff"))),
	} {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			_, addr := serve(t, b, Options{Compression: true, ReadTimeout: time.Second, ReadHeaderTimeout: time.Second, WriteTimeout: time.Second})
			stop := make(chan struct{})
			var running sync.WaitGroup
			for range attackers {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(5 * time.Second))
				running.Go(func() { attack(conn, stop) })
				defer conn.Close()
			}
			for nonce := range uint64(20) {
				start := time.Now()
				if _, out := post(t, addr, rpcBody(1, "eth_chainId", "[]")); !strings.Contains(out, "0x1cf3") {
					t.Fatal(out)
				}
				if _, out := post(t, addr, rpcBody(1, "eth_sendRawTransaction", "["+b.raw(t, nonce)+"]")); !strings.Contains(out, `"result"`) {
					t.Fatal(out)
				}
				// Far more than it takes, far less than an attack lasts.
				if took := time.Since(start); took > 4*time.Second {
					t.Fatalf("others waited for %v", took)
				}
			}
			close(stop)
			running.Wait()
		})
	}
}

// sends writes once and leaves the connection open.
func sends(text string) func(net.Conn, <-chan struct{}) {
	return func(conn net.Conn, _ <-chan struct{}) { io.WriteString(conn, text) }
}
