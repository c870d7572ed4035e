package devnet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/exits"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/replica"
	"github.com/talaria-l2/talaria/role/validator"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

// Followers are nodes that follow the sequencer's feed, each with a directory of its own
// below the devnet's and a port of its own. They need a feed.
type Followers struct {
	Replicas, Validators int // 0..MaxFollowers of each
	// Ports of the first of each kind; every further one has FollowerPorts more. 0: any free
	// ones.
	ReplicaPort, ValidatorPort int
}

const (
	// MaxFollowers of a kind.
	MaxFollowers = 8
	// FollowerPorts lie between the ports of two followers of a kind.
	FollowerPorts = 10

	// followersWait bounds how long a start waits until all replicas follow.
	followersWait = 5 * time.Second
)

// followers are the listeners of the nodes that follow, by kind.
type followers struct{ replicas, validators []net.Listener }

// listenFollowers takes the ports of the nodes that follow.
func (d *Devnet) listenFollowers() (f followers, err error) {
	o := &d.opts.Followers
	for _, kind := range []struct {
		flag         string
		count, first int
		into         *[]net.Listener
	}{{"replica-port", o.Replicas, o.ReplicaPort, &f.replicas}, {"validator-port", o.Validators, o.ValidatorPort, &f.validators}} {
		for i := range kind.count {
			port := kind.first
			if port != 0 {
				port += i * FollowerPorts
			}
			l, err := d.take(port, kind.flag, "or 0 for any free ones")
			if err != nil {
				return f, err
			}
			*kind.into = append(*kind.into, l)
		}
	}
	return f, nil
}

// startFollowers starts the nodes that follow, and waits until the replicas do.
func (d *Devnet) startFollowers(ctx context.Context, f followers, genesis *chain.Genesis, source l1feed.L1) error {
	var ready []func() error
	for i, l := range f.replicas {
		follows, err := d.startReplica(ctx, i, l, genesis, source)
		if err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
		ready = append(ready, follows)
		d.info.Replicas = append(d.info.Replicas, ReplicaInfo{
			HTTPURL: "http://" + l.Addr().String(), WSURL: "ws://" + l.Addr().String(), Metrics: fmt.Sprintf("http://%s/replica/%d/metrics", d.metricsAddr, i),
		})
	}
	for i, l := range f.validators {
		if err := d.startValidator(ctx, i, l, genesis, source); err != nil {
			return fmt.Errorf("validator %d: %w", i, err)
		}
		url := "http://" + l.Addr().String()
		d.info.Validators = append(d.info.Validators, ValidatorInfo{StatusURL: url + "/status", Metrics: url + "/metrics"})
	}
	wait, cancel := context.WithTimeout(ctx, followersWait)
	defer cancel()
	for _, follows := range ready {
		for follows() != nil && wait.Err() == nil { // who does not yet says so at /ready
			select {
			case <-wait.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return ctx.Err()
}

// dialFeed connects a node to the feed.
func (d *Devnet) dialFeed(ctx context.Context) (*feed.Client, error) {
	client, err := d.leader.DialFeed(ctx)
	if err != nil {
		return nil, err
	}
	d.onClose(func(context.Context) error { client.Close(); return nil })
	return client, nil
}

// startReplica starts a node that applies what the feed says changed, compares with L1 and
// serves JSON-RPC. follows is nil while it follows.
func (d *Devnet) startReplica(ctx context.Context, i int, l net.Listener, genesis *chain.Genesis, source l1feed.L1) (follows func() error, err error) {
	log := d.log.With("replica", i)
	dir, err := store.OpenDir(filepath.Join(d.node.Dir().Path(), "replicas", strconv.Itoa(i)))
	if err != nil {
		return nil, err
	}
	n, err := node.Open(dir, node.Options{Genesis: genesis, StateCache: d.opts.StateCache, ScriptTracers: isLocal(d.opts.Host), Log: log})
	if err != nil {
		return nil, err
	}
	d.onClose(func(context.Context) error { return n.Close() })
	client, err := d.dialFeed(ctx)
	if err != nil {
		return nil, err
	}
	ask := replica.NewClient(d.info.L2.HTTPURL)
	d.onClose(func(context.Context) error { ask.Close(); return nil })
	live, err := replica.StartLive(n, replica.LiveOptions{
		Feed: client, Leader: ask, L1: source, Resolver: l1feed.FromDA(&d.layers.reader), Log: log,
	})
	if err != nil {
		return nil, err
	}
	d.onClose(func(context.Context) error { live.Close(); return nil })
	metrics := telemetry.New()
	stopObserving, trail := n.Observe(metrics), replica.StartTrail(n, live.Status, metrics)
	d.onClose(func(context.Context) error { stopObserving(); trail.Close(); return nil })
	d.pages.Handle(fmt.Sprintf("/replica/%d/metrics", i), metrics.Handler())
	gateway := replica.NewGateway(n, replica.NewRPCForwarder(ask))
	d.onClose(func(context.Context) error { gateway.Close(); return nil })

	backend := &node.Backend{Node: n, Submit: gateway.Submit, ReadyHook: live.Ready, SyncStatus: live.Status}
	backend.Withdrawals = exits.New(exits.Options{Chain: n, L1: d.settlement, Contracts: n.L1Contracts()}).Withdrawal
	o := d.opts.RPC
	o.ClientVersion, o.Logger, o.Trailing = d.clientVersion(), log, trail.Now
	server := rpc.New(backend, o)
	d.onClose(server.Shutdown)
	go d.serve(fmt.Sprintf("JSON-RPC of replica %d", i), func() error { return server.Serve(l) })
	d.watch("replica", i, n.Failed(), n.Failure)
	return live.Ready, nil
}

// startValidator starts a node that checks every block, and says at its port how far it is.
func (d *Devnet) startValidator(ctx context.Context, i int, l net.Listener, genesis *chain.Genesis, source l1feed.L1) error {
	log := d.log.With("validator", i)
	client, err := d.dialFeed(ctx)
	if err != nil {
		return err
	}
	ask, err := validator.DialNode(ctx, d.info.L2.HTTPURL)
	if err != nil {
		return err
	}
	d.onClose(func(context.Context) error { ask.Close(); return nil })
	first, err := d.node.HeaderByNumber(ctx, 0)
	if err != nil {
		return err
	}
	metrics := telemetry.New()
	v, err := validator.Start(validator.Options{
		Genesis: genesis, GenesisHash: first.Hash(), Feed: client, Sink: client, Node: ask, Workers: 1,
		Dir: filepath.Join(d.node.Dir().Path(), "validators", strconv.Itoa(i)),
		L1:  &validator.L1Options{L1: source, Resolver: l1feed.FromDA(&d.layers.reader)}, Metrics: metrics.Validation(), Log: log,
	})
	if err != nil {
		return err
	}
	d.onClose(func(context.Context) error { v.Close(); return nil })
	mux := http.NewServeMux()
	mux.Handle("/", v.Handler())
	mux.Handle("GET /metrics", metrics.Handler())
	d.startHTTP(fmt.Sprintf("validator %d", i), l, mux)
	d.watch("validator", i, v.Failed(), v.Failure)
	return nil
}

// watch tells when a node that follows goes on no more; the chain does.
func (d *Devnet) watch(kind string, i int, failed <-chan struct{}, why func() error) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-failed:
			d.log.Error("a node that follows the chain has stopped", "kind", kind, "number", i, "err", why())
		case <-stop:
		}
	}()
	d.onClose(func(context.Context) error { close(stop); <-done; return nil })
}
