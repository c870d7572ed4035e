package verify

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
)

// sized reads a size from the environment.
func sized(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// bigBlocks makes blocks of transfers among many accounts, with the witnesses that the
// chain records. Their execution, signatures included, is timed: once on one goroutine
// and once on all.
func bigBlocks(b *testing.B, accounts, blocks, txs int, storing bool) (*chain.Config, []*Input, time.Duration) {
	l := newLab(b, func(g *chain.Genesis) {
		for i := range accounts {
			g.Alloc[someone(i)] = types.Account{Balance: big.NewInt(1)}
		}
		for i := range senders {
			g.Alloc[crypto.PubkeyToAddress(senderKey(b, i).PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
		}
	})
	keys := make([]*ecdsa.PrivateKey, senders)
	for i := range keys {
		keys[i] = senderKey(b, i)
	}
	id := new(big.Int).SetUint64(l.g.Config.ChainID)
	signer := types.LatestSignerForChainID(id)
	decoder := chain.NewDecoder(&l.g.Config)
	var out []*Input
	var took time.Duration
	next := 0
	for n := range blocks {
		raws := make([][]byte, txs)
		for i := range raws {
			to := someone(next * 7919 % accounts)
			inner := &types.DynamicFeeTx{ChainID: id, Nonce: uint64(next / senders), Gas: 21_000, To: &to, Value: common.Big1, GasFeeCap: big.NewInt(2_000_000_000), GasTipCap: common.Big1}
			if storing {
				var data [64]byte
				binary.BigEndian.PutUint32(data[28:], uint32(next*31%accounts))
				binary.BigEndian.PutUint32(data[60:], uint32(next+1))
				inner.To, inner.Gas, inner.Data, inner.Value = &storer, 100_000, data[:], nil
			}
			raw, err := types.MustSignNewTx(keys[next%senders], signer, inner).MarshalBinary()
			if err != nil {
				b.Fatal(err)
			}
			raws[i] = raw
			next++
		}
		l.l1.SequenceNumber++
		in := &Input{Before: l.last, Genesis: l.g.L1Origin}
		start := time.Now()
		list, errs := make([]*chain.Tx, txs), make([]error, txs)
		decoder.Decode(raws, list, errs)
		if err := l.chain.Open(chain.Attributes{Timestamp: labTime + uint64(n) + 1, PrevRandao: l.l1.PrevRandao, ParentBeacon: l.l1.ParentBeacon}); err != nil {
			b.Fatal(err)
		}
		list = append([]*chain.Tx{l.l1.Tx()}, list...)
		const perMini = 500
		for len(list) > 0 {
			some := list[:min(perMini, len(list))]
			list = list[len(some):]
			if i, err := l.chain.ApplyAll(some); err != nil {
				b.Fatalf("transaction %d: %v", i, err)
			}
			l.now = max(l.now+10_000, chain.Micros(l.chain.OpenHeader().Time)*1_000_000)
			m, _ := l.chain.Cut(l.now)
			var err error
			if m.Signature, err = m.Header.Sign(l.leader); err != nil {
				b.Fatal(err)
			}
			in.MiniBlocks = append(in.MiniBlocks, m.Raw())
			l.last = &m.Header
		}
		block, _, err := l.chain.Seal()
		if err != nil {
			b.Fatal(err)
		}
		if n > 0 { // the first warms up
			took += time.Since(start)
		}
		in.Header, in.Witness = block.Header, l.chain.Witness()
		out = append(out, in)
	}
	return &l.g.Config, out[1:], took
}

const senders = 2000

func senderKey(tb testing.TB, i int) *ecdsa.PrivateKey {
	var raw [32]byte
	binary.BigEndian.PutUint32(raw[20:], uint32(i+1))
	raw[0] = 1
	key, err := crypto.ToECDSA(raw[:])
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func someone(i int) (a common.Address) {
	binary.BigEndian.PutUint64(a[12:], uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(a[4:], uint64(i)*0xc2b2ae3d27d4eb4f+1)
	return a
}

// BenchmarkBlock checks blocks that package exec made, on one processor, and reports the
// time that exec took for the same blocks, recovery of signatures and witness included, on
// TALARIA_VERIFY_WORKERS processors (default: all).
func BenchmarkBlock(b *testing.B) {
	accounts, txs := sized("TALARIA_VERIFY_ACCOUNTS", 20_000), sized("TALARIA_VERIFY_TXS", 5_000)
	for name, storing := range map[string]bool{"transfers": false, "storage": true} {
		b.Run(name, func(b *testing.B) {
			if n := sized("TALARIA_VERIFY_WORKERS", 0); n > 0 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			}
			cfg, blocks, made := bigBlocks(b, accounts, 5, txs, storing)
			v := New(cfg)
			defer v.Close()
			nodes, bytes := 0, 0
			for _, in := range blocks {
				nodes += len(in.Witness.State)
				bytes += witnessBytes(in.Witness)
			}
			checked := 0
			b.ReportAllocs()
			for b.Loop() {
				in := blocks[checked%len(blocks)]
				if _, err := v.Block(in); err != nil {
					b.Fatal(err)
				}
				checked++
			}
			each := float64(b.Elapsed().Microseconds()) / float64(checked) / float64(txs)
			was := float64(made.Microseconds()) / float64(len(blocks)) / float64(txs)
			b.ReportMetric(each, "µs/tx")
			b.ReportMetric(was, "exec-µs/tx")
			b.ReportMetric(was/each, "exec/verify")
			b.ReportMetric(float64(nodes)/float64(len(blocks)*txs), "nodes/tx")
			b.ReportMetric(float64(bytes)/float64(len(blocks)*txs), "witness-B/tx")
		})
	}
}

func witnessBytes(w *chain.Witness) (n int) {
	for _, b := range append(append([][]byte{}, w.State...), w.Codes...) {
		n += len(b)
	}
	return n
}
