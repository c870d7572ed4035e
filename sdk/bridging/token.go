package bridging

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
)

// approve lets a contract of L1 take an amount of a token, if it may not yet. Some tokens
// want an allowance to be zero before it changes.
func (c *Client) approve(ctx context.Context, token, spender common.Address, amount *big.Int) error {
	var allowed *big.Int
	if err := c.askToken(ctx, c.l1.Eth(), token, &allowed, "allowance", c.Address(), spender); err != nil {
		return err
	}
	if allowed.Cmp(amount) >= 0 {
		return nil
	}
	steps := []*big.Int{amount}
	if allowed.Sign() > 0 {
		steps = []*big.Int{new(big.Int), amount}
	}
	for _, n := range steps {
		data, err := c.l2abi.Pack("approve", spender, n)
		if err != nil {
			return err
		}
		if _, err := c.sendL1(ctx, "approve the token", l1.Request{To: &token, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

// askToken calls a function of a token on either layer.
func (c *Client) askToken(ctx context.Context, layer ethereum.ContractCaller, token common.Address, dst any, method string, args ...any) error {
	data, err := c.l2abi.Pack(method, args...)
	if err != nil {
		return err
	}
	raw, err := layer.CallContract(ctx, ethereum.CallMsg{To: &token, Data: data}, nil)
	if err == nil && len(raw) == 0 {
		err = errors.New("there is no contract at this address")
	}
	if err == nil {
		err = c.l2abi.UnpackIntoInterface(dst, method, raw)
	}
	if err != nil {
		return fmt.Errorf("ask token %s for its %s: %w", token, method, c.explain(err))
	}
	return nil
}

// Decimals is how many decimals a token of L1 or L2 has.
func (c *Client) Decimals(ctx context.Context, token common.Address, onL2 bool) (uint8, error) {
	if token == chain.EtherToken {
		return 18, nil
	}
	var out uint8
	var layer ethereum.ContractCaller = c.l1.Eth()
	if onL2 {
		layer = c.l2
	}
	return out, c.askToken(ctx, layer, token, &out, "decimals")
}

// Representation is the token of L2 that stands for one of L1: the one that is named, else
// the one that the factory makes with the name, symbol and decimals that the token has on
// L1. Its address follows from these, so that the L2 node cannot name a token of its own;
// it only says whether it is there. If it is not, it is made if it may be.
func (c *Client) Representation(ctx context.Context, d Deposit) (common.Address, error) {
	if d.L2Token != (common.Address{}) {
		var remote common.Address
		if err := c.askToken(ctx, c.l2, d.L2Token, &remote, "remoteToken"); err != nil {
			return remote, err
		}
		if remote != d.Token {
			return remote, fmt.Errorf("token %s on L2 stands for %s, not for %s", d.L2Token, remote, d.Token)
		}
		return d.L2Token, nil
	}
	m, err := c.mintable(ctx, d.Token)
	if err != nil {
		return common.Address{}, err
	}
	at := m.Addr()
	code, err := c.l2.CodeAt(ctx, at, nil)
	if err != nil {
		return common.Address{}, fmt.Errorf("look for the token's representation on L2: %w", err)
	}
	if len(code) > 0 {
		return at, nil
	}
	if !d.Create {
		return common.Address{}, fmt.Errorf("the factory on L2 has made no token for %s (name another with --l2-token, or make it with --create)", d.Token)
	}
	_, err = c.sendL2(ctx, "create the token", predeploys.MintableERC20FactoryAddr, nil, m.CreateCall())
	return at, err
}

// mintable describes the token of L2 that stands for one of L1.
func (c *Client) mintable(ctx context.Context, token common.Address) (*predeploys.MintableERC20, error) {
	if token == chain.EtherToken {
		return &predeploys.Ether, nil
	}
	m := &predeploys.MintableERC20{Remote: token}
	err := c.askToken(ctx, c.l1.Eth(), token, &m.Name, "name")
	if err == nil {
		err = c.askToken(ctx, c.l1.Eth(), token, &m.Symbol, "symbol")
	}
	if err == nil {
		m.Decimals, err = c.Decimals(ctx, token, false)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (name the token on L2 with --l2-token)", err)
	}
	return m, nil
}
