package exec

import (
	"math/big"
	"math/rand"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/klauspost/compress/zstd"

	"github.com/talaria-l2/talaria/chain"
)

const (
	benchUsers = 200_000
	benchBlock = 20_000 // transactions, in mini-blocks of 1,000
	benchTurns = 10
)

// witnessLoad makes blocks of transactions between many accounts.
type witnessLoad struct {
	g      *chain.Genesis
	nonces []uint64
	r      *rand.Rand
	token  bool
}

func newWitnessLoad(b *testing.B, token bool) *witnessLoad {
	l := &witnessLoad{g: loadGenesis(b), nonces: make([]uint64, benchUsers), r: rand.New(rand.NewSource(1)), token: token}
	coin := l.g.Alloc[loadCoin(0)]
	for i := range benchUsers {
		addr := loadUser(i)
		l.g.Alloc[addr] = types.Account{Balance: big.NewInt(params.Ether)}
		coin.Storage[mapped(addr[:], nil)] = common.BigToHash(big.NewInt(1_000_000_000_000))
	}
	return l
}

func (l *witnessLoad) block(b *testing.B) []*chain.Tx {
	txs := make([]*chain.Tx, benchBlock)
	one, id := big.NewInt(1), new(big.Int).SetUint64(l.g.Config.ChainID)
	for i := range txs {
		from, other := l.r.Intn(benchUsers), loadUser(l.r.Intn(benchUsers))
		inner := &types.DynamicFeeTx{ChainID: id, Nonce: l.nonces[from], Gas: 21_000, To: &other, Value: one, GasFeeCap: big.NewInt(50_000_000), GasTipCap: one, V: new(big.Int), R: one, S: one}
		l.nonces[from]++
		if l.token {
			coin := loadCoin(0)
			inner.To, inner.Value, inner.Gas, inner.Data = &coin, new(big.Int), 100_000, tokenTransfer(other, i)
		}
		raw, err := types.NewTx(inner).MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		if txs[i], err = chain.RestoreTx(raw, loadUser(from)); err != nil {
			b.Fatal(err)
		}
	}
	return txs
}

// witnessRun makes a block and returns elapsed and processor time.
func witnessRun(b *testing.B, c *Chain, txs []*chain.Tx) (elapsed, used time.Duration) {
	runtime.GC()
	start, before := time.Now(), processTime()
	openNext(b, c)
	for len(txs) > 0 {
		if i, err := c.ApplyAll(txs[:1000]); err != nil {
			b.Fatalf("transaction %d: %v", i, err)
		}
		txs = txs[1000:]
		c.Cut(chain.Micros(c.NextMini()))
	}
	if _, _, err := c.Seal(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start), processTime() - before
}

// BenchmarkWitness makes the same blocks with and without a witness, in turns: executed,
// cut and sealed, without signatures and disk. It reports medians of the turns, and what
// the witness takes.
func BenchmarkWitness(b *testing.B) {
	for _, name := range []string{"transfers", "erc20"} {
		b.Run(name, func(b *testing.B) {
			l := newWitnessLoad(b, name == "erc20")
			m := &mix{g: l.g}
			chains := [2]*Chain{m.boot(b, 0), m.boot(b, 0)}
			chains[1].SetWitness(true)
			l.g.Alloc = nil // of no use to a node
			packer, err := zstd.NewWriter(nil)
			if err != nil {
				b.Fatal(err)
			}
			var elapsed, used [2][]float64
			var raw, packed, nodes float64
			turn := func(n int) {
				txs := l.block(b)
				for k := range chains {
					k = (k + n) % 2
					e, u := witnessRun(b, chains[k], txs)
					elapsed[k], used[k] = append(elapsed[k], float64(e)/benchBlock), append(used[k], float64(u)/benchBlock)
				}
				w := chains[1].Witness()
				enc, err := rlp.EncodeToBytes(w)
				if err != nil {
					b.Fatal(err)
				}
				raw, packed, nodes = float64(len(enc))/benchBlock, float64(len(packer.EncodeAll(enc, nil)))/benchBlock, float64(len(w.State))/benchBlock
			}
			for n := range 2 {
				turn(n)
			}
			clear(elapsed[:])
			clear(used[:])
			for b.Loop() {
				for n := range benchTurns {
					turn(n)
				}
			}
			ratio := func(of [2][]float64) float64 {
				v := make([]float64, len(of[0]))
				for i := range v {
					v[i] = of[1][i] / of[0][i]
				}
				return median(v)
			}
			b.ReportMetric(median(elapsed[0]), "without-ns/tx")
			b.ReportMetric(median(elapsed[1]), "with-ns/tx")
			b.ReportMetric(ratio(elapsed), "x-time")
			b.ReportMetric(ratio(used), "x-cpu")
			b.ReportMetric(median(used[0]), "without-cpu-ns/tx")
			b.ReportMetric(raw, "raw-bytes/tx")
			b.ReportMetric(packed, "zstd-bytes/tx")
			b.ReportMetric(nodes, "nodes/tx")
			for _, c := range chains {
				c.Close()
			}
		})
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
