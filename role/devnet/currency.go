package devnet

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/l1/devl1"
)

// GasToken makes a token of L1 the native currency of a chain.
type GasToken struct {
	// Addr is the token, which must have 18 decimals; zero: a new one that is worth nothing.
	Addr common.Address
	// PerEther is how many tokens an ether is worth at first, 1..1,000,000,000.
	PerEther uint64
}

// A token made for a devnet, and what each of the ten accounts gets of it on L1.
const (
	tokenName, tokenSymbol = "Talaria", "TLR"
	tokensEach             = 1_000_000
)

// deployToken puts the devnet's own token on L1.
func deployToken(ctx context.Context, sender *l1.Sender) (common.Address, error) {
	holders := []common.Address{sender.Address()}
	for _, k := range devl1.Keys(devl1.DevAccounts) {
		holders = append(holders, devl1.Address(k))
	}
	return deploy.DevToken(ctx, sender, tokenName, tokenSymbol, holders, ether(tokensEach))
}

// nameRateSetter lets the first of the ten accounts set the rate, so that it can be tried
// out beside the operator, whose transactions are the batcher's.
func nameRateSetter(ctx context.Context, sender *l1.Sender, config common.Address) error {
	data := bindings.NewSystemConfig().PackSetRateSetter(devl1.Address(devl1.Keys(1)[0]))
	if _, err := sender.Send(ctx, l1.Request{To: &config, Data: data}); err != nil {
		return fmt.Errorf("name who sets the rate of the gas token: %w", err)
	}
	return nil
}

// checkCurrency compares a chain that exists with L1, and with what was asked for if
// anything was.
func checkCurrency(ctx context.Context, client *l1.Client, cfg *chain.Config, asked *Currency) error {
	if err := deploy.CheckCurrency(ctx, client, cfg); err != nil {
		return err
	}
	if asked == nil {
		return nil
	}
	native := asked.Token != nil
	if native == cfg.GasToken.IsZero() || native && asked.Token.Addr != (common.Address{}) && asked.Token.Addr != cfg.GasToken.Token {
		return fmt.Errorf("the chain in the data directory has %s as its currency for good (leave --gas-token out, or choose another --datadir)", cfg.GasToken.CurrencyName())
	}
	return nil
}

// Currency is what a chain is asked to have as its native currency.
type Currency struct {
	Token *GasToken // nil: ether
}

// CurrencyInfo describes the native currency of L2, as wallets ask for it.
type CurrencyInfo struct {
	Name     string `json:"name"`
	Symbol   string `json:"symbol"`
	Decimals uint8  `json:"decimals"`
	// L1Token and L2Ether are set where the currency is a token of L1: that token, and the
	// token of L2 that stands for ether.
	L1Token *common.Address `json:"l1Token,omitempty"`
	L2Ether *common.Address `json:"l2Ether,omitempty"`
}

func currencyInfo(g chain.GasToken) CurrencyInfo {
	info := CurrencyInfo{Name: g.CurrencyName(), Symbol: g.CurrencySymbol(), Decimals: 18}
	if !g.IsZero() {
		info.L1Token, info.L2Ether = &g.Token, &g.L2Ether
	}
	return info
}
