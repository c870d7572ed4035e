package exec

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// priced are attributes that make transactions pay an L1 data fee.
func priced(number uint64, baseFee int64) *chain.L1Attributes {
	a := attributes(number)
	a.BaseFee, a.BlobBaseFee = big.NewInt(baseFee), big.NewInt(3)
	a.BaseFeeScalar, a.BlobBaseFeeScalar = 1368, 810_949
	return a
}

// inToken are the same where the native currency is a token with this rate.
func inToken(number uint64, baseFee int64, rate chain.TokenRate) *chain.L1Attributes {
	a := priced(number, baseFee)
	a.GasTokenRate = rate
	return a
}

func balance(v state.View, addr common.Address) *uint256.Int {
	a, _ := v.Account(addr)
	return &a.Balance
}

func TestTransactionsPayTheL1DataFeeOfTheirBlocksAttributes(t *testing.T) {
	w := newWorld(t)
	sender, to := crypto.PubkeyToAddress(w.keys[0].PublicKey), common.Address{0xaa}
	for block, a := range []*chain.L1Attributes{priced(1, 7_000_000_000), priced(2, 9_000_000_000), attributes(3), priced(4, 1),
		inToken(5, 7e9, chain.TokenRate{Rate: 1_234_567_890_123, Until: genesisTime + 1, Then: 1}), inToken(6, 7e9, chain.TokenRate{Rate: 1, Until: genesisTime, Then: 5e9}),
	} {
		prices := a.FeeParams()
		before, vault := *balance(w.chain.Pending(), sender), *balance(w.chain.Pending(), chain.L1FeeVaultAddr)
		base, tips := *balance(w.chain.Pending(), chain.BaseFeeVaultAddr), *balance(w.chain.Pending(), chain.SequencerFeeVaultAddr)
		txs := []*chain.Tx{a.Tx()}
		for range 3 {
			txs = append(txs, w.tx(0, &types.DynamicFeeTx{Gas: 21_000, To: &to, Value: big.NewInt(1)}))
			txs = append(txs, w.tx(0, &types.DynamicFeeTx{Gas: 100_000, To: &to, Data: crypto.Keccak256(a.BaseFee.Bytes())}))
			txs = append(txs, w.tx(0, &types.DynamicFeeTx{Gas: 500_000, To: &to, Data: incompressible(400)}))
		}
		b := w.run(w.chain, txs, nil)
		var l1, paidBase, paidTips, paid uint256.Int
		for i, r := range b.Receipts[1:] {
			fee := prices.Fee(chain.FastLZLength(b.Txs[i+1].Raw()))
			if r.L1Prices == nil || *r.L1Prices != prices {
				t.Fatalf("block %d: receipt tells prices %+v, want %+v", block, r.L1Prices, prices)
			}
			l1.Add(&l1, &fee)
			gas := uint256.NewInt(r.GasUsed)
			price, baseFee := uint256.MustFromBig(r.EffectiveGasPrice), uint256.MustFromBig(b.Header.BaseFee)
			paid.Add(&paid, new(uint256.Int).Mul(gas, price))
			paidBase.Add(&paidBase, new(uint256.Int).Mul(gas, baseFee))
			paidTips.Add(&paidTips, new(uint256.Int).Mul(gas, price.Sub(price, baseFee)))
		}
		if b.Receipts[0].L1Prices != nil {
			t.Error("a deposit's receipt tells prices")
		}
		if l1.IsZero() != (prices.BaseFeeScalar == 0) {
			t.Fatalf("block %d: fees %s", block, &l1)
		}
		paid.Add(paid.Add(&paid, &l1), uint256.NewInt(3)) // and the values
		for what, pair := range map[string][2]*uint256.Int{
			"the sender lost":         {before.Sub(&before, balance(w.chain.Pending(), sender)), &paid},
			"the L1 fee vault got":    {vault.Sub(balance(w.chain.Pending(), chain.L1FeeVaultAddr), &vault), &l1},
			"the base fee vault got":  {base.Sub(balance(w.chain.Pending(), chain.BaseFeeVaultAddr), &base), &paidBase},
			"the sequencer vault got": {tips.Sub(balance(w.chain.Pending(), chain.SequencerFeeVaultAddr), &tips), &paidTips},
		} {
			if !pair[0].Eq(pair[1]) {
				t.Errorf("block %d: %s %s, want %s", block, what, pair[0], pair[1])
			}
		}
	}
	if n := len(w.tx(0, &types.DynamicFeeTx{Gas: 21_000, To: &to}).Raw()); n > 164 {
		t.Errorf("a transfer has %d bytes: FastLZ runs for each", n)
	}
}

// incompressible are n bytes in which nothing repeats.
func incompressible(n int) (out []byte) {
	for seed := []byte{1}; len(out) < n; seed = out[len(out)-32:] {
		out = append(out, crypto.Keccak256(seed)...)
	}
	return out[:n]
}

func TestAnEditOfL1BlockChangesTheFeesThatFollow(t *testing.T) {
	w := newWorld(t)
	to := common.Address{0xaa}
	openNext(t, w.chain)
	pay := func() uint256.Int {
		t.Helper()
		before := *balance(w.chain.Pending(), chain.L1FeeVaultAddr)
		if _, err := w.chain.Apply(w.tx(0, &types.DynamicFeeTx{Gas: 21_000, To: &to})); err != nil {
			t.Fatal(err)
		}
		w.chain.Cut(chain.Micros(w.chain.NextMini()))
		after := *balance(w.chain.Pending(), chain.L1FeeVaultAddr)
		return *after.Sub(&after, &before)
	}
	if fee := pay(); !fee.IsZero() {
		t.Errorf("fee %s before there is a price", &fee)
	}
	w.chain.Edit(state.Diff{{Address: chain.L1BlockAddr, Storage: []state.SlotDiff{
		{Slot: common.Hash{31: 1}, Value: common.BigToHash(big.NewInt(1e9))},
		{Slot: common.Hash{31: 3}, Value: common.Hash{18: 1}}, // 256 millionths
	}}})
	if fee := pay(); fee.Uint64() != 16*256*1000*100 {
		t.Errorf("fee %s after the edit", &fee)
	}
}

