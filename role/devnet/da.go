package devnet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/role/batcher"
	"github.com/talaria-l2/talaria/role/daaudit"
	"github.com/talaria-l2/talaria/role/daoperator"
)

// DataLayer says where the data of batches are.
type DataLayer struct {
	Keep     bool         // where the chain has them; Mode, Calldata are not read then
	Mode     chain.DAMode // what SystemConfig says, or is told
	Calldata bool         // with chain.DABlobs: in calldata, whatever blobs cost
	URL      string       // of the alt-DA server [the last one that was named]
	Generic  bool         // a new chain takes commitments that nothing checks
	// Operators is how many of a committee run in this process, 0..da.MaxOperators, or
	// SameOperators; 0: those that the registry on L1 names run elsewhere.
	Operators int
	FallBack  chain.Millis // how long the layer may fail before batches go to L1
	Audit     chain.Millis // between audits of the operators; 0: there are none
}

// SameOperators are as many as the data directory has, firstOperators if it has none.
const (
	SameOperators  = -1
	firstOperators = 8
)

// layers is what the devnet has of data layers.
type layers struct {
	local    *daoperator.Local   // nil: no operators here
	registry *committee.Registry // nil: the chain has no committee
	reader   da.Reader
	writer   da.Store // nil: L1 itself
}

// layerTimeout bounds how long L1 may take to learn of the layer.
const layerTimeout = 2 * time.Minute

// settleLayer has L1 know which layer the chain uses, and the operators of this process.
// Nobody else may send as sender meanwhile.
func (d *Devnet) settleLayer(ctx context.Context, client *l1.Client, sender *l1.Sender, genesis *chain.Genesis, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, layerTimeout)
	defer cancel()
	o, cfg := &d.opts.DA, &genesis.Config
	config := bindings.NewSystemConfig()
	mode, err := bind.Call(config.Instance(client.Eth(), cfg.SystemConfig), &bind.CallOpts{Context: ctx}, config.PackDaMode(), config.UnpackDaMode)
	if err != nil {
		return fmt.Errorf("ask L1 where batches are: %w", err)
	}
	if o.Keep {
		o.Mode = chain.DAMode(mode)
	}
	home := filepath.Join(dir, "da")
	if o.URL, err = rememberServer(filepath.Join(home, "server"), o.URL); err != nil {
		return err
	}
	switch {
	case o.Mode == chain.DAAlt && o.URL == "":
		return errors.New("the chain's batches are on an alt-DA server (say on which with --da altda:URL)")
	case o.Mode == chain.DACommittee && cfg.CertificateVerifier == common.Address{}:
		return errors.New("the chain has no CertificateVerifier on L1, and so no committee (choose another --da)")
	case o.Generic && !cfg.AltDAGeneric:
		return errors.New("the chain was made without --da-generic, and takes no generic commitments")
	}
	if o.Operators == SameOperators {
		o.Operators = daoperator.LocalOperators(home)
		if o.Operators == 0 && o.Mode == chain.DACommittee {
			o.Operators = firstOperators
		}
	}
	if o.Operators > 0 && (o.Mode == chain.DACommittee || daoperator.LocalOperators(home) > 0) {
		if err := d.listenOperators(ctx, client, sender, genesis, home); err != nil {
			return err
		}
	}
	if mode == uint8(o.Mode) {
		return nil
	}
	if err := throughTimelock(ctx, client, sender, genesis.L1Contracts["timelock"], cfg.SystemConfig, config.PackSetDAMode(uint8(o.Mode))); err != nil {
		return fmt.Errorf("tell L1 where batches are: %w", err)
	}
	return nil
}

// listenOperators opens the operators of this process, which are the registry's newest
// committee. They serve what they signed for also when the chain uses another layer.
func (d *Devnet) listenOperators(ctx context.Context, client *l1.Client, sender *l1.Sender, genesis *chain.Genesis, home string) error {
	n := d.opts.DA.Operators
	if d.opts.DA.Mode != chain.DACommittee {
		n = min(n, daoperator.LocalOperators(home))
	}
	local, err := daoperator.ListenLocal(home, n)
	if err != nil {
		return err
	}
	d.layers.local = local
	d.onClose(func(context.Context) error { return local.Close() })
	if err := daoperator.Admit(ctx, client, sender, genesis.L1Contracts["operatorRegistry"], local.Members()); err != nil {
		return fmt.Errorf("%w (does this L1 have the precompiles of EIP-2537?)", err)
	}
	return nil
}

