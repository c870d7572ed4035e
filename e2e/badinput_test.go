package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// badInputKey is the account whose nonce and balance bad input must not change.
const badInputKey = "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"

// rpcError is a JSON-RPC error as it stands in the answer.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// post sends a body as it is and returns the error of the answer.
func post(t *testing.T, to, body string) rpcError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Error *rpcError `json:"error"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Error == nil {
		t.Fatalf("answer to %.100q is not a JSON-RPC error: %.300q (%v)", body, raw, err)
	}
	return *answer.Error
}

// unchanged returns a check that the account and the node are as they were.
func unchanged(t *testing.T, to string, account common.Address) func() {
	t.Helper()
	client := dialEth(t, to)
	state := func() string {
		nonce, err := client.NonceAt(t.Context(), account, nil)
		if err != nil {
			t.Fatal(err)
		}
		balance, err := client.BalanceAt(t.Context(), account, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("nonce %d, balance %s", nonce, balance)
	}
	before := state()
	return func() {
		t.Helper()
		if after := state(); after != before {
			t.Errorf("bad input changed the account: %s, then %s", before, after)
		}
	}
}

func TestBadTransactionsAreRefused(t *testing.T) {
	d := sharedDevnet(t)
	s := newSender(t, d.L2.HTTPURL, badInputKey)
	// One good transaction, so that there is a nonce below the next one.
	peer := common.Address{0xba, 0xd0}
	client := dialEth(t, d.L2.HTTPURL)
	if _, err := sendSync(t.Context(), client.Client(), s.sign(t, &peer, new(big.Int), 21_000, nil)); err != nil {
		t.Fatal(err)
	}
	poorKey, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signed := func(chainID int64, change func(*types.DynamicFeeTx)) string {
		inner := s.tx(&peer, big.NewInt(1), 21_000, nil)
		inner.ChainID = big.NewInt(chainID)
		key := s.key
		if change != nil {
			change(inner)
			if inner.Value.Sign() < 0 {
				key, inner.Value, inner.Nonce = poorKey, big.NewInt(1), 0
			}
		}
		tx, err := types.SignNewTx(key, types.LatestSignerForChainID(inner.ChainID), inner)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := tx.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return hexutil.Encode(raw)
	}
	id := s.chainID.Int64()
	good := signed(id, nil)
	cases := map[string]struct {
		raw  string
		want string // part of the message, in small letters
	}{
		"another chain's id":       {signed(id+1, nil), "chain id"},
		"nonce too low":            {signed(id, func(tx *types.DynamicFeeTx) { tx.Nonce = 0 }), "nonce too low"},
		"nonce too high":           {signed(id, func(tx *types.DynamicFeeTx) { tx.Nonce += 5 }), "nonce too high"},
		"more value than balance":  {signed(id, func(tx *types.DynamicFeeTx) { tx.Value = new(big.Int).Lsh(big.NewInt(1), 120) }), "insufficient funds"},
		"an account without funds": {signed(id, func(tx *types.DynamicFeeTx) { tx.Value = big.NewInt(-1) }), "insufficient funds"},
		"too little gas":           {signed(id, func(tx *types.DynamicFeeTx) { tx.Gas = 20_000 }), "intrinsic gas"},
		"a fee cap below the base": {signed(id, func(tx *types.DynamicFeeTx) { tx.GasFeeCap, tx.GasTipCap = big.NewInt(1), big.NewInt(1) }), "max fee per gas"},
		"a tip above the fee cap":  {signed(id, func(tx *types.DynamicFeeTx) { tx.GasTipCap = new(big.Int).Add(tx.GasFeeCap, big.NewInt(1)) }), "max priority fee per gas"},
		"oversized data": {signed(id, func(tx *types.DynamicFeeTx) {
			tx.Data, tx.Gas = make([]byte, 2<<20), 900_000_000
		}), "oversized"},
		"too much gas":            {signed(id, func(tx *types.DynamicFeeTx) { tx.Gas = 20_000_000_000 }), "gas"},
		"truncated RLP":           {good[:len(good)-8], "rlp"},
		"RLP with more behind":    {good + "00", "rlp"},
		"no bytes":                {"0x", "malformed"},
		"an unknown type":         {"0x7f" + good[4:], "not supported"},
		"a deposit":               {"0x7e" + good[4:], ""},
		"not hexadecimal":         {"0xzz", "hex"},
		"an odd number of digits": {good[:len(good)-1], "hex"},
	}
	check := unchanged(t, d.L2.HTTPURL, s.addr)
	for _, method := range []string{"eth_sendRawTransaction", "eth_sendRawTransactionSync", "realtime_sendRawTransaction"} {
		for name, c := range cases {
			t.Run(method+"/"+name, func(t *testing.T) {
				got := post(t, d.L2.HTTPURL, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":[%q]}`, method, c.raw))
				if got.Message == "" || !strings.Contains(strings.ToLower(got.Message), c.want) {
					t.Errorf("error %d %q does not say %q", got.Code, got.Message, c.want)
				}
				if got.Code == 0 {
					t.Error("the error has no code")
				}
			})
		}
	}
	check()
	// What was refused left nothing behind: the same account goes on.
	if _, err := sendSync(t.Context(), client.Client(), s.sign(t, &peer, big.NewInt(1), 21_000, nil)); err != nil {
		t.Errorf("a good transaction after the bad ones: %v", err)
	}
}

