package replica

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/store"
)

// memoryL1 is an L1 in memory.
type memoryL1 struct {
	headers []*types.Header
	blocks  []*l1.Block
}

func (m *memoryL1) HeaderByTag(context.Context, l1.Tag) (*types.Header, error) {
	return m.headers[len(m.headers)-1], nil
}

func (m *memoryL1) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	if number >= uint64(len(m.headers)) {
		return nil, l1.ErrNotFound
	}
	return m.headers[number], nil
}

func (m *memoryL1) Fetch(_ context.Context, number uint64, _ common.Address) (*l1.Block, error) {
	if number >= uint64(len(m.blocks)) {
		return nil, l1.ErrNotFound
	}
	return m.blocks[number], nil
}

// add adds a block that carries blobs.
func (m *memoryL1) add(timestamp uint64, from common.Address, blobs []*batch.Blob) *l1.Block {
	h := &types.Header{Number: big.NewInt(int64(len(m.headers))), Difficulty: new(big.Int), Time: timestamp, BaseFee: big.NewInt(1)}
	if n := len(m.headers); n > 0 {
		h.ParentHash = m.headers[n-1].Hash()
	}
	b := &l1.Block{Number: h.Number.Uint64(), Hash: h.Hash(), ParentHash: h.ParentHash, Time: h.Time, BaseFee: h.BaseFee, BlobBaseFee: big.NewInt(1)}
	if len(blobs) > 0 {
		tx := l1.BatchTx{From: from, BlobHashes: make([]common.Hash, len(blobs))}
		for _, blob := range blobs {
			tx.Blobs = append(tx.Blobs, l1.Blob(*blob))
		}
		b.Batches = []l1.BatchTx{tx}
	}
	m.headers, m.blocks = append(m.headers, h), append(m.blocks, b)
	return b
}

// transfers signs the given number of transfers a block, from many accounts to many.
type transfers struct {
	keys   []*ecdsa.PrivateKey
	nonces []uint64
	next   int
}

