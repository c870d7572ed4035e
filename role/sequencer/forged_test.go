package sequencer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

var trustedReplica = common.Address{0x7e}

// gate stops the checks until it is opened. Blocks are not sealed meanwhile.
type gate struct {
	checking, open chan struct{}
	once           sync.Once
}

// newGatedRig is a rig with blocks of a second, at the beginning of one, and a gate.
func newGatedRig(t *testing.T) (*rig, *gate) {
	t.Helper()
	g := &gate{checking: make(chan struct{}, 1000), open: make(chan struct{})}
	r := newForkRig(t, 12, func(r *rig) { r.trusted, r.probe, r.block = []common.Address{trustedReplica}, g.probe, 1000 })
	t.Cleanup(g.release)
	r.reach(r.chain.tip())
	r.sealed(r.node.PublishedHead().Number.Uint64() + 1)
	return r, g
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

func (g *gate) probe(step string) {
	if step == "signatures are to be checked" {
		g.checking <- struct{}{}
		<-g.open
	}
}

// vouch is a connection of the trusted replica.
func (r *rig) vouch() *rpc.Voucher {
	r.t.Helper()
	v := rpc.NewVoucher(trustedReplica, []byte("proof"), "127.0.0.1:1", func() {})
	if err := r.seq.Vouch(v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// named submits transactions as of the senders that a replica names.
func (r *rig) named(v *rpc.Voucher, raw []byte, from common.Address) *rpc.Submission {
	return r.seq.Submit([]rpc.Send{{Raw: raw, Sender: from, Voucher: v}})[0]
}

func (r *rig) address(user int) common.Address { return r.transfer(user, 0, 1).From() }

// sealed waits for a sealed block that is newer than now.
func (r *rig) sealed(number uint64) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); r.node.PublishedHead().Number.Uint64() < number; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("block %d is not sealed", number)
		}
	}
}

// What a trusted replica sends is in a mini-block before its signature was looked at, and in
// no sealed block.
func TestNoBlockIsSealedBeforeItsSignaturesAreChecked(t *testing.T) {
	r, g := newGatedRig(t)
	v := r.vouch()
	info, err := r.await(r.named(v, r.transfer(0, 0, 1).Raw(), r.address(0)))
	if err != nil {
		t.Fatal(err)
	}
	<-g.checking
	time.Sleep(1500 * time.Millisecond) // a block is due meanwhile
	if head := r.node.PublishedHead().Number.Uint64(); head >= info.BlockNumber {
		t.Fatalf("block %d is sealed, the transaction in %d is not checked", head, info.BlockNumber)
	}
	g.release()
	r.sealed(info.BlockNumber)
	for nonce := range uint64(39) { // many, in bundles and one by one, gaps among them
		r.named(v, r.transfer(0, 1+(nonce^1), 1).Raw(), r.address(0))
	}
	if _, err := r.await(r.named(v, r.transfer(0, 39, 1).Raw(), r.address(0))); err != nil {
		t.Fatal(err)
	}
	if r.seq.checks.last() != 41 || v.Withdrawn() {
		t.Errorf("%d were checked behind execution, withdrawn: %v", r.seq.checks.last(), v.Withdrawn())
	}
}

// A trusted replica that forges senders is found, named and cut off; the chain goes back and
// on without what was forged, and with everything else that was acknowledged.
func TestATrustedReplicaThatForgesIsFound(t *testing.T) {
	for name, crash := range map[string]bool{"at once": false, "after a kill": true} {
		t.Run(name, func(t *testing.T) {
			killed := t.TempDir()
			r, g := newGatedRig(t)
			before := r.headAt(r.node.PublishedHead().Number.Uint64())
			v := r.vouch()
			ack := func(sub *rpc.Submission) common.Hash {
				t.Helper()
				if _, err := r.await(sub); err != nil {
					t.Fatal(err)
				}
				return sub.Hash()
			}
			honest := []common.Hash{
				ack(r.submit(r.transfer(2, 0, 5))),
				ack(r.named(v, r.transfer(2, 1, 6).Raw(), r.address(2))),
			}
			signed := r.transfer(2, 2, 7)
			stolen := ack(r.named(v, r.transfer(0, 0, 1000).Raw(), r.address(1))) // user 0 signs it, user 1 is to pay
			garbage := r.transfer(0, 0, 2000).Raw()
			for { // about half of all r are of nobody
				garbage[len(garbage)-40]++
				if _, err := chain.DecodeTx(garbage, &r.g.Config); err != nil {
					break
				}
			}
			invented := ack(r.named(v, garbage, r.address(0)))
			honest = append(honest, ack(r.named(v, signed.Raw(), r.address(2))))
			if n := r.nonce(1); n != 1 {
				t.Fatalf("the forged transaction is not executed: nonce %d", n)
			}
			if crash {
				copyDir(t, r.dir, killed)
			}
			start := time.Now()
			g.release()
			if crash {
				r.stop()
				r = r.in(killed)
				r.start()
				defer r.stop()
			}
			for _, hash := range append(honest, stolen) {
				r.included(hash)
			}
			deadline := time.Now().Add(20 * time.Second)
			for r.nonce(1) != 0 && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			for _, hash := range append(honest, stolen) {
				r.included(hash)
			}
			r.nothingLeft()
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if n := []uint64{r.nonce(0), r.nonce(1), r.nonce(2)}; n[0] != 1 || n[1] != 0 || n[2] != 3 {
				t.Errorf("nonces %v, want 1, 0 and 3", n)
			}
			if info, err := r.node.TxByHash(t.Context(), invented); err != nil || info != nil {
				t.Errorf("what nobody signed is in the chain: %v", err)
			}
			if void, err := r.seq.VoidTx(t.Context(), invented); err != nil || void == nil || void.Refusal == "" {
				t.Errorf("what nobody signed was acknowledged and is not named: %+v, %v", void, err)
			}
			if info, err := r.node.TxByHash(t.Context(), stolen); err != nil || info == nil || info.Tx.From() != r.address(0) {
				t.Errorf("what user 0 signed is not by user 0: %v", err)
			}
			if open := r.node.Pending(); open != nil && open.MiniBlocks[0].Epoch <= before.Epoch {
				t.Errorf("epoch %d, before %d", open.MiniBlocks[0].Epoch, before.Epoch)
			}
			if !crash {
				r.distrusts(v, stolen)
			}
		})
	}
}

