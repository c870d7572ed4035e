package proposer_test

import (
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/role/proposer"
)

// On the real contracts, one stake challenges any number of claims, and a stake that the
// guardian has barred is replaced by another.
func TestOneStakeChallengesManyClaims(t *testing.T) {
	onContracts(t, func(p *deploy.Params) { p.ChallengeWindow = 3600 }, func(ctx context.Context, w contracts) error {
		at, client, p := w.at, w.client, w.params
		owner, attacker, honest := w.senders[0], w.senders[1], w.senders[2]
		wrong := proposer.NewContracts(client, attacker, at.DisputeGameFactory)
		right := proposer.NewContracts(client, honest, at.DisputeGameFactory)
		claim := func(n byte) (*proposer.Game, error) {
			if err := wrong.Claim(ctx, proposer.Root{n}, uint64(n)); err != nil {
				return nil, err
			}
			count, err := right.Count(ctx)
			if err != nil {
				return nil, err
			}
			return right.Game(ctx, count-1)
		}
		before, err := client.Balance(ctx, honest.Address())
		if err != nil {
			return err
		}
		stakes := bindings.NewChallengerStakes()
		for n := byte(1); n <= 3; n++ {
			if n == 3 {
				if _, err := owner.Send(ctx, l1.Request{To: &at.ChallengerStakes, Data: stakes.PackBar(big.NewInt(1))}); err != nil {
					return err
				}
			}
			g, err := claim(n)
			if err != nil {
				return err
			}
			g.Counter = proposer.Root{0xff}
			if err := right.Challenge(ctx, g); err != nil {
				return err
			}
			if g, err = right.Game(ctx, uint64(n-1)); err != nil || !g.Challenged {
				return errors.Join(err, errors.New("the claim is not challenged"))
			}
		}
		after, err := client.Balance(ctx, honest.Address())
		if err != nil {
			return err
		}
		spent := new(big.Int).Sub(before, after)
		two := new(big.Int).Mul(p.ChallengerStake, big.NewInt(2))
		gas := new(big.Int).Div(big.NewInt(params.Ether), big.NewInt(50))
		if rest := new(big.Int).Sub(spent, two); rest.Sign() < 0 || rest.Cmp(gas) > 0 {
			t.Errorf("three challenges, one stake barred: spent %v wei, want two stakes of %v and gas", spent, p.ChallengerStake)
		}
		return nil
	})
}
