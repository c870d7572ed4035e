package genesis

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/l1/deploy"
)

// Options of a new chain.
type Options struct {
	Client *l1.Client
	// Sender pays. Nobody else may send as its account meanwhile.
	Sender *l1.Sender
	// Params of the contracts; Chain of them becomes the chain's configuration.
	Params deploy.Params
	// FeeRecipient gets the chain's fees.
	FeeRecipient common.Address
	// Gifts are accounts that have so many wei from the start.
	Gifts map[common.Address]*big.Int
}

// Reserve is what the sender keeps for gas when it backs gifts, in wei.
var Reserve = big.NewInt(params.Ether)

// Create deploys the contracts and makes the genesis of a chain on them. backed says that
// all of Gifts can be withdrawn: it is false where the currency is a token of L1, and where
// the sender has not so much beside its reserve.
func Create(ctx context.Context, o Options) (_ *chain.Genesis, backed bool, err error) {
	fail := func(err error) (*chain.Genesis, bool, error) { return nil, false, err }
	cfg := o.Params.Chain
	contracts, err := deploy.Deploy(ctx, o.Client, o.Sender, o.Params)
	if err != nil {
		return fail(err)
	}
	contracts.Addresses.Configure(&cfg)
	if cfg.GasToken, err = deploy.ReadCurrency(ctx, o.Client, cfg.Portal, cfg.L1StandardBridge); err != nil {
		return fail(err)
	}
	named := contracts.Addresses.ByName()
	if cfg.GasToken.IsZero() {
		backed, err = back(ctx, &o, cfg.Portal)
	} else {
		named["nativeToken"] = cfg.GasToken.Token
		err = createEther(ctx, o.Sender, cfg.Portal)
	}
	if err != nil {
		return fail(err)
	}
	origin, err := o.Client.HeaderByNumber(ctx, contracts.Block)
	if err != nil {
		return fail(err)
	}
	alloc := predeploys.Alloc(predeploys.Settings{
		L1: predeploys.L1Addresses{
			Messenger: cfg.L1CrossDomainMessenger, Bridge: cfg.L1StandardBridge, Timelock: contracts.Addresses.Timelock,
		},
		Fees:     predeploys.FeeSettings{Recipient: o.FeeRecipient},
		GasToken: cfg.GasToken,
	})
	for to, wei := range o.Gifts {
		alloc[to] = types.Account{Balance: new(big.Int).Set(wei)}
	}
	return &chain.Genesis{
		Config:    cfg,
		Timestamp: max(origin.Time, uint64(time.Now().Unix())-1),
		L1Origin:  chain.L1Origin{Number: origin.Number.Uint64(), Hash: origin.Hash()},
		Alloc:     alloc,

		L1Contracts: named,
	}, backed, nil
}

// Sum is what all gifts are together, in wei.
func (o *Options) Sum() *big.Int {
	sum := new(big.Int)
	for _, wei := range o.Gifts {
		sum.Add(sum, wei)
	}
	return sum
}

// back gives the portal the ether that the genesis gives out. It is no deposit: it comes
// from a contract that destroys itself while it is created.
func back(ctx context.Context, o *Options, portal common.Address) (bool, error) {
	sum := o.Sum()
	balance, err := o.Client.Balance(ctx, o.Sender.Address())
	if err != nil {
		return false, err
	}
	if sum.Sign() == 0 {
		return true, nil
	}
	if balance.Cmp(new(big.Int).Add(sum, Reserve)) < 0 {
		return false, nil
	}
	const push20, selfdestruct = 0x73, 0xff
	code := append(append([]byte{push20}, portal[:]...), selfdestruct)
	if _, err := o.Sender.Send(ctx, l1.Request{Value: sum, Data: code, Gas: 200_000}); err != nil {
		return false, fmt.Errorf("back the chain's genesis on L1: %w", err)
	}
	return true, nil
}

// etherTokenGas is the L2 gas of making the token that stands for ether.
const etherTokenGas = 3_000_000

// createEther orders on L1 that the token which stands for ether on L2 is made: in the
// first blocks of the chain, whoever sequences it.
func createEther(ctx context.Context, sender *l1.Sender, portal common.Address) error {
	data := bindings.NewPortal().PackDepositTransaction(predeploys.MintableERC20FactoryAddr, new(big.Int), etherTokenGas, false, predeploys.Ether.CreateCall())
	if _, err := sender.Send(ctx, l1.Request{To: &portal, Data: data}); err != nil {
		return fmt.Errorf("make the token of ether on L2: %w", err)
	}
	return nil
}
