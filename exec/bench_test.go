package exec

import (
	"encoding/json"
	"math/big"
	"math/rand"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
)

// load is a state and rounds of transactions over it.
type load struct {
	name string
	call func(r *rand.Rand, i int) (to common.Address, value int64, gas uint64, data []byte)
}

const (
	loadUsers = 2000 // one transaction of each in a round
	loadPools = 64
)

func loadUser(i int) common.Address {
	return common.BigToAddress(big.NewInt(0x10_0000_0000 + int64(i)*7919))
}
func loadCoin(i int) common.Address { return common.BytesToAddress([]byte{0xc0, 0x1e, byte(i)}) }
func loadPair(i int) common.Address {
	return common.BytesToAddress([]byte{0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, byte(i)})
}

var loadRouter = common.HexToAddress("0x2041204120412041204120412041204120412041")

func selector(s string) []byte { return crypto.Keccak256([]byte(s))[:4] }

func mapped(key, slot []byte) common.Hash {
	return crypto.Keccak256Hash(common.LeftPadBytes(key, 32), common.LeftPadBytes(slot, 32))
}

// loadGenesis holds coins, pairs and a router as Solidity compiles them.
func loadGenesis(b *testing.B) *chain.Genesis {
	raw, err := os.ReadFile("../bench/core/programs.json")
	if err != nil {
		b.Skip(err)
	}
	var programs map[string]struct {
		Runtime hexutil.Bytes `json:"runtime"`
	}
	if err := json.Unmarshal(raw, &programs); err != nil {
		b.Fatal(err)
	}
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: genesisTime, Alloc: predeploys.Alloc(predeploys.Settings{})}
	l1Block := g.Alloc[chain.L1BlockAddr]
	l1Block.Storage = map[common.Hash]common.Hash{ // a gwei and, in millionths, 1683 and 1008092 as scalars
		{31: 1}: common.BigToHash(big.NewInt(params.GWei)), {31: 3}: {18: 1683 >> 8, 19: 1683 & 0xff, 21: 1008092 >> 16, 22: 1008092 >> 8 & 0xff, 23: 1008092 & 0xff}, {31: 7}: {31: 1},
	}
	g.Alloc[chain.L1BlockAddr] = l1Block
	million := new(uint256.Int).Mul(uint256.NewInt(1_000_000), uint256.NewInt(params.Ether))
	for i := range loadUsers {
		g.Alloc[loadUser(i)] = types.Account{Balance: big.NewInt(params.Ether)}
	}
	for p := range 2 * loadPools {
		storage := make(map[common.Hash]common.Hash)
		holders := []common.Address{loadPair(p / 2)}
		for i := range loadUsers {
			holders = append(holders, loadUser(i))
		}
		for _, h := range holders {
			allowances := mapped(h[:], []byte{1})
			storage[mapped(h[:], nil)] = million.Bytes32()
			storage[mapped(loadRouter[:], allowances[:])] = common.MaxHash
		}
		g.Alloc[loadCoin(p)] = types.Account{Code: programs["Coin"].Runtime, Nonce: 1, Balance: new(big.Int), Storage: storage}
	}
	packed := new(uint256.Int).Lsh(million, 112)
	packed.Or(packed, million)
	packed.Or(packed, new(uint256.Int).Lsh(uint256.NewInt(1_700_000_000), 224))
	for p := range loadPools {
		one, a, b := common.Hash{31: 1}, loadCoin(2*p), loadCoin(2*p+1)
		g.Alloc[loadPair(p)] = types.Account{Code: programs["Pair"].Runtime, Nonce: 1, Balance: new(big.Int), Storage: map[common.Hash]common.Hash{
			{}: one, {31: 1}: common.BytesToHash(a[:]), {31: 2}: common.BytesToHash(b[:]), {31: 3}: packed.Bytes32(), {31: 4}: one, {31: 5}: one,
		}}
	}
	g.Alloc[loadRouter] = types.Account{Code: programs["Router"].Runtime, Nonce: 1, Balance: new(big.Int)}
	return g
}

func tokenTransfer(to common.Address, amount int) []byte {
	return append(selector("transfer(address,uint256)"), words(to[:], big.NewInt(int64(amount+1)).Bytes())...)
}

func sell(pair, i int) []byte {
	p := loadPair(pair)
	return append(selector("sell(address,bool,uint256)"), words(p[:], []byte{byte(i / 7 % 2)}, big.NewInt(int64(i%50+1)*1e15).Bytes())...)
}

// stranger is an account that no transaction comes from.
func stranger(i int) common.Address {
	return common.BigToAddress(big.NewInt(0x7700_0000_0000 + int64(i)))
}

func loads() []load {
	zipf := rand.NewZipf(rand.New(rand.NewSource(1)), 1.2, 4, loadUsers-1)
	return []load{
		{"transfers", func(r *rand.Rand, i int) (common.Address, int64, uint64, []byte) { return stranger(i), 1, 21_000, nil }},
		{"erc20", func(r *rand.Rand, i int) (common.Address, int64, uint64, []byte) {
			return loadCoin(0), 0, 100_000, tokenTransfer(stranger(i), i)
		}},
		{"swaps", func(r *rand.Rand, i int) (common.Address, int64, uint64, []byte) {
			return loadRouter, 0, 300_000, sell(i%loadPools, i)
		}},
		{"hotpool", func(r *rand.Rand, i int) (common.Address, int64, uint64, []byte) {
			return loadRouter, 0, 300_000, sell(0, i)
		}},
		{"zipf", func(r *rand.Rand, i int) (common.Address, int64, uint64, []byte) {
			k := int(zipf.Uint64())
			switch i % 4 {
			case 0:
				return loadUser(k), 1, 21_000, nil
			case 1:
				return loadRouter, 0, 300_000, sell(k%loadPools, i)
			default:
				return loadCoin(k % 8), 0, 100_000, tokenTransfer(loadUser(k), i)
			}
		}},
	}
}