func (r *rig) nonce(user int) uint64 {
	r.t.Helper()
	n, err := r.node.Nonce(r.t.Context(), r.address(user), rpc.StateRef{Newest: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// distrusts checks that trust is withdrawn, with evidence, also after a restart, until the
// operator restores it.
func (r *rig) distrusts(v *rpc.Voucher, forged common.Hash) {
	t := r.t
	t.Helper()
	file := filepath.Join(r.dir, distrusted(trustedReplica))
	var e struct {
		Replica, Named, Signer common.Address
		Transaction            common.Hash
		Raw                    hexutil.Bytes
		ChainID                uint64
	}
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	right, err := chain.DecodeTx(e.Raw, &r.g.Config)
	if err != nil || e.Replica != trustedReplica || e.Transaction != forged || right.Hash() != forged || e.Named != r.address(1) || e.Signer != r.address(0) || right.From() != e.Signer {
		t.Errorf("evidence %s: %v", raw, err)
	}
	if !v.Withdrawn() {
		t.Error("the connection is not cut off")
	}
	// What comes on the connection meanwhile, and what was on its way, is looked at before.
	if _, err := r.await(r.named(v, r.transfer(0, 1, 1).Raw(), r.address(1))); err != nil {
		t.Errorf("a hint is taken for more: %v", err)
	}
	a := admitted{tx: mustRestore(t, r.transfer(0, 0, 1).Raw(), r.address(1)), sub: rpc.NewSubmissions([]rpc.Send{{Voucher: v}})[0], check: r.seq.checks.last() + 1}
	r.held(func(l *loop) { l.take(a) })()
	if _, err := r.await(a.sub); !errors.Is(err, chain.ErrTxSignature) {
		t.Errorf("on its way: %v", err)
	}
	again := rpc.NewVoucher(trustedReplica, nil, "", nil)
	if err := r.seq.Vouch(again); !errors.Is(err, rpc.ErrTrustWithdrawn) || !strings.Contains(err.Error(), file) {
		t.Errorf("trusted again: %v", err)
	}
	r.stop()
	r.probe = nil
	r.start()
	if err := r.seq.Vouch(again); !errors.Is(err, rpc.ErrTrustWithdrawn) {
		t.Errorf("trusted after a restart: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := r.seq.Vouch(again); err != nil {
		t.Errorf("not restored: %v", err)
	}
	if err := r.seq.Vouch(rpc.NewVoucher(common.Address{1}, nil, "", nil)); !errors.Is(err, rpc.ErrNotTrusted) {
		t.Errorf("another replica: %v", err)
	}
}

func mustRestore(t *testing.T, raw []byte, from common.Address) *chain.Tx {
	t.Helper()
	tx, err := chain.RestoreTx(raw, from)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// More than may wait unchecked is checked before it is executed.
func TestAFullQueueOfChecksIsPassedBy(t *testing.T) {
	r, g := newGatedRig(t)
	v := r.vouch()
	r.seq.checks.mu.Lock()
	r.seq.checks.capacity = 3
	r.seq.checks.mu.Unlock()
	var subs []*rpc.Submission
	for nonce := range uint64(5) {
		subs = append(subs, r.named(v, r.transfer(0, nonce, 1).Raw(), r.address(0)))
	}
	if _, err := r.await(r.named(v, r.transfer(1, 0, 1).Raw(), r.address(2))); err != nil {
		t.Errorf("a wrong hint is believed: %v", err)
	}
	for _, s := range subs {
		if _, err := r.await(s); err != nil {
			t.Error(err)
		}
	}
	if n := r.seq.checks.last(); n != 3 {
		t.Errorf("%d were queued, room was for 3", n)
	}
	g.release()
}
