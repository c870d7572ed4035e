package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/sdk/light"
)

// lightKey is a test account that no other test uses.
const lightKey = "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"

// liesOnTheStream are ways of the proxy, with the fault that a light client finds.
var liesOnTheStream = map[string]light.Code{
	"signature": light.CodeSignature, "dropped": light.CodeGap, "receipt": light.CodeContent,
	"diff": light.CodeContent, "header": light.CodeBlock, "stale": light.CodeStale,
}

// TestLightClientsCatchLies has both light clients follow a devnet through a proxy that
// lies, and compares what they say with what the node says.
func TestLightClientsCatchLies(t *testing.T) {
	t.Parallel()
	d := sharedDevnet(t)
	raw, err := os.ReadFile(d.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	g, err := chain.DecodeGenesis(raw)
	if err != nil {
		t.Fatal(err)
	}
	trust := light.Trust{ChainID: g.Config.ChainID, Leaders: []light.Leader{{Address: g.Config.Sequencer}}}
	proxy := startLiar(t, d.L2.WSURL)
	tx, from := payForLight(t, d)
	eth := dialEth(t, d.L2.HTTPURL)

	t.Run("go", func(t *testing.T) {
		t.Parallel()
		var wg sync.WaitGroup
		defer wg.Wait()
		for lie, code := range liesOnTheStream {
			wg.Add(1)
			go func() {
				defer wg.Done()
				l := followLight(t, trust, proxy+"/"+lie, d.L2.WSURL)
				if f := l.fault(t); f.Code != code || f.Endpoint != proxy+"/"+lie {
					t.Errorf("%s: %v", lie, f)
				}
				b := l.block(t, 0)
				b = l.block(t, b.Number())
				if h, err := eth.HeaderByNumber(t.Context(), b.Header.Number); err != nil || h.Hash() != b.Hash {
					t.Errorf("%s: block %d is %s, %v", lie, b.Number(), b.Hash, err)
				}
				l.end()
			}()
		}
		l := followLight(t, trust, proxy+"/balance")
		l.block(t, 0)
		f := new(light.Error)
		if _, _, err := l.Account(t.Context(), paid); !errors.As(err, &f) || f.Code != light.CodeProof {
			t.Errorf("a wrong balance: %v", err)
		}
		l.end()
		l = followLight(t, trust, proxy+"/receipts", d.L2.WSURL)
		defer l.end()
		l.block(t, l.block(t, 0).Number())
		if o, err := l.Transaction(t.Context(), tx.Hash()); err != nil || o.Receipt.Status != 1 || o.Receipt.GasUsed != 21_000 {
			t.Errorf("transaction: %+v, %v", o, err)
		}
		a, b, err := l.Account(t.Context(), paid)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := eth.BalanceAt(t.Context(), paid, b.Header.Number); err != nil || want.Cmp(a.Balance) != 0 {
			t.Errorf("balance %v, the node says %v, %v", a.Balance, want, err)
		}
	})
	t.Run("typescript", func(t *testing.T) {
		t.Parallel()
		script, err := filepath.Abs("../sdk/ts/test/devnet.mjs")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("../sdk/ts/dist/index.js"); err != nil {
			t.Fatalf("sdk/ts is not built: run `make sdk` (%v)", err)
		}
		out := runTool(t, clientTimeout, "node", script, proxy, d.L2.WSURL, fmt.Sprint(trust.ChainID), trust.Leaders[0].Address.Hex(), paid.Hex(), tx.Hash().Hex())
		var said struct {
			Number        int64
			Hash, Genesis common.Hash
			Balance       string
			Status        bool
			Sender        common.Address
		}
		if err := json.Unmarshal([]byte(out), &said); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		h, err := eth.HeaderByNumber(t.Context(), big.NewInt(said.Number))
		if err != nil {
			t.Fatal(err)
		}
		first, err := eth.HeaderByNumber(t.Context(), new(big.Int))
		if err != nil {
			t.Fatal(err)
		}
		balance, err := eth.BalanceAt(t.Context(), paid, nil)
		if err != nil {
			t.Fatal(err)
		}
		if h.Hash() != said.Hash || first.Hash() != said.Genesis || balance.String() != said.Balance || !said.Status || said.Sender != from {
			t.Errorf("the client says %+v", said)
		}
	})
}

// paid is whom only this test pays.
var paid = common.HexToAddress("0x0000000000000000000000000000000000111687")

// payForLight sends a transfer that the clients look for; it is executed on return.
func payForLight(t *testing.T, d *devnet) (*types.Transaction, common.Address) {
	t.Helper()
	eth := dialEth(t, d.L2.HTTPURL)
	key, err := crypto.HexToECDSA(lightKey[2:])
	if err != nil {
		t.Fatal(err)
	}
	from := crypto.PubkeyToAddress(key.PublicKey)
	nonce, err := eth.PendingNonceAt(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	id := new(big.Int).SetUint64(d.L2.ChainID)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, Gas: 21_000, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1e6), To: &paid, Value: big.NewInt(1e15),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := eth.SendTransaction(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	return tx, from
}

// lightFollower is a light client that runs.
type lightFollower struct {
	*light.Client
	events chan light.Event
	cancel context.CancelFunc
	ended  chan struct{}
}

func followLight(t *testing.T, trust light.Trust, endpoints ...string) *lightFollower {
	c, err := light.New(light.Options{Trust: trust, Endpoints: endpoints, StaleAfter: 2500 * time.Millisecond, MinBackoff: 10 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &lightFollower{c, make(chan light.Event, 1<<14), cancel, make(chan struct{})}
	go func() {
		defer close(l.ended)
		if err := c.Run(ctx, func(e light.Event) error { l.events <- e; return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("light client: %v", err)
		}
	}()
	return l
}

func (l *lightFollower) end() {
	l.cancel()
	<-l.ended
	l.Close()
}

// fault is the first that the client tells.
func (l *lightFollower) fault(t *testing.T) *light.Error {
	for {
		select {
		case e := <-l.events:
			if f, ok := e.(*light.Fault); ok {
				return f.Err
			}
		case <-time.After(20 * time.Second):
			t.Error("no fault in 20 s")
			return new(light.Error)
		}
	}
}

// block is the first beyond the number that the client tells.
func (l *lightFollower) block(t *testing.T, beyond uint64) *light.Block {
	for {
		select {
		case e := <-l.events:
			if b, ok := e.(*light.Block); ok && b.Number() > beyond {
				return b
			}
		case <-time.After(20 * time.Second):
			t.Error("no block in 20 s")
			return &light.Block{Header: &types.Header{Number: new(big.Int)}}
		}
	}
}

// startLiar serves a node at ws://…/LIE, where the path says what it changes.
func startLiar(t *testing.T, node string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		near, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		far, _, err := websocket.Dial(r.Context(), node, nil)
		if err != nil {
			_ = near.CloseNow()
			return
		}
		near.SetReadLimit(-1)
		far.SetReadLimit(-1)
		l := &liar{lie: strings.TrimPrefix(r.URL.Path, "/"), methods: make(map[float64]string)}
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			defer wg.Done()
			pass(r.Context(), near, far, l.ask)
		}()
		pass(r.Context(), far, near, l.answer)
		wg.Wait()
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// pass copies messages, changed, until one side is gone; then both are.
func pass(ctx context.Context, from, to *websocket.Conn, change func([]byte) []byte) {
	defer func() { _ = to.CloseNow() }()
	defer func() { _ = from.CloseNow() }()
	for {
		_, raw, err := from.Read(ctx)
		if err != nil {
			return
		}
		if raw = change(raw); raw != nil && to.Write(ctx, websocket.MessageText, raw) != nil {
			return
		}
	}
}

// liar changes what one connection answers.
type liar struct {
	lie     string
	mu      sync.Mutex
	methods map[float64]string // of questions, by id
	events  int
}

func (l *liar) ask(raw []byte) []byte {
	var q struct {
		ID     float64
		Method string
	}
	if json.Unmarshal(raw, &q) == nil {
		l.mu.Lock()
		l.methods[q.ID] = q.Method
		l.mu.Unlock()
	}
	return raw
}

func (l *liar) answer(raw []byte) []byte {
	m := make(map[string]any)
	if json.Unmarshal(raw, &m) != nil {
		return raw
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	method, result := "event", m["result"]
	if id, ok := m["id"].(float64); ok {
		method = l.methods[id]
	} else if params, ok := m["params"].(map[string]any); ok {
		result = params["result"]
		l.events++
	}
	o, _ := result.(map[string]any)
	switch l.lie + " " + method {
	case "signature event":
		if sig := o["signature"].(string); l.events > 2 {
			o["signature"] = sig[:40] + flipped(sig[40]) + sig[41:]
		}
	case "dropped event":
		if l.events == 3 {
			return nil
		}
	case "stale event":
		if l.events > 2 {
			return nil
		}
	case "receipt event":
		receipts := o["receipts"].([]any)
		if l.events > 2 && len(receipts) > 0 {
			receipts[0].(map[string]any)["cumulativeGasUsed"] = "0x1"
		}
	case "diff talaria_getMiniBlockDiff":
		m["result"] = hexutil.Bytes{0xc0}
	case "header eth_getHeaderByHash":
		if o != nil {
			o["stateRoot"] = common.Hash{1}
		}
	case "balance eth_getProof":
		o["balance"] = "0x1"
	case "receipts eth_getBlockReceipts":
		for _, r := range result.([]any) {
			r.(map[string]any)["status"] = "0x0"
		}
	case "receipts talaria_getMiniBlock":
		for _, r := range o["receipts"].([]any) {
			r.(map[string]any)["status"] = "0x0"
		}
	default:
		return raw
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return out
}

// flipped is another hex digit.
func flipped(c byte) string {
	if c == '1' {
		return "2"
	}
	return "1"
}