// round makes the transactions of one round, unsigned: execution does not look.
func (l *load) round(b *testing.B, g *chain.Genesis, nonce uint64) []*chain.Tx {
	r := rand.New(rand.NewSource(int64(nonce)))
	txs := make([]*chain.Tx, loadUsers)
	one := big.NewInt(1)
	for i := range txs {
		to, value, gas, data := l.call(r, i)
		raw, err := types.NewTx(&types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(g.Config.ChainID), Nonce: nonce, Gas: gas, To: &to, Value: big.NewInt(value), Data: data,
			GasFeeCap: big.NewInt(2_000_000), GasTipCap: one, V: new(big.Int), R: one, S: one,
		}).MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		if txs[i], err = chain.RestoreTx(raw, loadUser(i)); err != nil {
			b.Fatal(err)
		}
	}
	return txs
}

// shares are the times that a worker spends.
type shares struct {
	last                    time.Time
	execution, commit, rest time.Duration
}

func (s *shares) observe(e event) {
	now := time.Now()
	d := now.Sub(s.last)
	s.last = now
	switch e {
	case performed, published:
		s.execution += d
	case committed:
		s.commit += d
	default:
		s.rest += d
	}
}

// processTime is the processor time that the process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkParallel executes the same rounds one by one and in batches, in turns, and
// reports the median of the ratios within a turn. Times are per transaction and leave
// cuts out. On a machine that others use too, the ratio of processor times tells more
// than that of times: two workers without overhead would reach 1.
//
// The speed-up on n processors is predicted as what bounds it most: all the work in n
// parts, the ordered commit, or the longest chain of dependent transactions.
func BenchmarkParallel(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			g := loadGenesis(b)
			m := &mix{g: g}
			serial, one, two := m.boot(b, 1), m.boot(b, 2), m.boot(b, 2)
			for _, c := range []*Chain{serial, one, two} {
				openNext(b, c)
			}
			var all, cpu [3][]time.Duration
			var nonce uint64
			turn := func() {
				txs := l.round(b, g, nonce)
				nonce++
				for k, c := range []*Chain{serial, one, two} {
					failed := 0
					emit := func(i int, r *chain.Receipt, err error) bool {
						if err != nil || r.Status != 1 {
							failed++
						}
						return true
					}
					start, used := time.Now(), processTime()
					if k == 1 {
						c.batch.run(txs, c.nextPosition(len(txs)), 1, emit)
					} else {
						c.ApplyBatch(txs, emit)
					}
					all[k] = append(all[k], time.Since(start))
					cpu[k] = append(cpu[k], processTime()-used)
					if failed > 0 {
						b.Fatalf("%d transactions failed", failed)
					}
					c.Cut(chain.Micros(c.NextMini()))
				}
			}
			for range 3 {
				turn()
			}
			clear(all[:])
			clear(cpu[:])
			two.stats = Stats{}
			for b.Loop() {
				turn()
			}
			s := two.Stats()
			median := func(f func(i int) float64) float64 {
				v := make([]float64, len(all[0]))
				for i := range v {
					v[i] = f(i)
				}
				slices.Sort(v)
				return v[len(v)/2]
			}
			perTx := func(k int) float64 {
				return median(func(i int) float64 { return float64(all[k][i]) / loadUsers })
			}
			// One more turn of one worker, with the time looked at all the time.
			var sh shares
			one.batch.observe = sh.observe
			sh.last = time.Now()
			txs := l.round(b, g, nonce)
			one.batch.run(txs, one.nextPosition(len(txs)), 1, func(int, *chain.Receipt, error) bool { return true })
			sum := float64(sh.execution + sh.commit + sh.rest)
			commit := float64(sh.commit) / sum
			critical := float64(sh.execution) / sum * float64(s.CriticalGas) / max(1, float64(s.Gas))

			b.ReportMetric(perTx(0), "serial-ns/tx")
			b.ReportMetric(median(func(i int) float64 { return float64(all[0][i]) / float64(all[1][i]) }), "x-1-worker")
			b.ReportMetric(median(func(i int) float64 { return float64(all[0][i]) / float64(all[2][i]) }), "x-2-workers")
			b.ReportMetric(median(func(i int) float64 { return float64(cpu[0][i]) / float64(cpu[2][i]) }), "cpu-2-workers")
			b.ReportMetric(float64(s.Aborts)/max(1, float64(s.Transactions)), "aborts/tx")
			b.ReportMetric(float64(s.Serial)/float64(s.Serial+s.Transactions), "serial-share")
			b.ReportMetric(float64(s.CriticalGas)/max(1, float64(s.Gas)), "critical-path")
			b.ReportMetric(commit, "commit-share")
			for n, name := range map[float64]string{4: "x-4-predicted", 8: "x-8-predicted", 16: "x-16-predicted"} {
				b.ReportMetric(perTx(0)/(perTx(1)*max(1/n, commit, critical)), name)
			}
			for _, c := range []*Chain{serial, one, two} {
				c.Close()
			}
		})
	}
}
