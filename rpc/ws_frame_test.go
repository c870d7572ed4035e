package rpc

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const handshake = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// shake opens a WebSocket by hand.
func shake(t testing.TB, addr, extra string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, r := dialRaw(t, addr)
	writeRaw(t, conn, handshake+extra+"\r\n")
	for status := ""; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if status == "" {
			if status = line; !strings.Contains(line, " 101 ") {
				t.Fatalf("handshake: %s", line)
			}
		}
		if strings.HasPrefix(line, "Sec-WebSocket-Accept") && strings.TrimSpace(line[21:]) != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Fatalf("RFC 6455 has another answer to its key: %s", line)
		}
		if line == "\r\n" {
			return conn, r
		}
	}
}

// masked is a frame as clients send it.
func masked(first byte, payload string) string {
	out := appendFrameHead(nil, first, len(payload))
	out[1] |= 0x80
	mask := [4]byte{1, 2, 3, 4}
	out = append(out, mask[:]...)
	at := len(out)
	out = append(out, payload...)
	for i := range len(payload) {
		out[at+i] ^= mask[i%4]
	}
	return string(out)
}

// frameFrom reads a frame of the server.
func frameFrom(t testing.TB, r *bufio.Reader) (first byte, payload string) {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatal(err)
	}
	n := uint64(head[1])
	var wide [8]byte
	switch n {
	case 126:
		io.ReadFull(r, wide[6:])
		n = binary.BigEndian.Uint64(wide[:])
	case 127:
		io.ReadFull(r, wide[:])
		n = binary.BigEndian.Uint64(wide[:])
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(r, buf); err != nil {
		t.Fatal(err)
	}
	return head[0], string(buf)
}

func TestFramesThatBreakTheProtocolCloseTheConnection(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{MaxBodyBytes: 1000})
	chain := rpcBody(1, "eth_chainId", "[]")
	for name, tc := range map[string]struct {
		frames string
		code   closeCode
	}{
		"no mask":                     {"\x81\x02{}", closeProtocol},
		"reserved bits":               {masked(0xb1, "{}"), closeProtocol},
		"compression nobody agreed":   {masked(0xc1, "{}"), closeProtocol},
		"an unknown opcode":           {masked(0x83, "{}"), closeProtocol},
		"a long ping":                 {masked(0x89, strings.Repeat("a", 126)), closeProtocol},
		"a ping in fragments":         {masked(0x09, "a"), closeProtocol},
		"nothing to go on from":       {masked(0x80, "a"), closeProtocol},
		"a message inside another":    {masked(0x01, "{") + masked(0x81, "}"), closeProtocol},
		"a length in too many bytes":  {"\x81\xfe\x00\x02\x00\x00\x00\x00{}", closeProtocol},
		"a length above all memory":   {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", closeProtocol},
		"a long message":              {masked(0x81, strings.Repeat(" ", 1001)), closeTooBig},
		"a long message in fragments": {masked(0x01, strings.Repeat(" ", 900)) + masked(0x80, strings.Repeat(" ", 900)), closeTooBig},
		"text that is not UTF-8":      {masked(0x81, "\"\xff\""), closeNotText},
		"a rune cut for good":         {masked(0x01, "\"\xc3") + masked(0x80, "\""), closeNotText},
		"a close of one byte":         {masked(0x88, "a"), closeProtocol},
		"a close with a made-up code": {masked(0x88, "\x03\xee"), closeProtocol},
		"a close":                     {masked(0x88, "\x03\xe8bye"), closeNormal},
		"a close without a code":      {masked(0x88, ""), closeNormal},
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := shake(t, addr, "")
			writeRaw(t, conn, masked(0x81, chain)+tc.frames)
			first, payload := frameFrom(t, r)
			if first != 0x81 || !strings.Contains(payload, "0x1cf3") {
				// Answers that have not left are dropped with a client that breaks the rules.
				if first != 0x88 {
					t.Fatalf("%x %q", first, payload)
				}
			} else {
				first, payload = frameFrom(t, r)
			}
			if first != 0x88 || len(payload) < 2 || closeCode(binary.BigEndian.Uint16([]byte(payload))) != tc.code {
				t.Fatalf("%x %q, want a close with %d", first, payload, tc.code)
			}
		})
	}
}

func TestAHandshakeThatIsNoneIsRefused(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	for name, tc := range map[string]struct {
		text   string
		status int
	}{
		"another version": {strings.Replace(handshake, ": 13", ": 8", 1), 426},
		"no key":          {strings.Replace(handshake, "Sec-WebSocket-Key", "X", 1), 400},
		"a short key":     {strings.Replace(handshake, "dGhl", "", 1), 400},
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := dialRaw(t, addr)
			writeRaw(t, conn, tc.text+"\r\n")
			if res, body := answerFrom(t, r); res.StatusCode != tc.status {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
		})
	}
}

