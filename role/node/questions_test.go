package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// ours are members that answers have beyond the schema, which forbids others where it
// names all members. They are taken off before an answer is checked.
var ours = map[string]string{
	"miniBlockCount":        "how many mini-blocks a block is made of",
	"miniBlockNumber":       "where a receipt's transaction is before its block has a hash",
	"finality":              "the tier of a receipt's block",
	"l1Fee":                 "what a receipt's transaction paid for its data on L1, and by which prices, as on the OP Stack",
	"l1GasUsed":             "see l1Fee",
	"l1GasPrice":            "see l1Fee",
	"l1BaseFeeScalar":       "see l1Fee",
	"l1BlobBaseFee":         "see l1Fee",
	"l1BlobBaseFeeScalar":   "see l1Fee",
	"depositNonce":          "of a deposit's receipt, as on the OP Stack",
	"depositReceiptVersion": "of a deposit, as on the OP Stack",
}

// Transactions of type 0x7e are L1's. The schema does not know the type; they and their
// receipts are taken out of lists, and looked at by rpc.TestJSONShapes.
const depositType = "0x7e"

// standard takes off what the schema cannot know.
func standard(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range ours {
			delete(v, name)
		}
		for name := range v {
			v[name] = standard(v[name])
		}
	case []any:
		v = slices.DeleteFunc(v, func(elem any) bool {
			object, ok := elem.(map[string]any)
			return ok && object["type"] == depositType
		})
		for i := range v {
			v[i] = standard(v[i])
		}
		return v
	}
	return value
}

// elsewhere are methods of the schema that this test does not ask, and why.
var elsewhere = map[string]string{
	"eth_sign":             "only a development chain holds keys: see rpc.TestFixedAnswers and the tests of rpc/dev.go",
	"eth_signTransaction":  "as eth_sign",
	"eth_sendTransaction":  "as eth_sign",
	"testing_buildBlockV1": "only a development chain offers it",
	"txpool_content":       "the sequencer's: tested where it is",
	"txpool_contentFrom":   "as txpool_content",
	"txpool_status":        "as txpool_content",
}

// asked is a chain with every kind of transaction, and what to ask about it.
type asked struct {
	*world
	blocks []*chain.Block
}

// fill makes blocks with all types of transactions, creations, logs, failures and
// delegations, and leaves one open.
func newAsked(t *testing.T) *asked {
	a := &asked{world: newNodeWorld(t)}
	fee := big.NewInt(worldFee)
	to := common.Address{0xaa}
	list := types.AccessList{{Address: storeAddr, StorageKeys: []common.Hash{{31: 1}}}}
	data := common.FromHex(word(1) + word(7))
	auth, err := types.SignSetCode(a.keys[3], types.SetCodeAuthorization{ChainID: *uint256.NewInt(a.g.Config.ChainID), Address: storeAddr})
	if err != nil {
		t.Fatal(err)
	}
	code := common.FromHex("600160005360016000f3")
	a.blocks = append(a.blocks,
		a.block([]*chain.Tx{
			a.sign(0, &types.LegacyTx{To: &to, Value: big.NewInt(5), Gas: 21_000, GasPrice: fee}),
			a.sign(0, &types.AccessListTx{To: &storeAddr, Value: new(big.Int), Gas: 200_000, GasPrice: fee, AccessList: list, Data: data}),
		}, []*chain.Tx{a.put(1, 1, 9)}),
		a.block([]*chain.Tx{
			a.sign(0, &types.SetCodeTx{
				To: a.user(3), Value: new(uint256.Int), Gas: 200_000, GasFeeCap: uint256.NewInt(worldFee), GasTipCap: uint256.NewInt(1),
				AuthList: []types.SetCodeAuthorization{auth}, Data: data,
			}),
			a.sign(0, &types.DynamicFeeTx{Value: new(big.Int), Gas: 200_000, GasFeeCap: fee, GasTipCap: big.NewInt(1), Data: code}),
			a.sign(0, &types.LegacyTx{Value: new(big.Int), Gas: 200_000, GasPrice: fee, Data: common.FromHex("fe")}),
		}),
		a.block([]*chain.Tx{a.call(2, revertAddr, 1, nil), a.put(1, 2, 3)}),
		a.block(),
	)
	a.begin([]*chain.Tx{a.put(1, 3, 4)})
	return a
}