// rememberServer keeps the URL of the chain's alt-DA server in a file, and reads it there
// if none is named: batches of before a change are still on it.
func rememberServer(path, url string) (string, error) {
	if url != "" {
		return url, da.WriteFile(path, []byte(url))
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// openLayers connects to what the chain uses, and to what it may have used before.
func (d *Devnet) openLayers(clients []*l1.Client, cfg *chain.Config) error {
	o, l := &d.opts.DA, &d.layers
	l.reader.Generic = cfg.AltDAGeneric
	if o.URL != "" {
		server, err := altda.NewClient(altda.ClientOptions{URL: o.URL, Generic: cfg.AltDAGeneric, ReadBack: true})
		if err != nil {
			return err
		}
		l.reader.AltDA = server
		if o.Mode == chain.DAAlt {
			l.writer = server
		}
	}
	if cfg.CertificateVerifier == (common.Address{}) {
		return nil
	}
	var endpoints committee.Callers
	for _, c := range clients {
		endpoints = append(endpoints, c.Eth())
	}
	var err error
	l.registry, err = committee.NewRegistry(committee.RegistryOptions{
		L1: endpoints, Verifier: cfg.CertificateVerifier, L1ChainID: cfg.L1ChainID, L2ChainID: cfg.ChainID,
	})
	if err != nil {
		return err
	}
	store := committee.Store{Retriever: committee.NewRetriever(committee.RetrieverOptions{Source: l.registry, Failed: d.operatorFailed("withheld")})}
	l.reader.Committee = store
	if l.local != nil {
		if err := l.local.Start(l.registry, d.log); err != nil {
			return err
		}
	}
	if o.Mode != chain.DACommittee {
		return nil
	}
	d.warmUp()
	store.Disperser = committee.NewDisperser(committee.DisperserOptions{Source: l.registry, Failed: d.operatorFailed("unsigned")})
	d.onClose(func(context.Context) error { store.Disperser.Close(); return nil })
	l.writer = store
	return nil
}

// warmUp loads what proofs of cells need, beside the rest of the start.
func (d *Devnet) warmUp() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := committee.WarmUp(); err != nil {
			d.node.Fail(err)
		}
	}()
	d.onClose(func(context.Context) error { <-done; return nil })
}

// operatorFailed counts what operators do not do.
func (d *Devnet) operatorFailed(result string) func(int, error) {
	return func(operator int, err error) {
		d.metrics.Operator(operator, result)
		d.log.Debug("an operator of the data committee fails", "operator", operator, "result", result, "err", err)
	}
}

// place is what carries batches that the layer does not.
func (o *DataLayer) place() batcher.Place {
	if o.Mode == chain.DABlobs && o.Calldata {
		return batcher.InCalldata
	}
	return batcher.Cheapest
}

// name is the layer as --da has it.
func (o *DataLayer) name() string {
	switch {
	case o.Mode == chain.DAAlt:
		return "altda:" + o.URL
	case o.Mode == chain.DACommittee:
		return "committee"
	case o.Calldata:
		return "calldata"
	}
	return "blob"
}

// watchBatches measures where batches go.
func (d *Devnet) watchBatches(b *batcher.Batcher) {
	d.metrics.Batches(func() (layer, l1 uint64, failing bool) {
		s := b.Status()
		return s.Delegated, s.Batches - s.Delegated, s.LayerFailing != nil
	})
}

// startAudits asks the operators time and again for what they signed for.
func (d *Devnet) startAudits(client *l1.Client) {
	if d.opts.DA.Mode != chain.DACommittee || d.opts.DA.Audit == 0 {
		return
	}
	a := daaudit.Start(daaudit.Options{
		L1: client.Eth(), Verifier: d.node.Config().CertificateVerifier, Random: rand.Reader,
		Sampler: committee.NewSampler(committee.SamplerOptions{Source: d.layers.registry, Random: rand.Reader}),
		Every:   time.Duration(d.opts.DA.Audit) * time.Millisecond,
		Found:   func(f committee.Finding) { d.metrics.Operator(f.Operator, string(f.Result)) },
		Judged:  func(f committee.Finding) { d.metrics.OperatorHealthy(f.Operator, f.Healthy()) },
		Log:     d.log,
	})
	d.onClose(func(context.Context) error { a.Close(); return nil })
}
