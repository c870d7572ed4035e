package bridging

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
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

// Arrival is how a deposit ended on L2.
type Arrival struct {
	L1Tx common.Hash `json:"l1Transaction"`
	L2Tx common.Hash `json:"l2Transaction"`
	// Outcome is one line: arrived, or where the money is.
	Outcome string `json:"outcome"`
	Arrived bool   `json:"arrived"`
	// Refund is the withdrawal with which it goes back to its sender on L1; zero: none.
	Refund  common.Hash    `json:"refundWithdrawal,omitzero"`
	L2Token common.Address `json:"l2Token,omitzero"`
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
// the first that the factory made for it, else a new one if it may be created.
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
	logs, err := c.l2.FilterLogs(ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int), Addresses: []common.Address{tokenFactory},
		Topics: [][]common.Hash{{c.l2abi.Events["OptimismMintableERC20Created"].ID}, nil, {common.BytesToHash(d.Token[:])}},
	})
	if err != nil {
		return common.Address{}, fmt.Errorf("look for the token's representation on L2 (name it with --l2-token): %w", err)
	}
	if len(logs) > 0 {
		return common.BytesToAddress(logs[0].Topics[1][:]), nil
	}
	if !d.Create {
		return common.Address{}, fmt.Errorf("no token on L2 stands for %s (name one with --l2-token, or make one with --create)", d.Token)
	}
	return c.create(ctx, d.Token)
}

// create has L2's factory make a representation.
func (c *Client) create(ctx context.Context, token common.Address) (common.Address, error) {
	var name, symbol string
	if err := c.askToken(ctx, c.l1.Eth(), token, &name, "name"); err != nil {
		return common.Address{}, err
	}
	if err := c.askToken(ctx, c.l1.Eth(), token, &symbol, "symbol"); err != nil {
		return common.Address{}, err
	}
	decimals, err := c.Decimals(ctx, token, false)
	if err != nil {
		return common.Address{}, err
	}
	data, err := c.l2abi.Pack("createOptimismMintableERC20WithDecimals", token, name, symbol, decimals)
	if err != nil {
		return common.Address{}, err
	}
	r, err := c.sendL2(ctx, "create the token", tokenFactory, nil, data)
	if err != nil {
		return common.Address{}, err
	}
	for _, l := range r.Logs {
		if l.Address == tokenFactory && len(l.Topics) == 3 && l.Topics[0] == c.l2abi.Events["OptimismMintableERC20Created"].ID {
			return common.BytesToAddress(l.Topics[1][:]), nil
		}
	}
	return common.Address{}, fmt.Errorf("create the token: transaction %s made none", r.TxHash)
}

// ErrNoDeposit means that an L1 transaction has made no deposit.
var ErrNoDeposit = errors.New("the L1 transaction made no deposit")

// Arrive waits until L2 has executed the first deposit of an L1 transaction.
func (c *Client) Arrive(ctx context.Context, r *types.Receipt) (*Arrival, error) {
	portal, err := c.contract("portal")
	if err != nil {
		return nil, err
	}
	for _, l := range r.Logs {
		if l.Address != portal || len(l.Topics) == 0 || l.Topics[0] != chain.DepositEventTopic {
			continue
		}
		tx, err := chain.DepositFromLog(l, r.BlockHash)
		if err != nil {
			return nil, err
		}
		c.opts.Report(fmt.Sprintf("on its way: L2 transaction %s", tx.Hash()))
		done, err := c.receiptL2(ctx, tx.Hash())
		if err != nil {
			return nil, fmt.Errorf("wait for the deposit on L2: %w", err)
		}
		return c.judge(r.TxHash, done), nil
	}
	return nil, ErrNoDeposit
}

// Deposited is Arrive for an L1 transaction by its hash.
func (c *Client) Deposited(ctx context.Context, hash common.Hash) (*Arrival, error) {
	r, err := c.l1.Receipt(ctx, hash)
	if err != nil {
		return nil, err
	}
	return c.Arrive(ctx, r)
}

// judge says what L2 made of a deposit.
func (c *Client) judge(sent common.Hash, r *types.Receipt) *Arrival {
	out := &Arrival{L1Tx: sent, L2Tx: r.TxHash, Arrived: true, Outcome: "arrived on L2"}
	if r.Status != types.ReceiptStatusSuccessful {
		out.Arrived, out.Outcome = false, "its call failed on L2: what was deposited is the sender's there"
		return out
	}
	for _, l := range r.Logs {
		switch {
		case len(l.Topics) == 0:
		case l.Address == l2Bridge && l.Topics[0] == c.l2abi.Events["DepositFailed"].ID:
			out.Arrived, out.Outcome = false, "it could not be given out on L2, and goes back to its sender on L1"
			if list := bridge.Withdrawals(r.Logs); len(list) > 0 {
				out.Refund = list[0].Hash()
				out.Outcome += ": finalise withdrawal " + out.Refund.Hex()
			}
		case l.Address == bridge.L2Messenger && l.Topics[0] == c.l2abi.Events["FailedRelayedMessage"].ID:
			out.Arrived, out.Outcome = false, "its message failed on L2, where it can be delivered again"
		}
	}
	return out
}
