package bridging

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
)

// Refund takes back what a message to L2 carries that failed there: a withdrawal to its
// sender, whose hash and transaction on L2 are returned. The message never runs then. Only its
// sender may, so that the key must be his. tx is the message's transaction on L1, index which
// of the messages in it, from 0.
func (c *Client) Refund(ctx context.Context, tx common.Hash, index uint64) (hash, made common.Hash, err error) {
	r, err := c.l1.Receipt(ctx, tx)
	if err != nil {
		return hash, made, err
	}
	call, err := c.refundCall(r, index)
	if err != nil {
		return hash, made, err
	}
	done, err := c.sendL2(ctx, "refund the message", bridge.L2Messenger, nil, call)
	if err != nil {
		return hash, made, err
	}
	return onlyWithdrawal(done)
}

// refundCall is the call with which a message of an L1 receipt is taken back: the one that
// delivers it, to another function.
func (c *Client) refundCall(r *types.Receipt, index uint64) ([]byte, error) {
	portal, err := c.contract("portal")
	if err != nil {
		return nil, err
	}
	relay, refund := c.l2abi.Methods["relayMessage"].ID, c.l2abi.Methods["refundMessage"].ID
	found := uint64(0)
	for _, l := range r.Logs {
		if l.Address != portal || len(l.Topics) == 0 || l.Topics[0] != chain.DepositEventTopic {
			continue
		}
		d, err := chain.DepositFromLog(l, r.BlockHash)
		if err != nil {
			return nil, err
		}
		if d.To() == nil || *d.To() != bridge.L2Messenger || !bytes.HasPrefix(d.Data(), relay) {
			continue
		}
		if found == index {
			return append(bytes.Clone(refund), d.Data()[len(relay):]...), nil
		}
		found++
	}
	return nil, fmt.Errorf("L1 transaction %s sent %d messages to L2, there is none with index %d", r.TxHash, found, index)
}
