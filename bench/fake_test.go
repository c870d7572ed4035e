package bench

import (
	"encoding/json"
	"fmt"
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
)

// fakeNode is a ledger behind the JSON-RPC methods that a run calls. It mines on
// arrival; faults make it lie.
type fakeNode struct {
	mu       sync.Mutex
	noSync   bool
	corrupt  func(map[string]any) // changes receipts as they are first answered
	reread   func(map[string]any) // changes receipts as they are read again
	refuse   func(n int) error    // n-th user transaction, counted from 0
	drift    int64                // added to every balance of an unfunded-by-us account
	seen     int
	nonces   map[common.Address]uint64
	balances map[common.Address]*big.Int
	tokens   map[common.Address]uint64
	token    common.Address
	receipts map[common.Hash]map[string]any
}

var fakeChainID = big.NewInt(7)

func newFake(t *testing.T) (*fakeNode, string) {
	t.Helper()
	key, err := crypto.HexToECDSA(DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	rich, _ := new(big.Int).SetString("10000000000000000000000", 10)
	f := &fakeNode{
		nonces: map[common.Address]uint64{}, tokens: map[common.Address]uint64{},
		balances: map[common.Address]*big.Int{crypto.PubkeyToAddress(key.PublicKey): rich},
		receipts: map[common.Hash]map[string]any{},
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

type fakeRequest struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

type codedError struct {
	code    int
	message string
}

func (e codedError) Error() string { return e.message }

func (f *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if raw[0] != '[' {
		var one fakeRequest
		_ = json.Unmarshal(raw, &one)
		_ = json.NewEncoder(w).Encode(f.answer(one))
		return
	}
	var many []fakeRequest
	_ = json.Unmarshal(raw, &many)
	out := []any{}
	for _, one := range many {
		out = append(out, f.answer(one))
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fakeNode) answer(q fakeRequest) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	result, err := f.call(q)
	out := map[string]any{"jsonrpc": "2.0", "id": q.ID}
	if err != nil {
		code := -32000
		if c, ok := err.(codedError); ok {
			code = c.code
		}
		out["error"] = map[string]any{"code": code, "message": err.Error()}
		return out
	}
	out["result"] = result
	return out
}

func (f *fakeNode) call(q fakeRequest) (any, error) {
	var addr common.Address
	var hash common.Hash
	switch q.Method {
	case "eth_chainId":
		return (*hexutil.Big)(fakeChainID), nil
	case "web3_clientVersion":
		return "fake/1", nil
	case "eth_getBlockByNumber":
		return map[string]any{"baseFeePerGas": "0x7"}, nil
	case "eth_maxPriorityFeePerGas":
		return "0x1", nil
	case "eth_estimateGas":
		return hexutil.Uint64(100_000), nil
	case "eth_getTransactionCount":
		_ = json.Unmarshal(q.Params[0], &addr)
		return hexutil.Uint64(f.nonces[addr]), nil
	case "eth_getBalance":
		_ = json.Unmarshal(q.Params[0], &addr)
		return (*hexutil.Big)(new(big.Int).Add(f.balance(addr), big.NewInt(f.drift))), nil
	case "eth_call":
		var msg struct{ Input hexutil.Bytes }
		_ = json.Unmarshal(q.Params[0], &msg)
		have := f.tokens[common.BytesToAddress(msg.Input[4:])]
		return hexutil.Bytes(common.BigToHash(new(big.Int).SetUint64(have)).Bytes()), nil
	case "eth_getTransactionReceipt":
		_ = json.Unmarshal(q.Params[0], &hash)
		return f.copyOf(hash, f.reread), nil
	case "eth_sendRawTransaction", "eth_sendRawTransactionSync":
		return f.send(q)
	}
	return nil, codedError{-32601, "the method " + q.Method + " does not exist/is not available"}
}

func (f *fakeNode) send(q fakeRequest) (any, error) {
	synchronous := strings.HasSuffix(q.Method, "Sync")
	if synchronous && f.noSync {
		return nil, codedError{-32601, "the method does not exist"}
	}
	var raw hexutil.Bytes
	_ = json.Unmarshal(q.Params[0], &raw)
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return nil, codedError{-32602, "cannot decode"}
	}
	if err := f.apply(tx); err != nil {
		return nil, err
	}
	if synchronous {
		return f.copyOf(tx.Hash(), f.corrupt), nil
	}
	return tx.Hash(), nil
}

func (f *fakeNode) balance(a common.Address) *big.Int {
	if f.balances[a] == nil {
		f.balances[a] = new(big.Int)
	}
	return f.balances[a]
}

func (f *fakeNode) apply(tx *types.Transaction) error {
	from, err := types.Sender(types.LatestSignerForChainID(fakeChainID), tx)
	if err != nil {
		return err
	}
	if have := f.nonces[from]; have != tx.Nonce() {
		return fmt.Errorf("nonce too low: next nonce %d, tx nonce %d", have, tx.Nonce())
	}
	if f.refuse != nil {
		n := f.seen
		f.seen++
		if err := f.refuse(n); err != nil {
			return err
		}
	}
	const gasUsed, gasPrice = 21_000, 8
	cost := new(big.Int).Add(tx.Value(), big.NewInt(gasUsed*gasPrice))
	if f.balance(from).Cmp(cost) < 0 {
		return fmt.Errorf("insufficient funds for gas * price + value: address %s have %s want %s", from, f.balance(from), cost)
	}
	f.balance(from).Sub(f.balance(from), cost)
	f.nonces[from]++
	receipt := map[string]any{
		"transactionHash": tx.Hash(), "blockHash": common.Hash{1}, "from": from, "to": tx.To(), "status": "0x1",
		"gasUsed": hexutil.Uint64(gasUsed), "effectiveGasPrice": hexutil.Uint64(gasPrice), "logs": []any{},
	}
	switch {
	case tx.To() == nil:
		f.token = crypto.CreateAddress(from, tx.Nonce())
		f.tokens[from] = 1 << 60
		receipt["contractAddress"] = f.token
	case *tx.To() == f.token:
		to, value := common.BytesToAddress(tx.Data()[4:36]), new(big.Int).SetBytes(tx.Data()[36:])
		f.tokens[from] -= value.Uint64()
		f.tokens[to] += value.Uint64()
		receipt["logs"] = []any{map[string]any{
			"address": f.token, "data": hexutil.Bytes(tx.Data()[36:]),
			"topics": []common.Hash{crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")),
				common.BytesToHash(from[:]), common.BytesToHash(to[:])},
		}}
	default:
		f.balance(*tx.To()).Add(f.balance(*tx.To()), tx.Value())
	}
	f.receipts[tx.Hash()] = receipt
	return nil
}

// copyOf returns a copy of a receipt that change, if any, has altered.
func (f *fakeNode) copyOf(hash common.Hash, change func(map[string]any)) map[string]any {
	have := f.receipts[hash]
	if have == nil {
		return nil
	}
	out := map[string]any{}
	for k, v := range have {
		out[k] = v
	}
	if change != nil {
		change(out)
	}
	return out
}
