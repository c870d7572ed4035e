package replica

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/batcher"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/safehead"
	"github.com/talaria-l2/talaria/store"
)

// maker sequences a chain on an L1, block by block, as the rules say: when its origin is
// gone it goes back to where it is not.
type maker struct {
	t    *testing.T
	l1   *forkL1
	key  *ecdsa.PrivateKey
	made int

	mu   sync.Mutex // of what changes the node
	node *node.Node
}

// Adopt implements safehead.Adopter.
func (m *maker) Adopt(_ context.Context, in *derive.BlockInput) (common.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node.PublishedHead().Number.Uint64() >= in.Number {
		if err := m.node.Rewind(in.Number - 1); err != nil {
			return common.Hash{}, err
		}
	}
	return m.node.Execute(in)
}

// make makes blocks.
func (m *maker) make(blocks int) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	cfg := m.node.Config()
	for range blocks {
		head, err := m.node.ParentHead()
		if err != nil {
			m.t.Fatal(err)
		}
		for number := head.Number; !m.l1.has(head.Origin); {
			number--
			head = headOf(m.t, m.node, number)
		}
		if head.Hash != m.node.PublishedHead().Hash() {
			if err := m.node.Rewind(head.Number); err != nil {
				m.t.Fatal(err)
			}
		}
		current := m.l1.at(head.Origin.Number)
		at := max(head.Timestamp+1, current.Timestamp)
		o, err := derive.NextOrigin(cfg, head, current, m.l1.at(head.Origin.Number+1), at)
		if err != nil {
			m.t.Fatal(err)
		}
		txs := []*chain.Tx{m.tx(0, common.Address{0xee}), m.tx(1, chain.MessagePasserAddr)}
		micros := chain.Micros(at) * 1_000_000
		if _, err := m.node.Execute(&derive.BlockInput{
			Number: head.Number + 1, Timestamp: at, Kind: derive.FromBatch, L1Attributes: o.Attributes, Params: o.System.BlockParams,
			Deposits: o.Deposits, Txs: txs, ParentHash: head.Hash,
			MiniBlocks: []derive.MiniPlan{
				{TimestampMicros: micros, TxCount: uint64(1 + len(o.Deposits)), Epoch: head.Epoch},
				{TimestampMicros: micros + 10_000, TxCount: 2, Epoch: head.Epoch},
			},
		}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// tx is the user's with the next nonce but after, never the same twice.
func (m *maker) tx(after uint64, to common.Address) *chain.Tx {
	cfg := m.node.Config()
	account, _ := m.node.Exec().Pending().Account(crypto.PubkeyToAddress(m.key.PublicKey))
	m.made++
	id := new(big.Int).SetUint64(cfg.ChainID)
	raw, err := types.MustSignNewTx(m.key, types.NewPragueSigner(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: account.Nonce + after, Gas: 300_000, To: &to, Value: big.NewInt(int64(m.made)), GasFeeCap: big.NewInt(1e9), GasTipCap: big.NewInt(1),
	}).MarshalBinary()
	if err != nil {
		m.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	return tx
}

func headOf(t *testing.T, n *node.Node, number uint64) derive.Head {
	t.Helper()
	if number == 0 {
		genesis, err := n.GenesisState()
		if err != nil {
			t.Fatal(err)
		}
		return genesis.Head
	}
	b, err := n.BlockByNumber(t.Context(), number)
	if err != nil || b == nil {
		t.Fatalf("block %d: %v", number, err)
	}
	head, err := derive.HeadOf(n.Config(), b)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// world is a sequencer with tracker and batcher, and a follower, on one L1.
type world struct {
	t       *testing.T
	l1      *forkL1
	g       *chain.Genesis
	maker   *maker
	tracker *safehead.Tracker
	batcher *batcher.Batcher

	dir      string // of the follower
	node     *node.Node
	follower *Replica
	deposits int // made so far
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, l1: newForkL1(), dir: filepath.Join(t.TempDir(), "follower")}
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("reorg test key")))
	if err != nil {
		t.Fatal(err)
	}
	first := w.l1.at(0)
	w.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: first.Timestamp, L1Origin: first.ID(), Alloc: predeploys.Alloc(predeploys.Settings{})}
	w.g.Config.Batcher, w.g.Config.Portal = batchOwner, portal
	w.g.Alloc[crypto.PubkeyToAddress(key.PublicKey)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether))}
	w.maker = &maker{t: t, l1: w.l1, key: key, node: openNode(t, w.g)}
	w.track()
	t.Cleanup(func() {
		w.untrack()
		if err := w.maker.node.Close(); err != nil {
			t.Error(err)
		}
	})
	w.start()
	t.Cleanup(w.stop)
	return w
}

