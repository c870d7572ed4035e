package devnet

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/devl1"
)

// genesisEther is what the chain's genesis gives to the ten accounts.
const genesisEther = devl1.DevAccounts * devl1.DevBalance

// back gives the portal the ether that the chain's genesis gives out, so that all of it can
// be withdrawn. It is no deposit: it comes from a contract that destroys itself while it is
// created. On an L1 where the operator has too little, what was deposited can leave, and no more.
func back(ctx context.Context, client *l1.Client, sender *l1.Sender, portal common.Address) error {
	balance, err := client.Balance(ctx, sender.Address())
	if err != nil || balance.Cmp(ether(genesisEther+1)) < 0 {
		return err
	}
	const push20, selfdestruct = 0x73, 0xff
	code := append(append([]byte{push20}, portal[:]...), selfdestruct)
	if _, err := sender.Send(ctx, l1.Request{Value: ether(genesisEther), Data: code, Gas: 200_000}); err != nil {
		return fmt.Errorf("back the chain's genesis on L1: %w", err)
	}
	return nil
}
