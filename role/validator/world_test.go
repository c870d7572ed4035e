package validator

import (
	"context"
	"crypto/ecdsa"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/state"
)

const worldTime = 1_800_000_000

// world is a sequencer without a network: it makes blocks, and puts them into a feed.
type world struct {
	t       *testing.T
	g       *chain.Genesis
	hash    common.Hash // of genesis
	leader  *ecdsa.PrivateKey
	user    *ecdsa.PrivateKey
	nonce   uint64
	chain   *exec.Chain
	now     chain.Micros
	l1      chain.L1Attributes
	feed    *memory
	headers []*types.Header
	sealed  *chain.Block // the newest
}

func newWorld(t *testing.T) *world { return newWorldOf(t, func(*chain.Genesis) {}) }

func newWorldOf(t *testing.T, set func(*chain.Genesis)) *world {
	w := &world{t: t, now: worldTime * 1_000_000, feed: newMemory()}
	w.leader, w.user = testKey(t, 1), testKey(t, 2)
	w.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: worldTime, Alloc: predeploys.Alloc(predeploys.Settings{}), L1Origin: chain.L1Origin{Number: 5, Hash: common.Hash{5}}}
	w.g.Config.Sequencer = crypto.PubkeyToAddress(w.leader.PublicKey)
	w.g.Alloc[crypto.PubkeyToAddress(w.user.PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
	set(w.g)
	diff, err := exec.GenesisDiff(w.g)
	if err != nil {
		t.Fatal(err)
	}
	db, tree := state.NewDB(), state.NewTrie()
	db.Apply(diff)
	tree.Apply(diff)
	block := exec.GenesisBlock(w.g, tree.Root(), tree.StorageRoot(chain.MessagePasserAddr))
	w.hash = block.Hash()
	w.headers = []*types.Header{block.Header}
	w.chain = exec.NewChain(&w.g.Config, db, tree, exec.Position{Parent: block.Header, LastMiniHash: w.hash})
	w.chain.SetWitness(true)
	t.Cleanup(w.chain.Close)
	w.l1 = chain.L1Attributes{Number: 5, Hash: common.Hash{5}, Timestamp: worldTime, BaseFee: big.NewInt(7), BlobBaseFee: big.NewInt(1)}
	return w
}

func testKey(t *testing.T, n byte) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (w *world) transfer() *chain.Tx {
	to, id := common.Address{0xaa}, new(big.Int).SetUint64(w.g.Config.ChainID)
	raw, err := types.MustSignNewTx(w.user, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: w.nonce, Gas: 21_000, To: &to, Value: common.Big1, GasFeeCap: big.NewInt(20_000_000), GasTipCap: common.Big1,
	}).MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	w.nonce++
	tx, err := chain.DecodeTx(raw, &w.g.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// block makes a block of two mini-blocks and publishes it.
func (w *world) block(txs int) (*feed.Block, []*feed.MiniBlock, *feed.Witness) {
	w.t.Helper()
	w.l1.SequenceNumber++
	parent := w.chain.Parent()
	a := chain.Attributes{Timestamp: parent.Time + 1, PrevRandao: w.l1.PrevRandao, ParentBeacon: w.l1.ParentBeacon}
	if err := w.chain.Open(a); err != nil {
		w.t.Fatal(err)
	}
	var minis []*feed.MiniBlock
	for i := range 2 {
		list := []*chain.Tx{w.l1.Tx()}
		if i > 0 {
			list = nil
			for range txs {
				list = append(list, w.transfer())
			}
		}
		if _, err := w.chain.ApplyAll(list); err != nil {
			w.t.Fatal(err)
		}
		w.now = max(w.now+10_000, chain.Micros(a.Timestamp)*1_000_000)
		m, _ := w.chain.Cut(w.now)
		var err error
		if m.Signature, err = m.Header.Sign(w.leader); err != nil {
			w.t.Fatal(err)
		}
		minis = append(minis, &feed.MiniBlock{MiniBlock: m, Attributes: a})
	}
	block, _, err := w.chain.Seal()
	if err != nil {
		w.t.Fatal(err)
	}
	w.headers, w.sealed = append(w.headers, block.Header), block
	b := &feed.Block{Header: block.Header, LastMiniBlock: minis[1].Header.Number}
	return b, minis, &feed.Witness{Number: block.Number(), Hash: block.Hash(), Witness: w.chain.Witness()}
}

// publish makes n blocks and publishes them.
func (w *world) publish(n, txs int) {
	w.t.Helper()
	for range n {
		b, minis, witness := w.block(txs)
		for _, m := range minis {
			w.feed.add(m)
		}
		w.feed.add(b)
		w.feed.add(witness)
	}
}

func (w *world) options() Options {
	return Options{
		Genesis: w.g, GenesisHash: w.hash, Feed: w.feed, Sink: w.feed, Dir: w.t.TempDir(), Workers: 2,
		Grace: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
}

func (w *world) start(opts Options) *Validator {
	w.t.Helper()
	v, err := Start(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(v.Close)
	return v
}

// until waits for a state of the validator.
func until(t *testing.T, v *Validator, what string, is func(Status) bool) Status {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if s := v.Status(); is(s) {
			return s
		}
		select {
		case <-deadline:
			t.Fatalf("no %s: %+v", what, v.Status())
		case <-tick.C:
		}
	}
}

// memory is a feed in memory: what was published, encoded, and who follows it.
type memory struct {
	mu      sync.Mutex
	changed chan struct{}
	all     [4][]entry
	oldest  uint64 // mini-blocks below are gone
}

type entry struct {
	number uint64
	raw    []byte
}

func newMemory() *memory { return &memory{changed: make(chan struct{})} }

func (m *memory) add(message any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch x := message.(type) {
	case *feed.MiniBlock:
		m.all[0] = append(m.all[0], entry{x.Header.Number, x.Encode()})
	case *feed.Block:
		m.all[1] = append(m.all[1], entry{x.Header.Number.Uint64(), x.Encode()})
	case *feed.Witness:
		m.all[2] = append(m.all[2], entry{x.Number, x.Encode()})
	case *feed.Attestation:
		m.all[3] = append(m.all[3], entry{x.Number, x.Encode()})
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// follow reads a stream from the newest message of the number on.
func follow[T any](ctx context.Context, m *memory, stream int, from uint64, decode func([]byte) (T, error), f func(T) error) error {
	at := -1
	for {
		m.mu.Lock()
		if stream == 0 && from < m.oldest {
			m.mu.Unlock()
			return feed.ErrGone
		}
		list, changed := m.all[stream], m.changed
		m.mu.Unlock()
		if at < 0 {
			for i, e := range list {
				if stream < 3 && e.number == from || stream == 3 && e.number >= from && at < 0 {
					at = i
				}
			}
		}
		for ; at >= 0 && at < len(list); at++ {
			x, err := decode(list[at].raw)
			if err == nil {
				err = f(x)
			}
			if err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (m *memory) RawMiniBlocks(ctx context.Context, from uint64, f func(*feed.RawMiniBlock) error) error {
	return follow(ctx, m, 0, from, feed.DecodeRawMiniBlock, f)
}

func (m *memory) Blocks(ctx context.Context, from uint64, f func(*feed.Block) error) error {
	return follow(ctx, m, 1, from, feed.DecodeBlock, f)
}

func (m *memory) Witnesses(ctx context.Context, from uint64, f func(*feed.Witness) error) error {
	return follow(ctx, m, 2, from, feed.DecodeWitness, f)
}

func (m *memory) Attestations(ctx context.Context, from uint64, f func(*feed.Attestation) error) error {
	return follow(ctx, m, 3, from, feed.DecodeAttestation, f)
}

func (m *memory) PublishMiniBlock(x *feed.MiniBlock) error { m.add(x); return nil }
func (m *memory) PublishBlock(x *feed.Block) error         { m.add(x); return nil }
func (m *memory) PublishWitness(x *feed.Witness) error     { m.add(x); return nil }
func (m *memory) PublishAttestation(x *feed.Attestation) error {
	m.add(x)
	return nil
}

func (m *memory) count(stream int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all[stream])
}
