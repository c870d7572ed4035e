package bridging

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bridge"
)

// Goal is how far Follow takes a withdrawal.
type Goal int

// The goals.
const (
	Proved  Goal = iota // until it is proven
	Paid                // until its recipient is paid, by the portal or the pool
	Settled             // until the portal has paid, also to the pool
)

// ErrUnknown means that the L2 knows no such withdrawal.
var ErrUnknown = errors.New("L2 knows no withdrawal or transaction of this hash")

// pollStatus is how often a status is asked for.
const pollStatus = 500 * time.Millisecond

// Follow takes a withdrawal from where it stands to a goal, step by step; each step is taken
// as soon as it can be. What was done stays done when ctx ends: a later call goes on.
func (c *Client) Follow(ctx context.Context, hash common.Hash, index uint64, goal Goal) (*Status, error) {
	told, retries, since := "", 0, time.Time{}
	for {
		s, err := c.Status(ctx, hash, index)
		if err != nil {
			return nil, err
		}
		if s == nil {
			return nil, ErrUnknown
		}
		if line := string(s.State) + ": " + s.Reason; line != told {
			told = line
			c.opts.Report(line + until(s))
		}
		if s.Claim == nil || !s.Claim.Resolvable {
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		}
		done, acted, err := c.step(ctx, s, goal, !since.IsZero() && time.Since(since) >= resolvePatience)
		var refused *Refusal
		switch {
		case done:
			return s, err
		case errors.As(err, &refused) && retries < 3:
			retries++ // somebody else was faster, or L1's clock is behind: look again
			c.opts.Report(err.Error())
		case err != nil:
			return s, err
		case acted:
			continue
		}
		if err := pause(ctx, pollStatus); err != nil {
			return s, fmt.Errorf("stopped at %s; go on with: talaria bridge finalize %s --wait (%w)", s.State, s.Hash, err)
		}
	}
}

// until says when a withdrawal can be paid.
func until(s *Status) string {
	if s.ETA == nil {
		return ""
	}
	return " (can be paid at " + time.UnixMilli(int64(*s.ETA)).Format(time.DateTime) + ")"
}

// resolvePatience is how long whoever made a claim has to resolve it, before the client
// pays for that.
const resolvePatience = 5 * time.Second

// step takes the next step towards a goal.
func (c *Client) step(ctx context.Context, s *Status, goal Goal, resolve bool) (done, acted bool, err error) {
	way := s.way()
	switch {
	case s.State == bridge.Finalized, goal == Paid && s.State == bridge.PaidByPool:
		return true, false, nil
	case way == bridge.ReadyToProve:
		if c.exitable(s) { // the pool first, it may have paid already when the proof is made
			if paid, err := c.tryExit(ctx, s); paid || err != nil {
				return false, paid, err
			}
		}
		return false, true, c.Prove(ctx, s)
	case goal == Proved && (way == bridge.Proven || way == bridge.ReadyToFinalize || way == bridge.Challenged || way == bridge.Failed):
		return true, false, nil
	case way == bridge.Failed:
		return true, false, fmt.Errorf("withdrawal %s: %s (talaria bridge finalize %s tries again)", s.Hash, s.Reason, s.Hash)
	case way == bridge.ReadyToFinalize:
		return false, true, c.Finalize(ctx, s)
	case way == bridge.Proven && resolve:
		return false, true, c.resolve(ctx, s)
	case c.exitable(s):
		paid, err := c.tryExit(ctx, s)
		return false, paid, err
	}
	return false, false, nil
}
