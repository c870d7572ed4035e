package deploy

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/l1"
)

// Result is a deployment that L1 has included.
type Result struct {
	Addresses Addresses
	// Block is the number of the last block with a part of the deployment: everything is
	// there from it on.
	Block uint64
}

// Deploy puts the contracts on the L1 of client, sent by sender's account, to whom nobody
// else may give transactions meanwhile. It returns when all are included and their code
// is there. After an error some may exist; they belong to nothing and cost only gas.
func Deploy(ctx context.Context, client *l1.Client, sender *l1.Sender, p Params) (*Result, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("deploy L1 contracts: %w", err)
	}
	if p.NativeToken != (common.Address{}) {
		if err := checkToken(ctx, client, p.NativeToken); err != nil {
			return nil, fmt.Errorf("deploy L1 contracts: %w", err)
		}
	}
	nonce, err := client.PendingNonce(ctx, sender.Address())
	if err != nil {
		return nil, fmt.Errorf("deploy L1 contracts: %w", err)
	}
	head, err := client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return nil, fmt.Errorf("deploy L1 contracts: %w", err)
	}
	plan := newPlan(sender.Address(), nonce, head.Time, p)
	out := &Result{Addresses: plan.at}
	pending, waited := make([]*l1.Pending, len(plan.steps)), 0
	wait := func() error {
		s := plan.steps[waited]
		receipt, err := pending[waited].Wait(ctx)
		if err != nil {
			return fmt.Errorf("deploy L1 contract %s: %w", s.name, err)
		}
		if err := check(ctx, client, s, receipt); err != nil {
			return err
		}
		out.Block = max(out.Block, receipt.BlockNumber.Uint64())
		waited++
		return nil
	}
	// No more than one block takes: anvil loses what does not fit.
	inFlight := uint64(0)
	for i, s := range plan.steps {
		code := s.code()
		gas := gasLimit(code)
		for inFlight += gas; inFlight > head.GasLimit && waited < i; {
			inFlight -= gasLimit(plan.steps[waited].code())
			if err := wait(); err != nil {
				return nil, err
			}
		}
		if pending[i], err = sender.Submit(ctx, l1.Request{Data: code, Gas: gas}); err != nil {
			return nil, fmt.Errorf("deploy L1 contract %s: %w", s.name, err)
		}
	}
	for waited < len(plan.steps) {
		if err := wait(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// check says whether a contract is where others expect it.
func check(ctx context.Context, client *l1.Client, s step, receipt *types.Receipt) error {
	if receipt.ContractAddress != s.addr {
		return fmt.Errorf("deploy L1 contract %s: it is at %v instead of %v: the account sent something else meanwhile", s.name, receipt.ContractAddress, s.addr)
	}
	code, err := client.Code(ctx, s.addr)
	if err != nil {
		return fmt.Errorf("deploy L1 contract %s: %w", s.name, err)
	}
	if len(code) == 0 {
		return fmt.Errorf("deploy L1 contract %s: no code at %v", s.name, s.addr)
	}
	return nil
}

// gasLimit is enough for any creation here: 200 gas per byte of code that stays, up to 42
// per byte of data and init code, and what constructors write. It cannot be estimated
// while the contracts that a constructor calls are not there.
func gasLimit(code []byte) uint64 {
	const constructor = 1_200_000 // a proxy creates its admin, and initialises storage
	return min(constructor+250*uint64(len(code)), params.MaxTxGas)
}
