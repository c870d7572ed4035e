package devnet

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// longestDelay is how long the devnet waits for a timelock. Those of its own chains take a
// second.
const longestDelay = time.Minute

// throughTimelock has the timelock make a call, which sender's account may propose and
// anybody execute, and waits until it is made.
func throughTimelock(ctx context.Context, client *l1.Client, sender *l1.Sender, timelock, to common.Address, call []byte) error {
	b := bindings.NewTimelockController()
	at, opts := b.Instance(client.Eth(), timelock), &bind.CallOpts{Context: ctx}
	delay, err := bind.Call(at, opts, b.PackGetMinDelay(), b.UnpackGetMinDelay)
	if err != nil {
		return fmt.Errorf("ask the timelock for its delay: %w", err)
	}
	if longest := big.NewInt(int64(longestDelay / time.Second)); delay.Cmp(longest) > 0 {
		return fmt.Errorf("the chain's timelock on L1 waits %v s, a devnet %v s at most: have it call %x on %s", delay, longest, call, to)
	}
	head, err := client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return err
	}
	// The hash of a block makes it another operation than the same call before.
	none, salt := [32]byte{}, [32]byte(head.Hash())
	scheduled, err := sender.Send(ctx, l1.Request{To: &timelock, Data: b.PackSchedule(to, new(big.Int), call, none, salt, delay)})
	if err != nil {
		return fmt.Errorf("propose to the timelock: %w", err)
	}
	if head, err = client.HeaderByHash(ctx, scheduled.BlockHash); err != nil {
		return err
	}
	for ready := head.Time + delay.Uint64(); head.Time < ready; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the timelock: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
		if head, err = client.HeaderByTag(ctx, l1.Latest); err != nil {
			return err
		}
	}
	_, err = sender.Send(ctx, l1.Request{To: &timelock, Data: b.PackExecute(to, new(big.Int), call, none, salt)})
	if err != nil {
		return fmt.Errorf("execute what the timelock was proposed: %w", err)
	}
	return nil
}
