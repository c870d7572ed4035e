package bridging

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// Deposit is what is to be moved from L1 to L2.
type Deposit struct {
	Amount *big.Int       // in the smallest unit
	To     common.Address // on L2; zero: the sender's
	// Token on L1 and its representation on L2; zero Token: the chain's currency;
	// chain.EtherToken: ether, as a token where the currency is another. A zero L2Token is
	// looked up.
	Token, L2Token common.Address
	Gas            uint32 // L2 gas of the receiver, at least [100,000; 200,000 of a token]
	// Create makes the token's representation on L2 if there is none.
	Create bool
}

// Send sends a deposit on L1 and returns its transaction there. Arrive waits for the rest.
func (c *Client) Send(ctx context.Context, d Deposit) (*types.Receipt, error) {
	if d.To == (common.Address{}) {
		d.To = c.Address()
	}
	switch d.Token {
	case common.Address{}:
	case chain.EtherToken:
		return c.depositEther(ctx, d)
	default:
		return c.depositToken(ctx, d)
	}
	portal, err := c.contract("portal")
	if err != nil {
		return nil, err
	}
	gas := uint64(max(d.Gas, 21_000))
	if d.Gas == 0 {
		gas = 100_000
	}
	if c.NativeToken() {
		return c.depositCurrency(ctx, d, gas)
	}
	return c.sendL1(ctx, "deposit", l1.Request{
		To: &portal, Value: d.Amount, Data: bindings.NewPortal().PackDepositTransaction(d.To, d.Amount, gas, false, nil),
	})
}

// depositCurrency deposits the L1 token that is the currency of L2.
func (c *Client) depositCurrency(ctx context.Context, d Deposit, gas uint64) (*types.Receipt, error) {
	escrow := c.at["nativeTokenBridge"]
	b := bindings.NewNativeTokenBridge()
	token, err := callL1(ctx, c, escrow, b.PackTOKEN(), b.UnpackTOKEN)
	if err != nil {
		return nil, err
	}
	if err := c.approve(ctx, token, escrow, d.Amount); err != nil {
		return nil, err
	}
	return c.sendL1(ctx, "deposit", l1.Request{To: &escrow, Data: b.PackDepositERC20Transaction(d.To, d.Amount, d.Amount, gas, false, nil)})
}

// depositEther deposits ether through the standard bridge, which knows what it is on L2.
func (c *Client) depositEther(ctx context.Context, d Deposit) (*types.Receipt, error) {
	to, err := c.contract("l1StandardBridge")
	if err != nil {
		return nil, err
	}
	gas := d.Gas
	if gas == 0 {
		gas = 200_000
	}
	return c.sendL1(ctx, "deposit", l1.Request{To: &to, Value: d.Amount, Data: bindings.NewL1StandardBridge().PackDepositETHTo(d.To, gas, nil)})
}

func (c *Client) depositToken(ctx context.Context, d Deposit) (*types.Receipt, error) {
	to, err := c.contract("l1StandardBridge")
	if err != nil {
		return nil, err
	}
	if d.L2Token, err = c.Representation(ctx, d); err != nil {
		return nil, err
	}
	if err := c.approve(ctx, d.Token, to, d.Amount); err != nil {
		return nil, err
	}
	gas := d.Gas
	if gas == 0 {
		gas = 200_000
	}
	return c.sendL1(ctx, "deposit", l1.Request{To: &to, Data: bindings.NewL1StandardBridge().PackDepositERC20To(d.Token, d.L2Token, d.To, d.Amount, gas, nil)})
}
