package node

import (
	"strings"
	"testing"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

func TestBundlesOfCalls(t *testing.T) {
	w := newNodeWorld(t)
	head := w.block([]*chain.Tx{w.put(0, 1, 7)})
	c := w.serve(rpc.Options{})
	number := `{"to":"` + numberAddr.Hex() + `"}`
	got := result[[][]struct{ Value, Error, Data string }](c, "eth_callMany", `[[
		{"transactions":[`+number+`,{"to":"`+revertAddr.Hex()+`","input":"0xabcd"}],"blockOverride":{"blobBaseFee":"0x9"}},
		{"transactions":[`+number+`]}
	],{"blockNumber":"0x1","transactionIndex":-1},{},5000]`)
	if len(got) != 2 || len(got[0]) != 2 || !strings.HasPrefix(got[0][0].Value, "0x"+word(9)+word(1)) || !strings.HasPrefix(got[1][0].Value, "0x"+word(1)+word(2)) {
		t.Fatalf("%+v", got)
	}
	if hash := head.Hash().Hex()[2:]; !strings.HasSuffix(got[1][0].Value, hash) {
		t.Errorf("the second bundle is in block 2, whose parent is %s: %s", hash, got[1][0].Value)
	}
	if got[0][1].Error != "execution reverted" || got[0][1].Data != "0xabcd" {
		t.Errorf("%+v", got[0][1])
	}
	for params, code := range map[string]int{
		`[[]]`: rpc.CodeInvalidParams, `[[{"transactions":[` + number + `]}],{"blockNumber":"0x99"}]`: rpc.CodeServer,
		`[[{"transactions":[` + number + `]}],{"transactionIndex":3}]`: rpc.CodeInvalidParams,
	} {
		if r := c.ask("eth_callMany", params); r.Error == nil || r.Error.Code != code {
			t.Errorf("%s: %+v", params, r.Error)
		}
	}
}
