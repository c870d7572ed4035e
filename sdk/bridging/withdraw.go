package bridging

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// Withdrawal is what is to be moved from L2 to L1.
type Withdrawal struct {
	Amount *big.Int       // in the smallest unit
	To     common.Address // on L1; zero: the sender's
	Token  common.Address // on L2; zero: the chain's currency
	Gas    uint32         // L1 gas of the receiver, at least [100,000; 200,000 of a token]
	// Instant has the pool of InstantExit pay it, for a fee; the chain's currency only.
	Instant bool
	// MinPayout is what the pool must pay at least; nil: what it offers now less as much
	// again as its fee.
	MinPayout *big.Int
}

// Withdraw makes a withdrawal on L2, and returns its hash and its transaction.
func (c *Client) Withdraw(ctx context.Context, w Withdrawal) (hash common.Hash, tx common.Hash, err error) {
	if w.To == (common.Address{}) {
		w.To = c.Address()
	}
	to, value, data, err := c.withdrawalCall(ctx, w)
	if err != nil {
		return hash, tx, err
	}
	r, err := c.sendL2(ctx, "withdraw", to, value, data)
	if err != nil {
		return hash, tx, err
	}
	return onlyWithdrawal(r)
}

// onlyWithdrawal is the hash of the one withdrawal of a transaction on L2, and that of the
// transaction.
func onlyWithdrawal(r *types.Receipt) (hash, tx common.Hash, err error) {
	list := bridge.Withdrawals(r.Logs)
	if len(list) != 1 {
		return hash, r.TxHash, fmt.Errorf("transaction %s made %d withdrawals, want one", r.TxHash, len(list))
	}
	return list[0].Hash(), r.TxHash, nil
}

func (c *Client) withdrawalCall(ctx context.Context, w Withdrawal) (to common.Address, value *big.Int, data []byte, err error) {
	gas := w.Gas
	if w.Token != (common.Address{}) {
		if gas == 0 {
			gas = 200_000
		}
		data, err = c.l2abi.Pack("withdrawTo", w.Token, w.To, w.Amount, gas, []byte{})
		return l2Bridge, nil, data, err
	}
	if gas == 0 {
		gas = 100_000
	}
	target, inner := w.To, []byte{}
	if w.Instant {
		if target, inner, err = c.order(ctx, w); err != nil {
			return to, nil, nil, err
		}
		gas = settleGas
	}
	data, err = c.l2abi.Pack("initiateWithdrawal", target, new(big.Int).SetUint64(uint64(gas)), inner)
	return messagePasser, w.Amount, data, err
}

// Status is the answer of talaria_withdrawalStatus.
type Status struct {
	Hash       common.Hash    `json:"withdrawalHash"`
	Tx         common.Hash    `json:"transactionHash"`
	Block      hexutil.Uint64 `json:"blockNumber"`
	Withdrawal struct {
		Nonce    *hexutil.Big   `json:"nonce"`
		Sender   common.Address `json:"sender"`
		Target   common.Address `json:"target"`
		Value    *hexutil.Big   `json:"value"`
		GasLimit *hexutil.Big   `json:"gasLimit"`
		Data     hexutil.Bytes  `json:"data"`
	} `json:"withdrawal"`
	State  bridge.State    `json:"state"`
	ETA    *hexutil.Uint64 `json:"eta"` // when it can be paid, in ms since 1970; nil: paid, or not known
	Reason string          `json:"reason"`
	Claim  *struct {
		Game       common.Address `json:"game"`
		Index      hexutil.Uint64 `json:"index"`
		Block      hexutil.Uint64 `json:"blockNumber"`
		ProvenBy   common.Address `json:"provenBy"`
		Resolvable bool           `json:"resolvable"`
	} `json:"claim"`
	Payout    *hexutil.Big `json:"payout,omitempty"`
	Repayment bridge.State `json:"repayment,omitempty"`
}

// way is the state of the withdrawal itself, whether the pool has paid it or not.
func (s *Status) way() bridge.State {
	if s.State == bridge.PaidByPool {
		return s.Repayment
	}
	return s.State
}

// tuple is the withdrawal as the contracts take it.
func (s *Status) tuple() bindings.TypesWithdrawalTransaction {
	w := &s.Withdrawal
	return bindings.TypesWithdrawalTransaction{
		Nonce: (*big.Int)(w.Nonce), Sender: w.Sender, Target: w.Target, Value: (*big.Int)(w.Value), GasLimit: (*big.Int)(w.GasLimit), Data: w.Data,
	}
}

// Status asks where a withdrawal stands, by its hash or its transaction's and its index
// there; nil: the L2 knows of none.
func (c *Client) Status(ctx context.Context, hash common.Hash, index uint64) (*Status, error) {
	var out *Status
	if err := c.l2.Client().CallContext(ctx, &out, "talaria_withdrawalStatus", hash, index); err != nil {
		return nil, fmt.Errorf("ask for the withdrawal's status: %w", err)
	}
	return out, nil
}

