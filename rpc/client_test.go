package rpc

import (
	"context"
	"encoding/json"
	"math/big"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	gethrpc "github.com/ethereum/go-ethereum/rpc"
)

func TestGoEthereumsClientOverBothTransports(t *testing.T) {
	for _, scheme := range []string{"http", "ws"} {
		t.Run(scheme, func(t *testing.T) {
			b := newFake(t)
			_, addr := serve(t, b, Options{})
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			c, err := ethclient.DialContext(ctx, scheme+"://"+addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			drive(t, ctx, b, c)
			if scheme == "ws" {
				driveLive(t, ctx, b, c)
			}
		})
	}
}

// drive uses what a wallet uses, from the outside.
func drive(t *testing.T, ctx context.Context, b *fakeBackend, c *ethclient.Client) {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id, err := c.ChainID(ctx)
	ok(err)
	if id.Uint64() != b.cfg.ChainID {
		t.Fatalf("chain id %v", id)
	}
	tx := b.signed(t, 0)
	ok(c.SendTransaction(ctx, tx))
	r, err := c.TransactionReceipt(ctx, tx.Hash())
	ok(err)
	if r.BlockHash != zeroHash || r.Status != 1 || len(r.Logs) != 1 {
		t.Fatalf("open receipt %+v", r)
	}
	pending, err := c.HeaderByNumber(ctx, big.NewInt(-1))
	ok(err)
	if pending.Number.Uint64() != 1 || pending.GasUsed != 21000 {
		t.Fatalf("pending header %+v", pending)
	}
	blk := b.Seal()
	r, err = c.TransactionReceipt(ctx, tx.Hash())
	ok(err)
	if r.BlockHash != blk.Hash() || r.Logs[0].BlockHash != blk.Hash() || r.EffectiveGasPrice.Uint64() != 1_000_002 {
		t.Fatalf("sealed receipt %+v", r)
	}
	got, isPending, err := c.TransactionByHash(ctx, tx.Hash())
	ok(err)
	if isPending || got.Hash() != tx.Hash() {
		t.Fatal("transaction differs")
	}
	eth, err := c.BlockByHash(ctx, blk.Hash())
	ok(err)
	if eth.Hash() != blk.Hash() || len(eth.Transactions()) != 1 || eth.Transactions()[0].Hash() != tx.Hash() {
		t.Fatalf("block %x, want %x", eth.Hash(), blk.Hash())
	}
	_, err = c.BlockByNumber(ctx, big.NewInt(1))
	ok(err)
	logs, err := c.FilterLogs(ctx, ethereum.FilterQuery{FromBlock: new(big.Int), Topics: [][]common.Hash{{logTopic}}})
	ok(err)
	if len(logs) != 1 || logs[0].TxHash != tx.Hash() {
		t.Fatalf("logs %+v", logs)
	}
	rs, err := c.BlockReceipts(ctx, gethrpc.BlockNumberOrHashWithHash(blk.Hash(), true))
	ok(err)
	if len(rs) != 1 || rs[0].TxHash != tx.Hash() {
		t.Fatalf("block receipts %+v", rs)
	}
	fees, err := c.FeeHistory(ctx, 5, nil, []float64{10, 90})
	ok(err)
	if len(fees.BaseFee) != 3 || len(fees.Reward) != 2 || fees.Reward[1][1].Uint64() != 2 {
		t.Fatalf("fee history %+v", fees)
	}
	out, err := c.CallContract(ctx, ethereum.CallMsg{To: tx.To(), Data: []byte{1, 2}}, nil)
	ok(err)
	if string(out) != "\x01\x02" {
		t.Fatalf("call %x", out)
	}
	_, err = c.CallContract(ctx, ethereum.CallMsg{Data: []byte{0xfd}}, nil)
	data, isRevert := ethclient.RevertErrorData(err)
	if !isRevert || len(data) != 100 {
		t.Fatalf("revert %v %x", err, data)
	}
	bal, err := c.BalanceAtHash(ctx, common.Address{}, blk.Hash())
	ok(err)
	if bal.Uint64() != 1 {
		t.Fatalf("balance at block 1: %v", bal)
	}
	for _, f := range []func() error{
		func() error { _, err := c.SuggestGasPrice(ctx); return err },
		func() error { _, err := c.SuggestGasTipCap(ctx); return err },
		func() error { _, err := c.BlobBaseFee(ctx); return err },
		func() error { _, err := c.NetworkID(ctx); return err },
		func() error { _, err := c.PeerCount(ctx); return err },
		func() error { _, err := c.SyncProgress(ctx); return err },
		func() error { _, err := c.PendingNonceAt(ctx, common.Address{}); return err },
		func() error { _, err := c.CodeAt(ctx, common.Address{}, nil); return err },
		func() error { _, err := c.StorageAt(ctx, common.Address{}, common.Hash{1}, big.NewInt(0)); return err },
		func() error { _, err := c.EstimateGas(ctx, ethereum.CallMsg{To: tx.To()}); return err },
		func() error { _, err := c.TransactionCount(ctx, blk.Hash()); return err },
		func() error { _, err := c.PendingTransactionCount(ctx); return err },
		func() error { _, err := c.TransactionInBlock(ctx, blk.Hash(), 0); return err },
		func() error { _, err := c.HeaderByNumber(ctx, big.NewInt(int64(gethrpc.SafeBlockNumber))); return err },
	} {
		ok(f())
	}
	if _, err := c.TransactionReceipt(ctx, common.Hash{9}); err != ethereum.NotFound {
		t.Fatalf("absent receipt: %v", err)
	}
	batch := []gethrpc.BatchElem{
		{Method: "eth_blockNumber", Result: new(string)}, {Method: "eth_foo", Result: new(string)}, {Method: "eth_chainId", Result: new(string)},
	}
	ok(c.Client().BatchCallContext(ctx, batch))
	if *batch[0].Result.(*string) != "0x1" || batch[1].Error == nil || *batch[2].Result.(*string) != "0x1cf3" {
		t.Fatalf("batch %+v", batch)
	}
}

// driveLive uses subscriptions.
func driveLive(t *testing.T, ctx context.Context, b *fakeBackend, c *ethclient.Client) {
	t.Helper()
	heads, logs := make(chan *types.Header, 64), make(chan types.Log, 64)
	hs, err := c.SubscribeNewHead(ctx, heads)
	if err != nil {
		t.Fatal(err)
	}
	defer hs.Unsubscribe()
	ls, err := c.SubscribeFilterLogs(ctx, ethereum.FilterQuery{Topics: [][]common.Hash{{logTopic}}}, logs)
	if err != nil {
		t.Fatal(err)
	}
	defer ls.Unsubscribe()
	tx := b.signed(t, 1)
	if err := c.SendTransaction(ctx, tx); err != nil {
		t.Fatal(err)
	}
	select {
	case l := <-logs:
		if l.TxHash != tx.Hash() {
			t.Fatalf("log %+v", l)
		}
	case <-ctx.Done():
		t.Fatal("no log")
	}
	blk := b.Seal()
	select {
	case h := <-heads:
		if h.Hash() != blk.Hash() {
			t.Fatalf("head %x, want %x", h.Hash(), blk.Hash())
		}
	case <-ctx.Done():
		t.Fatal("no head")
	}
}

func keysOf(t *testing.T, raw json.RawMessage) (keys []string) {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func TestJSONShapes(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	dep := b.Deposit()
	b.send(t)
	b.Seal()
	signed := b.signed(t, 0).Hash().Hex()
	hashOf := func(s string) string { return `["` + s + `"]` }
	const header = "baseFeePerGas blobGasUsed difficulty excessBlobGas extraData gasLimit gasUsed hash logsBloom miner mixHash nonce number parentBeaconBlockRoot parentHash receiptsRoot requestsHash sha3Uncles stateRoot timestamp transactionsRoot withdrawalsRoot"
	for name, tc := range map[string]struct{ method, params, keys string }{
		"header":                         {"eth_getHeaderByNumber", `["0x1"]`, header},
		"block":                          {"eth_getBlockByNumber", `["0x1",true]`, header + " miniBlockCount size transactions uncles withdrawals"},
		"pending block":                  {"eth_getBlockByNumber", `["pending",false]`, header + " miniBlockCount size transactions uncles withdrawals"},
		"signed":                         {"eth_getTransactionByHash", hashOf(signed), "accessList blockHash blockNumber blockTimestamp chainId from gas gasPrice hash input maxFeePerGas maxPriorityFeePerGas nonce r s to transactionIndex type v value yParity"},
		"deposit":                        {"eth_getTransactionByHash", hashOf(dep.Hash().Hex()), "blockHash blockNumber blockTimestamp depositReceiptVersion from gas gasPrice hash input isSystemTx mint nonce r s sourceHash to transactionIndex type v value"},
		"receipt":                        {"eth_getTransactionReceipt", hashOf(signed), "blockHash blockNumber contractAddress cumulativeGasUsed effectiveGasPrice finality from gasUsed l1BaseFeeScalar l1BlobBaseFee l1BlobBaseFeeScalar l1Fee l1GasPrice l1GasUsed logs logsBloom miniBlockNumber status to transactionHash transactionIndex type"},
		"deposit receipt":                {"eth_getTransactionReceipt", hashOf(dep.Hash().Hex()), "blockHash blockNumber contractAddress cumulativeGasUsed depositNonce depositReceiptVersion effectiveGasPrice finality from gasUsed logs logsBloom miniBlockNumber status to transactionHash transactionIndex type"},
		"mini-block":                     {"talaria_getMiniBlock", `["0x1"]`, "blockNumber chainId diffHash epoch firstTxIndex gasUsed hash index number parentHash receipts receiptsHash signature timestampMicros transactions txCount txsHash"},
		"mini-block of a decimal number": {"talaria_getMiniBlock", `[1]`, "blockNumber chainId diffHash epoch firstTxIndex gasUsed hash index number parentHash receipts receiptsHash signature timestampMicros transactions txCount txsHash"},
		"finality":                       {"talaria_finality", hashOf(signed), "blockHash blockNumber eta miniBlockNumber next since tier waitsFor"},
		"sync status":                    {"talaria_syncStatus", `[]`, "currentBlock finalized head highestBlock openBlock safe syncing"},
		"access list":                    {"eth_createAccessList", `[{}]`, "accessList gasUsed"},
		"fee history":                    {"eth_feeHistory", `[2,"latest",[50]]`, "baseFeePerBlobGas baseFeePerGas blobGasUsedRatio gasUsedRatio oldestBlock reward"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, addr, tc.method, tc.params)
			want := strings.Fields(tc.keys)
			sort.Strings(want)
			if got := keysOf(t, r.Result); !reflect.DeepEqual(got, want) {
				t.Fatalf("members\n%v, want\n%v", got, want)
			}
		})
	}
	for name, tc := range map[string]struct{ method, params, want string }{
		"version":            {"net_version", `[]`, `"7411"`},
		"syncing":            {"eth_syncing", `[]`, `false`},
		"accounts":           {"eth_accounts", `[]`, `[]`},
		"sha3":               {"web3_sha3", `["0x"]`, `"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"`},
		"block number":       {"eth_blockNumber", `[]`, `"0x1"`},
		"count":              {"eth_getBlockTransactionCountByNumber", `["0x1"]`, `"0x2"`},
		"uncles":             {"eth_getUncleCountByBlockNumber", `["0x1"]`, `"0x0"`},
		"absent block":       {"eth_getBlockByNumber", `["0x9",false]`, `null`},
		"absent index":       {"eth_getTransactionByBlockNumberAndIndex", `["0x1","0x2"]`, `null`},
		"raw":                {"eth_getRawTransactionByHash", hashOf(signed), b.raw(t, 0)},
		"latest balance":     {"eth_getBalance", `["0x00000000000000000000000000000000000000aa"]`, `"0x3e8"`},
		"open block balance": {"eth_getBalance", `["0x00000000000000000000000000000000000000aa","0x2"]`, `"0x3e8"`},
		"sealed balance":     {"eth_getBalance", `["0x00000000000000000000000000000000000000aa",{"blockNumber":"0x1"}]`, `"0x1"`},
		"short storage key":  {"eth_getStorageAt", `["0x00000000000000000000000000000000000000aa","0x1","latest"]`, `"` + logTopic.Hex() + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			if r := ask(t, addr, tc.method, tc.params); string(r.Result) != tc.want {
				t.Fatalf("%s %+v, want %s", r.Result, r.Error, tc.want)
			}
		})
	}
}