func (w *transfers) make(tb testing.TB, cfg *chain.Config, count int) []*chain.Tx {
	out := make([]*chain.Tx, count)
	signer := types.NewPragueSigner(new(big.Int).SetUint64(cfg.ChainID))
	for i := range out {
		k := w.next % len(w.keys)
		w.next++
		to := crypto.PubkeyToAddress(w.keys[(w.next*7)%len(w.keys)].PublicKey)
		eth := types.MustSignNewTx(w.keys[k], signer, &types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(cfg.ChainID), Nonce: w.nonces[k], Gas: 21_000, To: &to, Value: big.NewInt(int64(1000 + w.next)),
			GasFeeCap: big.NewInt(1e9), GasTipCap: big.NewInt(1),
		})
		w.nonces[k]++
		raw, err := eth.MarshalBinary()
		if err != nil {
			tb.Fatal(err)
		}
		if out[i], err = chain.DecodeTx(raw, cfg); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

func openNode(tb testing.TB, g *chain.Genesis) *node.Node {
	tb.Helper()
	dir, err := store.OpenDir(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	n, err := node.Open(dir, node.Options{Genesis: g, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// recordedChain executes blocks of transfers, one a second in mini-blocks of 10 ms, and
// posts them to an L1 with a block every 12 s. It returns the hash of the last one.
func recordedChain(tb testing.TB, blocks, txs int) (*memoryL1, *chain.Genesis, common.Hash) {
	const minis, start = 100, 1_700_000_000
	m, work := new(memoryL1), &transfers{nonces: make([]uint64, 500)}
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: start, Alloc: predeploys.Alloc(predeploys.Settings{})}
	g.Config.Batcher = common.Address{0xba}
	for i := range work.nonces {
		key, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i), byte(i >> 8), 1}))
		if err != nil {
			tb.Fatal(err)
		}
		work.keys = append(work.keys, key)
		g.Alloc[crypto.PubkeyToAddress(key.PublicKey)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether))}
	}
	origin := m.add(start, common.Address{}, nil)
	g.L1Origin = chain.L1Origin{Number: origin.Number, Hash: origin.Hash}
	n := openNode(tb, g)
	defer n.Close()
	state, err := n.GenesisState()
	if err != nil {
		tb.Fatal(err)
	}
	head, last := state.Head, common.Hash{}
	var builder *batch.ChannelBuilder
	post := func(timestamp uint64) {
		channel, err := builder.Close()
		if err != nil {
			tb.Fatal(err)
		}
		posts, err := channel.Txs(1000)
		if err != nil {
			tb.Fatal(err)
		}
		m.add(timestamp, g.Config.Batcher, posts[0])
		builder = nil
	}
	for i := range blocks {
		timestamp := uint64(start + i + 1)
		current := m.blocks[head.Origin.Number]
		opening := (&derive.L1Block{Number: current.Number, Hash: current.Hash, Timestamp: current.Time, BaseFee: current.BaseFee, BlobBaseFee: current.BlobBaseFee}).
			Attributes(head.SequenceNumber+1, &head.System)
		in := derive.BlockInput{
			Number: head.Number + 1, Timestamp: timestamp, ParentHash: head.Hash, L1Attributes: opening, Params: head.System.BlockParams,
			Txs: work.make(tb, &g.Config, txs),
		}
		for k := range minis {
			plan := derive.MiniPlan{TimestampMicros: chain.Micros(timestamp*1_000_000 + uint64(k)*10_000), TxCount: uint64(txs / minis)}
			if k == 0 {
				plan.TxCount += 1 + uint64(txs%minis)
			}
			in.MiniBlocks = append(in.MiniBlocks, plan)
		}
		if last, err = n.Execute(&in); err != nil {
			tb.Fatal(err)
		}
		block, err := n.BlockByNumber(context.Background(), in.Number)
		if err != nil {
			tb.Fatal(err)
		}
		if head, err = derive.HeadOf(&g.Config, block); err != nil {
			tb.Fatal(err)
		}
		posted, err := batch.FromBlock(block)
		if err != nil {
			tb.Fatal(err)
		}
		for added := false; !added; {
			if builder == nil {
				if builder, err = batch.NewChannelBuilder(batch.BuilderSettings{}); err != nil {
					tb.Fatal(err)
				}
			}
			err := builder.Add(&posted, block.Header.ParentHash, block.Hash())
			if added = err == nil; errors.Is(err, batch.ErrFull) {
				post(timestamp)
			} else if err != nil {
				tb.Fatal(err)
			}
		}
		if (i+1)%12 == 0 || i == blocks-1 {
			post(timestamp + 1)
		}
	}
	return m, g, last
}

// follow derives a recorded chain from genesis, and returns how long that took.
func follow(tb testing.TB, m *memoryL1, g *chain.Genesis, blocks int, want common.Hash) time.Duration {
	tb.Helper()
	n := openNode(tb, g)
	begin := time.Now()
	feed := n.Subscribe(1 << 16)
	defer feed.Close()
	r, err := Start(n, Options{L1: m, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	for {
		select {
		case ev := <-feed.Events():
			if b := ev.Sealed; b == nil || b.Number() != uint64(blocks) {
				continue
			} else if b.Hash() != want {
				tb.Fatalf("block %d is %s, was sequenced as %s", blocks, b.Hash(), want)
			}
		case <-n.Failed():
			tb.Fatal(n.Failure())
		}
		break
	}
	took := time.Since(begin)
	r.Close()
	if err := n.Close(); err != nil {
		tb.Fatal(err)
	}
	return took
}

func TestAFollowerDerivesTheSameBlocks(t *testing.T) {
	const blocks = 30
	m, g, last := recordedChain(t, blocks, 250)
	follow(t, m, g, blocks, last)
}

// BenchmarkFollower: from blobs to published blocks, signatures and execution included.
// x-real-time is seconds of the chain for each second.
func BenchmarkFollower(b *testing.B) {
	const blocks, txs = 96, 1_000
	m, g, last := recordedChain(b, blocks, txs)
	b.ReportAllocs()
	var took time.Duration
	n := 0
	for b.Loop() {
		took += follow(b, m, g, blocks, last)
		n++
	}
	b.ReportMetric(float64(n*blocks)/took.Seconds(), "x-real-time")
	b.ReportMetric(float64(n*blocks*txs)/took.Seconds(), "tx/s")
}
