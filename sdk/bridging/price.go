package bridging

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/params"
)

// DefaultMaxL2GasPrice is what a gas of L2 may cost where nothing else is said, in wei of its
// currency: 10 gwei, thousands of times what an idle chain asks. A withdrawal is then 0.003
// at most, besides the L1 data fee, which the chain's rules set.
const DefaultMaxL2GasPrice = 10 * params.GWei

// priceL2 is what to offer for a gas of L2: what its node asks and twice its base fee, within
// the bound.
func (c *Client) priceL2(ctx context.Context) (tip, most *big.Int, err error) {
	head, err := c.l2.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	if head.BaseFee == nil || head.BaseFee.Sign() < 0 {
		return nil, nil, fmt.Errorf("the L2 node's block %v has no base fee", head.Number)
	}
	if tip, err = c.l2.SuggestGasTipCap(ctx); err != nil {
		return nil, nil, err
	}
	bound := c.opts.MaxL2GasPrice
	if bound == nil {
		bound = big.NewInt(DefaultMaxL2GasPrice)
	}
	if asked := new(big.Int).Add(head.BaseFee, tip); tip.Sign() < 0 || asked.Cmp(bound) > 0 {
		return nil, nil, fmt.Errorf("the L2 node asks %s gwei for a gas, a base fee of %s and a tip of %s; allowed is %s (allow more with --max-l2-gas-price, or ask another node with --l2-url)",
			gwei(asked), gwei(head.BaseFee), gwei(tip), gwei(bound))
	}
	most = new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(2)))
	if most.Cmp(bound) > 0 {
		most.Set(bound)
	}
	return tip, most, nil
}

// gwei writes wei in gwei.
func gwei(wei *big.Int) string {
	text := new(big.Rat).SetFrac(wei, big.NewInt(params.GWei))
	if text.IsInt() {
		return text.Num().String()
	}
	return text.FloatString(9)
}
