package bridging

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
)

// Arrival is how a deposit ended on L2.
type Arrival struct {
	L1Tx common.Hash `json:"l1Transaction"`
	L2Tx common.Hash `json:"l2Transaction"`
	// Outcome is one line: arrived, or where the money is.
	Outcome string `json:"outcome"`
	Arrived bool   `json:"arrived"`
	// Refund is the withdrawal with which it goes back to its sender on L1; zero: none.
	Refund  common.Hash    `json:"refundWithdrawal,omitzero"`
	L2Token common.Address `json:"l2Token,omitzero"`
}

// ErrNoDeposit means that an L1 transaction has made no deposit.
var ErrNoDeposit = errors.New("the L1 transaction made no deposit")

// recheckL1 is how often L1 is asked whether a deposit is still in the same block: its
// transaction on L2 follows from that.
const recheckL1 = time.Second

// Arrive waits until L2 has executed the first deposit of an L1 transaction, also when L1
// moves that into another block meanwhile.
func (c *Client) Arrive(ctx context.Context, r *types.Receipt) (*Arrival, error) {
	hash, err := c.firstDeposit(r)
	if err != nil {
		return nil, err
	}
	c.opts.Report(fmt.Sprintf("on its way: L2 transaction %s", hash))
	missing, recheck := false, time.Now().Add(recheckL1)
	for {
		done, err := c.l2.TransactionReceipt(ctx, hash)
		if err == nil {
			return c.judge(r.TxHash, done), nil
		}
		if errors.Is(err, ethereum.NotFound) {
			err = pause(ctx, pollL2)
		}
		if err != nil {
			return nil, fmt.Errorf("wait for the deposit on L2: %w", err)
		}
		if time.Now().Before(recheck) {
			continue
		}
		switch now, err := c.l1.Receipt(ctx, r.TxHash); {
		case err == nil && now.BlockHash != r.BlockHash:
			if hash, err = c.firstDeposit(now); err != nil {
				return nil, fmt.Errorf("L1 has moved the transaction into block %s: %w", now.BlockHash, err)
			}
			r = now
			c.opts.Report(fmt.Sprintf("L1 has moved it into another block, on its way again: L2 transaction %s", hash))
			missing = false
		case err == nil, errors.Is(err, l1.ErrUnavailable):
		case !errors.Is(err, l1.ErrNotFound):
			return nil, fmt.Errorf("wait for the deposit on L2: %w", err)
		case !missing:
			missing = true
			c.opts.Report("L1 has left the block of the deposit: waiting until it is in another")
		}
		recheck = time.Now().Add(recheckL1)
	}
}

// firstDeposit is the L2 transaction of the first deposit in an L1 receipt.
func (c *Client) firstDeposit(r *types.Receipt) (common.Hash, error) {
	portal, err := c.contract("portal")
	if err != nil {
		return common.Hash{}, err
	}
	for _, l := range r.Logs {
		if l.Address != portal || len(l.Topics) == 0 || l.Topics[0] != chain.DepositEventTopic {
			continue
		}
		tx, err := chain.DepositFromLog(l, r.BlockHash)
		if err != nil {
			return common.Hash{}, err
		}
		return tx.Hash(), nil
	}
	return common.Hash{}, ErrNoDeposit
}

// Deposited is Arrive for an L1 transaction by its hash.
func (c *Client) Deposited(ctx context.Context, hash common.Hash) (*Arrival, error) {
	r, err := c.l1.Receipt(ctx, hash)
	if err != nil {
		return nil, err
	}
	return c.Arrive(ctx, r)
}

// judge says what L2 made of a deposit.
func (c *Client) judge(sent common.Hash, r *types.Receipt) *Arrival {
	out := &Arrival{L1Tx: sent, L2Tx: r.TxHash, Arrived: true, Outcome: "arrived on L2"}
	if r.Status != types.ReceiptStatusSuccessful {
		out.Arrived, out.Outcome = false, "its call failed on L2: what was deposited is the sender's there"
		return out
	}
	for _, l := range r.Logs {
		switch {
		case len(l.Topics) == 0:
		case l.Address == l2Bridge && l.Topics[0] == c.l2abi.Events["DepositFailed"].ID:
			out.Arrived, out.Outcome = false, "it could not be given out on L2, and goes back to its sender on L1"
			if list := bridge.Withdrawals(r.Logs); len(list) > 0 {
				out.Refund = list[0].Hash()
				out.Outcome += ": finalise withdrawal " + out.Refund.Hex()
			}
		case l.Address == bridge.L2Messenger && l.Topics[0] == c.l2abi.Events["FailedRelayedMessage"].ID:
			out.Arrived, out.Outcome = false, fmt.Sprintf("its message failed on L2, where it can be delivered again; what it carries is taken back with: talaria bridge refund %s", sent)
		}
	}
	return out
}
