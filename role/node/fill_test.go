package node

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// TestFilledTransactions: what is filled in can be signed and executed as it is.
func TestFilledTransactions(t *testing.T) {
	w := newNodeWorld(t)
	w.block([]*chain.Tx{w.put(0, 1, 7)})
	w.begin()
	c := w.serve(rpc.Options{})
	from := w.user(0).Hex()
	id := new(big.Int).SetUint64(w.g.Config.ChainID)
	for i, tc := range []struct {
		fields string
		typ    byte
	}{
		{`"to":"` + storeAddr.Hex() + `","input":"0x` + word(1) + word(5) + `"`, types.DynamicFeeTxType},
		{`"to":"` + storeAddr.Hex() + `","input":"0x` + word(1) + word(6) + `","gasPrice":"0x1312d00"`, types.LegacyTxType},
		{`"to":"` + storeAddr.Hex() + `","gasPrice":"0x1312d00","accessList":[]`, types.AccessListTxType},
		{`"input":"0x6001"`, types.DynamicFeeTxType},
		{`"to":"` + common.Address{9}.Hex() + `","value":"0x5","gas":"0x5300","maxFeePerGas":"0x1312d00"`, types.DynamicFeeTxType},
	} {
		got := result[struct {
			Raw hexutil.Bytes
			Tx  struct{ Nonce, Type, Gas hexutil.Uint64 }
		}](c, "eth_fillTransaction", `[{"from":"`+from+`",`+tc.fields+`}]`)
		if got.Tx.Nonce != hexutil.Uint64(i+1) || got.Tx.Type != hexutil.Uint64(tc.typ) {
			t.Errorf("%s: %+v", tc.fields, got.Tx)
		}
		tx := new(types.Transaction)
		if err := tx.UnmarshalBinary(got.Raw); err != nil {
			t.Fatal(err)
		}
		signed, err := types.SignTx(tx, types.LatestSignerForChainID(id), w.keys[0])
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signed.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		receipt := result[struct{ Status hexutil.Uint64 }](c, "eth_sendRawTransactionSync", `["`+hexutil.Encode(raw)+`"]`)
		if receipt.Status != 1 {
			t.Errorf("%s: failed", tc.fields)
		}
	}
	// Nobody in particular has no ether; what the gas will be can be asked all the same.
	if r := c.ask("eth_fillTransaction", `[{"to":"`+storeAddr.Hex()+`"}]`); r.Error != nil {
		t.Errorf("from nobody: %+v", r.Error)
	}
	for fields, code := range map[string]int{
		`"gas":"0x1"`: rpc.CodeServer, `"to":"` + revertAddr.Hex() + `"`: rpc.CodeReverted,
		`"to":"` + storeAddr.Hex() + `","maxPriorityFeePerGas":"0x` + strings.Repeat("f", 64) + `","authorizationList":[]`: rpc.CodeServer,
		`"input":"0x01","authorizationList":[]`: rpc.CodeServer, `"to":"0x1"`: rpc.CodeInvalidParams,
	} {
		if r := c.ask("eth_fillTransaction", `[{"from":"`+from+`",`+fields+`}]`); r.Error == nil || r.Error.Code != code {
			t.Errorf("%s: %s %+v, want code %d", fields, r.Result, r.Error, code)
		}
	}
}
