package bench

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// runPresigned signs everything, sends it, finds it in blocks and audits the chain.
func runPresigned(ctx context.Context, cfg *Config, n *node) (*Report, error) {
	t := newTally()
	p, err := price(ctx, n)
	if err != nil {
		return nil, err
	}
	w, err := weights(cfg.Workload, cfg.Mix)
	if err != nil {
		return nil, err
	}
	senders, err := makeSenders(cfg.Seed, cfg.Clients, int(cfg.planned()))
	if err != nil {
		return nil, err
	}
	key, err := cfg.payer()
	if err != nil {
		return nil, err
	}
	pay := &payer{node: n, key: key, addr: crypto.PubkeyToAddress(key.PublicKey), p: p}
	if pay.nonce, err = n.nonce(ctx, pay.addr); err != nil {
		return nil, err
	}
	g, err := pay.prepare(ctx, &w, senders, cfg.Seed)
	if err != nil {
		return nil, err
	}
	instant, err := pay.instant(ctx)
	if err != nil {
		return nil, err
	}
	if err := baseline(ctx, n, senders, g); err != nil {
		return nil, err
	}
	signer := &presigner{p: p, g: g, weights: &w, seed: cfg.Seed, raw: cfg.Ingest != "", legacy: cfg.Legacy, log: cfg.Log}
	items, err := signer.sign(ctx, senders)
	if err != nil {
		return nil, err
	}
	from, err := n.head(ctx)
	if err != nil {
		return nil, err
	}
	run := &presignedRun{
		cfg: cfg, node: n, instant: instant, follow: newFollower(n, t, items, from),
		drive: &drive{cfg: cfg, senders: senders, items: items, tally: t, timeout: cfg.Timeout, sheds: map[string]uint64{}},
	}
	if run.streams, err = watch(ctx, cfg, run.follow.byHash, t); err != nil {
		return nil, err
	}
	defer run.streams.close()
	report := newReport(cfg, t, time.Now())
	report.ChainID = p.chainID.Uint64()
	if err := run.measure(ctx, report); err != nil {
		return nil, err
	}
	a := &audit{node: n, tally: t, g: g, senders: senders, items: items, follow: run.follow, sample: cfg.Sample}
	if err := a.run(ctx); err != nil {
		return nil, err
	}
	if a.v.Streams, err = run.streams.check(ctx, n, run.follow, g); err != nil {
		return nil, err
	}
	id, err := chainID(ctx, n)
	if err != nil {
		return nil, err
	}
	if a.v.ChainID = id.Cmp(p.chainID) == 0; !a.v.ChainID {
		t.mismatch(fmt.Sprintf("chain id was %s, is %s", p.chainID, id))
	}
	report.Verified = a.v
	if report.Seconds > 0 && a.read > 0 {
		report.MegaGas = float64(a.gas) / float64(a.read) * float64(report.Included) / 1e6 / report.Seconds
	}
	report.Mismatches, report.MismatchCount = t.mismatches, t.wrong
	return report, nil
}

// instant finds out whether the node executes before it answers: whether a
// transaction has a receipt as soon as it is sent.
func (y *payer) instant(ctx context.Context) (bool, error) {
	s, err := sign(y.key, y.p, y.nonce, &y.addr, new(big.Int), 30_000, nil)
	if err != nil {
		return false, err
	}
	y.nonce++
	var hash common.Hash
	if err := y.node.rpc.CallContext(ctx, &hash, "eth_sendRawTransaction", s.raw); err != nil {
		return false, fmt.Errorf("send a transaction: %w", err)
	}
	var r *receipt
	err = y.node.rpc.CallContext(ctx, &r, "eth_getTransactionReceipt", s.hash)
	instant := err == nil && r != nil
	out := make([]outcome, 1)
	ctx, cancel := context.WithTimeout(ctx, y.node.timeout)
	defer cancel()
	y.node.await(ctx, []common.Hash{s.hash}, []int{0}, out)
	return instant, out[0].err
}

// baseline reads nonces and balances before the run.
func baseline(ctx context.Context, n *node, senders []*sender, g *program) error {
	for rest := senders; len(rest) > 0; {
		part := rest[:min(len(rest), verifyBatch)]
		rest = rest[len(part):]
		nonces, own, peers := make([]hexutil.Uint64, len(part)), make([]hexutil.Big, len(part)), make([]hexutil.Big, len(part))
		errs := call(ctx, n.rpc, "eth_getTransactionCount", len(part), func(i int) ([]any, any) { return []any{part[i].addr, "latest"}, &nonces[i] })
		errs = append(errs, call(ctx, n.rpc, "eth_getBalance", len(part), func(i int) ([]any, any) { return []any{part[i].addr, "latest"}, &own[i] })...)
		errs = append(errs, call(ctx, n.rpc, "eth_getBalance", len(part), func(i int) ([]any, any) { return []any{part[i].peer, "latest"}, &peers[i] })...)
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("accounts before the run: %w", err)
		}
		for i, s := range part {
			s.nonce, s.base, s.held = uint64(nonces[i]), own[i].ToInt(), peers[i].ToInt()
		}
	}
	var hot hexutil.Big
	if err := n.rpc.CallContext(ctx, &hot, "eth_getBalance", g.hot, "latest"); err != nil {
		return fmt.Errorf("accounts before the run: %w", err)
	}
	g.hotHeld = hot.ToInt()
	return nil
}

