package daaudit

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/committee"
)

// Options of an auditor. The zero value of a field means its default.
type Options struct {
	L1       Logs               // required
	Verifier common.Address     // on L1, required
	Sampler  *committee.Sampler // asks the operators, required
	Random   io.Reader          // what operators cannot foresee, crypto/rand.Reader; required
	Every    time.Duration      // between rounds [1 min]
	// Certificates are how many a round asks about: the newest, and others by chance [4].
	Certificates int
	Samples      int // cells of each operator and certificate [4]
	// Window is how many of the newest L1 blocks are looked at for certificates: how long
	// operators are held to theirs [50,400: a week of Ethereum's].
	Window uint64
	// Found hears of every question and its answer, from one goroutine.
	Found func(committee.Finding)
	// Judged hears at the end of a round of each operator that was asked: its worst answer.
	Judged func(committee.Finding)
	Log    *slog.Logger // [slog.Default()]
}

// Operator is how an operator did, named by its key: its place in committees changes.
type Operator struct {
	PublicKey hexutil.Bytes `json:"publicKey"`
	URL       string        `json:"url"`
	Index     int           `json:"operator"` // in the newest committee that it was asked about
	Asked     uint64        `json:"asked"`    // questions since the auditor started
	Right     uint64        `json:"right"`    // of them, answered rightly, late or not
	// Last is its worst answer in the last round that asked it.
	Last committee.Result `json:"last"`

	epoch uint64
}

// Healthy reports whether every answer of the last round was right.
func (o *Operator) Healthy() bool { return rank(o.Last) <= rank(committee.ResultSlow) }

// rank orders results, the worst last.
func rank(r committee.Result) int {
	return slices.Index([]committee.Result{
		committee.ResultOK, committee.ResultSlow, committee.ResultUnreachable, committee.ResultRefused, committee.ResultMissing, committee.ResultWrong,
	}, r)
}

// Auditor audits on a schedule. Close it.
type Auditor struct {
	opts  Options
	certs register

	mu        sync.Mutex
	operators map[string]*Operator // by key

	cancel context.CancelFunc
	done   chan struct{}
}

// Start begins with a round.
func Start(opts Options) *Auditor {
	if opts.Every == 0 {
		opts.Every = time.Minute
	}
	opts.Certificates = cmp.Or(opts.Certificates, 4)
	opts.Samples = cmp.Or(opts.Samples, 4)
	opts.Window = cmp.Or(opts.Window, 50_400)
	if opts.Found == nil {
		opts.Found = func(committee.Finding) {}
	}
	if opts.Judged == nil {
		opts.Judged = func(committee.Finding) {}
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &Auditor{
		opts: opts, certs: register{l1: opts.L1, verifier: opts.Verifier, window: opts.Window},
		operators: make(map[string]*Operator), cancel: cancel, done: make(chan struct{}),
	}
	go a.run(ctx)
	return a
}

// Close stops auditing and waits for it.
func (a *Auditor) Close() {
	a.cancel()
	<-a.done
}

// Operators are all that were asked, in the order of their keys.
func (a *Auditor) Operators() []Operator {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]Operator, 0, len(a.operators))
	for _, o := range a.operators {
		out = append(out, *o)
	}
	slices.SortFunc(out, func(a, b Operator) int { return slices.Compare(a.PublicKey, b.PublicKey) })
	return out
}

func (a *Auditor) run(ctx context.Context) {
	defer close(a.done)
	ticker := time.NewTicker(a.opts.Every)
	defer ticker.Stop()
	failing := false
	for {
		err := a.round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			a.opts.Log.Warn("operators cannot be audited; trying again", "err", err)
		case err == nil && failing:
			a.opts.Log.Info("operators are audited again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round asks about some certificates; one that cannot be asked about keeps none of the
// others from it.
func (a *Auditor) round(ctx context.Context) error {
	if err := a.certs.refresh(ctx); err != nil {
		return err
	}
	certs, err := a.certs.pick(a.opts.Certificates, a.opts.Random)
	if err != nil {
		return err
	}
	var failed error
	worst := make(map[string]committee.Finding)
	for _, cert := range certs {
		findings, err := a.audit(ctx, cert)
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			return failed
		}
		for _, f := range findings {
			key := string(f.PublicKey)
			if w, ok := worst[key]; !ok || rank(f.Result) > rank(w.Result) {
				worst[key] = f
			}
		}
	}
	for _, f := range worst {
		a.judge(f)
		a.opts.Judged(f)
	}
	return failed
}

func (a *Auditor) audit(ctx context.Context, cert *da.Certificate) ([]committee.Finding, error) {
	findings, err := a.opts.Sampler.Audit(ctx, cert, a.opts.Samples)
	if err != nil {
		return nil, err
	}
	for i := range findings {
		f := &findings[i]
		a.mu.Lock()
		o := a.operators[string(f.PublicKey)]
		if o == nil {
			o = &Operator{PublicKey: f.PublicKey, Last: committee.ResultOK}
			a.operators[string(f.PublicKey)] = o
		}
		if f.Epoch >= o.epoch {
			o.Index, o.URL, o.epoch = f.Operator, f.URL, f.Epoch
		}
		o.Asked++
		if f.Healthy() {
			o.Right++
		}
		a.mu.Unlock()
		a.opts.Found(*f)
	}
	return findings, nil
}

// judge notes an operator's worst answer of a round, and logs what is new.
func (a *Auditor) judge(f committee.Finding) {
	a.mu.Lock()
	o := a.operators[string(f.PublicKey)]
	before := o.Last
	o.Last = f.Result
	a.mu.Unlock()
	if before == f.Result {
		return
	}
	log := a.opts.Log.With("operator", f.Operator, "epoch", f.Epoch, "url", f.URL)
	switch f.Result {
	case committee.ResultOK:
		log.Info("an operator gives what it signed for again", "before", before)
	case committee.ResultSlow:
		log.Warn("an operator is slow", "certificate", f.Certificate, "millis", f.Millis)
	case committee.ResultMissing, committee.ResultWrong:
		log.Error("an operator has lost data that it signed for (talaria da audit --repair gives it back)",
			"result", f.Result, "certificate", f.Certificate, "blob", f.Blob, "cell", f.Cell, "detail", f.Detail)
	default:
		log.Warn("an operator does not give what it signed for", "result", f.Result, "certificate", f.Certificate, "detail", f.Detail)
	}
}
