package bridging

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

func TestTheL2NodesPriceIsBounded(t *testing.T) {
	const gwei = params.GWei
	for name, x := range map[string]struct {
		base, tip int64
		bound     *big.Int
		most      int64 // 0: refused
		says      string
	}{
		"an idle chain":              {1_000_000, 1_000_000, nil, 3_000_000, ""},
		"twice would be too much":    {6 * gwei, gwei, nil, 10 * gwei, ""},
		"all that is allowed":        {9 * gwei, gwei, nil, 10 * gwei, ""},
		"a base fee that is not":     {10 * gwei, 1, nil, 0, "asks 10.000000001 gwei for a gas, a base fee of 10 and a tip of 0.000000001; allowed is 10 "},
		"a tip that is not":          {1, 11 * gwei, nil, 0, "--max-l2-gas-price"},
		"more is allowed":            {20 * gwei, 0, big.NewInt(50 * gwei), 40 * gwei, ""},
		"less is allowed than usual": {gwei, 0, big.NewInt(1000), 0, "allowed is 0.000001000 "},
	} {
		onL2 := newFakeLayer(t, map[string]any{
			"eth_getBlockByNumber":     &types.Header{Number: big.NewInt(1), Difficulty: new(big.Int), BaseFee: big.NewInt(x.base)},
			"eth_maxPriorityFeePerGas": hexutil.EncodeBig(big.NewInt(x.tip)),
		})
		c := newFakeClient(t, newFakeLayer(t, map[string]any{"eth_chainId": "0x7", "web3_clientVersion": "fake"}), onL2)
		c.opts.MaxL2GasPrice = x.bound
		tip, most, err := c.priceL2(t.Context())
		switch {
		case x.most == 0 && (err == nil || !strings.Contains(err.Error(), x.says)):
			t.Errorf("%s: %v, want %s", name, err, x.says)
		case x.most != 0 && (err != nil || tip.Int64() != x.tip || most.Int64() != x.most):
			t.Errorf("%s: tip %v of %v, %v, want %d", name, tip, most, err, x.most)
		}
	}
}
