package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// ErrCurrency is wrapped when a chain's contracts on L1 hold its native currency for
// another than its genesis does.
var ErrCurrency = errors.New("the native currency is another on L1")

// DevToken puts a token on the L1 of client that is worth nothing: each of the holders gets
// as many wei of it.
func DevToken(ctx context.Context, sender *l1.Sender, name, symbol string, holders []common.Address, each *big.Int) (common.Address, error) {
	code := creation(bindings.DevTokenMetaData.Bin, bindings.NewDevToken().PackConstructor(name, symbol, holders, each))
	at, _, err := sender.Deploy(ctx, code)
	if err != nil {
		return at, fmt.Errorf("deploy the token %s: %w", symbol, err)
	}
	return at, nil
}

// checkToken says why a token of L1 cannot be a native currency.
func checkToken(ctx context.Context, client *l1.Client, token common.Address) error {
	fail := func(err error) error { return fmt.Errorf("token %v as native currency: %w", token, err) }
	code, err := client.Code(ctx, token)
	if err == nil && len(code) == 0 {
		err = errors.New("there is no contract on this L1")
	}
	if err != nil {
		return fail(err)
	}
	r, c := reader{ctx: ctx, client: client}, bindings.NewDevToken() // an ERC-20 token as others
	if decimals := ask(&r, token, c.PackDecimals(), c.UnpackDecimals); r.err == nil && decimals != 18 {
		return fail(fmt.Errorf("it has %d decimals, and must have 18: one wei of L2 is its smallest unit", decimals))
	}
	g := chain.GasToken{
		Token: token, Bridge: token, L2Ether: token, Rate: chain.TokenRate{Rate: 1, Then: 1}, // of no matter here
		Name: ask(&r, token, c.PackName(), c.UnpackName), Symbol: ask(&r, token, c.PackSymbol(), c.UnpackSymbol),
	}
	if r.err != nil {
		return fail(r.err)
	}
	if err := g.Check(); err != nil {
		return fail(err)
	}
	return nil
}

// ReadCurrency asks L1 for the native currency of the chain with this portal and this
// standard bridge: the zero value says ether. The rate is the one that holds now. It fails
// when the contracts contradict each other.
func ReadCurrency(ctx context.Context, client *l1.Client, portal, bridge common.Address) (chain.GasToken, error) {
	r := reader{ctx: ctx, client: client}
	out := chain.GasToken{}
	p, c := bindings.NewPortal(), bindings.NewSystemConfig()
	out.Bridge = ask(&r, portal, p.PackNATIVEESCROW(), p.UnpackNATIVEESCROW)
	config := ask(&r, portal, p.PackSystemConfig(), p.UnpackSystemConfig)
	out.Token = ask(&r, config, c.PackGASTOKEN(), c.UnpackGASTOKEN)
	b := bindings.NewL1StandardBridge()
	out.L2Ether = ask(&r, bridge, b.PackL2ETHER(), b.UnpackL2ETHER)
	if r.err != nil {
		return chain.GasToken{}, fmt.Errorf("native currency of the chain with portal %v: %w", portal, r.err)
	}
	if out.IsZero() {
		return out, nil
	}
	out.Name = ask(&r, config, c.PackGasPayingTokenName(), c.UnpackGasPayingTokenName)
	out.Symbol = ask(&r, config, c.PackGasPayingTokenSymbol(), c.UnpackGasPayingTokenSymbol)
	rate := ask(&r, config, c.PackGasTokenRate(), c.UnpackGasTokenRate)
	out.Rate = chain.TokenRate{Rate: rate.Rate, Until: rate.Until, Then: rate.Then}
	native := bindings.NewNativeTokenBridge()
	held := ask(&r, out.Bridge, native.PackTOKEN(), native.UnpackTOKEN)
	err := r.err
	if err == nil && held != out.Token {
		err = fmt.Errorf("the escrow holds %v, SystemConfig says %v", held, out.Token)
	}
	if err == nil {
		err = out.Check()
	}
	if err != nil {
		return chain.GasToken{}, fmt.Errorf("native currency of the chain with portal %v: %w", portal, err)
	}
	return out, nil
}

// CheckCurrency compares the native currency of a chain's configuration with L1's
// contracts, and fails with ErrCurrency if it is another. A chain without a portal has
// nothing to compare with.
func CheckCurrency(ctx context.Context, client *l1.Client, cfg *chain.Config) error {
	if cfg.Portal == (common.Address{}) {
		return nil
	}
	there, err := ReadCurrency(ctx, client, cfg.Portal, cfg.L1StandardBridge)
	if err != nil {
		return err
	}
	here := cfg.GasToken
	here.Rate, there.Rate = chain.TokenRate{}, chain.TokenRate{} // changes with time
	here.Name, here.Symbol, there.Name, there.Symbol = "", "", "", ""
	if here != there {
		return fmt.Errorf("%w: token %v, escrow %v, ether on L2 %v; in the genesis %v, %v, %v (take the chain's own genesis and its L1)",
			ErrCurrency, there.Token, there.Bridge, there.L2Ether, here.Token, here.Bridge, here.L2Ether)
	}
	return nil
}

// reader asks contracts until one fails.
type reader struct {
	ctx    context.Context
	client *l1.Client
	err    error
}

func ask[T any](r *reader, at common.Address, call []byte, unpack func([]byte) (T, error)) (out T) {
	if r.err != nil {
		return out
	}
	contract := bind.NewBoundContract(at, bindings.NewPortal().GetABI(), r.client.Eth(), nil, nil)
	if out, r.err = bind.Call(contract, &bind.CallOpts{Context: r.ctx}, call, unpack); r.err != nil {
		r.err = fmt.Errorf("call %x of %v: %w", call[:4], at, r.err)
	}
	return out
}
