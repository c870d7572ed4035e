package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sdk/ingest"
	"github.com/talaria-l2/talaria/sequencing"
)

// IngestOptions say where transactions are handed over, and as whom.
type IngestOptions struct {
	URL     string // the leader's raw ingest, tcp:// or tls://
	ChainID uint64
	APIKey  string // of the leader's RPC [none]
	// Sign proves which replica this is; see ingest.Options. A leader that trusts it checks
	// signatures behind execution [the leader checks them before].
	Sign        func(digest common.Hash) ([]byte, error)
	SignInClear bool         // see ingest.Options
	Log         *slog.Logger // [slog.Default()]
}

const (
	leastPause = 50 * time.Millisecond // between attempts to connect
	mostPause  = 2 * time.Second
	// anonymous is how long a replica that the leader does not trust is nobody in
	// particular, before it says again who it is.
	anonymous = time.Minute
)

// IngestForwarder hands transactions over by raw ingest, on one connection, with their
// senders. When it breaks off, what was not acknowledged is handed over again on the next;
// while there is none everything is refused.
type IngestForwarder struct {
	opts   IngestOptions
	work   chan []*handed
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
	nobody time.Time // until when it does not say who it is; of the running goroutine

	mu      sync.Mutex
	waiting map[common.Hash]*handed
	seq     uint64
}

// handed is a transaction that the leader has, or is about to get.
type handed struct {
	tx      *chain.Tx
	seq     uint64
	sent    int // times
	answers []func(error)
}