// questions are the parameters to ask each method with.
func (a *asked) questions() map[string][]string {
	who, put := `"`+a.user(0).Hex()+`"`, `"`+storeAddr.Hex()+`"`
	hash := func(i int) string { return `"` + a.blocks[i].Hash().Hex() + `"` }
	unknown := `"` + common.Hash{0xee}.Hex() + `"`
	var numbers, hashes, txs, places, placesByHash []string
	for _, n := range []string{`"earliest"`, `"0x1"`, `"0x2"`, `"0x3"`, `"latest"`, `"pending"`, `"safe"`, `"finalized"`, `"0x99"`} {
		numbers = append(numbers, n)
	}
	for i, b := range a.blocks {
		hashes = append(hashes, hash(i))
		for k, tx := range b.Txs[1:] { // the first is L1's
			txs = append(txs, `["`+tx.Hash().Hex()+`"]`)
			places = append(places, fmt.Sprintf(`["0x%x","0x%x"]`, b.Number(), k+1))
			placesByHash = append(placesByHash, fmt.Sprintf(`[%s,"0x%x"]`, hash(i), k+1))
		}
	}
	hashes = append(hashes, unknown)
	each := func(list []string, more ...string) (out []string) {
		for _, one := range list {
			for _, m := range append(more, "") {
				out = append(out, "["+one+m+"]")
			}
		}
		return out
	}
	state := func(prefix string) []string {
		return []string{"[" + prefix + "]", "[" + prefix + `,"latest"]`, "[" + prefix + `,"0x1"]`, "[" + prefix + "," + hash(1) + "]", "[" + prefix + `,{"blockHash":` + hash(2) + `}]`}
	}
	call := `{"from":` + who + `,"to":` + put + `,"input":"0x` + word(1) + word(2) + `"}`
	none := []string{"[]"}
	sealed := []string{`["0x1"]`, `["0x2"]`, `["latest"]`, `["earliest"]`}
	q := map[string][]string{
		"debug_getRawHeader": sealed, "debug_getRawBlock": sealed, "debug_getRawReceipts": sealed, "debug_getRawBlockAccessList": sealed,
		"debug_getRawTransaction": append(txs, "["+unknown+"]"), "eth_getTransactionByHash": append(txs, "["+unknown+"]"),
		"eth_getTransactionReceipt":            append(txs, "["+unknown+"]"),
		"eth_getBlockByHash":                   append(each(hashes, ",true"), "["+hash(0)+",false]"),
		"eth_getBlockTransactionCountByNumber": each(numbers), "eth_getBlockTransactionCountByHash": each(hashes),
		"eth_getBlockReceipts": append(each(hashes), each(numbers[:5])...), "eth_getBlockAccessList": append(each(hashes), each(numbers)...),
		"eth_getTransactionByBlockNumberAndIndex": append(places, `["0x1","0x99"]`), "eth_getTransactionByBlockHashAndIndex": append(placesByHash, "["+unknown+`,"0x0"]`),
		"eth_getBalance": state(who), "eth_getTransactionCount": state(who), "eth_getCode": append(state(put), state(who)...),
		"eth_getStorageAt": state(put + `,"0x1"`), "eth_getStorageValues": state("{" + put + `:["0x1","0x2"],` + who + `:["0x0"]}`),
		"eth_getProof": append(state(put+`,["0x1","0x99","0x`+word(2)+`"]`), state(`"`+common.Address{0xdd}.Hex()+`",["0x0"]`)...),
		"eth_call":     state(call), "eth_estimateGas": state(call), "eth_createAccessList": state(call),
		"eth_feeHistory":      {`["0x3","latest",[10,50]]`, `["0x2","0x2",[]]`, `["0x0","latest",[]]`},
		"eth_getLogs":         {`[{"fromBlock":"0x1","toBlock":"latest"}]`, `[{"blockHash":` + hash(0) + `}]`, `[{"fromBlock":"earliest","topics":[null]}]`, `[{"address":[` + who + `]}]`},
		"eth_fillTransaction": {"[" + call + "]", `[{"from":` + who + `,"to":` + put + `,"gasPrice":"0x1312d00"}]`, `[{"from":` + who + `,"to":` + put + `,"gasPrice":"0x1312d00","accessList":[]}]`},
		"eth_simulateV1": {
			`[{"blockStateCalls":[{"calls":[` + call + `,{"to":"` + revertAddr.Hex() + `"}]},{"blockOverrides":{"number":"0x8"}}],"traceTransfers":true,"returnFullTransactions":true},"latest"]`,
			`[{"blockStateCalls":[{"stateOverrides":{` + put + `:{"code":"0x5b5f56"}},"calls":[{"to":` + put + `,"gas":"0x10000"}]}]},"0x2"]`,
		},
	}
	all := `,{"enableMemory":true,"enableReturnData":true}`
	for _, tx := range txs {
		one := strings.Trim(tx, "[]")
		q["debug_traceTransaction"] = append(q["debug_traceTransaction"], tx, "["+one+all+"]", "["+one+`,{"disableStack":true,"disableStorage":true}]`)
	}
	q["debug_traceBlockByNumber"] = []string{`["0x1"]`, `["0x2"` + all + `]`, `["latest"]`, `["pending"]`, `["0x3",{"tracer":"callTracer"}]`}
	q["debug_traceBlockByHash"] = []string{"[" + hash(0) + "]", "[" + hash(1) + all + "]"}
	// A pending block has no hash and nonce yet: see rpc.TestGoEthereumsClientOverBothTransports.
	q["eth_getBlockByNumber"] = each(slices.DeleteFunc(slices.Clone(numbers), func(n string) bool { return n == `"pending"` }), ",true", ",false")
	for _, method := range []string{
		"debug_getBadBlocks", "eth_accounts", "eth_baseFee", "eth_blobBaseFee", "eth_blockNumber", "eth_capabilities", "eth_chainId", "eth_coinbase",
		"eth_config", "eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_newBlockFilter", "eth_syncing", "net_version",
	} {
		q[method] = none
	}
	q["eth_newPendingTransactionFilter"] = none
	q["eth_newFilter"] = []string{`[{"fromBlock":"0x1"}]`}
	return q
}