// presignedRun is the measured part.
type presignedRun struct {
	cfg     *Config
	node    *node
	drive   *drive
	follow  *follower
	instant bool
	streams *streams
}

// measure sends everything and waits until it is included.
func (r *presignedRun) measure(ctx context.Context, report *Report) error {
	before, err := recoverMicros()
	if err != nil {
		return err
	}
	run, err := r.lanes(ctx)
	if err != nil {
		return err
	}
	pid := r.cfg.PID
	if pid == 0 {
		pid = ownerOf(r.cfg.URL)
	}
	node0, _ := usageOf(pid)
	own0 := ownCPU()
	d := r.drive
	d.start = time.Now()
	stop, followed := make(chan struct{}), make(chan error, 1)
	if !r.instant {
		go func() { followed <- r.follow.follow(ctx, stop) }()
	}
	run()
	close(stop)
	end := d.last
	if !r.instant {
		err := <-followed
		if err == nil {
			err = r.follow.complete(ctx, d.items, r.cfg.Timeout)
		}
		if err != nil {
			return err
		}
		if k := len(r.follow.blocks); k > 0 {
			end = r.follow.blocks[k-1].at
		}
	}
	node1, cpuErr := usageOf(pid)
	own1 := ownCPU()
	if err := ctx.Err(); err != nil {
		return err
	}
	after, err := recoverMicros()
	if err != nil {
		return err
	}
	if r.instant {
		if err := r.follow.complete(ctx, d.items, r.cfg.Timeout); err != nil {
			return err
		}
	}
	r.sum(report, end)
	report.CPU.RecoverMicros = (before + after) / 2
	if n := float64(report.Included); n > 0 {
		report.CPU.GeneratorMicros = float64((own1 - own0).Microseconds()) / n
		if cpuErr == nil && pid != 0 {
			report.CPU.PID = pid
			report.CPU.NodeMicros = float64((node1.cpu - node0.cpu).Microseconds()) / n
			report.CPU.Ratio = report.CPU.NodeMicros / report.CPU.RecoverMicros
			report.CPU.RSS = node1.rss
		}
	}
	return nil
}

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lanes connects and returns what runs all connections.
func (r *presignedRun) lanes(ctx context.Context) (func(), error) {
	d := r.drive
	var starts []func()
	if r.cfg.Ingest != "" {
		id, err := chainID(ctx, r.node)
		if err != nil {
			return nil, err
		}
		sign, err := r.cfg.replica()
		if err != nil {
			return nil, err
		}
		for i := range r.cfg.Conns {
			l := newRawLane(d.newLane(i), r.follow.byHash)
			starts = append(starts, func() {
				l.run(ctx, func(onAck func([]ingest.Ack)) (*ingest.Client, error) {
					return ingest.Dial(ctx, r.cfg.Ingest, ingest.Options{ChainID: id.Uint64(), Sign: sign, SignInClear: true, OnAck: onAck})
				})
			})
		}
	} else {
		lanes := make([]*lane, r.cfg.Conns)
		for i := range lanes {
			lanes[i] = d.newLane(i)
		}
		if run, err := d.react(ctx, lanes); err != nil || run != nil {
			return run, err
		}
		if r.cfg.Pipeline > 1 {
			return nil, errors.New("requests are pipelined on Linux only")
		}
		for _, l := range lanes {
			w, err := dialWire(ctx, r.cfg.URL, r.cfg.Timeout)
			if err != nil {
				return nil, err
			}
			starts = append(starts, func() { l.json(ctx, w) })
		}
	}
	return func() {
		var wg sync.WaitGroup
		for _, start := range starts {
			wg.Go(start)
		}
		wg.Wait()
	}, nil
}

// sum fills the report in.
func (r *presignedRun) sum(report *Report, end time.Time) {
	d := r.drive
	report.Receipt, report.Conns, report.Pipeline, report.Instant = Blocks, r.cfg.Conns, r.cfg.Pipeline, r.instant
	report.Attempts, report.Confirmed, report.Shed, report.ShedCodes = d.attempts, d.accepted, d.shed, d.sheds
	report.Failed, report.Errors = d.tally.failed, d.tally.errors
	for i := range d.items {
		if d.items[i].due != 0 {
			report.Sent++
		}
	}
	report.Included = uint64(r.follow.found)
	report.Latency = d.latency.latency()
	report.Seconds = end.Sub(d.start).Seconds()
	if report.Seconds > 0 {
		report.Throughput = float64(report.Included) / report.Seconds
	}
	if r.instant {
		report.Inclusion = report.Latency
		return
	}
	seen := map[uint64]time.Duration{}
	for _, b := range r.follow.blocks {
		seen[b.number] = b.at.Sub(d.start)
	}
	var h histogram
	for i := range d.items {
		if p := r.follow.places[i]; p.block != 0 {
			h.add(seen[p.block] - d.items[i].due)
		}
	}
	report.Inclusion = h.latency()
}

// newSeed is a seed that no other run has.
func newSeed() string { return strconv.FormatInt(time.Now().UnixNano(), 36) }
