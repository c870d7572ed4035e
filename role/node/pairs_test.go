package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/fixtures"
	"github.com/talaria-l2/talaria/rpc"
)

// pair is a request of the execution-apis with its response, on go-ethereum's test
// chain.
type pair struct {
	name, method string // name is method/file
	params       json.RawMessage
	response     reply
}

func loadPairs(t *testing.T) (out []*pair) {
	t.Helper()
	err := fixtures.Files(archive(t, fixtures.PairArchive), ".io", func(name string, content []byte) error {
		name = path.Base(path.Dir(name)) + "/" + strings.TrimSuffix(path.Base(name), ".io")
		for line := range bytes.Lines(content) {
			switch {
			case bytes.HasPrefix(line, []byte(">> ")):
				p := &pair{name: name, params: json.RawMessage("[]")}
				request := struct {
					Method *string
					Params *json.RawMessage
				}{&p.method, &p.params}
				if err := json.Unmarshal(line[3:], &request); err != nil {
					return err
				}
				out = append(out, p)
			case bytes.HasPrefix(line, []byte("<< ")):
				if err := json.Unmarshal(line[3:], &out[len(out)-1].response); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The pairs' chain: its last block, and that block's time.
const pairHead, pairTime = 54, 540

// Contracts of the pairs' chain that the error cases call.
var (
	pairError    = common.HexToAddress("0x0ee3ab1371c93e7c0c281cc0c2107cdebc8b1930") // reverts with Error("user error")
	pairCalldata = common.HexToAddress("0x17e7eedce4ac02ef114a7ed9fe6e2f33feba1667") // reverts with "wrong-calldatasize"
	pairUser     = common.HexToAddress("0x7dcd17433742f4c0ca53122ab541d0ba67fc27df")
)

// newPairWorld is a chain as long as that of the pairs needs to be, with the contracts
// that they call.
func newPairWorld(t *testing.T) *world {
	w := newNodeWorldFrom(t, Options{}, func(w *world) {
		w.ethereum = true
		user := common.FromHex("0x08c379a0" + word(0x20) + word(10) + "75736572206572726f72" + strings.Repeat("00", 22))
		for addr, data := range map[common.Address][]byte{pairError: user, pairCalldata: []byte("wrong-calldatasize")} {
			w.g.Alloc[addr] = types.Account{Code: reverting(data), Nonce: 1}
		}
		w.g.Alloc[pairUser] = types.Account{Code: storeCode, Nonce: 1, Storage: map[common.Hash]common.Hash{{}: {31: 0x38}}}
	})
	w.block([]*chain.Tx{w.put(0, 1, 7)})
	for range 3 {
		w.block()
	}
	return w
}

// reverting is code that reverts with the data, which follows the code.
func reverting(data []byte) []byte {
	n, at := byte(len(data)), byte(11)
	return append([]byte{0x60, n, 0x60, at, 0x5f, 0x39, 0x60, n, 0x5f, 0xfd, 0x00}, data...)
}

// translated is the request as it would be put to the world's chain: numbers and times
// keep their distance from the head, and the genesis hash is ours.
func (p *pair) translated(w *world) string {
	head := w.node.PublishedHead()
	var value any
	if err := json.Unmarshal(p.params, &value); err != nil {
		w.t.Fatal(err)
	}
	quantity := func(text string, was, is uint64) string {
		n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
		if err != nil || !strings.HasPrefix(text, "0x") || n+is < was {
			return text // wrong on purpose, or far from the head
		}
		return fmt.Sprintf("0x%x", n+is-was)
	}
	var walk func(key string, v any) any
	walk = func(key string, v any) any {
		switch v := v.(type) {
		case string:
			switch key {
			case "number", "fromBlock", "toBlock":
				return quantity(v, pairHead, head.Number.Uint64())
			case "time":
				return quantity(v, pairTime, head.Time)
			}
		case []any:
			for i := range v {
				v[i] = walk("", v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = walk(k, v[k])
			}
		}
		return v
	}
	list := value.([]any)
	for i := range list {
		list[i] = walk("", list[i])
		if text, ok := list[i].(string); ok && i == 1 && p.method == "eth_simulateV1" {
			list[i] = quantity(text, pairHead, head.Number.Uint64())
		}
		if list[i] == "0x44fd89d504659cd58f48f4796b77a7e7012cf296a2409afa2f6c3cb99b5b3d99" { // their genesis
			list[i] = w.header(0).Hash().Hex()
		}
	}
	out, err := json.Marshal(list)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(out)
}

// otherCodes are error cases whose code differs here, with the reason.
var otherCodes = map[string]string{
	"eth_simulateV1/ethSimulate-override-all-in-BlockStateCalls":             "a block that fills a gap is 1 s after the one before, as the schema says, not 12 s: the time is in order",
	"eth_simulateV1/ethSimulate-block-override-reflected-in-contract-simple": "as above",
}

// TestErrorCodesAreThoseOfTheExecutionAPIs puts every request to which go-ethereum
// answers with an error and compares the codes.
func TestErrorCodesAreThoseOfTheExecutionAPIs(t *testing.T) {
	all := loadPairs(t)
	w := newPairWorld(t)
	c := w.serve(rpc.Options{})
	compared := 0
	for _, p := range all {
		if p.response.Error == nil {
			continue
		}
		got := c.ask(p.method, p.translated(w))
		same := got.Error != nil && got.Error.Code == p.response.Error.Code
		if reason, differs := otherCodes[p.name]; differs {
			if same {
				t.Errorf("%s: the code is the same: take it off the list (%s)", p.name, reason)
			}
			continue
		}
		if compared++; !same {
			t.Errorf("%s: %.200s %+v, want code %d (%s)", p.name, got.Result, got.Error, p.response.Error.Code, p.response.Error.Message)
		}
	}
	if compared < 25 {
		t.Errorf("only %d error cases", compared)
	}
}

// otherKeys are members that answers have here and not there, or the other way round,
// with the reason; see ours.
var otherKeys = map[string]string{
	"blockTimestamp": "also in transactions, as go-ethereum has it since 1.16",
}

// keysOf are the paths of all members of a value; lists count as one element, and maps
// by address as one member.
func keysOf(value any, at string, out map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if len(name) == 42 && strings.HasPrefix(name, "0x") {
				name = "<address>"
			}
			if otherKeys[name] == "" && ours[name] == "" {
				out[at+"."+name] = true
				keysOf(member, at+"."+name, out)
			}
		}
	case []any:
		for _, elem := range v {
			keysOf(elem, at+"[]", out)
		}
	}
}

// shapeMethods are those whose pairs name nothing of the other chain but blocks and
// accounts that are here, too, so that the answers have the same members.
var shapeMethods = []string{
	"eth_config", "eth_getStorageValues", "eth_getProof", "eth_simulateV1", "eth_blockNumber", "eth_baseFee", "eth_blobBaseFee",
	"eth_getBalance", "eth_getCode", "eth_getStorageAt", "eth_getTransactionCount", "eth_syncing",
}

// otherShapes are pairs that are not compared, with the reason.
var otherShapes = map[string]string{
	"eth_config/get-config":                                          "there are forks to come there, and system contracts of the consensus layer",
	"eth_simulateV1/ethSimulate-blockhash-start-before-head":         "its contract reverts unless the head is that of its chain",
	"eth_simulateV1/ethSimulate-empty-with-block-num-set-firstblock": "block 2 of their chain has the rules of before London",
	"eth_simulateV1/ethSimulate-blobs":                               "this chain takes no blob transactions",
	"eth_getProof/get-account-proof-blockhash":                       "the hash is of the other chain: the same request by number is compared",
}

// TestAnswersHaveTheMembersOfTheExecutionAPIs compares the members of answers.
func TestAnswersHaveTheMembersOfTheExecutionAPIs(t *testing.T) {
	all := loadPairs(t)
	w := newPairWorld(t)
	c := w.serve(rpc.Options{})
	compared := 0
	for _, p := range all {
		if p.response.Error != nil || !slices.Contains(shapeMethods, p.method) || otherShapes[p.name] != "" {
			continue
		}
		got := c.ask(p.method, p.translated(w))
		if got.Error != nil {
			if strings.Contains(got.Error.Message, "header") || p.method == "eth_simulateV1" && otherCodes[p.name] != "" {
				continue // a block that only the other chain has
			}
			t.Errorf("%s: %+v", p.name, *got.Error)
			continue
		}
		var have, want any
		if json.Unmarshal(got.Result, &have) != nil || json.Unmarshal(p.response.Result, &want) != nil {
			t.Fatal(p.name)
		}
		haveKeys, wantKeys := make(map[string]bool), make(map[string]bool)
		keysOf(have, "", haveKeys)
		keysOf(want, "", wantKeys)
		if compared++; !maps.Equal(haveKeys, wantKeys) {
			t.Errorf("%s: members differ: %v", p.name, difference(haveKeys, wantKeys))
		}
	}
	if compared < 40 {
		t.Errorf("only %d answers compared", compared)
	}
}

// difference marks what only one of two sets has: + here, - there.
func difference(have, want map[string]bool) (out []string) {
	for name := range have {
		if !want[name] {
			out = append(out, "+"+name)
		}
	}
	for name := range want {
		if !have[name] {
			out = append(out, "-"+name)
		}
	}
	slices.Sort(out)
	return out
}
