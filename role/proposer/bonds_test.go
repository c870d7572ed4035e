package proposer_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/role/proposer"
)

// On the real contracts, a stranger has no release booked to the proposer, its own bond comes
// back, and the anchor moves to its claim.
func TestTheOwnBondComesBackAndTheAnchorMoves(t *testing.T) {
	onContracts(t, nil, func(ctx context.Context, w contracts) error {
		at, vault := w.at, bindings.NewBondVault()
		client, honest, stranger, p := w.client, w.senders[2], w.senders[1], w.params
		tick := func(d time.Duration) error { // L1's clock is that of its newest block
			time.Sleep(d)
			_, err := stranger.Send(ctx, l1.Request{To: &common.Address{1}})
			return err
		}
		c := proposer.NewContracts(client, honest, at.DisputeGameFactory)
		if err := c.Claim(ctx, proposer.Root{1}, 1); err != nil {
			return err
		}
		g, err := c.Game(ctx, 0)
		if err != nil || !g.Own || g.Held {
			return errors.Join(err, fmt.Errorf("own claim: %+v", g))
		}
		for i := 0; ; i++ {
			if err := tick(500 * time.Millisecond); err != nil {
				return err
			}
			done, err := c.Settle(ctx, g)
			if err != nil || i == 40 {
				return errors.Join(err, errors.New("the claim is not resolved"))
			}
			if done {
				break
			}
		}
		for _, r := range []l1.Request{
			{To: &at.BondVault, Value: big.NewInt(20), Data: vault.PackLock()},
			{To: &at.BondVault, Data: vault.PackRelease(honest.Address(), new(big.Int))},
		} {
			if _, err := stranger.Send(ctx, r); !errors.Is(err, l1.ErrReverted) {
				return fmt.Errorf("a stranger uses the vault: %v", err)
			}
		}
		if err := tick(3 * time.Second); err != nil {
			return err
		}
		before, err := client.Balance(ctx, honest.Address())
		if err != nil {
			return err
		}
		nonce, err := client.PendingNonce(ctx, honest.Address())
		if err != nil {
			return err
		}
		for range 5 {
			if err := c.TakeBack(ctx); err != nil {
				return err
			}
		}
		sent, err1 := client.PendingNonce(ctx, honest.Address())
		after, err2 := client.Balance(ctx, honest.Address())
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if got := new(big.Int).Sub(after, before); sent != nonce+1 || got.Cmp(new(big.Int).Div(p.ClaimBond, big.NewInt(2))) < 0 {
			t.Errorf("%d transactions, %v wei back; want one, that brings the bond of %v", sent-nonce, got, p.ClaimBond)
		}
		for range 2 { // the second time there is nothing to do
			if done, err := c.MoveAnchor(ctx, g); err != nil || !done {
				return errors.Join(err, errors.New("the anchor is not moved"))
			}
		}
		if moved, err := client.PendingNonce(ctx, honest.Address()); err != nil || moved != sent+1 {
			t.Errorf("%d transactions move the anchor (%v), want one", moved-sent, err)
		}
		return nil
	})
}
