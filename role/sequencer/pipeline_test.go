package sequencer

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/secp256k1"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
)

// load is what the benchmark sends.
type load struct {
	alloc types.GenesisAlloc
	raws  [][]byte
}

// transfers are signed transfers from as many accounts, in turns.
func transfers(b *testing.B, accounts, each int) *load {
	id := new(big.Int).SetUint64(chain.DefaultConfig().ChainID)
	l := &load{alloc: predeploys.Alloc(), raws: make([][]byte, accounts*each)}
	signer := types.LatestSignerForChainID(id)
	keys := make([]*ecdsa.PrivateKey, accounts)
	for i := range keys {
		k, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i), byte(i >> 8), 1}))
		if err != nil {
			b.Fatal(err)
		}
		keys[i] = k
		l.alloc[crypto.PubkeyToAddress(k.PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
	}
	for i, k := range keys {
		to := crypto.PubkeyToAddress(keys[(i+1)%accounts].PublicKey)
		for nonce := range each {
			tx := types.MustSignNewTx(k, signer, &types.DynamicFeeTx{
				ChainID: id, Nonce: uint64(nonce), Gas: 21_000, To: &to, Value: big.NewInt(1), GasFeeCap: big.NewInt(10_000_000), GasTipCap: big.NewInt(1),
			})
			raw, err := tx.MarshalBinary()
			if err != nil {
				b.Fatal(err)
			}
			l.raws[nonce*accounts+i] = raw
		}
	}
	return l
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPipeline takes signed transfers of 1,000 accounts from their bytes to durable,
// published mini-blocks and sealed blocks in the store. It reports the processor time of
// a transaction, and of one libsecp256k1 recovery beside it.
func BenchmarkPipeline(b *testing.B) {
	l := transfers(b, 1000, 100)
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{100}, 32))
	if err != nil {
		b.Fatal(err)
	}
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: uint64(time.Now().Unix()) - 2, Alloc: l.alloc}
	g.Config.Sequencer = crypto.PubkeyToAddress(key.PublicKey)
	var tx types.Transaction
	if err := tx.UnmarshalBinary(l.raws[0]); err != nil {
		b.Fatal(err)
	}
	hash := types.LatestSignerForChainID(tx.ChainId()).Hash(&tx)
	sig, err := crypto.Sign(hash[:], key)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		dir, err := store.OpenDir(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		n, err := node.Open(dir, node.Options{Genesis: g})
		if err != nil {
			b.Fatal(err)
		}
		origin := &derive.L1Block{BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1), Timestamp: g.Timestamp}
		seq, err := Start(n, Options{Key: key, Connect: func(chain.L1Origin) (L1, error) { return L1{Origin: origin, Next: new(fakeL1)}, nil }})
		if err != nil {
			b.Fatal(err)
		}
		backend := &node.Backend{Node: n, Submit: seq.Submit}
		recover := time.Now()
		for range 200 {
			if _, err := secp256k1.RecoverPubkey(hash[:], sig); err != nil {
				b.Fatal(err)
			}
		}
		perRecover := time.Since(recover) / 200

		const window, chunk = 8192, 128
		start, used := time.Now(), cpu()
		var waiting []*rpc.Submission
		settle := func(until int) {
			for len(waiting) > until {
				<-waiting[0].Done()
				if _, err := waiting[0].Result(); err != nil {
					b.Fatal(err)
				}
				waiting = waiting[1:]
			}
		}
		for i := 0; i < len(l.raws); i += chunk {
			sends := make([]rpc.Send, 0, chunk)
			for _, raw := range l.raws[i:min(i+chunk, len(l.raws))] {
				sends = append(sends, rpc.Send{Raw: raw})
			}
			waiting = append(waiting, backend.SubmitTxs(context.Background(), sends)...)
			settle(window)
		}
		settle(0)
		elapsed := time.Since(start)
		ctx := context.Background()
		if err := seq.Close(ctx); err != nil {
			b.Fatal(err)
		}
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
		spent := cpu() - used
		txs := float64(len(l.raws))
		b.ReportMetric(float64(spent.Nanoseconds())/1000/txs, "cpu-µs/tx")
		b.ReportMetric(txs/elapsed.Seconds(), "tx/s")
		b.ReportMetric(float64(perRecover.Nanoseconds())/1000, "µs/ecrecover")
	}
}
