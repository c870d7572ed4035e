package rpc

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/talaria-l2/talaria/chain"
)

// TxPool is the part of Backend that tells which transactions wait.
type TxPool interface {
	// PoolContent is what waits of the caller's transactions (Send.Caller), or of all:
	// MaxPoolContent at most, in order of arrival. A node that takes no transactions has
	// none.
	PoolContent(ctx context.Context, caller string, all bool) (*PoolContent, error)
}

// MaxPoolContent bounds each list of a PoolContent.
const MaxPoolContent = 4096

// PoolContent is what waits at one moment. No transaction of it is executed.
type PoolContent struct {
	Pending []*chain.Tx // wait for their turn
	Queued  []*chain.Tx // wait for an earlier nonce
}

// poolMethods tell what waits.
func (s *Server) poolMethods(t methodTable) {
	t.slow("txpool_status", 0, s.poolStatus).doc("How many of the caller's transactions wait: `pending` for their turn, `queued` for an earlier nonce; of all callers' if the pool is open", "rpc.TestThePoolShowsWhatWaits")
	t.slow("txpool_content", 0, s.poolContent).doc("The caller's transactions that wait, by sender and nonce; all callers' if the pool is open", "rpc.TestThePoolShowsWhatWaits")
	t.slow("txpool_contentFrom", 1, s.poolContentFrom).doc("As `txpool_content`, those of one sender by nonce", "rpc.TestThePoolShowsWhatWaits")
	t.slow("txpool_inspect", 0, s.poolInspect).doc("As `txpool_content`, each transaction in a line of text", "rpc.TestThePoolShowsWhatWaits")
}

// pool is what the caller may see.
func (s *Server) pool(c *call) (*PoolContent, error) {
	all := s.opts.OpenTxPool || c.admin
	if !all && c.caller == "" {
		return new(PoolContent), nil // nobody's are nobody's to see
	}
	return s.backend.PoolContent(c.ctx, c.caller, all)
}

func (s *Server) poolStatus(c *call, _ *args) (rawJSON, error) {
	p, err := s.pool(c)
	if err != nil {
		return nil, err
	}
	w := newWriter(64)
	w.open('{')
	w.key("pending").qty(uint64(len(p.Pending)))
	w.key("queued").qty(uint64(len(p.Queued)))
	w.shut('}')
	return w.b, nil
}

func (s *Server) poolContent(c *call, _ *args) (rawJSON, error) {
	return s.poolBySender(c, (*writer).waitingTx)
}

func (s *Server) poolInspect(c *call, _ *args) (rawJSON, error) {
	return s.poolBySender(c, func(w *writer, tx *chain.Tx) { w.str(inspection(tx)) })
}

// inspection is go-ethereum's line about a transaction.
func inspection(tx *chain.Tx) string {
	to := "contract creation"
	if tx.To() != nil {
		to = tx.To().Hex()
	}
	feeCap, _, _ := tx.Fees()
	return fmt.Sprintf("%s: %v wei + %v gas × %v wei", to, tx.Value(), tx.Gas(), feeCap)
}

// poolBySender writes both lists as {sender: {nonce: transaction}}.
func (s *Server) poolBySender(c *call, each func(*writer, *chain.Tx)) (rawJSON, error) {
	p, err := s.pool(c)
	if err != nil {
		return nil, err
	}
	w := newWriter(64 + 1024*(len(p.Pending)+len(p.Queued)))
	w.open('{')
	w.key("pending").bySender(p.Pending, each)
	w.key("queued").bySender(p.Queued, each)
	w.shut('}')
	return w.b, nil
}

func (s *Server) poolContentFrom(c *call, a *args) (rawJSON, error) {
	from := a.address(0)
	if a.err != nil {
		return nil, a.err
	}
	p, err := s.pool(c)
	if err != nil {
		return nil, err
	}
	others := func(tx *chain.Tx) bool { return tx.From() != from }
	w := newWriter(1024)
	w.open('{')
	w.key("pending").byNonce(ordered(slices.DeleteFunc(slices.Clone(p.Pending), others)), (*writer).waitingTx)
	w.key("queued").byNonce(ordered(slices.DeleteFunc(slices.Clone(p.Queued), others)), (*writer).waitingTx)
	w.shut('}')
	return w.b, nil
}

// ordered sorts by sender and nonce. Of several with the same nonce the first to arrive
// stays, which is the one to be executed.
func ordered(txs []*chain.Tx) []*chain.Tx {
	txs = slices.Clone(txs)
	slices.SortStableFunc(txs, func(a, b *chain.Tx) int {
		x, y := a.From(), b.From()
		return cmp.Or(bytes.Compare(x[:], y[:]), cmp.Compare(a.Nonce(), b.Nonce()))
	})
	return slices.CompactFunc(txs, func(a, b *chain.Tx) bool { return a.From() == b.From() && a.Nonce() == b.Nonce() })
}

func (w *writer) bySender(txs []*chain.Tx, each func(*writer, *chain.Tx)) {
	txs = ordered(txs)
	w.open('{')
	for len(txs) > 0 {
		from := txs[0].From()
		n := slices.IndexFunc(txs, func(tx *chain.Tx) bool { return tx.From() != from })
		if n < 0 {
			n = len(txs)
		}
		w.key(from.Hex()).byNonce(txs[:n], each)
		txs = txs[n:]
	}
	w.shut('}')
}

func (w *writer) byNonce(txs []*chain.Tx, each func(*writer, *chain.Tx)) {
	w.open('{')
	for _, tx := range txs {
		w.key(u64(tx.Nonce()))
		each(w, tx)
	}
	w.shut('}')
}

// waitingTx writes a transaction that is in no block; its gas price is the most it pays.
func (w *writer) waitingTx(tx *chain.Tx) {
	w.open('{')
	for _, name := range [...]string{"blockHash", "blockNumber", "blockTimestamp", "transactionIndex"} {
		w.key(name).null()
	}
	w.txFields(tx)
	w.signedFields(tx.Eth(), nil)
	w.shut('}')
}
