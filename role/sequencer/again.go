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
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
	"github.com/talaria-l2/talaria/telemetry"
)

// againLimits bound what is executed again, and the memory for it. What is beyond them is
// gone, and named like the rest.
type againLimits struct{ txs, bytes int }

const (
	maxAgain      = 100_000
	maxAgainBytes = 128 << 20
	// againOrigins is how many L1 blocks beyond those that void blocks had reached a
	// transaction is tried that is refused: an L1 that reorganises may take a deposit, from
	// which the sender pays, in a little later.
	againOrigins = 4
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
	limits  againLimits

	mu      sync.Mutex
	list    []*voided // in order of execution; some are settled
	left    map[common.Hash]*voided
	refused int // of those left, to be tried on the next L1 origin
	named   int
}

// voided is one transaction of a void block.
type voided struct {
	node.VoidTx
	tx      *chain.Tx
	sub     *rpc.Submission
	refused bool   // the last time
	tried   uint64 // newest L1 origin on which it was tried once more; 0: none
}

func newAgain(n *node.Node, limits againLimits, metrics *telemetry.Metrics, log *slog.Logger) *again {
	if limits == (againLimits{}) {
		limits = againLimits{maxAgain, maxAgainBytes}
	}
	return &again{node: n, log: log, metrics: metrics, limits: limits, group: rpc.NewGroup(), done: make(chan struct{}), left: make(map[common.Hash]*voided)}
}

// make makes an entry, of which again is told when it is settled.
func (a *again) make(tx *chain.Tx, place node.VoidPlace, until uint64) *voided {
	return &voided{VoidTx: node.VoidTx{Raw: tx.Raw(), From: tx.From(), Place: place, Until: until, Hash: tx.Hash()}, tx: tx, sub: a.submission(tx)}
}

func (a *again) submission(tx *chain.Tx) *rpc.Submission {
	sub := rpc.NewSubmissions([]rpc.Send{{Raw: tx.Raw(), Group: a.group}})[0]
	sub.Decoded(tx.Hash())
	return sub
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
			missing = append(missing, a.make(tx, stored[i].Place, stored[i].Until))
		}
	}
	a.log.Warn("an earlier run went back", "transactionsExecutedAgain", len(stored)-len(missing), "transactionsToExecuteAgain", len(missing))
	return a.begin(missing, 0)
}

// begin takes in transactions in front of those that are left, makes the list durable with
// the store's next sync, and returns what is to be executed. Those that were left are tried
// up to the L1 origin until, too.
func (a *again) begin(void []*voided, until uint64) ([]admitted, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := make(map[common.Hash]*voided, len(void)+len(a.left))
	out := make([]admitted, 0, len(void))
	for _, v := range void {
		left[v.tx.Hash()] = v
		out = append(out, admitted{tx: v.tx, sub: v.sub})
	}
	list := void
	for _, v := range a.list {
		hash := v.tx.Hash()
		if _, twice := left[hash]; twice || a.left[hash] != v {
			continue
		}
		if v.Until = max(v.Until, until); v.sub.Settled() { // refused, or in a mini-block that was not cut
			v = a.make(v.tx, v.Place, v.Until)
			out = append(out, admitted{tx: v.tx, sub: v.sub})
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
	a.list, a.left, a.refused = list, left, 0
	a.measure()
	return out, nil
}

// retry returns what was refused and is to be executed once more, on an L1 origin on which
// it was not yet tried: the deposit may be there from which its sender pays.
func (a *again) retry(origin uint64) (out []admitted) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == 0 {
		return nil
	}
	for _, v := range a.list {
		if a.left[v.Hash] == v && v.refused && v.tried < origin {
			v.sub, v.refused, v.tried = a.submission(v.tx), false, origin
			a.refused--
			out = append(out, admitted{tx: v.tx, sub: v.sub})
		}
	}
	return out
}

// has reports whether the submission is one of again's.
func (a *again) has(sub *rpc.Submission) bool { return sub.Group() == a.group }

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
		switch final := errors.Is(refusal, evm.ErrNonceTooLow) || errors.Is(refusal, sequencing.ErrNonceTooLow); {
		case info != nil: // L1 or its sender brought it back
		case !final && v.tried < v.Until:
			v.refused = true
			a.refused++
			return nil
		default:
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
	return a.node.SaveGoneTxs(node.GoneTx{Hash: v.Hash, Place: v.Place, Refusal: refusal.Error()})
}

func (a *again) measure() {
	if a.metrics != nil {
		a.metrics.VoidLeft.Set(float64(len(a.left)))
	}
}

// VoidTx implements rpc.VoidTransactions.
func (s *Sequencer) VoidTx(ctx context.Context, hash common.Hash) (*rpc.VoidTx, error) {
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
	if info, err := a.node.TxByHash(ctx, hash); err != nil || info != nil {
		return nil, err // it came back, or is about to become void
	}
	return voidAnswer(gone.Place, gone.Refusal), nil
}

func voidAnswer(p node.VoidPlace, refusal string) *rpc.VoidTx {
	return &rpc.VoidTx{Block: p.Block, MiniBlock: p.MiniBlock, Index: p.Index, Why: p.Why, Since: time.UnixMilli(int64(p.Since)), Refusal: refusal}
}
