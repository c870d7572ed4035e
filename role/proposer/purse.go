package proposer

import (
	"context"
	"math/big"
	"slices"

	"github.com/talaria-l2/talaria/l1"
)

// setting reads the address of a contract that the implementation of games names.
func (c *Contracts) setting(ctx context.Context, input []byte, unpack func([]byte) (Address, error)) (Address, error) {
	game, err := call(ctx, c, c.Factory, c.factory.PackGameImpls(GameType), c.factory.UnpackGameImpls)
	if err != nil {
		return Address{}, err
	}
	return call(ctx, c, game, input, unpack)
}

// Purse implements Claims.
func (c *Contracts) Purse(ctx context.Context) (p Purse, err error) {
	at, err := c.setting(ctx, c.game.PackSTAKES(), c.game.UnpackSTAKES)
	if err != nil {
		return p, err
	}
	if p.Stake, err = call(ctx, c, at, c.stakes.PackAMOUNT(), c.stakes.UnpackAMOUNT); err != nil {
		return p, err
	}
	if p.Staked, err = call(ctx, c, at, c.stakes.PackMayChallenge(c.Sender.Address()), c.stakes.UnpackMayChallenge); err != nil {
		return p, err
	}
	if p.Bond, err = call(ctx, c, c.Factory, c.factory.PackInitBonds(GameType), c.factory.UnpackInitBonds); err != nil {
		return p, err
	}
	p.Balance, err = c.Client.Balance(ctx, c.Sender.Address())
	return p, err
}

// Stake implements Claims.
func (c *Contracts) Stake(ctx context.Context) error {
	at, err := c.setting(ctx, c.game.PackSTAKES(), c.game.UnpackSTAKES)
	if err != nil {
		return err
	}
	return c.stake(ctx, at)
}

// stake makes sure that the account has a stake that may challenge: none yet, or one that
// the guardian has barred, asks for another.
func (c *Contracts) stake(ctx context.Context, at Address) error {
	c.staking.Lock()
	defer c.staking.Unlock()
	may, err := call(ctx, c, at, c.stakes.PackMayChallenge(c.Sender.Address()), c.stakes.UnpackMayChallenge)
	if err != nil || may {
		return err
	}
	amount, err := call(ctx, c, at, c.stakes.PackAMOUNT(), c.stakes.UnpackAMOUNT)
	if err != nil {
		return err
	}
	_, err = c.Sender.Send(ctx, l1.Request{To: &at, Value: amount, Data: c.stakes.PackStake()})
	return err
}

// owed is a release of a bond that is not paid.
type owed struct {
	id     *big.Int
	amount *big.Int // wei
}

const (
	mostReleases = 256    // looked at in one step
	mostOwed     = 1024   // remembered, the largest
	withdrawGas  = 80_000 // that a payment takes, at most
)

// TakeBack implements Claims. The largest release is first. Anybody may release something
// to anybody: what is less than a hundredth of a claim's bond is left, and so is what is
// worth less than its gas.
func (c *Contracts) TakeBack(ctx context.Context) (err error) {
	if c.vault == (Address{}) {
		if c.vault, err = c.setting(ctx, c.game.PackVAULT(), c.game.UnpackVAULT); err != nil {
			return err
		}
	}
	if err := c.releases(ctx); err != nil {
		return err
	}
	head, err := c.Client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return err
	}
	gas := new(big.Int).Mul(big.NewInt(2*withdrawGas), head.BaseFee)
	for i, o := range c.owed {
		if o.amount.Cmp(gas) < 0 {
			return nil
		}
		r, err := call(ctx, c, c.vault, c.vaults.PackReleases(o.id), c.vaults.UnpackReleases)
		if err != nil {
			return err
		}
		if r.Recipient == c.Sender.Address() { // not paid yet: anybody may have it paid
			if head.Time < r.ReadyAt {
				continue
			}
			if _, err := c.Sender.Send(ctx, l1.Request{To: &c.vault, Data: c.vaults.PackWithdraw(o.id)}); err != nil {
				return err
			}
		}
		c.owed = slices.Delete(c.owed, i, i+1)
		return nil
	}
	return nil
}

// releases takes in what was released to the account since the last look.
func (c *Contracts) releases(ctx context.Context) error {
	count, err := call(ctx, c, c.vault, c.vaults.PackReleaseCount(), c.vaults.UnpackReleaseCount)
	if err != nil || c.seen >= count.Uint64() {
		return err
	}
	least, err := call(ctx, c, c.Factory, c.factory.PackInitBonds(GameType), c.factory.UnpackInitBonds)
	if err != nil {
		return err
	}
	least.Div(least, big.NewInt(100))
	for end := min(c.seen+mostReleases, count.Uint64()); c.seen < end; c.seen++ {
		id := new(big.Int).SetUint64(c.seen)
		r, err := call(ctx, c, c.vault, c.vaults.PackReleases(id), c.vaults.UnpackReleases)
		if err != nil {
			return err
		}
		if r.Recipient != c.Sender.Address() || r.Amount.Sign() == 0 || r.Amount.Cmp(least) < 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(c.owed, r.Amount, func(o owed, amount *big.Int) int {
			if o.amount.Cmp(amount) >= 0 { // the older of two equal ones is first
				return -1
			}
			return 1
		})
		c.owed = slices.Insert(c.owed, at, owed{id, r.Amount})
		c.owed = c.owed[:min(len(c.owed), mostOwed)]
	}
	return nil
}

// MoveAnchor implements Claims.
func (c *Contracts) MoveAnchor(ctx context.Context, g *Game) (done bool, err error) {
	if c.anchors == (Address{}) {
		if c.anchors, err = c.setting(ctx, c.game.PackREGISTRY(), c.game.UnpackREGISTRY); err != nil {
			return false, err
		}
	}
	valid, err := call(ctx, c, c.anchors, c.registry.PackIsGameClaimValid(g.Address), c.registry.UnpackIsGameClaimValid)
	if err != nil || !valid {
		return false, err
	}
	anchor, err := call(ctx, c, c.anchors, c.registry.PackGetAnchorRoot(), c.registry.UnpackGetAnchorRoot)
	if err != nil || anchor.L2BlockNumber.Cmp(g.Block) >= 0 {
		return err == nil, err
	}
	_, err = c.Sender.Send(ctx, l1.Request{To: &c.anchors, Data: c.registry.PackSetAnchorState(g.Address)})
	return err == nil, err
}