// NewIngestForwarder begins to connect.
func NewIngestForwarder(o IngestOptions) *IngestForwarder {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	f := &IngestForwarder{opts: o, work: make(chan []*handed, maxInFlight), ended: make(chan struct{}), waiting: make(map[common.Hash]*handed)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	go f.run()
	return f
}

// Close implements Forwarder.
func (f *IngestForwarder) Close() {
	f.cancel()
	<-f.ended
}

// Forward implements Forwarder. A transaction that is on its way already is not handed over
// twice.
func (f *IngestForwarder) Forward(txs []*chain.Tx, answered func(i int, err error)) {
	list := make([]*handed, 0, len(txs))
	f.mu.Lock()
	for i, tx := range txs {
		answer := func(err error) { answered(i, err) }
		h := f.waiting[tx.Hash()]
		if h != nil {
			h.answers = append(h.answers, answer)
			continue
		}
		f.seq++
		h = &handed{tx: tx, seq: f.seq, answers: []func(error){answer}}
		f.waiting[tx.Hash()] = h
		list = append(list, h)
	}
	f.mu.Unlock()
	select {
	case f.work <- list:
	case <-f.ctx.Done():
	}
	if f.ctx.Err() != nil { // run may have refused what waited before this was there
		f.refuse(errClosing())
	}
}

// run connects again and again.
func (f *IngestForwarder) run() {
	defer close(f.ended)
	pause, told := leastPause, false
	for f.ctx.Err() == nil {
		client, err := f.dial()
		if err == nil {
			if told {
				f.opts.Log.Info("transactions are handed over to the leader again", "url", f.opts.URL)
			}
			pause, told = leastPause, false
			err = f.serve(client)
			_ = client.Close()
			if f.ctx.Err() == nil {
				f.opts.Log.Warn("the connection to the leader's raw ingest is over: connecting again", "url", f.opts.URL, "err", err)
			}
			continue
		}
		if !told && f.ctx.Err() == nil {
			f.opts.Log.Error("transactions cannot be handed over to the leader; trying again", "url", f.opts.URL, "err", err)
			told = true
		}
		f.refuseFor(pause, rpc.NotReadyError(fmt.Sprintf("the leader does not answer: %v (whether the transaction was taken is not known: look it up by its hash)", err)))
		pause = min(2*pause, mostPause)
	}
	f.refuse(errClosing())
}

// dial connects, as the replica that it is unless the leader does not trust that.
func (f *IngestForwarder) dial() (*ingest.Client, error) {
	o := ingest.Options{ChainID: f.opts.ChainID, Key: f.opts.APIKey, Sign: f.opts.Sign, SignInClear: f.opts.SignInClear, OnAck: f.acknowledged}
	if time.Now().Before(f.nobody) {
		o.Sign = nil
	}
	client, err := ingest.Dial(f.ctx, f.opts.URL, o)
	var refused *ingest.HelloError
	if errors.As(err, &refused) && o.Sign != nil && (refused.Hello.Status == ingest.HelloNotTrusted || refused.Hello.Status == ingest.HelloWithdrawn) {
		f.opts.Log.Error("the leader does not take this replica's word: it checks every signature again (is this replica's address among its --trusted-replica?)", "err", err)
		f.nobody, o.Sign = time.Now().Add(anonymous), nil
		client, err = ingest.Dial(f.ctx, f.opts.URL, o)
	} else if errors.Is(err, ingest.ErrInClear) {
		f.opts.Log.Error("this replica does not prove who it is: the leader checks every signature again (use tls://, or --leader-ingest-insecure where nobody else can be taken for the leader)", "err", err)
		f.nobody, o.Sign = time.Now().Add(anonymous), nil
		client, err = ingest.Dial(f.ctx, f.opts.URL, o)
	}
	return client, err
}

// serve hands over on a connection until it is over.
func (f *IngestForwarder) serve(client *ingest.Client) error {
	if err := f.send(client, f.unanswered()); err != nil {
		return err
	}
	for {
		select {
		case list := <-f.work:
			if err := f.send(client, list); err != nil {
				return err
			}
		case <-client.Done():
			return client.Err()
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
}

// unanswered are transactions that were handed over on an earlier connection, in order.
func (f *IngestForwarder) unanswered() []*handed {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*handed
	for _, h := range f.waiting {
		if h.sent > 0 {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *handed) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

func (f *IngestForwarder) send(client *ingest.Client, list []*handed) error {
	txs := make([]ingest.Tx, 0, len(list))
	f.mu.Lock()
	for _, h := range list {
		if f.waiting[h.tx.Hash()] == h { // else it was refused meanwhile
			h.sent++
			txs = append(txs, ingest.Tx{Raw: h.tx.Raw(), Hash: h.tx.Hash(), Sender: h.tx.From()})
		}
	}
	f.mu.Unlock()
	return client.Send(f.ctx, txs...)
}

// acknowledged takes the leader's answers.
func (f *IngestForwarder) acknowledged(acks []ingest.Ack) {
	for i := range acks {
		f.mu.Lock()
		h := f.waiting[acks[i].Hash]
		if h == nil || h.sent == 0 {
			f.mu.Unlock()
			continue
		}
		delete(f.waiting, acks[i].Hash)
		f.mu.Unlock()
		h.answer(refusalOf(&acks[i], h))
	}
}

func (h *handed) answer(err error) {
	for _, answer := range h.answers {
		answer(err)
	}
}

// refuse answers everything that waits.
func (f *IngestForwarder) refuse(why error) {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = make(map[common.Hash]*handed)
	f.mu.Unlock()
	for _, h := range waiting {
		h.answer(why)
	}
}

// refuseFor answers what waits and what comes for a while.
func (f *IngestForwarder) refuseFor(pause time.Duration, why error) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		f.refuse(why)
		select {
		case <-f.work:
		case <-timer.C:
			return
		case <-f.ctx.Done():
			return
		}
	}
}

// uncertain is the refusal of a transaction that was handed over twice: the leader may
// have executed it the first time.
type uncertain struct{ error }

func (u uncertain) Unwrap() error { return u.error }

// refusalOf is an acknowledgement as the error that clients see; nil: it is included. What
// needs no state this node has checked before.
func refusalOf(a *ingest.Ack, h *handed) error {
	nonce := h.tx.Nonce()
	var err error
	switch a.Status {
	case ingest.Succeeded, ingest.Reverted:
		return nil
	case ingest.NonceLow:
		err = sequencing.ErrNonceTooLow
		if a.Detail > 0 {
			err = sequencing.NonceTooLow(a.Detail, nonce)
		}
	case ingest.NonceGap:
		err = rpc.NonceGapError(a.Detail, nonce)
	case ingest.NotReady:
		err = rpc.NotReadyError("the leader takes no transactions now")
	case ingest.Overloaded:
		err = rpc.Errorf(rpc.CodeLimit, "the leader's transaction queue is full (send again in a moment)")
	default:
		text, known := refusals[a.Status]
		if !known {
			text = "the leader refuses the transaction"
		}
		err = rpc.Errorf(rpc.CodeServer, "%s", text)
	}
	if h.sent > 1 {
		return uncertain{err}
	}
	return err
}

// refusals are texts of statuses without a detail: go-ethereum's, where it has one.
var refusals = map[ingest.Status]string{
	ingest.Malformed: "transaction type not supported",
	ingest.Signature: chain.ErrTxSignature.Error(),
	ingest.Funds:     "insufficient funds for gas * price + value",
	ingest.FeeLow:    "transaction underpriced",
	ingest.TooLarge:  chain.ErrTxTooLarge.Error(),
	ingest.Known:     "already known",
}
