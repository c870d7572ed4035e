package rpc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

func dialRaw(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, bufio.NewReader(conn)
}

func writeRaw(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// answerFrom reads one answer.
func answerFrom(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func replyFrom(t testing.TB, r *bufio.Reader) reply {
	t.Helper()
	_, body := answerFrom(t, r)
	var out reply
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return out
}

func rpcBody(id any, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%v,"method":%q,"params":%s}`, id, method, params)
}

// slowTable adds a slow method that waits for the gate.
func slowTable(s *Server, gate <-chan struct{}) {
	s.methods.slow("test_slow", 0, func(c *call, _ *args) (rawJSON, error) {
		select {
		case <-gate:
			return rawJSON(jsonTrue), nil
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		}
	})
}

func TestAnswersToPipelinedRequestsComeInTheirOrder(t *testing.T) {
	b := newFake(t)
	b.hold = true
	s, addr := serve(t, b, Options{})
	gate := make(chan struct{})
	slowTable(s, gate)
	conn, r := dialRaw(t, addr)
	writeRaw(t, conn, httpRequest(rpcBody(1, "eth_chainId", "[]"))+
		httpRequest(rpcBody(2, "eth_sendRawTransaction", "["+b.raw(t, 0)+"]"))+
		httpRequest(rpcBody(3, "eth_sendRawTransaction", "["+b.raw(t, 1)+"]"))+
		httpRequest(rpcBody(4, "test_slow", "[]"))+
		httpRequest(rpcBody(5, "eth_sendRawTransaction", "["+b.raw(t, 2)+"]"))+
		httpRequest("{")+
		httpRequest(rpcBody(6, "eth_blockNumber", "[]")))
	var held []func()
	for len(held) < 3 { // the third too, although a slow method stands before it
		b.mu.Lock()
		held = b.held
		b.mu.Unlock()
	}
	held[2]()
	held[1]()
	held[0]()
	close(gate)
	for _, id := range []string{"1", "2", "3", "4", "5", "null", "6"} {
		if got := replyFrom(t, r); string(got.ID) != id || (got.Error != nil) != (id == "null") {
			t.Fatalf("answer %s %+v, want that of %s", got.ID, got.Error, id)
		}
	}
	for i := range 3 {
		if b.order[i] != b.signed(t, uint64(i)).Hash() {
			t.Errorf("submission %d is out of order", i)
		}
	}
}

func TestASlowMethodDelaysNobodyElse(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxSlow: 1, MaxSlowQueue: 1})
	gate := make(chan struct{})
	slowTable(s, gate)
	var conns [2]*bufio.Reader
	for i := range conns {
		conn, r := dialRaw(t, addr)
		writeRaw(t, conn, httpRequest(rpcBody(1, "test_slow", "[]")))
		conns[i] = r
	}
	for {
		if running, waiting := s.slow.busy(); running+waiting == 2 {
			break
		}
		runtime.Gosched()
	}
	if got := ask(t, addr, "test_slow", "[]"); got.Error == nil || got.Error.Code != CodeLimit {
		t.Errorf("third slow request: %+v", got)
	}
	ws, ctx := dial(t, addr)
	write(t, ctx, ws, 7, "test_slow", "[]")
	if got := next(t, ctx, ws); !strings.Contains(got, "slow requests run and 1 wait") {
		t.Error(got)
	}
	for i := range 20 {
		if got := ask(t, addr, "eth_sendRawTransactionSync", "["+b.raw(t, uint64(i))+"]"); got.Error != nil {
			t.Fatalf("send: %+v", got.Error)
		}
	}
	close(gate)
	for _, r := range conns {
		if got := replyFrom(t, r); string(got.Result) != "true" {
			t.Errorf("slow answer %+v", got)
		}
	}
}

func TestASlowMethodHasADeadline(t *testing.T) {
	s, addr := serve(t, newFake(t), Options{TraceTimeout: 5 * time.Millisecond})
	slowTable(s, nil)
	if got := ask(t, addr, "test_slow", "[]"); got.Error == nil || !strings.Contains(got.Error.Message, "execution timed out: limit 5ms") {
		t.Fatalf("%+v", got)
	}
}

func TestWhatCouldSmuggleARequestInIsRefused(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	body := rpcBody(1, "eth_chainId", "[]")
	n := len(body)
	for name, tc := range map[string]struct {
		text   string
		status int
	}{
		"both lengths":                    {fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", n), 400},
		"both, the other way":             {fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n", n), 400},
		"two lengths":                     {fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nContent-Length: %d\r\n\r\n%s", n, n+1, body), 400},
		"a list of lengths":               {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello", 400},
		"a signed length":                 {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", 400},
		"a negative length":               {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello", 400},
		"a length in hex":                 {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello", 400},
		"an empty length":                 {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nhello", 400},
		"an endless length":               {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nhello", 400},
		"a blank before the colon":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello", 400},
		"a folded line":                   {"POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400},
		"a line without a colon":          {"POST / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 400},
		"a plain line feed":               {"POST / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400},
		"plain line feeds only":           {"POST / HTTP/1.1\nHost: x\n\n", 400},
		"a carriage return inside":        {"POST / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400},
		"a zero byte":                     {"POST / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400},
		"two hosts":                       {"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		"no host":                         {"POST / HTTP/1.1\r\n\r\n", 400},
		"a host with a path":              {"POST / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400},
		"gzip before chunked":             {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"two encodings":                   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"an encoding in disguise":         {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
		"chunked in HTTP/1.0":             {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"a chunk without a size":          {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", 400},
		"a chunk of wrong size":           {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", 400},
		"a chunk size with a sign":        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
		"a chunk size with 0x":            {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400},
		"a chunk size of 17 digits":       {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000005\r\nhello\r\n", 400},
		"a chunk that ends in line feeds": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", 400},
		"a chunk as large as memory":      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", 413},
		"endless extensions":              {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("x", maxChunkExtra+1), 400},
		"garbage":                         {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400},
		"an empty line first":             {"\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"HTTP/2's preface":                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		"no version":                      {"GET /\r\n\r\n", 400},
		"a target that is no path":        {"GET health HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"too many fields":                 {"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", maxHeadFields) + "\r\n", 431},
		"a huge field":                    {"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("b", maxHeadBytes) + "\r\n\r\n", 431},
		"an unknown expectation":          {"POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 5\r\n\r\nhello", 417},
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := dialRaw(t, addr)
			writeRaw(t, conn, tc.text)
			res, text := answerFrom(t, r)
			if res.StatusCode != tc.status || !res.Close || !json.Valid([]byte(text)) {
				t.Fatalf("status %d, close %v, %s; want %d and the end", res.StatusCode, res.Close, text, tc.status)
			}
			if rest, _ := io.ReadAll(r); len(rest) > 0 {
				t.Fatalf("the connection goes on: %q", rest)
			}
		})
	}
}

// goodStream is several requests in all ways that are served, and what they answer.
func goodStream(t testing.TB, b *fakeBackend) (stream []byte, answers int) {
	chain, block := rpcBody(1, "eth_chainId", "[]"), rpcBody(`"x"`, "eth_getBlockByNumber", `["latest",true]`)
	parts := []string{
		httpRequest(chain),
		"GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
		fmt.Sprintf("POST /x?y HTTP/1.1\r\nhOsT: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nTrailer: x\r\n\r\n", block[:5], len(block)-5, block[5:]),
		httpRequest("[" + chain + "," + block + "]"),
		httpRequest(`{"jsonrpc":"2.0","method":"eth_chainId"}`),
		httpRequest(rpcBody(3, "web3_sha3", `["0x`+strings.Repeat("ab", 20_000)+`"]`)),
		"OPTIONS * HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n",
		"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
		httpRequest(rpcBody(5, "eth_sendRawTransaction", `["0x02c0"]`)),
		"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	}
	return []byte(strings.Join(parts, "")), len(parts)
}

// exchangeBytes writes the pieces and returns all that comes back, without dates.
func exchangeBytes(t testing.TB, addr string, pieces [][]byte) string {
	t.Helper()
	conn, r := dialRaw(t, addr)
	go func() {
		for _, p := range pieces {
			if _, err := conn.Write(p); err != nil {
				return
			}
		}
	}()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.SplitAfter(string(out), "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestAnswersDoNotDependOnHowTheRequestsAreCut(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	stream, answers := goodStream(t, b)
	want := exchangeBytes(t, addr, [][]byte{stream})
	if n := strings.Count(want, "HTTP/1.1 "); n != answers {
		t.Fatalf("%d answers, want %d: %s", n, answers, want)
	}
	rounds := 1000
	if testing.Short() {
		rounds = 200
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		var pieces [][]byte
		most := 1 + rng.IntN(20_000)
		if round%10 == 0 {
			most = 100 // many small ones
		}
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(most))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := exchangeBytes(t, addr, pieces); got != want {
			t.Fatalf("round %d, %d pieces: %q, want %q", round, len(pieces), got, want)
		}
	}
}

func TestAClientThatSendsOneByteAtATimeIsCutOff(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{ReadHeaderTimeout: 100 * time.Millisecond, ReadTimeout: 200 * time.Millisecond})
	for name, text := range map[string]string{
		"head": "POST / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 20),
		"body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := dialRaw(t, addr)
			head := strings.Index(text, "\r\n\r\n") + 4
			writeRaw(t, conn, text[:max(head, 10)])
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						if _, err := conn.Write([]byte("x")); err != nil {
							return
						}
					}
				}
			}()
			res, body := answerFrom(t, r)
			if res.StatusCode != 408 || !strings.Contains(body, "which is the limit") {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
		})
	}
}

func TestAClientThatDoesNotReadIsCutOffAndHurtsNobody(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{WriteTimeout: 200 * time.Millisecond})
	conn, _ := dialRaw(t, addr)
	big := httpRequest(rpcBody(1, "eth_call", `[{"data":"0x01`+strings.Repeat("00", 1<<20)+`"}]`))
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		for {
			if _, err := io.WriteString(conn, big); err != nil {
				return
			}
		}
	}()
	for range 100 {
		if got := ask(t, addr, "eth_chainId", "[]"); got.Error != nil {
			t.Fatal(got.Error)
		}
	}
	<-wrote // the server has closed the connection
	http.DefaultClient.CloseIdleConnections()
	for open := 1; open > 0; {
		s.mu.Lock()
		open = len(s.links)
		s.mu.Unlock()
	}
}

func TestABodyIsAskedForWhenTheClientExpectsIt(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	conn, r := dialRaw(t, addr)
	body := rpcBody(1, "eth_chainId", "[]")
	writeRaw(t, conn, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
	line, err := r.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	r.ReadString('\n')
	writeRaw(t, conn, body)
	if got := replyFrom(t, r); got.Error != nil {
		t.Fatalf("%+v", got)
	}
}

func TestAnEncodedBodyIsRefused(t *testing.T) {
	_, addr := serve(t, newFake(t), Options{})
	conn, r := dialRaw(t, addr)
	writeRaw(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")
	if res, body := answerFrom(t, r); res.StatusCode != 415 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	writeRaw(t, conn, httpRequest(rpcBody(1, "eth_chainId", "[]")))
	replyFrom(t, r) // and the connection goes on
}

func TestAClientThatClosesItsSideStillGetsItsAnswers(t *testing.T) {
	b := newFake(t)
	b.hold = true
	_, addr := serve(t, b, Options{})
	conn, r := dialRaw(t, addr)
	writeRaw(t, conn, httpRequest(rpcBody(1, "eth_sendRawTransaction", "["+b.raw(t, 0)+"]")))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var held []func()
	for len(held) == 0 {
		b.mu.Lock()
		held = b.held
		b.mu.Unlock()
	}
	held[0]()
	if got := replyFrom(t, r); got.Error != nil {
		t.Fatalf("%+v", got)
	}
}

func FuzzParseHead(f *testing.F) {
	for _, seed := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "GET /a?b HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:8545\r\nOrigin: http://a\r\nConnection: Keep-Alive, Upgrade\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n := headEnd(in, 0)
		if n == 0 || n > maxHeadBytes {
			return
		}
		var h head
		if parseHead(in[:n], &h) != nil {
			return
		}
		// What is taken here, net/http takes too, and understands in the same way.
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatalf("taken, but net/http says %v: %q", err, in[:n])
		}
		if want := h.length; want < 0 && !h.chunked && req.ContentLength > 0 || want >= 0 && req.ContentLength != want {
			t.Fatalf("length %d, want %d", h.length, req.ContentLength)
		}
		if h.chunked != (len(req.TransferEncoding) == 1) || req.Method != string(h.method) {
			t.Fatalf("%+v, want %+v", h, req)
		}
		if h.length >= 0 || !h.chunked {
			return
		}
		want, err := io.ReadAll(io.LimitReader(req.Body, 1<<16))
		var d chunks
		got, _, bad := d.decode(in[n:], nil, 1<<16)
		if bad == nil && d.state == chunkDone && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("body %q, net/http has %q %v", got, want, err)
		}
	})
}
