package evm

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/state"
)

// systemCallGas is what a system call may use; it counts for no block.
const systemCallGas = 30_000_000

// Contracts that a block calls when it opens.
var (
	// BeaconRootsAddr keeps parent beacon block roots (EIP-4788); its argument is
	// Env.ParentBeaconRoot.
	BeaconRootsAddr = params.BeaconRootsAddress
	// HistoryAddr keeps block hashes (EIP-2935); its argument is the parent's hash.
	HistoryAddr = params.HistoryStorageAddress
)

// SystemCall calls to with data as the protocol's own sender: 30,000,000 gas, no
// fee, no nonce, and no effect if there is no code. If the call fails, its changes
// are dropped and the error says why; EIP-4788 and EIP-2935 let the block go on.
func (m *Machine) SystemCall(view state.View, env *Env, to common.Address, data []byte) (state.Diff, error) {
	m.begin(view, env, false)
	if len(m.journal.Code(to)) == 0 {
		return nil, nil
	}
	m.msg = message{from: params.SystemAddress, to: &to}
	m.setSender(&m.msg)
	m.journal.Warm(to)
	c := invocation{op: opCALL, caller: params.SystemAddress, address: to, source: to, input: data, gas: systemCallGas}
	ret, _, err := m.call(&c)
	if err != nil {
		return nil, fmt.Errorf("system call %v: %w", to, outcome(err, bytes.Clone(ret)))
	}
	return m.journal.Diff(), nil
}
