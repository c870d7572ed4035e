package bridging

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// fakeLayer answers JSON-RPC: the key is the method, of eth_call the method, the address in
// lower case and the selector.
type fakeLayer struct {
	mu      sync.Mutex
	answers map[string]any
	url     string
}

func newFakeLayer(t *testing.T, answers map[string]any) *fakeLayer {
	t.Helper()
	f := &fakeLayer{answers: answers}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *fakeLayer) set(method string, answer any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[method] = answer
}

func (f *fakeLayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := q.Method
	var first struct {
		To    string
		Input string
	}
	if len(q.Params) > 0 && q.Method == "eth_call" && json.Unmarshal(q.Params[0], &first) == nil {
		key += " " + strings.ToLower(first.To) + " " + first.Input[:10]
	}
	if len(q.Params) > 0 && q.Method == "eth_getTransactionReceipt" && f.has(key+" "+strings.Trim(string(q.Params[0]), `"`)) {
		key += " " + strings.Trim(string(q.Params[0]), `"`)
	}
	f.mu.Lock()
	answer := f.answers[key]
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": answer})
}

func (f *fakeLayer) has(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers[key] != nil
}

// called is the key of a call's answer.
func called(to common.Address, input []byte) string {
	return "eth_call " + strings.ToLower(to.Hex()) + " " + hexutil.Encode(input[:4])
}

func word(b []byte) string { return common.BytesToHash(b).Hex() }