func TestBadRequestsGetStandardErrors(t *testing.T) {
	d := sharedDevnet(t)
	cases := map[string]struct {
		body string
		code int
	}{
		"an unknown method":          {`{"jsonrpc":"2.0","id":1,"method":"eth_mineGold","params":[]}`, -32601},
		"bad JSON":                   {`{"jsonrpc":"2.0","id":1,"method":`, -32700},
		"not a request":              {`{"jsonrpc":"2.0","id":1}`, -32600},
		"an empty batch":             {`[]`, -32600},
		"parameters of another type": {`{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[17,"latest"]}`, -32602},
		"a missing parameter":        {`{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[]}`, -32602},
		"too many parameters":        {`{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[1,2,3]}`, -32602},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := post(t, d.L2.HTTPURL, c.body); got.Code != c.code || got.Message == "" {
				t.Errorf("error %d %q, want code %d", got.Code, got.Message, c.code)
			}
		})
	}
}

// TestAHundredMegabytesAreRefused sends a body of 100 MB, honest about its length
// and chunked without one.
func TestAHundredMegabytesAreRefused(t *testing.T) {
	const size = 100 << 20
	d := sharedDevnet(t)
	host := hostOf(t, d.L2.HTTPURL)
	for name, header := range map[string]string{
		"with its length": fmt.Sprintf("Content-Length: %d", size),
		"in chunks":       "Transfer-Encoding: chunked",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s\r\n\r\n", host, header)
			written := make(chan struct{})
			go func() { // ends when the node has had enough, or with the connection
				defer close(written)
				piece := bytes.Repeat([]byte(" "), 1<<20)
				for range size / len(piece) {
					if strings.HasPrefix(header, "Transfer") {
						if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(piece), piece); err != nil {
							return
						}
					} else if _, err := conn.Write(piece); err != nil {
						return
					}
				}
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			conn.Close()
			<-written
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("status %s: %.200s, want 413", resp.Status, body)
			}
			if len(bytes.TrimSpace(body)) == 0 {
				t.Error("the refusal says nothing")
			}
		})
	}
	awaitRPC(t, d.L2.HTTPURL, time.Second)
}

// TestTenThousandIdleConnections: clients that connect and say nothing do not keep
// others from being served.
func TestTenThousandIdleConnections(t *testing.T) {
	d := sharedDevnet(t)
	want := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Cur) - 500; most < want {
		t.Logf("the limit of open files is %d: %d connections instead of %d", limit.Cur, most, want)
		want = most
	}
	host := hostOf(t, d.L2.HTTPURL)
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	for i := range want {
		c, err := net.DialTimeout("tcp", host, 10*time.Second)
		if err != nil {
			// A node may refuse connections beyond its bound, if it goes on serving.
			t.Logf("connection %d: %v", i, err)
			break
		}
		idle = append(idle, c)
	}
	t.Logf("%d idle connections", len(idle))
	s := newSender(t, d.L2.HTTPURL, badInputKey)
	client := dialEth(t, d.L2.HTTPURL)
	peer := common.Address{0x1d, 0x1e}
	var times []time.Duration
	for range 20 {
		tx := s.sign(t, &peer, big.NewInt(1), 21_000, nil)
		start := time.Now()
		if _, err := sendSync(t.Context(), client.Client(), tx); err != nil {
			t.Fatalf("beside %d idle connections: %v", len(idle), err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	if median := times[len(times)/2]; median > 250*time.Millisecond {
		t.Errorf("receipts take %s beside %d idle connections", median, len(idle))
	}
	awaitRPC(t, d.L2.HTTPURL, 5*time.Second)
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