// TestEveryMethodOfTheSchemaAnswersInShape asks a real node for everything and checks
// the answers against the execution-apis' types.
func TestEveryMethodOfTheSchemaAnswersInShape(t *testing.T) {
	s := loadSchema(t)
	a := newAsked(t)
	c := a.serve(rpc.Options{})
	check := func(method, params string) string {
		t.Helper()
		r := c.ask(method, params)
		if r.Error != nil {
			t.Errorf("%s%s: %+v", method, params, *r.Error)
			return ""
		}
		var value any
		if err := json.Unmarshal(r.Result, &value); err != nil {
			t.Fatal(err)
		}
		if err := s.check(s.results[method], standard(value), method); err != nil {
			t.Errorf("%s%s: %v\n%.600s", method, params, err, r.Result)
		}
		return string(r.Result)
	}
	questions := a.questions()
	done := make(map[string]bool)
	for _, method := range slices.Sorted(maps.Keys(questions)) {
		done[method] = true
		for _, params := range questions[method] {
			check(method, params)
		}
	}
	filter := check("eth_newFilter", `[{"fromBlock":"0x1"}]`)
	pending := check("eth_newPendingTransactionFilter", "[]")
	raw := a.put(1, 4, 4).Raw()
	check("eth_sendRawTransaction", `["`+hexutil.Encode(raw)+`"]`)
	check("eth_getFilterChanges", "["+filter+"]")
	check("eth_getFilterChanges", "["+pending+"]")
	check("eth_getFilterLogs", "["+filter+"]")
	check("eth_uninstallFilter", "["+filter+"]")
	for _, method := range []string{"eth_sendRawTransaction", "eth_getFilterChanges", "eth_getFilterLogs", "eth_uninstallFilter"} {
		done[method] = true
	}
	for _, method := range slices.Sorted(maps.Keys(s.results)) {
		if _, other := elsewhere[method]; !done[method] && !other {
			t.Errorf("%s is not asked", method)
		}
	}
}
