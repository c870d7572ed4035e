package l1_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/devl1"
)

// proxy stands before an L1 and lets a test answer requests itself. bend gets the
// method, or the path of a GET, and the body; it reports whether it has answered.
func proxy(t *testing.T, target string, bend func(w http.ResponseWriter, what, body string) bool) *l1.Client {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(u)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	pass.Transport = transport
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var call struct {
			Method string `json:"method"`
		}
		what := r.URL.Path
		if json.Unmarshal(raw, &call) == nil {
			what = call.Method
		}
		if bend(w, what, string(raw)) {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(raw)))
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	c, err := l1.Dial(t.Context(), l1.Options{URL: server.URL, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func refuse(w http.ResponseWriter, body, message string) bool {
	var call struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal([]byte(body), &call)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":%q}}`, call.ID, message)
	return true
}

func sentTx(t *testing.T, body string) *types.Transaction {
	var call struct {
		Params []hexutil.Bytes `json:"params"`
	}
	tx := new(types.Transaction)
	if err := json.Unmarshal([]byte(body), &call); err != nil {
		t.Error(err)
	} else if err := tx.UnmarshalBinary(call.Params[0]); err != nil {
		t.Error(err)
	}
	return tx
}

func TestALostTransactionIsReplacedAtAHigherPrice(t *testing.T) {
	for _, blobs := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d blobs", blobs), func(t *testing.T) {
			var sent []*types.Transaction
			c := proxy(t, startDevL1(t, "").URL(), func(w http.ResponseWriter, what, body string) bool {
				if what != "eth_sendRawTransaction" {
					return false
				}
				tx := sentTx(t, body)
				sent = append(sent, tx)
				switch len(sent) {
				case 1: // swallowed: looks accepted, never arrives
					var call struct{ ID json.RawMessage }
					_ = json.Unmarshal([]byte(body), &call)
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%q}`, call.ID, tx.Hash())
					return true
				case 2:
					return refuse(w, body, "replacement transaction underpriced")
				}
				return false
			})
			s := l1.NewSender(c, l1.NewKeySigner(devl1.Keys(1)[0]), l1.SenderOptions{
				Poll: 20 * time.Millisecond, Resubmit: 200 * time.Millisecond,
			})
			r, err := s.Send(testContext(t), l1.Request{To: &inbox, Value: big.NewInt(1), Blobs: testBlobs(blobs, 3)})
			if err != nil {
				t.Fatal(err)
			}
			if len(sent) < 3 || r.TxHash == sent[0].Hash() {
				t.Fatalf("%d versions sent, included %v", len(sent), r.TxHash)
			}
			percent := int64(10)
			if blobs > 0 {
				percent = 100
			}
			for i := 1; i < 3; i++ {
				atLeast(t, "fee cap", sent[i].GasFeeCap(), sent[i-1].GasFeeCap(), percent)
				atLeast(t, "tip", sent[i].GasTipCap(), sent[i-1].GasTipCap(), percent)
				if blobs > 0 {
					atLeast(t, "blob fee cap", sent[i].BlobGasFeeCap(), sent[i-1].BlobGasFeeCap(), percent)
				}
				if sent[i].Nonce() != sent[0].Nonce() {
					t.Errorf("version %d has nonce %d", i, sent[i].Nonce())
				}
			}
		})
	}
}

// The price of blobs is a hundred times higher when a transaction is on its way: its
// replacement offers today's, twice, not twice what it offered before.
func TestABlobTransactionFollowsAPriceThatJumps(t *testing.T) {
	var sent []*types.Transaction
	result := func(w http.ResponseWriter, body string, v any) bool {
		var call struct{ ID json.RawMessage }
		_ = json.Unmarshal([]byte(body), &call)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":"%v"}`, call.ID, v)
		return true
	}
	price := big.NewInt(1)
	c := proxy(t, startDevL1(t, "").URL(), func(w http.ResponseWriter, what, body string) bool {
		switch what {
		case "eth_blobBaseFee":
			return result(w, body, (*hexutil.Big)(price))
		case "eth_sendRawTransaction":
			tx := sentTx(t, body)
			sent = append(sent, tx)
			if len(sent) == 1 { // too cheap from now on: it stays in the pool
				price = big.NewInt(100)
				return result(w, body, tx.Hash())
			}
		}
		return false
	})
	s := l1.NewSender(c, l1.NewKeySigner(devl1.Keys(1)[0]), l1.SenderOptions{Poll: 20 * time.Millisecond, Resubmit: 200 * time.Millisecond})
	if _, err := s.Send(testContext(t), l1.Request{To: &inbox, Blobs: testBlobs(1, 3)}); err != nil {
		t.Fatal(err)
	}
	if len(sent) < 2 || sent[0].BlobGasFeeCap().Int64() != 2 || sent[1].BlobGasFeeCap().Int64() < 200 || sent[1].Nonce() != sent[0].Nonce() {
		t.Fatalf("%d versions sent: %v wei, then %v", len(sent), sent[0].BlobGasFeeCap(), sent[len(sent)-1].BlobGasFeeCap())
	}
}

func atLeast(t *testing.T, what string, now, was *big.Int, percent int64) {
	t.Helper()
	want := new(big.Int).Div(new(big.Int).Mul(was, big.NewInt(100+percent)), big.NewInt(100))
	if now.Cmp(want) < 0 {
		t.Errorf("%s raised from %v to %v, want at least %v", what, was, now, want)
	}
}

func TestAServerThatCannotReadCellProofsGetsBlobProofs(t *testing.T) {
	var versions []byte
	c := proxy(t, startDevL1(t, "").URL(), func(w http.ResponseWriter, what, body string) bool {
		if what != "eth_sendRawTransaction" {
			return false
		}
		v := sentTx(t, body).BlobTxSidecar().Version
		versions = append(versions, v)
		return v == types.BlobSidecarVersion1 && refuse(w, body, "rlp: expected List")
	})
	s := sender(c, 0)
	for range 2 {
		if _, err := s.SendBlobs(testContext(t), inbox, nil, testBlobs(1, 9)); err != nil {
			t.Fatal(err)
		}
	}
	if string(versions) != "\x01\x00\x00" {
		t.Errorf("sidecar versions offered: %v", versions)
	}
}

func TestALyingServerIsNotBelieved(t *testing.T) {
	var lie atomic.Pointer[string]
	c := proxy(t, startDevL1(t, "").URL(), func(w http.ResponseWriter, what, body string) bool {
		l := lie.Load()
		if l == nil || !strings.HasPrefix(what, *l) {
			return false
		}
		if strings.HasPrefix(what, "/") {
			blob := testBlobs(1, 0xee)
			fmt.Fprintf(w, `{"data":[%q]}`, hexutil.Encode(blob[0][:]))
			return true
		}
		var call struct{ ID json.RawMessage }
		_ = json.Unmarshal([]byte(body), &call)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":[]}`, call.ID)
		return true
	})
	ctx := testContext(t)
	s := sender(c, 0)
	portal, _, err := s.Deploy(ctx, portalCode())
	if err != nil {
		t.Fatal(err)
	}
	deposit, err := s.Send(ctx, l1.Request{To: &portal, Data: []byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := s.SendBlobs(ctx, inbox, nil, testBlobs(1, 4))
	if err != nil {
		t.Fatal(err)
	}
	src := l1.NewSource(c, l1.SourceConfig{Portal: portal, Inbox: inbox})
	what := "/eth/v1/beacon/blobs"
	lie.Store(&what)
	if _, err := src.Fetch(ctx, batch.BlockNumber.Uint64(), s.Address()); !errors.Is(err, l1.ErrNotFound) {
		t.Errorf("wrong blob: %v", err)
	}
	hidden := "eth_getBlockReceipts"
	lie.Store(&hidden)
	if _, err := src.Fetch(ctx, deposit.BlockNumber.Uint64(), s.Address()); !errors.Is(err, l1.ErrMismatch) {
		t.Errorf("hidden deposits: %v", err)
	}
	lie.Store(nil)
	if b, err := src.Fetch(ctx, deposit.BlockNumber.Uint64(), s.Address()); err != nil || len(b.Logs) != 1 {
		t.Errorf("honest answer: %v", err)
	}
}

func TestShortOutagesAreRidden(t *testing.T) {
	var down atomic.Int32
	c := proxy(t, startDevL1(t, "").URL(), func(w http.ResponseWriter, what, body string) bool {
		if down.Add(-1) < 0 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	down.Store(3)
	if _, err := c.Balance(t.Context(), common.Address{}); err != nil {
		t.Error(err)
	}
	down.Store(1000)
	if _, err := c.Balance(t.Context(), common.Address{}); !errors.Is(err, l1.ErrUnavailable) {
		t.Errorf("long outage: %v", err)
	}
}