// track starts what watches over the sequencer's chain.
func (w *world) track() {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	var err error
	if w.tracker, err = safehead.Start(w.maker.node, safehead.Options{L1: w.l1, Adopter: w.maker, Poll: 2 * time.Millisecond, Log: log}); err != nil {
		w.t.Fatal(err)
	}
	w.batcher = batcher.Start(batcher.Options{
		Chain: w.maker.node, Tracker: w.tracker, L1: sender{w.l1}, Inbox: inbox, Place: batcher.InCalldata,
		MaxAge: 10 * time.Millisecond, LostAfter: 6, Patience: 50 * time.Millisecond, Log: log,
	})
}

func (w *world) untrack() {
	w.batcher.Close()
	w.tracker.Close()
}

// start starts the follower.
func (w *world) start() {
	w.t.Helper()
	w.node = openNodeAt(w.t, w.dir, w.g)
	var err error
	if w.follower, err = Start(w.node, Options{L1: w.l1, Poll: 2 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}); err != nil {
		w.t.Fatal(err)
	}
}

// stop stops the follower.
func (w *world) stop() {
	if w.node == nil {
		return
	}
	w.follower.Close()
	if err := w.node.Close(); err != nil {
		w.t.Error(err)
	}
	w.node = nil
}

func openNodeAt(t *testing.T, path string, g *chain.Genesis) *node.Node {
	t.Helper()
	dir, err := store.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(dir, node.Options{Genesis: g, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits until check has no objection.
func (w *world) eventually(what string, check func() error) {
	w.t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); ; {
		if err = check(); err == nil {
			return
		}
		select {
		case <-w.maker.node.Failed():
			w.t.Fatalf("%s: the sequencer failed: %v", what, w.maker.node.Failure())
		case <-w.node.Failed():
			w.t.Fatalf("%s: the follower failed: %v", what, w.node.Failure())
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %v", what, err)
		}
	}
}

// rest waits until both nodes have read what L1 has, and agree.
func (w *world) rest() {
	w.t.Helper()
	w.eventually("both nodes agree with L1", func() error {
		head, tip, _ := w.tracker.Head()
		if tip != w.l1.tip() {
			return fmt.Errorf("the tracker has read up to L1 block %d of %d", tip, w.l1.tip())
		}
		if got := w.node.PublishedHead(); got.Hash() != head.Hash {
			return fmt.Errorf("the follower is at %d, the tracker at %d", got.Number, head.Number)
		}
		for name, n := range map[string]*node.Node{"sequencer": w.maker.node, "follower": w.node} {
			safe, finalized := n.Finality()
			if safe != head.Number || finalized > safe {
				return fmt.Errorf("%s: safe %d, finalized %d, derived %d", name, safe, finalized, head.Number)
			}
			status, ok := n.L1Status()
			if current := (chain.L1Origin{Number: status.Current.Number, Hash: status.Current.Hash}); ok && !w.l1.has(current) {
				return fmt.Errorf("%s: current L1 block %d is gone", name, current.Number)
			}
			for _, number := range []uint64{safe, finalized} {
				if origin := headOf(w.t, n, number).Origin; !w.l1.has(origin) {
					return fmt.Errorf("%s: block %d is on L1 block %d, which is gone", name, number, origin.Number)
				}
			}
		}
		return nil
	})
}

// advance lets L1 blocks come, with blocks and deposits between, until what the sequencer
// had at first is posted.
func (w *world) advance() {
	w.t.Helper()
	w.maker.make(1)
	goal := w.maker.node.PublishedHead().Number.Uint64()
	for i := 0; ; i++ {
		w.deposit()
		w.l1.mine(1)
		w.maker.make(1 + i%3)
		w.rest()
		if safe, _ := w.maker.node.Finality(); safe >= goal {
			return
		}
		if i == 200 {
			w.t.Fatalf("nothing is posted: %+v", w.batcher.Status())
		}
		time.Sleep(3 * time.Millisecond) // the batcher gathers by the clock
	}
}

// finalise advances until the follower knows a final block, and returns it. L1 is asked
// what is final twice a second at the most.
func (w *world) finalise() uint64 {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); w.advance() {
		if _, finalized := w.node.Finality(); finalized > 0 {
			return finalized
		}
	}
	w.t.Fatal("nothing becomes final")
	return 0
}

func (w *world) deposit() {
	w.deposits++
	w.l1.deposit(w.deposits)
}

// check compares everything at the end: the chains, and the deposits on both layers.
func (w *world) check() {
	w.t.Helper()
	head := headOf(w.t, w.node, w.node.PublishedHead().Number.Uint64())
	want := map[common.Address]int{}
	for number := uint64(1); number <= head.Origin.Number; number++ {
		for _, tx := range derive.Deposits(w.l1.at(number), portal) {
			want[tx.From()]++
		}
	}
	got, sent, nonce := map[common.Address]int{}, 0, uint64(0)
	for number := uint64(1); number <= head.Number; number++ {
		b, err := w.node.BlockByNumber(w.t.Context(), number)
		if err != nil {
			w.t.Fatal(err)
		}
		own, err := w.maker.node.BlockByNumber(w.t.Context(), number)
		if err != nil || own == nil || own.Hash() != b.Hash() {
			w.t.Fatalf("block %d: follower %s, sequencer %v", number, b.Hash(), own)
		}
		for i, tx := range b.Txs {
			switch {
			case i > 0 && tx.IsDeposit():
				got[tx.From()]++
			case i > 0:
				if tx.Nonce() != nonce {
					w.t.Fatalf("block %d: nonce %d, want %d", number, tx.Nonce(), nonce)
				}
				nonce++
				if *tx.To() == chain.MessagePasserAddr && b.Receipts[i].Status == 1 {
					sent++
				}
			}
		}
	}
	for id := range w.deposits {
		who := depositor(id + 1)
		balance := w.node.Exec().State().Head()
		account, _ := balance.Account(who)
		if got[who] != want[who] || account.Balance.Uint64() != uint64(1000*want[who]) {
			w.t.Fatalf("deposit %d is %d times on L1 and %d times on L2, balance %s", id+1, want[who], got[who], account.Balance.Dec())
		}
	}
	messages := w.node.Exec().State().Head().Storage(chain.MessagePasserAddr, common.Hash{31: 1})
	if messages.Big().Int64() != int64(sent) || sent == 0 {
		w.t.Fatalf("%d withdrawals in the blocks, %s counted", sent, messages)
	}
}

// L1 takes back 1 to 20 blocks, with the batches and deposits in them, which come again,
// later, or never; now and then while the follower is away, or tracker and batcher are.
func TestFollowerEqualsSequencerAcrossReorgs(t *testing.T) {
	for _, fate := range []struct {
		name string
		fate int
	}{{"what was in them waits again", waitsAgain}, {"it comes late", comesLate}, {"it is lost", isLost}} {
		t.Run(fate.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for len(w.l1.blocks) < 12 {
				w.advance()
			}
			for depth := 1; depth <= 20; depth++ {
				for w.l1.tip() < uint64(depth)+3 {
					w.advance()
				}
				_, finalized := w.node.Finality()
				final := headOf(t, w.node, finalized).ID()
				away, blind := depth%4 == 2, depth%5 == 3
				if away {
					w.stop()
				}
				if blind {
					w.untrack()
				}
				w.l1.reorg(depth, fate.fate)
				if blind {
					w.track()
				}
				if away {
					w.start()
				}
				if depth%3 == 0 && !away && !blind {
					w.rest() // before L1 has grown beyond what was there
				}
				w.maker.make(1)
				w.advance()
				if h, err := w.node.HeaderByNumber(t.Context(), final.Number); err != nil || h.Hash() != final.Hash {
					t.Fatalf("block %d was final and is gone: %v", final.Number, err)
				}
			}
			w.finalise()
			w.check()
		})
	}
}
