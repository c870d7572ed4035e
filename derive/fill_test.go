package derive

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// fat gives every block made so far user transactions that may use as much gas as can be.
func (w *world) fat(each int) {
	signer, to := types.NewPragueSigner(new(big.Int).SetUint64(w.cfg.ChainID)), common.Address{7}
	nonce := uint64(0)
	for i := range w.made {
		in := &w.made[i]
		for range each {
			eth, err := types.SignNewTx(w.key, signer, &types.DynamicFeeTx{
				ChainID: new(big.Int).SetUint64(w.cfg.ChainID), Nonce: nonce, Gas: w.cfg.TxGasCap,
				GasFeeCap: big.NewInt(2_000_000), GasTipCap: new(big.Int), To: &to, Value: new(big.Int),
			})
			if err != nil {
				w.t.Fatal(err)
			}
			raw, err := eth.MarshalBinary()
			if err != nil {
				w.t.Fatal(err)
			}
			tx, err := chain.DecodeTx(raw, w.cfg)
			if err != nil {
				w.t.Fatal(err)
			}
			nonce++
			in.Txs = append(in.Txs, tx)
		}
		in.MiniBlocks[len(in.MiniBlocks)-1].TxCount += uint64(each)
		b := &w.batch[i]
		b.MiniBlocks[len(b.MiniBlocks)-1].TxCount += uint64(each)
		for _, tx := range in.Txs[len(in.Txs)-each:] {
			b.Txs = append(b.Txs, tx.Raw())
		}
	}
}

// TestFullBlocksArePutOff gives an L1 block more gas than it may bring: the rest comes with
// those that follow, in order, also for who begins anywhere.
func TestFullBlocksArePutOff(t *testing.T) {
	w := newWorld(t, 1)
	w.cfg.TxGasCap = w.cfg.GasLimit / 2
	w.sequence(9*8, 3)
	w.fat(2) // fills a block, whatever else is in it
	w.growL1(1)
	for i := range 9 {
		w.postChannel(w.batch[8*i : 8*i+8])
	}
	w.growL1(4)
	some := Settings{limits: limits{timeout: ChannelTimeout, bankBytes: MaxBankBytes, work: MaxWork, fill: 17 * fullBlock}}
	p := New(w.cfg, w.start, some)
	var all []BlockInput
	var states []State
	for i, want := range []int{0, 16, 16, 16, 16, 8} {
		got := push(t, p, w.l1[p.NextL1()])
		if len(got) != want {
			t.Fatalf("L1 block %d gives %d blocks, want %d", 2+i, len(got), want)
		}
		all = append(all, got...)
		states = append(states, p.State())
	}
	equal(t, w, all, 0)
	if drops := p.TakeDrops(); len(drops) != 0 {
		t.Fatalf("dropped: %v", drops)
	}
	for i, state := range states[1:5] {
		p := New(w.cfg, state, some)
		equal(t, w, pushAll(t, p, w.l1), 16*(i+1))
	}

	// A channel that no L1 block can bring is dropped.
	p = New(w.cfg, w.start, Settings{limits: limits{timeout: ChannelTimeout, bankBytes: MaxBankBytes, work: MaxWork, fill: 8*fullBlock - 1}})
	if got := pushAll(t, p, w.l1); len(got) != 0 {
		t.Fatalf("%d blocks", len(got))
	}
	if drops := p.TakeDrops(); len(drops) == 0 || drops[0].Reason != DropChannel {
		t.Fatalf("dropped: %v", drops)
	}
}

func TestHowFullABlockIs(t *testing.T) {
	w := newWorld(t, 1)
	w.cfg.TxGasCap = 9_000_000_000
	w.sequence(1, 3)
	w.made[0].Txs = nil
	w.fat(3)
	txs := append([]*chain.Tx{chain.NewDepositTx(&chain.Deposit{Gas: 1 << 40, Value: new(big.Int)})}, w.made[0].Txs...)
	for _, c := range []struct {
		txs   int
		limit chain.Gas
		want  uint64
	}{{0, 10_000_000_000, 0}, {1, 10_000_000_000, 0}, {2, 10_000_000_000, 900_000}, {3, 10_000_000_000, fullBlock}, {2, 30_000_000, fullBlock}, {2, 1_000_000_000_000, 9_000}, {4, 999_999_999_999, 27_001}} {
		if got := fillOf(txs[:c.txs], c.limit); got != c.want {
			t.Errorf("%d transactions, limit %d: %d, want %d", c.txs, c.limit, got, c.want)
		}
	}
}

// TestGasOfABlob tells how much gas a batcher can bring with a blob: transactions of nothing
// but their signatures, as much gas as one may have.
func TestGasOfABlob(t *testing.T) {
	w := newWorld(t, 1)
	w.sequence(1, 3)
	w.made[0].Txs = nil
	w.batch[0].Txs = nil
	w.fat(2000)
	size := len(w.channel(w.batch[:1]).Data)
	perBlob := batch.MaxBlobPayload * 2000 / size
	t.Logf("%d bytes for 2,000 transactions: %d Ggas in a blob, %d Ggas in 21", size, uint64(perBlob)*w.cfg.TxGasCap/1e9, 21*uint64(perBlob)*w.cfg.TxGasCap/1e9)
	if size > 2000*80 {
		t.Errorf("%d bytes for 2,000 transactions", size)
	}
}
