package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/sdk/bridging"
)

func runDeposit(ctx context.Context, c *cli.Command) error {
	to, err1 := optionalAddress(c, "to")
	token, err2 := optionalAddress(c, "token")
	l2Token, err3 := optionalAddress(c, "l2-token")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return err
	}
	defer u.close()
	d := bridging.Deposit{To: to, Token: token, L2Token: l2Token, Gas: c.Uint32("gas"), Create: c.Bool("create")}
	if d.Amount, err = u.amountFlag(ctx, "amount", token, false); err != nil {
		return err
	}
	if token != (common.Address{}) {
		if d.L2Token, err = u.Representation(ctx, d); err != nil {
			return err
		}
	}
	sent, err := u.Send(ctx, d)
	if err != nil {
		return err
	}
	a, err := u.Arrive(ctx, sent)
	if err != nil {
		return fmt.Errorf("%w; ask again with: talaria bridge status %s", err, sent.TxHash)
	}
	a.L2Token = d.L2Token
	return u.printArrival(a)
}

// printArrival prints how a deposit ended; one that did not arrive is an error.
func (u *user) printArrival(a *bridging.Arrival) error {
	lines := []string{fmt.Sprintf("deposit %s: %s (L2 transaction %s)", a.L1Tx, a.Outcome, a.L2Tx)}
	if a.L2Token != (common.Address{}) {
		lines = append(lines, "token on L2: "+a.L2Token.Hex())
	}
	if err := u.print(a, lines...); err != nil {
		return err
	}
	if !a.Arrived {
		return errors.New("the deposit did not reach its receiver: " + a.Outcome)
	}
	return nil
}

// runRefund takes back the currency of a message that failed on L2.
func runRefund(ctx context.Context, c *cli.Command) error {
	sent, err := hashArgument(c)
	if err != nil {
		return err
	}
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return err
	}
	defer u.close()
	hash, tx, err := u.Refund(ctx, sent, c.Uint64("index"))
	if err != nil {
		return err
	}
	return u.printWithdrawal(ctx, hash, tx, c.Bool("wait"))
}

func runWithdraw(ctx context.Context, c *cli.Command) error {
	to, err1 := optionalAddress(c, "to")
	token, err2 := optionalAddress(c, "token")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	instant := c.Bool("instant")
	if instant && token != (common.Address{}) {
		return usagef("--instant: the pool pays the chain's currency only, not tokens")
	}
	if instant && c.IsSet("gas") {
		return usagef("--gas: a withdrawal with --instant gives its receiver what it needs")
	}
	if !instant && c.IsSet("min-payout") {
		return usagef("--min-payout: only with --instant")
	}
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return err
	}
	defer u.close()
	w := bridging.Withdrawal{To: to, Token: token, Gas: c.Uint32("gas"), Instant: instant}
	if w.Amount, err = u.amountFlag(ctx, "amount", token, true); err != nil {
		return err
	}
	if c.IsSet("min-payout") {
		if w.MinPayout, err = u.amountFlag(ctx, "min-payout", common.Address{}, true); err != nil {
			return err
		}
	}
	hash, tx, err := u.Withdraw(ctx, w)
	if err != nil {
		return err
	}
	return u.printWithdrawal(ctx, hash, tx, c.Bool("wait") || instant)
}

// printWithdrawal prints where a withdrawal that was just made stands, when it is paid if
// that is to be waited for.
func (u *user) printWithdrawal(ctx context.Context, hash, tx common.Hash, wait bool) error {
	u.progress.report("withdrawal " + hash.Hex())
	if !wait {
		s, err := u.Status(ctx, hash, 0)
		if err != nil || s == nil {
			return errors.Join(err, u.print(map[string]common.Hash{"withdrawalHash": hash, "transactionHash": tx}, "withdrawal "+hash.Hex()))
		}
		return u.printStatus(s)
	}
	s, err := u.Follow(ctx, hash, 0, bridging.Paid)
	if err != nil {
		return err
	}
	return u.printStatus(s)
}

// dialWithdrawal connects a user with a key and finds the withdrawal that the argument
// names. The caller closes the user unless there is an error.
func dialWithdrawal(ctx context.Context, c *cli.Command) (*user, *bridging.Status, error) {
	hash, err := hashArgument(c)
	if err != nil {
		return nil, nil, err
	}
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return nil, nil, err
	}
	s, err := u.Status(ctx, hash, c.Uint64("index"))
	if err == nil && s == nil {
		err = fmt.Errorf("%w: %s", bridging.ErrUnknown, hash)
	}
	if err != nil {
		u.close()
		return nil, nil, err
	}
	return u, s, nil
}

func runProve(ctx context.Context, c *cli.Command) error {
	u, s, err := dialWithdrawal(ctx, c)
	if err != nil {
		return err
	}
	defer u.close()
	if err := u.Prove(ctx, s); err != nil {
		return err
	}
	return u.again(ctx, s.Hash)
}

