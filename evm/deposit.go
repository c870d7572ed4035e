package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// executeDeposit includes a deposit whatever happens (OP Stack specification,
// "Deposits", as of Regolith): its mint stays; a failed execution is rolled back
// as any other; one that could not begin leaves only mint and nonce, and uses all
// its gas. The sender's nonce always goes up by one.
func (m *Machine) executeDeposit(tx *chain.Tx, env *Env, r *Result) {
	d := tx.Deposit
	err := m.msg.setDeposit(d)
	if m.tracer != nil {
		m.traceStart(m.msg.transaction(), d.From)
	}
	var mint uint256.Int
	mint.SetFromBig(d.Mint) // a mint above 2^256 does not decode
	if !mint.IsZero() {
		m.addBalance(d.From, &mint, tracing.BalanceChangeUnspecified)
	}
	nonce := m.journal.Nonce(d.From)
	minted := m.journal.Snapshot()

	var out executed
	if err == nil {
		out, err = m.transition(&m.msg)
	}
	if err != nil {
		m.journal.Revert(minted)
		if m.tracer != nil {
			m.traceRefused(d, err)
		}
		out = executed{gasUsed: d.Gas, err: fmt.Errorf("%w: %w", ErrFailedDeposit, err)}
	}
	// What was refused before it ran left the nonce as it was.
	if m.journal.Nonce(d.From) == nonce {
		m.setNonce(d.From, nonce+1, tracing.NonceChangeUnspecified)
	}
	if d.To == nil {
		out.contract = m.createAddress(d.From, nonce)
	}
	m.result(tx, env, &out, r)
	r.DepositNonce = nonce
}
