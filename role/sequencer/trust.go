package sequencer

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/telemetry"
)

// trust knows whose word is taken on who signed a transaction. It is withdrawn by a file in
// the data directory, which is also the evidence, until the operator takes the file away.
type trust struct {
	node    *node.Node
	allowed map[common.Address]bool
	metrics *telemetry.Metrics
	log     *slog.Logger

	mu        sync.Mutex
	open      map[*rpc.Voucher]struct{}
	withdrawn map[common.Address]bool // whose file could not be written
	// ended is set when a replica's trust is withdrawn: what came on any of its connections is
	// doubted then. Who is trusted again has another.
	ended map[common.Address]*atomic.Bool
}

func newTrust(n *node.Node, replicas []common.Address, metrics *telemetry.Metrics, log *slog.Logger) *trust {
	t := &trust{
		node: n, allowed: make(map[common.Address]bool), metrics: metrics, log: log,
		open: make(map[*rpc.Voucher]struct{}), withdrawn: make(map[common.Address]bool),
		ended: make(map[common.Address]*atomic.Bool),
	}
	for _, a := range replicas {
		t.allowed[a] = true
		if t.lost(a) {
			t.log.Warn("a replica is not trusted since it named a sender who did not sign; remove the file to trust it again", "replica", a, "file", t.file(a))
		}
	}
	t.measure()
	return t
}

// distrusted names the file that withdraws trust.
func distrusted(a common.Address) string { return "distrusted-" + a.Hex() + ".json" }

func (t *trust) file(a common.Address) string {
	return filepath.Join(t.node.Dir().Path(), distrusted(a))
}

// lost reports whether the trust in a replica is withdrawn. What cannot be read is.
func (t *trust) lost(a common.Address) bool {
	_, err := os.Stat(t.file(a))
	return t.withdrawn[a] || !errors.Is(err, os.ErrNotExist)
}

func (t *trust) measure() {
	if t.metrics == nil {
		return
	}
	n := 0
	for a := range t.allowed {
		if t.lost(a) {
			n++
		}
	}
	t.metrics.Distrusted.Set(float64(n))
}

// Vouch says whether a replica's word on senders is taken; see ingest.Options.
func (s *Sequencer) Vouch(v *rpc.Voucher) error {
	t := s.trust
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.allowed[v.Replica]:
		return rpc.ErrNotTrusted
	case t.lost(v.Replica):
		return fmt.Errorf("%w (evidence in %s)", rpc.ErrTrustWithdrawn, t.file(v.Replica))
	}
	if ended := t.ended[v.Replica]; ended == nil || ended.Load() {
		t.ended[v.Replica] = new(atomic.Bool)
	}
	v.EndsWith(t.ended[v.Replica])
	t.open[v] = struct{}{}
	t.measure()
	return nil
}

// Release forgets a voucher that Vouch took.
func (s *Sequencer) Release(v *rpc.Voucher) {
	s.trust.mu.Lock()
	defer s.trust.mu.Unlock()
	delete(s.trust.open, v)
}

// forgery is a transaction that is not by whom its replica named.
type forgery struct {
	tx      *chain.Tx // with the sender named
	voucher *rpc.Voucher
}

// testimony is the content of the file.
type testimony struct {
	Replica     common.Address  `json:"replica"`
	ChainID     uint64          `json:"chainId"`
	Proof       hexutil.Bytes   `json:"proof"` // nonce, channel and signature of the connection's statement
	From        string          `json:"from"`  // network address
	Time        time.Time       `json:"time"`
	Transaction common.Hash     `json:"transaction"`
	Raw         hexutil.Bytes   `json:"raw"`
	Named       common.Address  `json:"named"`            // as the sender
	Signer      *common.Address `json:"signer,omitempty"` // who did sign, if anybody
	Why         string          `json:"why,omitempty"`    // the signature is not valid
}

// withdraw ends the trust in a replica, with all its connections, and writes down why.
func (t *trust) withdraw(f forgery) {
	a, cfg := f.voucher.Replica, t.node.Config()
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended := t.ended[a]; ended != nil {
		ended.Store(true)
	}
	for v := range t.open {
		if v.Replica == a {
			v.Withdraw()
		}
	}
	f.voucher.Withdraw() // it may be from before the operator trusted the replica again
	if t.metrics != nil {
		t.metrics.Forged.Inc()
	}
	if t.lost(a) {
		return // the first is evidence enough
	}
	e := testimony{
		Replica: a, ChainID: cfg.ChainID, Proof: f.voucher.Proof, From: f.voucher.From, Time: time.Now().UTC(),
		Transaction: f.tx.Hash(), Raw: f.tx.Raw(), Named: f.tx.From(),
	}
	if right, err := chain.DecodeTx(f.tx.Raw(), cfg); err != nil {
		e.Why = err.Error()
	} else {
		signer := right.From()
		e.Signer = &signer
	}
	raw, err := json.MarshalIndent(&e, "", "  ")
	if err == nil {
		err = t.node.Dir().WriteFile(distrusted(a), append(raw, '\n'))
	}
	if err != nil {
		t.withdrawn[a] = true
		t.log.Error("the evidence against a replica could not be written: after a restart it is trusted again", "replica", a, "err", err)
	}
	t.log.Error("a trusted replica named a sender who did not sign: its connections are closed and it is trusted no more (to trust it again, remove the file)",
		"replica", a, "from", e.From, "transaction", e.Transaction, "named", e.Named, "signer", e.Signer, "file", t.file(a))
	t.measure()
}