// newFakeClient is a client between two fakes, without what Dial finds out.
func newFakeClient(t *testing.T, onL1, onL2 *fakeLayer) *Client {
	t.Helper()
	c := newTables(t)
	c.opts = Options{L1URL: onL1.url, L2URL: onL2.url, Report: func(string) {}}
	var err error
	if c.l1, err = l1.Dial(t.Context(), l1.Options{URL: onL1.url, Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	if c.l2, err = ethclient.DialContext(t.Context(), onL2.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestMoneyGoesWhereTheUserSaysNotWhereTheNodeSays(t *testing.T) {
	honest, escrow, config, thief := common.Address{0xa}, common.Address{0xb}, common.Address{0xc}, common.Address{0xdd}
	b := bindings.NewPortal()
	onL1 := newFakeLayer(t, map[string]any{
		"eth_chainId": "0x7", "web3_clientVersion": "fake", "eth_getCode": "0x00",
		called(honest, b.PackSystemConfig()):                       word(config[:]),
		called(honest, b.PackNATIVEESCROW()):                       word(escrow[:]),
		called(config, bindings.NewSystemConfig().PackL2CHAINID()): word([]byte{8}),
		called(thief, b.PackSystemConfig()):                        word(thief[:]),
		called(thief, b.PackNATIVEESCROW()):                        word(thief[:]),
		called(thief, bindings.NewSystemConfig().PackL2CHAINID()):  word([]byte{9}),
	})
	lies := map[string]common.Address{"portal": thief, "nativeTokenBridge": thief, "l1StandardBridge": thief, "instantExit": thief}
	onL2 := newFakeLayer(t, map[string]any{"talaria_l1Contracts": map[string]any{"l1ChainId": "0x7", "l2ChainId": "0x8", "contracts": lies}})
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]common.Address{"portal": honest, "l1StandardBridge": config}
	const away = "https://l2.example"
	for name, x := range map[string]struct {
		l2URL  string
		trust  Trust
		portal common.Address
		bridge common.Address // zero: none is used
		says   string         // of the error; empty: none
	}{
		"a file":                     {away, Trust{Contracts: file, L1ChainID: 7, L2ChainID: 8}, honest, config, ""},
		"a file, beside its word":    {away, Trust{Contracts: file, Node: true}, honest, config, ""},
		"a file on this machine":     {onL2.url, Trust{Contracts: file}, honest, config, ""},
		"a file of another L1":       {away, Trust{Contracts: file, L1ChainID: 6, L2ChainID: 8}, honest, config, "chain id 7, this L2 settles on 6"},
		"a file of another L2":       {away, Trust{Contracts: file, L1ChainID: 7, L2ChainID: 9}, honest, config, "chain id 8, want 9"},
		"a portal":                   {away, Trust{Portal: honest}, honest, common.Address{}, ""},
		"a portal of another chain":  {away, Trust{Portal: thief}, thief, common.Address{}, "chain id 8, want 9"},
		"nobody":                     {away, Trust{}, common.Address{}, common.Address{}, "names portal " + thief.Hex()},
		"nobody, and a name like it": {"http://127.0.0.1.example:8545", Trust{}, common.Address{}, common.Address{}, "names portal"},
		"the node's word":            {away, Trust{Node: true}, thief, thief, ""},
		"a node on this machine":     {onL2.url, Trust{}, thief, thief, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFakeClient(t, onL1, onL2)
			c.at, c.opts.L2URL, c.opts.Key, c.opts.Trust = nil, x.l2URL, key, x.trust
			told, err := c.announced(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err = c.root(t.Context(), told); x.says != "" {
				if err == nil || !strings.Contains(err.Error(), x.says) || errors.Is(err, ErrUntrusted) != (x.trust.Contracts == nil && x.trust.Portal == common.Address{}) {
					t.Errorf("%v, want %s", err, x.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			bridge, err := c.contract("l1StandardBridge")
			if c.at["portal"] != x.portal || bridge != x.bridge || (err == nil) != (x.bridge != common.Address{}) || c.l2ChainID.Cmp(big.NewInt(8)) != 0 {
				t.Errorf("portal %s, bridge %s, chain %s, %v", c.at["portal"], bridge, c.l2ChainID, err)
			}
			if x.trust.Portal != (common.Address{}) && c.at["nativeTokenBridge"] != escrow {
				t.Errorf("the escrow is %s, the portal names %s", c.at["nativeTokenBridge"], escrow)
			}
		})
	}
	onL1.set("eth_getCode", "0x")
	c := newFakeClient(t, onL1, onL2)
	if _, err := c.readPortal(t.Context(), honest); err == nil || !strings.Contains(err.Error(), "no portal") {
		t.Errorf("an address without code is a portal: %v", err)
	}
	if c := newFakeClient(t, onL1, onL2); c.root(t.Context(), &announced{L1ChainID: 7, L2ChainID: 8, Contracts: lies}) != nil {
		t.Error("a client without a key cannot read")
	}
}

func TestTheNodeCannotNameATokenOfItsOwn(t *testing.T) {
	token, own := common.Address{0x70}, common.Address{0xdd}
	c := newTables(t)
	text := func(s string) string {
		raw, err := c.l2abi.Methods["name"].Outputs.Pack(s)
		if err != nil {
			t.Fatal(err)
		}
		return hexutil.Encode(raw)
	}
	ask := func(method string) string { return called(token, c.l2abi.Methods[method].ID) }
	onL1 := newFakeLayer(t, map[string]any{
		"eth_chainId": "0x7", "web3_clientVersion": "fake",
		ask("name"): text("Toll"), ask("symbol"): text("TOL"), ask("decimals"): word([]byte{6}),
	})
	onL2 := newFakeLayer(t, map[string]any{
		"eth_getCode": "0x00",
		"eth_getLogs": []*types.Log{{
			Address: predeploys.MintableERC20FactoryAddr, Data: make([]byte, 32),
			Topics: []common.Hash{crypto.Keccak256Hash([]byte("OptimismMintableERC20Created(address,address,address)")), common.BytesToHash(own[:]), common.BytesToHash(token[:])},
		}},
	})
	c = newFakeClient(t, onL1, onL2)
	want := (&predeploys.MintableERC20{Remote: token, Name: "Toll", Symbol: "TOL", Decimals: 6}).Addr()
	if got, err := c.Representation(t.Context(), Deposit{Token: token}); err != nil || got != want {
		t.Errorf("the representation is %s %v, want %s", got, err, want)
	}
	if got, err := c.Representation(t.Context(), Deposit{Token: chain.EtherToken}); err != nil || got != predeploys.Ether.Addr() {
		t.Errorf("the representation of ether is %s %v", got, err)
	}
	onL2.set("eth_getCode", "0x")
	if got, err := c.Representation(t.Context(), Deposit{Token: token}); err == nil || !strings.Contains(err.Error(), "--create") {
		t.Errorf("a token that is not there: %s %v", got, err)
	}
}
