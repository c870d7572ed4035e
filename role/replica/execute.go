package replica

import (
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/state"
)

// recover finds out who signed the transactions, if they are to be executed: a replica
// that executes takes nobody's word.
func (l *Live) recover(m *feed.MiniBlock) error {
	if !l.opts.Execute || len(m.Txs) == 0 {
		return nil
	}
	if chain.TxsHash(m.Txs) != m.Header.TxsHash { // else they show nothing against who signed it
		return fmt.Errorf("mini-block %d: %w: hash of the transactions differs", m.Header.Number, exec.ErrContent)
	}
	raws, said := make([][]byte, 0, len(m.Txs)), make([]common.Address, 0, len(m.Txs))
	for _, tx := range m.Txs {
		if !tx.IsDeposit() {
			raws, said = append(raws, tx.Raw()), append(said, tx.From())
		}
	}
	txs, errs := make([]*chain.Tx, len(raws)), make([]error, len(raws))
	l.decoder.DecodeHinted(raws, said, txs, errs)
	for i := range raws {
		switch {
		case errs[i] != nil:
			return l.forged(m, fmt.Errorf("transaction %d of those that are signed: %w", i, errs[i]))
		case txs[i].From() != said[i]:
			return fmt.Errorf("mini-block %d: %w: transaction %s is said to be from %s, signed has %s", m.Header.Number, exec.ErrContent, txs[i].Hash(), said[i], txs[i].From())
		}
	}
	return nil
}

// forged decides on a mini-block with a transaction that nobody signed. A leader may have
// taken a replica's word for it: then it takes the mini-block back before the block is sealed
// (ADR 0040), and until that must be over somebody else has what comes instead. That time
// begins anew when the chain goes on: what was taken back may come again.
func (l *Live) forged(m *feed.MiniBlock, why error) error {
	l.mu.Lock()
	if hash := m.Header.Hash(); l.unsignedTx != hash {
		l.unsignedTx, l.unsignedSince = hash, time.Now()
	}
	late := time.Since(l.unsignedSince) > mostUnchecked
	l.mu.Unlock()
	if late && signed(m) {
		return l.diverged("transaction", m, why)
	}
	return fmt.Errorf("mini-block %d: %w: %w", m.Header.Number, exec.ErrContent, why)
}

// mostUnchecked is how long a block may stay open with signatures that its leader has not
// checked: longer than any is made.
const mostUnchecked = 30 * time.Second

// execute makes the mini-block from its transactions; it must be the same.
func (l *Live) execute(m *feed.MiniBlock) (version uint64, err error) {
	c, h := l.chain, &m.Header
	if len(m.Txs) == 0 && chain.TxsHash(nil) != h.TxsHash {
		return 0, fmt.Errorf("mini-block %d: %w: it has no transactions", h.Number, exec.ErrContent)
	}
	if !c.IsOpen() {
		if err := c.Open(m.Attributes); err != nil {
			return 0, l.doubted(fmt.Errorf("attributes of block %d: %w", h.BlockNumber, err), func(why error) error {
				return l.contradicted("attributes", m, why)
			})
		}
	}
	if i, err := c.ApplyAll(m.Txs); err != nil {
		return 0, l.doubted(fmt.Errorf("transaction %d (%s) is not valid there: %w", i, m.Txs[i].Hash(), err), func(why error) error {
			return l.contradicted("transaction", m, why)
		})
	}
	c.SetEpoch(h.Epoch)
	mine, version := c.Cut(h.TimestampMicros)
	if mine.Header != *h {
		return 0, l.doubted(errors.Join(fmt.Errorf("execution gives another mini-block %d", h.Number), differences(m.MiniBlock, mine)), func(why error) error {
			return l.contradicted("execution", m, why)
		})
	}
	mine.Signature = m.Signature
	m.MiniBlock = mine
	return version, nil
}

// differences says what two mini-blocks differ in: of receipts and accounts the first.
func differences(theirs, ours *chain.MiniBlock) error {
	var errs []error
	note := func(what string, theirs, ours any) {
		if theirs != ours {
			errs = append(errs, fmt.Errorf("%s: theirs %v, ours %v", what, theirs, ours))
		}
	}
	t, o := &theirs.Header, &ours.Header
	note("chain id", t.ChainID, o.ChainID)
	note("epoch", t.Epoch, o.Epoch)
	note("number", t.Number, o.Number)
	note("parent", t.ParentHash, o.ParentHash)
	note("block", t.BlockNumber, o.BlockNumber)
	note("index", t.Index, o.Index)
	note("first transaction", t.FirstTxIndex, o.FirstTxIndex)
	note("transactions", t.TxCount, o.TxCount)
	note("gas", t.GasUsed, o.GasUsed)
	note("hash of transactions", t.TxsHash, o.TxsHash)
	note("hash of receipts", t.ReceiptsHash, o.ReceiptsHash)
	note("hash of the diff", t.DiffHash, o.DiffHash)
	for i := range min(len(theirs.Receipts), len(ours.Receipts)) {
		t, o := theirs.Receipts[i], ours.Receipts[i]
		if string(t.MarshalBinary()) == string(o.MarshalBinary()) {
			continue
		}
		errs = append(errs, fmt.Errorf("receipt of transaction %s", theirs.Txs[i].Hash()))
		note("status", t.Status, o.Status)
		note("cumulative gas", t.CumulativeGasUsed, o.CumulativeGasUsed)
		note("logs", len(t.Logs), len(o.Logs))
		break
	}
	if err := otherAccount(theirs.Diff, ours.Diff); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// otherAccount is the first account that two diffs leave differently.
func otherAccount(theirs, ours []byte) error {
	a, err := state.DecodeAccessList(theirs)
	if err != nil {
		return fmt.Errorf("theirs: %w", err)
	}
	b, err := state.DecodeAccessList(ours)
	if err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	x, y := a.Final(), b.Final()
	for i := range max(len(x), len(y)) {
		switch {
		case i >= len(x):
			return fmt.Errorf("account %s changes in ours only", y[i].Address)
		case i >= len(y) || x[i].Address != y[i].Address:
			return fmt.Errorf("account %s changes in theirs, not in ours", x[i].Address)
		}
		if t, o := describe(&x[i]), describe(&y[i]); t != o {
			return fmt.Errorf("account %s: theirs %s, ours %s", x[i].Address, t, o)
		}
	}
	return nil
}

// describe is a change of an account in words.
func describe(d *state.AccountDiff) string {
	out := ""
	if d.Nonce != nil {
		out += fmt.Sprintf("nonce %d ", *d.Nonce)
	}
	if d.Balance != nil {
		out += fmt.Sprintf("balance %s ", d.Balance)
	}
	if d.CodeChanged {
		out += fmt.Sprintf("code %s ", d.NewCodeHash())
	}
	for _, s := range d.Storage {
		out += fmt.Sprintf("slot %s = %s ", s.Slot, s.Value)
	}
	return out
}
