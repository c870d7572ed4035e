package evm

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"

	"github.com/talaria-l2/talaria/state"
)

// accessListRounds bounds how often a list changes the accesses that it is made of.
const accessListRounds = 16

var errAccessListUnstable = errors.New("access list does not settle: it changes what the call accesses")

// CreateAccessList returns the accounts and slots that msg accesses, without the
// sender, the recipient, precompiles and authorities, and the result of running
// msg with that list.
func (m *Machine) CreateAccessList(view state.View, msg *CallMsg, env *Env) (types.AccessList, *CallResult, error) {
	excluded := map[common.Address]struct{}{msg.From: {}}
	if msg.To != nil {
		excluded[*msg.To] = struct{}{}
	} else {
		account, _ := view.Account(msg.From)
		if o := msg.Overrides[msg.From]; o.Nonce != nil {
			account.Nonce = *o.Nonce
		}
		excluded[crypto.CreateAddress(msg.From, account.Nonce)] = struct{}{}
	}
	for addr := range m.precompiles {
		excluded[addr] = struct{}{}
	}
	for i := range msg.Authorizations {
		if authority, err := msg.Authorizations[i].Authority(); err == nil {
			excluded[authority] = struct{}{}
		}
	}

	before := m.tracer
	defer m.SetTracer(before)
	withList := *msg
	tracer := logger.NewAccessListTracer(msg.AccessList, excluded)
	for range accessListRounds {
		withList.AccessList = tracer.AccessList()
		next := logger.NewAccessListTracer(withList.AccessList, excluded)
		m.SetTracer(next.Hooks())
		result, err := m.Call(view, &withList, env)
		if err != nil {
			return nil, nil, err
		}
		if next.Equal(tracer) {
			return withList.AccessList, result, nil
		}
		tracer = next
	}
	return nil, nil, errAccessListUnstable
}
