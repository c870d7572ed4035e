package bridging

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/talaria-l2/talaria/l1"
)

// Options of a client.
type Options struct {
	L1URL, L2URL string
	// Key of the account that pays and is served; nil: the client only reads.
	Key   *ecdsa.PrivateKey
	Trust Trust
	// MaxL2GasPrice bounds what the L2 node may ask for a gas, in wei [DefaultMaxL2GasPrice].
	MaxL2GasPrice *big.Int
	// Report is told each step when it begins, in one line; nil: nobody is.
	Report func(step string)
}

// Client moves value between the layers. It is for one goroutine, and must be closed. No
// other process may use the key meanwhile.
type Client struct {
	opts Options
	l1   *l1.Client
	l2   *ethclient.Client
	send *l1.Sender // nil: without a key

	l2ChainID *big.Int
	at        map[string]common.Address
	l2abi     abi.ABI
	reverts   map[[4]byte]abi.Error
	poolAgain time.Time // before which the pool is not asked
}

// ErrNoKey means that a call needs a key and the client has none.
var ErrNoKey = errors.New("no key is given")

// Dial connects to both layers, and checks that they belong together.
func Dial(ctx context.Context, opts Options) (_ *Client, err error) {
	c := &Client{opts: opts}
	if c.opts.Report == nil {
		c.opts.Report = func(string) {}
	}
	if c.l2abi, c.reverts, err = tables(); err != nil {
		return nil, err
	}
	if c.l2, err = ethclient.DialContext(ctx, opts.L2URL); err != nil {
		return nil, fmt.Errorf("connect to L2 at %s: %w", opts.L2URL, err)
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	told, err := c.announced(ctx)
	if err != nil {
		return nil, err
	}
	if c.l1, err = l1.Dial(ctx, l1.Options{URL: opts.L1URL, Attempts: 2}); err != nil {
		return nil, err
	}
	if err = c.root(ctx, told); err != nil {
		return nil, err
	}
	if opts.Key != nil {
		c.send = l1.NewSender(c.l1, l1.NewKeySigner(opts.Key), l1.SenderOptions{})
	}
	return c, nil
}

// Close drops the connections.
func (c *Client) Close() {
	c.l2.Close()
	if c.l1 != nil {
		c.l1.Close()
	}
}

// Address is the account of the key; zero without one.
func (c *Client) Address() common.Address {
	if c.opts.Key == nil {
		return common.Address{}
	}
	return crypto.PubkeyToAddress(c.opts.Key.PublicKey)
}

// NativeToken reports whether a token of L1 is the currency of L2.
func (c *Client) NativeToken() bool { return c.at["nativeTokenBridge"] != common.Address{} }

// sendL1 sends a transaction on L1 and waits for it. what names it in errors and reports.
func (c *Client) sendL1(ctx context.Context, what string, req l1.Request) (*types.Receipt, error) {
	p, err := c.submitL1(ctx, what, req)
	if err != nil {
		return nil, err
	}
	return c.waitL1(ctx, what, p, req)
}

func (c *Client) submitL1(ctx context.Context, what string, req l1.Request) (*l1.Pending, error) {
	if c.send == nil {
		return nil, ErrNoKey
	}
	p, err := c.send.Submit(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%s on L1: %w", what, c.explain(err))
	}
	c.opts.Report(fmt.Sprintf("%s: L1 transaction %s", what, p.Hash()))
	return p, nil
}

func (c *Client) waitL1(ctx context.Context, what string, p *l1.Pending, req l1.Request) (*types.Receipt, error) {
	r, err := p.Wait(ctx)
	if errors.Is(err, l1.ErrReverted) && r != nil { // ask again for the reason
		_, again := c.l1.Eth().CallContract(ctx, ethereum.CallMsg{From: c.Address(), To: req.To, Value: req.Value, Data: req.Data}, r.BlockNumber)
		if again != nil {
			err = fmt.Errorf("%w: %w", l1.ErrReverted, again)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s on L1: %w", what, c.explain(err))
	}
	return r, nil
}

// callL1 reads a contract at L1's newest block.
func callL1[T any](ctx context.Context, c *Client, to common.Address, input []byte, unpack func([]byte) (T, error)) (out T, err error) {
	raw, err := c.l1.Eth().CallContract(ctx, ethereum.CallMsg{To: &to, Data: input}, nil)
	if err != nil {
		return out, fmt.Errorf("read %s on L1: %w", to, c.explain(err))
	}
	return unpack(raw)
}

// pollL2 is how often L2 is asked for what is awaited.
const pollL2 = 100 * time.Millisecond

// sendL2 sends a transaction on L2 and waits for it. gas 0: estimated.
func (c *Client) sendL2(ctx context.Context, what string, to common.Address, value *big.Int, data []byte) (*types.Receipt, error) {
	if c.opts.Key == nil {
		return nil, ErrNoKey
	}
	fail := func(err error) (*types.Receipt, error) {
		return nil, fmt.Errorf("%s on L2: %w", what, c.explain(err))
	}
	from := c.Address()
	gas, err := c.l2.EstimateGas(ctx, ethereum.CallMsg{From: from, To: &to, Value: value, Data: data})
	if err != nil {
		return fail(err)
	}
	tip, most, err := c.priceL2(ctx)
	if err != nil {
		return fail(err)
	}
	nonce, err := c.l2.PendingNonceAt(ctx, from)
	if err != nil {
		return fail(err)
	}
	tx, err := types.SignNewTx(c.opts.Key, types.LatestSignerForChainID(c.l2ChainID), &types.DynamicFeeTx{
		ChainID: c.l2ChainID, Nonce: nonce, To: &to, Value: value, Data: data, Gas: gas + gas/5,
		GasTipCap: tip, GasFeeCap: most,
	})
	if err != nil {
		return fail(err)
	}
	if err := c.l2.SendTransaction(ctx, tx); err != nil {
		return fail(err)
	}
	c.opts.Report(fmt.Sprintf("%s: L2 transaction %s", what, tx.Hash()))
	r, err := c.receiptL2(ctx, tx.Hash())
	if err != nil {
		return fail(err)
	}
	if r.Status != types.ReceiptStatusSuccessful {
		return fail(fmt.Errorf("transaction %s failed", tx.Hash()))
	}
	return r, nil
}

// receiptL2 waits for the receipt of an L2 transaction.
func (c *Client) receiptL2(ctx context.Context, hash common.Hash) (*types.Receipt, error) {
	for {
		r, err := c.l2.TransactionReceipt(ctx, hash)
		if err == nil || !errors.Is(err, ethereum.NotFound) {
			return r, err
		}
		if err := pause(ctx, pollL2); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