// again prints the status after a step.
func (u *user) again(ctx context.Context, hash common.Hash) error {
	s, err := u.Status(ctx, hash, 0)
	if err == nil && s == nil {
		err = bridging.ErrUnknown
	}
	if err != nil {
		return err
	}
	return u.printStatus(s)
}

func runFinalize(ctx context.Context, c *cli.Command) error {
	u, s, err := dialWithdrawal(ctx, c)
	if err != nil {
		return err
	}
	defer u.close()
	switch {
	case s.State == bridge.Finalized:
	case s.State == bridge.Failed || !c.Bool("wait"):
		err = u.Finalize(ctx, s)
	default:
		_, err = u.Follow(ctx, s.Hash, 0, bridging.Settled)
	}
	if err != nil {
		return err
	}
	return u.again(ctx, s.Hash)
}

func runBridgeStatus(ctx context.Context, c *cli.Command) error {
	hash, err := hashArgument(c)
	if err != nil {
		return err
	}
	u, err := dialBridge(ctx, c, false)
	if err != nil {
		return err
	}
	defer u.close()
	s, err := u.Status(ctx, hash, c.Uint64("index"))
	if err != nil {
		return err
	}
	if s != nil {
		return u.printStatus(s)
	}
	a, err := u.Deposited(ctx, hash)
	if errors.Is(err, bridging.ErrNoDeposit) || errors.Is(err, l1.ErrNotFound) {
		return fmt.Errorf("%w, and L1 no deposit: %s", bridging.ErrUnknown, hash)
	}
	if err != nil {
		return err
	}
	return u.printArrival(a)
}

// printStatus prints where a withdrawal stands, and what to do next.
func (u *user) printStatus(s *bridging.Status) error {
	lines := []string{fmt.Sprintf("withdrawal %s: %s", s.Hash, s.State), s.Reason}
	if s.ETA != nil {
		at := time.UnixMilli(int64(*s.ETA))
		lines = append(lines, fmt.Sprintf("can be paid at %s, in %s, if every step is taken in time", at.Format(time.DateTime), max(0, time.Until(at)).Round(time.Second)))
	}
	switch s.State {
	case bridge.Finalized:
	case bridge.Failed:
		lines = append(lines, fmt.Sprintf("try again: talaria bridge finalize %s", s.Hash))
	case bridge.PaidByPool:
		lines = append(lines, fmt.Sprintf("to repay the pool: talaria bridge finalize %s --wait", s.Hash))
	default:
		lines = append(lines, fmt.Sprintf("to go on: talaria bridge finalize %s --wait", s.Hash))
	}
	return u.print(s, lines...)
}

func runPoolDeposit(ctx context.Context, c *cli.Command) error {
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return err
	}
	defer u.close()
	amount, err := u.amountFlag(ctx, "amount", common.Address{}, false)
	if err != nil {
		return err
	}
	if _, err := u.PoolDeposit(ctx, amount); err != nil {
		return err
	}
	return u.printPool(ctx, u.Address())
}

func runPoolWithdraw(ctx context.Context, c *cli.Command) error {
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return err
	}
	defer u.close()
	if c.String("amount") == "" {
		_, err = u.PoolWithdraw(ctx, nil)
	} else {
		amount, bad := u.amountFlag(ctx, "amount", common.Address{}, false)
		if bad != nil {
			return bad
		}
		_, err = u.PoolWithdraw(ctx, amount)
	}
	if err != nil {
		return err
	}
	return u.printPool(ctx, u.Address())
}

func runPoolCollect(ctx context.Context, c *cli.Command) error {
	u, err := dialBridge(ctx, c, true)
	if err != nil {
		return err
	}
	defer u.close()
	total, err := u.PoolCollect(ctx, c.Uint64("from-block"))
	if err != nil {
		return err
	}
	return u.print(map[string]*hexutil.Big{"collected": (*hexutil.Big)(total)}, "collected "+inUnits(total, 18))
}

func runPoolStatus(ctx context.Context, c *cli.Command) error {
	provider, err := optionalAddress(c, "provider")
	if err != nil {
		return err
	}
	u, err := dialBridge(ctx, c, false)
	if err != nil {
		return err
	}
	defer u.close()
	if provider == (common.Address{}) {
		provider = u.Address()
	}
	return u.printPool(ctx, provider)
}

func (u *user) printPool(ctx context.Context, provider common.Address) error {
	p, err := u.PoolStatus(ctx, provider)
	if err != nil {
		return err
	}
	lines := []string{
		fmt.Sprintf("pool %s: %s to lend, %s lent out; a withdrawal of 1 costs %s %%", p.Address, inUnits(p.Cash.ToInt(), 18), inUnits(p.Outstanding.ToInt(), 18), inUnits(new(big.Int).SetUint64(p.Fee), 4)),
	}
	if provider != (common.Address{}) {
		lines = append(lines, fmt.Sprintf("provider %s: %s", provider, inUnits(p.Worth.ToInt(), 18)))
		if until := time.Unix(int64(p.LockedUntil), 0); p.LockedUntil > 0 && time.Now().Before(until) {
			lines[1] += ", locked until " + until.Format(time.DateTime)
		}
	}
	return u.print(p, lines...)
}
