package sequencer

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeL1 hands out the blocks that a test gives it.
type fakeL1 struct {
	mu   sync.Mutex
	next []*derive.L1Block
}

func (l *fakeL1) Peek() *derive.L1Block {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.next) == 0 {
		return nil
	}
	return l.next[0]
}

func (l *fakeL1) Pop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = l.next[1:]
}

func (l *fakeL1) Backlog() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.next)
}

func (l *fakeL1) add(b *derive.L1Block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = append(l.next, b)
}

type rig struct {
	t     *testing.T
	dir   string
	g     *chain.Genesis
	key   *ecdsa.PrivateKey
	users []*ecdsa.PrivateKey
	node  *node.Node
	seq   *Sequencer
	l1    *fakeL1
	// oldOrigin gives the chain an L1 origin of 1970.
	oldOrigin  bool
	stateCache uint64
	pending    sequencing.PendingSettings
	dev        bool           // a development chain
	chain      *forkL1        // nil: l1
	derived    func() Derived // nil: nobody derives
	probe      func(string)   // see Options
	again      againLimits
	trusted    []common.Address
	block      chain.Millis // [200]
	noSync     bool
	metrics    *telemetry.Metrics
	// origin is the L1 block that the last start asked for; restarted tells that it was
	// not the first.
	origin             chain.L1Origin
	started, restarted bool
}

func newRig(t *testing.T) *rig { return newRigWith(t, func(*rig) {}) }