// Prove proves a withdrawal under the claim that its status names.
func (c *Client) Prove(ctx context.Context, s *Status) error {
	if s.way() != bridge.ReadyToProve || s.Claim == nil {
		return fmt.Errorf("it cannot be proven now: %s", s.Reason)
	}
	portal, err := c.contract("portal")
	if err != nil {
		return err
	}
	number := new(big.Int).SetUint64(uint64(s.Claim.Block))
	h, err := c.l2.HeaderByNumber(ctx, number)
	if err != nil {
		return fmt.Errorf("get L2 block %d: %w", number, err)
	}
	if h.WithdrawalsHash == nil {
		return fmt.Errorf("L2 block %d has no root of withdrawals", number)
	}
	nodes, err := c.storageProof(ctx, s.Hash, number)
	if err != nil {
		return err
	}
	root := bindings.TypesOutputRootProof{StateRoot: h.Root, MessagePasserStorageRoot: *h.WithdrawalsHash, LatestBlockhash: h.Hash()}
	index := new(big.Int).SetUint64(uint64(s.Claim.Index))
	_, err = c.sendL1(ctx, "prove", l1.Request{To: &portal, Data: bindings.NewPortal().PackProveWithdrawalTransaction(s.tuple(), index, root, nodes)})
	return err
}

// storageProof proves that the message passer has noted a withdrawal at a block.
func (c *Client) storageProof(ctx context.Context, hash common.Hash, number *big.Int) ([][]byte, error) {
	var answer struct {
		StorageProof []struct {
			Proof []hexutil.Bytes `json:"proof"`
		} `json:"storageProof"`
	}
	if err := c.l2.Client().CallContext(ctx, &answer, "eth_getProof", messagePasser, []common.Hash{bridge.Slot(hash)}, hexutil.EncodeBig(number)); err != nil {
		return nil, fmt.Errorf("get the proof of withdrawal %s at block %d: %w", hash, number, err)
	}
	if len(answer.StorageProof) != 1 {
		return nil, fmt.Errorf("get the proof of withdrawal %s: the L2 node gave %d", hash, len(answer.StorageProof))
	}
	nodes := make([][]byte, len(answer.StorageProof[0].Proof))
	for i, n := range answer.StorageProof[0].Proof {
		nodes[i] = n
	}
	return nodes, nil
}

// replayGas is the L1 gas of delivering a message again besides what its withdrawal says.
const replayGas = 100_000

// Finalize has the portal pay a withdrawal that is ready, or delivers its message again if
// that failed.
func (c *Client) Finalize(ctx context.Context, s *Status) error {
	portal, err := c.contract("portal")
	if err != nil {
		return err
	}
	switch way := s.way(); {
	case way == bridge.Failed && s.Claim == nil: // the portal has paid it
		messenger, err := c.contract("l1CrossDomainMessenger")
		if err != nil {
			return err
		}
		// Its gas cannot be estimated: a message that gets too little fails without an error.
		gas := (*big.Int)(s.Withdrawal.GasLimit).Uint64() + replayGas
		r, err := c.sendL1(ctx, "deliver the message again", l1.Request{To: &messenger, Data: s.Withdrawal.Data, Gas: gas})
		if err != nil {
			return err
		}
		return c.delivered(r)
	case (way == bridge.ReadyToFinalize || way == bridge.Failed) && s.Claim != nil && s.Claim.ProvenBy != (common.Address{}):
		_, err := c.sendL1(ctx, "finalise", l1.Request{To: &portal, Data: bindings.NewPortal().PackFinalizeWithdrawalTransactionExternalProof(s.tuple(), s.Claim.ProvenBy)})
		return err
	}
	return fmt.Errorf("it cannot be finalised now: %s", s.Reason)
}

// delivered reports that the messenger could not deliver a message, which costs nothing
// but gas.
func (c *Client) delivered(r *types.Receipt) error {
	messenger := c.at["l1CrossDomainMessenger"]
	for _, l := range r.Logs {
		if l.Address == messenger && len(l.Topics) > 0 && l.Topics[0] == c.l2abi.Events["FailedRelayedMessage"].ID {
			return fmt.Errorf("the message failed again, in L1 transaction %s; it can be tried once more when its target would succeed", r.TxHash)
		}
	}
	return nil
}

// resolve closes an unchallenged claim whose challenge period is over. Which contract that
// is, the factory on L1 says.
func (c *Client) resolve(ctx context.Context, s *Status) error {
	portal, err := c.contract("portal")
	if err != nil {
		return err
	}
	p, f := bindings.NewPortal(), bindings.NewDisputeGameFactory()
	factory, err := callL1(ctx, c, portal, p.PackDisputeGameFactory(), p.UnpackDisputeGameFactory)
	if err != nil {
		return err
	}
	index := new(big.Int).SetUint64(uint64(s.Claim.Index))
	game, err := callL1(ctx, c, factory, f.PackGameAtIndex(index), f.UnpackGameAtIndex)
	if err != nil {
		return err
	}
	_, err = c.sendL1(ctx, "resolve the claim", l1.Request{To: &game.Proxy, Data: bindings.NewHybridGame().PackResolve()})
	return err
}
