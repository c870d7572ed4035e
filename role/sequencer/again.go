package sequencer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

// Bounds of what is executed again. What is beyond them is gone, and named like the rest.
const (
	maxAgain      = 100_000
	maxAgainBytes = 128 << 20
	// maxNamed is how many transactions that are gone get a line in the log; all can be
	// asked for.
	maxNamed = 1_000
)

// again keeps the transactions of void blocks. Their users hold receipts: each comes into
// the chain again, or is named with the reason why not, whatever happens meanwhile. The
// store has the list from before the rewind until all of it is durable in the chain or
// named; a start goes on with what is missing.
type again struct {
	node    *node.Node
	log     *slog.Logger
	metrics *telemetry.Metrics
	group   *rpc.Group // of the submissions
	done    chan struct{}

	mu    sync.Mutex
	list  []*voided // in order of execution; some are settled
	left  map[common.Hash]*voided
	named int
}

// voided is one transaction of a void block.
type voided struct {
	node.VoidTx
	tx  *chain.Tx
	sub *rpc.Submission
}

func newAgain(n *node.Node, metrics *telemetry.Metrics, log *slog.Logger) *again {
	return &again{node: n, log: log, metrics: metrics, group: rpc.NewGroup(), done: make(chan struct{}), left: make(map[common.Hash]*voided)}
}

// make makes an entry, of which again is told when it is settled.
func (a *again) make(tx *chain.Tx, place node.VoidPlace) *voided {
	sub := rpc.NewSubmissions([]rpc.Send{{Raw: tx.Raw(), Group: a.group}})[0]
	sub.Decoded(tx.Hash())
	return &voided{node.VoidTx{Raw: tx.Raw(), From: tx.From(), Place: place}, tx, sub}
}

// resume returns what an earlier run has left, to be executed before anything else. The
// chain is where its log ends.
func (a *again) resume() ([]admitted, error) {
	stored, err := a.node.VoidTxs()
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	var missing []*voided
	for i := range stored {
		tx, err := chain.RestoreTx(stored[i].Raw, stored[i].From)
		if err != nil {
			return nil, fmt.Errorf("transaction %d of void blocks: %w", i, err)
		}
		info, err := a.node.TxByHash(context.Background(), tx.Hash())
		if err != nil {
			return nil, err
		}
		gone, err := a.node.GoneTx(tx.Hash())
		if err != nil {
			return nil, err
		}
		if info == nil && gone == nil {
			missing = append(missing, a.make(tx, stored[i].Place))
		}
	}
	a.log.Warn("an earlier run went back", "transactionsExecutedAgain", len(stored)-len(missing), "transactionsToExecuteAgain", len(missing))
	return a.begin(missing, nil)
}

// begin takes in transactions in front of those that are left, makes the list durable with
// the store's next sync, and returns what is to be executed. over are too many.
func (a *again) begin(void, over []*voided) ([]admitted, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := make(map[common.Hash]*voided, len(void)+len(a.left))
	out := make([]admitted, 0, len(void))
	for _, v := range void {
		left[v.tx.Hash()] = v
		out = append(out, admitted{v.tx, v.sub})
	}
	list := void
	for _, v := range a.list {
		hash := v.tx.Hash()
		if _, twice := left[hash]; twice || a.left[hash] != v {
			continue
		}
		if v.sub.Settled() { // in a mini-block that was not cut
			v = a.make(v.tx, v.Place)
			out = append(out, admitted{v.tx, v.sub})
		}
		list, left[hash] = append(list, v), v
	}
	stored := make([]node.VoidTx, len(list))
	for i, v := range list {
		stored[i] = v.VoidTx
	}
	if err := a.node.SaveVoidTxs(stored); err != nil {
		return nil, err
	}
	for _, v := range over {
		if err := a.name(v, fmt.Errorf("more than %d transactions or %d bytes became void at once", maxAgain, maxAgainBytes)); err != nil {
			return nil, err
		}
	}
	a.list, a.left = list, left
	a.measure()
	return out, nil
}

// watch takes note of what is settled until end is closed, and of what is settled then.
func (a *again) watch(end <-chan struct{}) {
	defer close(a.done)
	for over := false; !over; {
		select {
		case <-a.group.Wake():
		case <-end:
			over = true
		}
		for _, sub := range a.group.Take(nil) {
			if err := a.settled(sub); err != nil {
				a.node.Fail(err)
			}
		}
	}
}

// settled takes note of one: it is durable in the chain, or refused. What the sequencer
// could not look at, because it stops or goes back once more, is still left.
func (a *again) settled(sub *rpc.Submission) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.left[sub.Hash()]
	if v == nil || v.sub != sub {
		return nil
	}
	_, refusal := sub.Result()
	var e *rpc.Error
	if errors.As(refusal, &e) && e.Code == rpc.CodeNotReady {
		return nil
	}
	if refusal != nil {
		info, err := a.node.TxByHash(context.Background(), sub.Hash())
		if err != nil {
			return err
		}
		if info == nil { // else L1 or its sender brought it back
			if err := a.name(v, refusal); err != nil {
				return err
			}
		}
	}
	delete(a.left, sub.Hash())
	a.measure()
	if len(a.left) > 0 {
		return nil
	}
	a.log.Info("the transactions of void blocks are in the chain again, or named", "transactions", len(a.list))
	a.list = nil
	return a.node.SaveVoidTxs(nil)
}

// name says that a transaction is gone. a.mu is held.
func (a *again) name(v *voided, refusal error) error {
	if a.named++; a.named <= maxNamed {
		a.log.Error("an acknowledged transaction is gone: its block is void and it cannot be executed again (talaria_voidTransaction tells its user)",
			"transaction", v.tx.Hash(), "from", v.From, "nonce", v.tx.Nonce(), "block", v.Place.Block, "why", v.Place.Why, "err", refusal)
	}
	if a.metrics != nil {
		a.metrics.VoidGone.Inc()
	}
	return a.node.SaveGoneTx(v.tx.Hash(), &node.GoneTx{Place: v.Place, Refusal: refusal.Error()})
}

func (a *again) measure() {
	if a.metrics != nil {
		a.metrics.VoidLeft.Set(float64(len(a.left)))
	}
}

// VoidTx implements rpc.VoidTransactions.
func (s *Sequencer) VoidTx(_ context.Context, hash common.Hash) (*rpc.VoidTx, error) {
	a := s.again
	a.mu.Lock()
	v := a.left[hash]
	a.mu.Unlock()
	if v != nil {
		return voidAnswer(v.Place, ""), nil
	}
	gone, err := a.node.GoneTx(hash)
	if err != nil || gone == nil {
		return nil, err
	}
	return voidAnswer(gone.Place, gone.Refusal), nil
}

func voidAnswer(p node.VoidPlace, refusal string) *rpc.VoidTx {
	return &rpc.VoidTx{Block: p.Block, MiniBlock: p.MiniBlock, Index: p.Index, Why: p.Why, Since: time.UnixMilli(int64(p.Since)), Refusal: refusal}
}
