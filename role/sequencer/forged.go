package sequencer

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
)

// A sender that a trusted replica named is checked behind execution, and before the block is
// sealed. If one is wrong the open block is void: the sequencer goes back to the last sealed
// one, which has none, and executes again what was signed by whom it says.

// settleChecks returns when the signatures in the open block are checked. What is not by its
// sender is then in l.forged.
func (l *loop) settleChecks() {
	c := l.s.checks
	c.wait(l.unchecked)
	if !l.suspect && !c.alarmed.Load() {
		return
	}
	c.alarmed.Store(false)
	l.suspect = false
	if !l.chain.IsOpen() {
		return
	}
	txs, _, _ := l.chain.OpenBlock()
	var users []*chain.Tx
	for _, tx := range txs {
		if !tx.IsDeposit() {
			users = append(users, tx)
		}
	}
	wrong := chain.NewChecker(l.s.node.Config()).Check(users, nil)
	if len(wrong) == 0 {
		return
	}
	l.forged = make(map[signed]forged, len(wrong))
	for _, i := range wrong {
		right, err := chain.DecodeTx(users[i].Raw(), l.s.node.Config())
		if err == nil {
			err = fmt.Errorf("it is by %s, not by %s as a replica said", right.From(), users[i].From())
		}
		l.forged[signedBy(users[i])] = forged{right: right, err: err}
	}
	l.markCopies(users)
}

// markCopies finds what is in the open block more than once, for several senders: it is
// executed again once, where it was executed for who signed, or else where it was first.
func (l *loop) markCopies(users []*chain.Tx) {
	keep := make(map[common.Hash]signed, len(l.forged))
	for k := range l.forged {
		keep[k.hash] = signed{}
	}
	for _, tx := range users {
		k := signedBy(tx)
		kept, some := keep[k.hash]
		if _, is := l.forged[k]; some && (!is || kept == signed{}) {
			keep[k.hash] = k
		}
	}
	for k, f := range l.forged {
		f.copied = keep[k.hash] != k
		l.forged[k] = f
	}
}

// signed is what a transaction with the sender it is executed for is known by: while
// senders are only named, the hash alone does not say whose it is.
type signed struct {
	hash common.Hash
	by   common.Address
}

func signedBy(tx *chain.Tx) signed { return signed{tx.Hash(), tx.From()} }

// forged is a transaction of the open block that is not by the sender it was executed for.
type forged struct {
	right  *chain.Tx // with who signed; nil: the signature is not valid
	err    error
	copied bool // it is in the block once more
}

// purge makes the open block void if a sender in it was forged.
func (l *loop) purge() error {
	l.settleChecks()
	if len(l.forged) == 0 && !l.doubtful() {
		return nil
	}
	return l.rollBack(l.head.Number, "a trusted replica named a sender who did not sign")
}

// doubtful reports whether the mini-block that is not cut yet has a transaction of a replica
// that is not trusted any more. Nobody was told of those.
func (l *loop) doubtful() bool {
	for _, w := range l.waiters {
		if v := w.sub.Voucher(); v != nil && v.Withdrawn() {
			return true
		}
	}
	return false
}

// doubted reports whether a transaction's sender was not looked at and is one that a replica
// named which is not trusted any more.
func doubted(a admitted) bool { return a.check > 0 && a.sub.Voucher().Withdrawn() }

// checkNow is nil if the transaction is by whom it says, which is found out now unless it is
// known. The checks find a forgery, too, and what follows from it is theirs.
func (l *loop) checkNow(a admitted) error {
	if a.check == 0 || l.s.checks.reached(a.check) && !doubted(a) { // trust is withdrawn before they go on
		return nil
	}
	return l.genuine(a)
}

// genuine checks the sender of a transaction that is still to be executed.
func (l *loop) genuine(a admitted) error {
	right, err := chain.DecodeTx(a.tx.Raw(), l.s.node.Config())
	if err == nil && right.From() != a.tx.From() {
		err = fmt.Errorf("%w: it is by %s, not by %s as a replica said", chain.ErrTxSignature, right.From(), a.tx.From())
	}
	return err
}

// nameForged says that transactions that were acknowledged for a sender who did not sign,
// and that nobody else signed, are gone. They are not to be executed again.
func (l *loop) nameForged(lost []node.GoneTx) error {
	if len(lost) == 0 {
		return nil
	}
	l.s.log.Error("acknowledged transactions are gone: nobody has signed them", "transactions", len(lost), "first", lost[0].Hash, "block", lost[0].Place.Block)
	if l.s.opts.Metrics != nil {
		l.s.opts.Metrics.VoidGone.Add(float64(len(lost)))
	}
	return l.s.node.SaveGoneTxs(lost...)
}