func TestAPayerOfTheL1DataFeeMustOwnIt(t *testing.T) {
	w := newWorld(t)
	to := common.Address{0xaa}
	fees := chain.NewL1FeeSchedule(priced(1, 7e9).FeeParams())
	var lz chain.FastLZ
	poor := crypto.PubkeyToAddress(w.keys[1].PublicKey)
	tx := w.tx(1, &types.DynamicFeeTx{Gas: 21_000, To: &to, Value: big.NewInt(5), GasFeeCap: big.NewInt(1_000_000), GasTipCap: new(big.Int)})
	l1 := fees.Fee(tx, &lz)
	need := new(big.Int).Add(big.NewInt(21_000*1_000_000+5), l1.ToBig())
	for _, short := range []int64{1, 0} {
		w.g.Alloc[poor] = types.Account{Balance: new(big.Int).Sub(need, big.NewInt(short))}
		c := w.boot()
		openNext(t, c)
		if _, err := c.Apply(priced(1, 7e9).Tx()); err != nil {
			t.Fatal(err)
		}
		_, err := c.Apply(tx)
		if short > 0 {
			want := "insufficient funds for gas * price + value: address " + poor.Hex() + " have " + new(big.Int).Sub(need, big.NewInt(1)).String() +
				" want " + need.String() + " (of which " + l1.Dec() + " for the L1 data fee)"
			if err == nil || err.Error() != want {
				t.Errorf("a sender that lacks %d wei: %v, want %s", short, err, want)
			}
		} else if left := balance(c.Pending(), poor); err != nil || !left.IsZero() {
			t.Errorf("a sender that has all: %v, left %s", err, left)
		}
		c.Close()
	}
}

// ledger is the sum of all balances, kept by what blocks change.
type ledger struct {
	balances map[common.Address]uint256.Int
	total    uint256.Int // expected: of genesis, and minted since
}

func newLedger(g *chain.Genesis) *ledger {
	l := &ledger{balances: make(map[common.Address]uint256.Int)}
	for addr, a := range g.Alloc {
		v := uint256.MustFromBig(a.Balance)
		l.balances[addr] = *v
		l.total.Add(&l.total, v)
	}
	return l
}

// check says what is wrong with the balances after a block.
func (l *ledger) check(t *testing.T, b *chain.Block, diff state.Diff) {
	t.Helper()
	for _, tx := range b.Txs {
		if d := tx.Deposit; d != nil {
			l.total.Add(&l.total, uint256.MustFromBig(d.Mint))
		}
	}
	for i := range diff {
		if diff[i].Balance != nil {
			l.balances[diff[i].Address] = *diff[i].Balance
		}
	}
	var sum uint256.Int
	for _, v := range l.balances {
		sum.Add(&sum, &v)
	}
	if !sum.Eq(&l.total) {
		t.Fatalf("block %d: balances are %s in all, want %s", b.Number(), &sum, &l.total)
	}
}

func TestNothingButDepositsChangesTheSupply(t *testing.T) {
	seeds := int64(12)
	if testing.Short() {
		seeds = 3
	}
	charged, inTokens := 0, 0
	for seed := range seeds {
		m := newMix(1000+seed, 3+int(seed))
		steps := m.script(t, 1500)
		for _, workers := range []int{1, 4} {
			c, l := m.boot(t, workers), newLedger(m.g)
			again, lAgain := m.boot(t, workers), newLedger(m.g) // as a replica: what is in blocks
			c.batch.stealAfter, again.batch.stealAfter = 64, 64
			openNext(t, c)
			for _, s := range steps {
				c.ApplyBatch(s.txs, func(int, *chain.Receipt, error) bool { return true })
				if s.cut || s.end {
					c.Cut(chain.Micros(c.NextMini()))
				}
				if !s.end {
					continue
				}
				b, diff, err := c.Seal()
				if err != nil {
					t.Fatal(err)
				}
				l.check(t, b, diff)
				openNext(t, again)
				for _, mini := range b.MiniBlocks {
					first := mini.FirstTxIndex
					if _, err := again.ApplyAll(b.Txs[first : first+mini.TxCount]); err != nil {
						t.Fatal(err)
					}
					again.Cut(mini.TimestampMicros)
				}
				rb, diff, err := again.Seal()
				if err != nil {
					t.Fatal(err)
				}
				lAgain.check(t, rb, diff)
				if b.Hash() != s.block.Hash() || rb.Hash() != b.Hash() {
					t.Fatalf("seed %d, %d workers: block %d differs", seed, workers, b.Number())
				}
				for _, r := range rb.Receipts {
					if r.L1Prices != nil && r.L1Prices.BaseFeeScalar > 0 {
						charged++
						if r.L1Prices.Rate > 0 {
							inTokens++
						}
					}
				}
				openNext(t, c)
			}
			c.Close()
			again.Close()
		}
	}
	if charged < 1000 || inTokens < 100 {
		t.Errorf("%d transactions paid an L1 data fee, %d of them in a token", charged, inTokens)
	}
}
