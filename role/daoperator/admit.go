package daoperator

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// Gas of the registry's calls, of which one needs the other to be included before it can
// be estimated.
const (
	registerGas  = 1_000_000
	setWeightGas = 250_000
	sealGas      = 1_000_000
	sealGasEach  = 130_000 // of an operator
)

// Admit makes the registry's newest committee consist of these members, each with the same
// weight, at these URLs. sender is the registry's owner. It sends only what is missing, and
// seals an epoch only if members come or go.
func Admit(ctx context.Context, client *l1.Client, sender *l1.Sender, registry common.Address, members []Member) error {
	a := admission{client: client, sender: sender, registry: bindings.NewOperatorRegistry(), at: registry}
	if err := a.run(ctx, members); err != nil {
		return fmt.Errorf("admit %d operators to %v: %w", len(members), registry, err)
	}
	return nil
}

type admission struct {
	client   *l1.Client
	sender   *l1.Sender
	registry *bindings.OperatorRegistry
	at       common.Address
	pending  []*l1.Pending
}

// present is the newest committee: URLs by account.
func (a *admission) present(ctx context.Context) (map[common.Address]string, error) {
	contract := a.registry.Instance(a.client.Eth(), a.at)
	opts := &bind.CallOpts{Context: ctx}
	epoch, err := bind.Call(contract, opts, a.registry.PackLatestEpoch(), a.registry.UnpackLatestEpoch)
	if err != nil || epoch == 0 {
		return nil, err
	}
	contacts, err := bind.Call(contract, opts, a.registry.PackContacts(epoch), a.registry.UnpackContacts)
	if err != nil {
		return nil, err
	}
	out := make(map[common.Address]string)
	for i, account := range contacts.Accounts {
		out[account] = contacts.Urls[i]
	}
	return out, nil
}

func (a *admission) run(ctx context.Context, members []Member) error {
	present, err := a.present(ctx)
	if err != nil {
		return err
	}
	changed := false
	for _, m := range members {
		url, member := present[m.Account]
		delete(present, m.Account)
		if member && url == m.URL {
			continue
		}
		call, err := committee.RegisterCall(a.client.ChainID().Uint64(), a.at, m.Account, m.Key, m.URL)
		if err != nil {
			return err
		}
		if err := a.submit(ctx, call, registerGas); err != nil {
			return err
		}
		if member {
			continue
		}
		changed = true
		if err := a.submit(ctx, a.registry.PackSetWeight(m.Account, 1), setWeightGas); err != nil {
			return err
		}
	}
	gone := make([]common.Address, 0, len(present))
	for account := range present {
		gone = append(gone, account)
	}
	slices.SortFunc(gone, func(a, b common.Address) int { return bytes.Compare(a[:], b[:]) })
	for _, account := range gone {
		changed = true
		if err := a.submit(ctx, a.registry.PackSetWeight(account, 0), setWeightGas); err != nil {
			return err
		}
	}
	if changed {
		gas := min(sealGas+sealGasEach*uint64(len(members)), params.MaxTxGas)
		if err := a.submit(ctx, a.registry.PackSealEpoch(), gas); err != nil {
			return err
		}
	}
	for _, p := range a.pending {
		if _, err := p.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *admission) submit(ctx context.Context, data []byte, gas uint64) error {
	p, err := a.sender.Submit(ctx, l1.Request{To: &a.at, Data: data, Gas: gas})
	if err != nil {
		return err
	}
	a.pending = append(a.pending, p)
	return nil
}