// newRigWith lets change change the rig before the node starts.
func newRigWith(t *testing.T, change func(*rig)) *rig {
	r := &rig{t: t, dir: t.TempDir(), key: key(t, 100), l1: new(fakeL1)}
	r.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: uint64(time.Now().Unix()) - 2, Alloc: predeploys.Alloc(predeploys.Settings{})}
	r.g.Config.Sequencer = crypto.PubkeyToAddress(r.key.PublicKey)
	for i := range 3 {
		u := key(t, byte(i+1))
		r.users = append(r.users, u)
		r.g.Alloc[crypto.PubkeyToAddress(u.PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
	}
	change(r)
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

func key(t *testing.T, b byte) *ecdsa.PrivateKey {
	t.Helper()
	k, err := crypto.ToECDSA(common.LeftPadBytes([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (r *rig) start() {
	r.t.Helper()
	dir, err := store.OpenDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.node, err = node.Open(dir, node.Options{Genesis: r.g, StateCache: r.stateCache, Development: r.dev}); err != nil {
		r.t.Fatal(err)
	}
	origin := &derive.L1Block{BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}
	if !r.oldOrigin {
		origin.Timestamp = r.g.Timestamp
	}
	var dev *Development
	if r.dev {
		dev = &Development{Keys: r.users}
	}
	r.seq, err = Start(r.node, Options{Key: r.key, Block: max(r.block, 200), NoSync: r.noSync, Pending: r.pending, Development: dev, Derived: r.derived, probe: r.probe, again: r.again, Trusted: r.trusted, Metrics: r.metrics, Connect: func(at chain.L1Origin) (L1, error) {
		if r.chain != nil {
			return r.chain.connect(at)
		}
		r.restarted, r.origin = r.restarted || r.started, at
		r.started = true
		return L1{Origin: origin, Next: r.l1}, nil
	}})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	if r.node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(r.seq.Close(ctx), r.node.Close()); err != nil {
		r.t.Error(err)
	}
	r.node = nil
}

// offer is a transfer with those fees above the usual ones, in wei per gas.
func (r *rig) offer(user int, nonce uint64, feeCap, tip int64) *chain.Tx {
	r.t.Helper()
	id := new(big.Int).SetUint64(r.g.Config.ChainID)
	raw, err := types.MustSignNewTx(r.users[user], types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, Gas: 21_000, To: &common.Address{0xaa}, Value: big.NewInt(1),
		GasFeeCap: big.NewInt(1_000_000 * feeCap), GasTipCap: big.NewInt(tip),
	}).MarshalBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &r.g.Config)
	if err != nil {
		r.t.Fatal(err)
	}
	return tx
}

func (r *rig) transfer(user int, nonce uint64, value int64) *chain.Tx {
	r.t.Helper()
	return r.transferTo(common.Address{0xaa}, user, nonce, value)
}

func (r *rig) transferTo(to common.Address, user int, nonce uint64, value int64) *chain.Tx {
	r.t.Helper()
	id := new(big.Int).SetUint64(r.g.Config.ChainID)
	raw, err := types.MustSignNewTx(r.users[user], types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, Gas: 21_000, To: &to, Value: big.NewInt(value), GasFeeCap: big.NewInt(10_000_000), GasTipCap: big.NewInt(1),
	}).MarshalBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &r.g.Config)
	if err != nil {
		r.t.Fatal(err)
	}
	return tx
}

// submit hands one transaction over.
func (r *rig) submit(tx *chain.Tx) *rpc.Submission {
	return r.seq.Submit([]rpc.Send{{Raw: tx.Raw()}})[0]
}

func (r *rig) await(s *rpc.Submission) (*rpc.TxInfo, error) {
	r.t.Helper()
	select {
	case <-s.Done():
		return s.Result()
	case <-time.After(20 * time.Second):
		r.t.Fatal("no answer in 20 s")
		return nil, nil
	}
}

func TestAReceiptIsQueryableWhenItIsAnswered(t *testing.T) {
	r := newRig(t)
	for nonce := range uint64(50) {
		info, err := r.await(r.submit(r.transfer(0, nonce, 1)))
		if err != nil {
			t.Fatal(err)
		}
		found, err := r.node.TxByHash(context.Background(), info.Tx.Hash())
		if err != nil || found == nil || found.Receipt.Status != 1 || found.MiniBlock != info.MiniBlock || found.Index != info.Index {
			t.Fatalf("answered as %+v, found %+v (%v)", info, found, err)
		}
		got, err := r.node.Nonce(context.Background(), info.Tx.From(), rpc.StateRef{Newest: true})
		if err != nil || got != nonce+1 {
			t.Fatalf("nonce %d, %v after nonce %d was answered", got, err, nonce)
		}
	}
}

func TestOutOfOrderNoncesExecuteInOrderAndGapsAreRefused(t *testing.T) {
	r := newRig(t)
	var subs []*rpc.Submission
	for _, nonce := range []uint64{3, 1, 2, 0} {
		subs = append(subs, r.submit(r.transfer(0, nonce, 1)))
	}
	for i, s := range subs {
		if _, err := r.await(s); err != nil {
			t.Errorf("submission %d: %v", i, err)
		}
	}
	_, err := r.await(r.submit(r.transfer(0, 9, 1)))
	var e *rpc.Error
	if !errors.As(err, &e) || e.Code != rpc.CodeNonceGap || !strings.Contains(e.Message, "nonce too high: next nonce 4, tx nonce 9") {
		t.Errorf("gap: %v", err)
	}
	if _, err = r.await(r.submit(r.transfer(0, 2, 1))); err == nil || !strings.Contains(err.Error(), "nonce too low: next nonce 4, tx nonce 2") {
		t.Errorf("low: %v", err)
	}
	if _, err = r.await(r.submit(r.transfer(1, 0, 2*params.Ether))); err == nil || !strings.Contains(err.Error(), "insufficient funds for gas * price + value") {
		t.Errorf("poor: %v", err)
	}
	if balance, err := r.node.Balance(context.Background(), common.Address{0xaa}, rpc.StateRef{Newest: true}); err != nil || balance.Int64() != 4 {
		t.Errorf("recipient holds %v (%v), want 4", balance, err)
	}
}

// Who waits for an earlier nonce and has to leave, for another transaction with the same
// nonce or for one that pays more, is told so, and nothing of theirs is executed.
func TestWhoLeavesThePendingSetIsToldWhy(t *testing.T) {
	r := newRigWith(t, func(r *rig) { r.pending = sequencing.PendingSettings{Total: 2, HoldMicros: 60_000_000} })
	first := r.submit(r.offer(0, 1, 100, 1))
	better := r.submit(r.offer(0, 1, 200, 2))
	if _, err := r.await(first); !errors.Is(err, sequencing.ErrReplaced) {
		t.Fatalf("replaced: %v", err)
	}
	if _, err := r.await(r.submit(r.offer(0, 1, 201, 2))); !errors.Is(err, sequencing.ErrReplacement) {
		t.Fatalf("replacing for less than a tenth: %v", err)
	}
	other := r.submit(r.offer(1, 1, 100, 1))
	if _, err := r.await(r.submit(r.offer(2, 1, 100, 1))); !errors.Is(err, sequencing.ErrUnderpriced) {
		t.Fatalf("into a full set: %v", err)
	}
	rich := r.submit(r.offer(2, 1, 300, 3))
	if _, err := r.await(other); !errors.Is(err, sequencing.ErrUnderpriced) {
		t.Fatalf("evicted: %v", err)
	}
	for _, user := range []int{0, 1, 2} {
		if _, err := r.await(r.submit(r.offer(user, 0, 100, 1))); err != nil {
			t.Fatal(err)
		}
	}
	for name, sub := range map[string]*rpc.Submission{"better": better, "rich": rich} {
		if info, err := r.await(sub); err != nil || info.Receipt.Status != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for user, want := range []uint64{2, 1, 2} {
		from := crypto.PubkeyToAddress(r.users[user].PublicKey)
		if got, err := r.node.Nonce(context.Background(), from, rpc.StateRef{Newest: true}); err != nil || got != want {
			t.Errorf("user %d has nonce %d (%v), want %d", user, got, err, want)
		}
	}
}

// Transactions of several accounts whose nonces all come at once, and that do not fit
// into one block, come into the next ones.
func TestWhatWaitedForItsNonceFillsSeveralBlocks(t *testing.T) {
	r := newRigWith(t, func(r *rig) {
		r.g.Config.GasLimit, r.g.Config.TxGasCap = 30_000_000, 9_000_000
		r.pending = sequencing.PendingSettings{HoldMicros: 60_000_000}
	})
	id := new(big.Int).SetUint64(r.g.Config.ChainID)
	data := bytes.Repeat([]byte{1}, 100_000) // 4 million gas
	var waiting []*rpc.Submission
	for user := range r.users {
		for nonce := range uint64(6) {
			raw, err := types.MustSignNewTx(r.users[user], types.LatestSignerForChainID(id), &types.DynamicFeeTx{
				ChainID: id, Nonce: nonce + 1, Gas: 5_000_000, To: &common.Address{0xaa}, Data: data, GasFeeCap: big.NewInt(10_000_000), GasTipCap: big.NewInt(1),
			}).MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, r.seq.Submit([]rpc.Send{{Raw: raw}})[0])
		}
	}
	var bundle []rpc.Send // closes all gaps; the rest are refused
	for i := range int64(bundleFrom + 2) {
		bundle = append(bundle, rpc.Send{Raw: r.transfer(int(i%3), 0, i).Raw()})
	}
	r.seq.Submit(bundle)
	blocks := make(map[uint64]bool)
	for i, sub := range waiting {
		info, err := r.await(sub)
		if err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
		blocks[info.BlockNumber] = true
	}
	if len(blocks) < 2 {
		t.Errorf("%d blocks: the test does not fill one", len(blocks))
	}
}

func TestEventsComeInOrderAndBlocksAreMadeOfThem(t *testing.T) {
	r := newRig(t)
	feed := r.node.Subscribe(10_000)
	defer feed.Close()
	go func() {
		for nonce := range uint64(300) {
			<-r.submit(r.transfer(1, nonce, 1)).Done()
		}
	}()
	var txs uint64
	var next *uint64
	var parent common.Hash
	open := make(map[uint64][]chain.MiniBlockHeader)
	for txs < 300 || len(open) > 0 {
		ev, ok := <-feed.Events()
		if !ok {
			t.Fatal("feed was cut off")
		}
		if m := ev.MiniBlock; m != nil {
			if next != nil && (m.Header.Number != *next || m.Header.ParentHash != parent) {
				t.Fatalf("mini-block %d after %d, parent %s, want %s", m.Header.Number, *next-1, m.Header.ParentHash, parent)
			}
			if signer, err := m.Header.Signer(m.Signature); err != nil || signer != r.g.Config.Sequencer {
				t.Fatalf("mini-block %d is signed by %s (%v)", m.Header.Number, signer, err)
			}
			n := m.Header.Number + 1
			next, parent = &n, m.Header.Hash()
			for _, tx := range m.Txs {
				if !tx.IsDeposit() {
					txs++
				}
			}
			open[m.Header.BlockNumber] = append(open[m.Header.BlockNumber], m.Header)
			continue
		}
		b := ev.Sealed
		if len(open) != 1 && txs < 300 {
			t.Fatalf("block %d sealed while mini-blocks of %d blocks were open", b.Number(), len(open))
		}
		minis := open[b.Number()]
		delete(open, b.Number())
		if first := b.MiniBlocks[0]; len(minis) > 0 && minis[0] == first && len(minis) != len(b.MiniBlocks) {
			t.Fatalf("block %d has %d mini-blocks, %d were published", b.Number(), len(b.MiniBlocks), len(minis))
		}
	}
}

func TestTheSameDirectoryContinuesTheSameChain(t *testing.T) {
	r := newRig(t)
	hashes := make(map[uint64]common.Hash)
	for round := range 3 {
		for i := range uint64(40) {
			if _, err := r.await(r.submit(r.transfer(2, uint64(round)*40+i, 1))); err != nil {
				t.Fatal(err)
			}
		}
		head := r.node.PublishedHead().Number.Uint64()
		for n := uint64(0); n <= head; n++ {
			b, err := r.node.BlockByNumber(context.Background(), n)
			if err != nil || b == nil {
				t.Fatalf("block %d: %v", n, err)
			}
			if was, ok := hashes[n]; ok && was != b.Hash() {
				t.Fatalf("block %d was %s, is %s", n, was, b.Hash())
			}
			hashes[n] = b.Hash()
		}
		r.stop()
		r.start()
		if now := r.node.PublishedHead().Number.Uint64(); now < head {
			t.Fatalf("head went from %d to %d", head, now)
		}
	}
	if nonce, err := r.node.Nonce(context.Background(), crypto.PubkeyToAddress(r.users[2].PublicKey), rpc.StateRef{Newest: true}); err != nil || nonce != 120 {
		t.Errorf("nonce %d (%v), want 120", nonce, err)
	}
	if balance, err := r.node.Balance(context.Background(), common.Address{0xaa}, rpc.StateRef{Number: 0}); err != nil || balance.Sign() != 0 {
		t.Errorf("at block 0 the recipient holds %v (%v)", balance, err)
	}
}

func TestAStrangersKeyIsRefused(t *testing.T) {
	r := newRig(t)
	r.submit(r.transfer(0, 0, 1))
	_, err := Start(r.node, Options{Key: key(t, 9)})
	if err == nil || !strings.Contains(err.Error(), "the chain's sequencer is") {
		t.Errorf("stranger: %v", err)
	}
}

// A block on an origin that is too old could never be derived: none is opened until
// L1 tells what came after it, and nothing is taken meanwhile.
func TestNoBlockIsOpenedOnAnOriginThatIsTooOld(t *testing.T) {
	r := newRigWith(t, func(r *rig) { r.oldOrigin = true })
	for r.seq.Ready() == nil {
		runtime.Gosched()
	}
	if _, err := r.await(r.submit(r.transfer(0, 0, 1))); err == nil || !strings.Contains(err.Error(), "waiting for L1") {
		t.Fatalf("submission while L1 is not known: %v", err)
	}
	if n := r.node.PublishedHead().Number.Uint64(); n != 0 || r.node.Pending() != nil {
		t.Fatalf("block %d exists", n)
	}
	feed := r.node.Subscribe(1000)
	defer feed.Close()
	r.l1.add(&derive.L1Block{Number: 1, Hash: common.Hash{1}, Timestamp: uint64(time.Now().Unix()) - 1, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)})
	ev := <-feed.Events()
	attrs, err := chain.ParseL1Attributes(ev.MiniBlock.Txs[0])
	if err != nil || attrs.Number != 1 {
		t.Fatalf("first block has origin %d (%v), want 1", attrs.Number, err)
	}
	if _, err := r.await(r.submit(r.transfer(0, 0, 1))); err != nil {
		t.Errorf("submission after L1 came back: %v", err)
	}
}
