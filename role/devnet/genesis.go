package devnet

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/l1/devl1"
	"github.com/talaria-l2/talaria/role/genesis"
)

// Keys of a devnet, derived from the well-known mnemonic behind the ten accounts
// that users get. They protect nothing.
func devKeys() (operator, sequencer, proposer *devl1.PrivateKey) {
	keys := devl1.Keys(devl1.DevAccounts + 3)
	return keys[devl1.DevAccounts], keys[devl1.DevAccounts+1], keys[devl1.DevAccounts+2]
}

// inbox is the address that batches are sent to: nobody has its key.
var inbox = common.HexToAddress("0xff00000000000000000000000000000000007411")

func ether(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(params.Ether)) }

// operatorEther is what the operator and the proposer get each from the last of the ten
// accounts on an L1 that does not know them.
const operatorEther = 100

// newChain is what may be chosen of a chain when it is made.
type newChain struct {
	window          uint64    // inclusion window, L1 blocks
	challengeWindow uint64    // seconds
	token           *GasToken // nil: ether
	layer           DataLayer

	baseFeeScalar, blobBaseFeeScalar uint32 // of the L1 data fee
}

// createGenesis deploys the contracts to L1 and makes the genesis of a chain on it.
func createGenesis(ctx context.Context, client *l1.Client, sender *l1.Sender, choice newChain) (*chain.Genesis, error) {
	operator, sequencer, proposer := devKeys()
	for _, key := range []*devl1.PrivateKey{operator, proposer} {
		if err := fund(ctx, client, devl1.Address(key)); err != nil {
			return nil, err
		}
	}
	cfg := chain.DefaultConfig()
	cfg.L1ChainID, cfg.BatchInbox = client.ChainID().Uint64(), inbox
	cfg.InclusionWindow = choice.window
	cfg.DAMode, cfg.AltDAGeneric = choice.layer.Mode, choice.layer.Generic
	cfg.BaseFeeScalar, cfg.BlobBaseFeeScalar = choice.baseFeeScalar, choice.blobBaseFeeScalar
	cfg.Batcher, cfg.Sequencer = devl1.Address(operator), devl1.Address(sequencer)
	params := deploy.Development(cfg)
	params.Owner, params.Guardian = devl1.Address(operator), devl1.Address(operator)
	params.ChallengeWindow = choice.challengeWindow
	if t := choice.token; t != nil {
		token := t.Addr
		if token == (common.Address{}) {
			var err error
			if token, err = deployToken(ctx, sender); err != nil {
				return nil, err
			}
		}
		params.UseToken(token, predeploys.Ether.Addr(), t.PerEther)
	}
	gifts := map[common.Address]*big.Int{}
	for _, k := range devl1.Keys(devl1.DevAccounts) {
		gifts[devl1.Address(k)] = ether(devl1.DevBalance)
	}
	// On an L1 where the operator has too little to back the gifts, what was deposited can
	// leave, and no more.
	out, _, err := genesis.Create(ctx, genesis.Options{Client: client, Sender: sender, Params: params, FeeRecipient: devl1.Address(operator), Gifts: gifts})
	if err != nil {
		return nil, err
	}
	if choice.token != nil {
		if err := nameRateSetter(ctx, sender, out.Config.SystemConfig); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// genesisEther is what the chain's genesis gives to the ten accounts.
const genesisEther = devl1.DevAccounts * devl1.DevBalance

// l1Alloc is what the embedded L1 has besides its ten accounts: the operators' ether, and
// the contract with which clients make many calls in one.
func l1Alloc() types.GenesisAlloc {
	operator, _, proposer := devKeys()
	return types.GenesisAlloc{
		devl1.Address(operator):   {Balance: ether(devl1.DevBalance + genesisEther)},
		devl1.Address(proposer):   {Balance: ether(devl1.DevBalance)},
		predeploys.Multicall3Addr: predeploys.Alloc(predeploys.Settings{})[predeploys.Multicall3Addr],
	}
}

func fund(ctx context.Context, client *l1.Client, account common.Address) error {
	balance, err := client.Balance(ctx, account)
	if err != nil {
		return err
	}
	if balance.Cmp(ether(1)) >= 0 {
		return nil
	}
	keys := devl1.Keys(devl1.DevAccounts)
	funder := l1.NewSender(client, l1.NewKeySigner(keys[devl1.DevAccounts-1]), l1.SenderOptions{})
	if _, err := funder.Send(ctx, l1.Request{To: &account, Value: ether(operatorEther)}); err != nil {
		return fmt.Errorf("fund an operator on L1: %w", err)
	}
	return nil
}