func TestLogsOfTheOpenBlockAndItsLimits(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{MaxLogResults: 3})
	b.Deposit()
	b.Seal()
	b.Deposit()
	b.Deposit()
	count := func(query string) int {
		r := ask(t, addr, "eth_getLogs", "["+query+"]")
		var list []struct{ LogIndex, BlockHash string }
		if err := json.Unmarshal(r.Result, &list); err != nil {
			t.Fatalf("%s: %+v", query, r.Error)
		}
		return len(list)
	}
	for query, want := range map[string]int{
		`{}`: 3, `{"fromBlock":"pending"}`: 2, `{"fromBlock":"0x0","toBlock":"0x1"}`: 1, `{"fromBlock":"0x2","toBlock":"0x2"}`: 2,
		`{"topics":["` + (common.Hash{9}).Hex() + `"]}`: 0, `{"address":[]}`: 3, `{"topics":[null,null]}`: 0,
		`{"topics":[[null,"` + (common.Hash{9}).Hex() + `"]]}`: 3,
	} {
		if got := count(query); got != want {
			t.Errorf("%s: %d logs, want %d", query, got, want)
		}
	}
	b.Deposit()
	if r := ask(t, addr, "eth_getLogs", "[{}]"); r.Error == nil || r.Error.Code != -32005 || !strings.Contains(r.Error.Message, "more than 3 logs") {
		t.Fatalf("%+v", r)
	}
}

func TestTiersOfFinality(t *testing.T) {
	at := tiers{safe: 5, finalized: 3}
	for number, want := range map[uint64]string{3: TierFinal, 4: TierPosted, 5: TierPosted, 6: TierSequenced} {
		if got := at.of(number, true); got != want {
			t.Errorf("block %d: %s, want %s", number, got, want)
		}
	}
	if got := at.of(3, false); got != TierSequenced {
		t.Errorf("open block: %s", got)
	}
}