func TestFramesAreUnderstoodHoweverTheyAreCut(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	stream := masked(0x81, rpcBody(1, "eth_chainId", "[]")) +
		masked(0x01, `{"jsonrpc":"2.0",`) + masked(0x89, "hey") + masked(0x00, `"id":2,"method":"eth_bl`) + masked(0x80, `ockNumber"}`) +
		masked(0x82, rpcBody(3, "web3_sha3", `["0x`+strings.Repeat("ab", 40_000)+`"]`)) + masked(0x8a, "late pong") +
		masked(0x81, rpcBody(4, "eth_chainId", "[]"))
	rng := rand.New(rand.NewPCG(3, 4))
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	for round := range rounds {
		conn, r := shake(t, addr, "")
		go func() {
			most := 1 + rng.IntN(30_000)
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), 1+rng.IntN(most))
				if _, err := io.WriteString(conn, rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		texts, pong := "", false
		for range 5 {
			switch first, payload := frameFrom(t, r); first {
			case 0x8a:
				pong = payload == "hey"
			case 0x81:
				texts += payload[17:23]
			}
		}
		if texts != `"id":1"id":2"id":3"id":4` || !pong {
			t.Fatalf("round %d: %s, pong %v", round, texts, pong)
		}
		conn.Close()
	}
}

func TestACompressionBombIsRefused(t *testing.T) {
	zip := func(text string) string {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		w.Flush()
		return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
	}
	bomb := zip(strings.Repeat(" ", 20<<20))
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	_, addr := serve(t, newFake(t), Options{Compression: true})
	conn, r := shake(t, addr, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
	writeRaw(t, conn, masked(0xc1, zip(rpcBody(1, "eth_chainId", "[]"))))
	if _, payload := frameFrom(t, r); !strings.Contains(payload, "0x1cf3") {
		t.Fatal(payload)
	}
	writeRaw(t, conn, masked(0xc1, bomb))
	if first, payload := frameFrom(t, r); first != 0x88 || closeCode(binary.BigEndian.Uint16([]byte(payload))) != closeTooBig {
		t.Fatalf("%x %q", first, payload)
	}
}

func TestCompressedAnswersAreUnderstoodByOthers(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{Compression: true})
	_, ctx := dial(t, addr)
	ws, _, err := websocket.Dial(ctx, "ws://"+addr, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	for i := range 5 {
		data := strings.Repeat("ab", 1000*i)
		write(t, ctx, ws, i, "eth_call", `[{"data":"0x00`+data+`"}]`)
		if got := next(t, ctx, ws); !strings.Contains(got, `"0x00`+data+`"`) {
			t.Fatalf("%.100s", got)
		}
	}
}

func TestAClientThatDoesNotPongIsDropped(t *testing.T) {
	s, addr := serve(t, newFake(t), Options{PingInterval: 20 * time.Millisecond})
	_, r := shake(t, addr, "")
	if first, _ := frameFrom(t, r); first != 0x89 {
		t.Fatalf("%x is no ping", first)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Log(err) // a reset is as good as an end
	}
	ws, ctx := dial(t, addr) // coder/websocket pongs while it reads
	ctx = ws.CloseRead(ctx)
	for range 5 {
		if err := ws.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_ = s
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte(masked(0x81, "{}")+masked(0x89, "x")), uint8(3))
	f.Add([]byte("\x81\xfe\x00\x80aaaa"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		whole, ok, bad := parseFrame(in, false)
		// A prefix gives the same, or wants more; a fault may only be found sooner.
		part, partOK, partBad := parseFrame(in[:min(len(in), int(cut))], false)
		switch {
		case partOK && (!ok || part != whole):
			t.Fatalf("%+v, later %+v", part, whole)
		case partBad != nil && bad == nil:
			t.Fatalf("%v, later good", partBad)
		}
		if !ok {
			return
		}
		if whole.size < 6 || whole.size > 14 || whole.control() && whole.length > 125 {
			t.Fatalf("%+v", whole)
		}
		payload := []byte(fmt.Sprint(whole, in))
		want := bytes.Clone(payload)
		at := int(cut) % len(payload)
		unmask(payload[:at], whole.mask, 0)
		unmask(payload[at:], whole.mask, at)
		unmask(payload, whole.mask, 0)
		if !bytes.Equal(payload, want) {
			t.Fatal("unmasking twice in pieces changes the payload")
		}
	})
}
