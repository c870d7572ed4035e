package sequencing

import (
	"crypto/ecdsa"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/talaria-l2/talaria/chain"
)

func key(t testing.TB, n byte) *ecdsa.PrivateKey {
	t.Helper()
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte{n}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k *ecdsa.PrivateKey, cfg *chain.Config, data types.TxData) *chain.Tx {
	t.Helper()
	eth, err := types.SignNewTx(k, types.NewPragueSigner(new(big.Int).SetUint64(cfg.ChainID)), data)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	wide := *cfg // what DecodeTx refuses itself is not what is tested
	wide.MaxTxBytes = math.MaxInt64
	tx, err := chain.DecodeTx(raw, &wide)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func transfer(t testing.TB, k *ecdsa.PrivateKey, nonce uint64, value int64) *chain.Tx {
	t.Helper()
	cfg := chain.DefaultConfig()
	to := common.Address{1}
	return sign(t, k, &cfg, &types.DynamicFeeTx{ChainID: new(big.Int).SetUint64(cfg.ChainID), Nonce: nonce, Gas: 21_000,
		GasFeeCap: big.NewInt(2_000_000), GasTipCap: big.NewInt(1), To: &to, Value: big.NewInt(value)})
}

func TestAdmit(t *testing.T) {
	cfg := chain.DefaultConfig()
	cfg.MaxTxBytes = 4_096
	cfg.MaxInitCode = 1_000
	to := common.Address{1}
	k := key(t, 1)
	dynamic := func(change func(*types.DynamicFeeTx)) *chain.Tx {
		tx := &types.DynamicFeeTx{ChainID: new(big.Int).SetUint64(cfg.ChainID), Gas: 100_000, To: &to,
			GasFeeCap: big.NewInt(1_000_000), GasTipCap: big.NewInt(5), Value: big.NewInt(1)}
		change(tx)
		return sign(t, k, &cfg, tx)
	}
	from := crypto.PubkeyToAddress(k.PublicKey).Hex()
	wide := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, test := range []struct {
		name string
		tx   *chain.Tx
		want error
		text string
	}{
		{"a plain transfer", dynamic(func(*types.DynamicFeeTx) {}), nil, ""},
		{"a legacy transfer", sign(t, k, &cfg, &types.LegacyTx{To: &to, Gas: 21_000, GasPrice: big.NewInt(1_000_000)}), nil, ""},
		{"gas at the cap", dynamic(func(x *types.DynamicFeeTx) { x.Gas = cfg.TxGasCap }), nil, ""},
		{"initcode at the limit", dynamic(func(x *types.DynamicFeeTx) { x.To, x.Data = nil, make([]byte, 1_000) }), nil, ""},
		{"a call with more data than initcode may have", dynamic(func(x *types.DynamicFeeTx) { x.Data = make([]byte, 1_001) }), nil, ""},
		{"a deposit", chain.NewDepositTx(&chain.Deposit{Mint: new(big.Int), Value: new(big.Int)}), ErrTxType, "transaction type not supported: type 0x7e"},
		{"gas above the cap", dynamic(func(x *types.DynamicFeeTx) { x.Gas = cfg.TxGasCap + 1 }), ErrGasLimitTooHigh,
			"transaction gas limit too high (cap: 1000000000, tx: 1000000001)"},
		{"a tip above the fee cap", dynamic(func(x *types.DynamicFeeTx) { x.GasTipCap = big.NewInt(1_000_001) }), ErrTipAboveFeeCap,
			"max priority fee per gas higher than max fee per gas: address " + from + ", maxPriorityFeePerGas: 1000001, maxFeePerGas: 1000000"},
		{"a fee cap below the base fee", dynamic(func(x *types.DynamicFeeTx) { x.GasFeeCap = big.NewInt(999_999) }), ErrFeeCapTooLow,
			"max fee per gas less than block base fee: address " + from + ", maxFeePerGas: 999999, baseFee: 1000000"},
		{"a legacy price below the base fee", sign(t, k, &cfg, &types.LegacyTx{To: &to, Gas: 21_000, GasPrice: big.NewInt(7)}), ErrFeeCapTooLow, ""},
		{"a fee cap beyond 256 bits", dynamic(func(x *types.DynamicFeeTx) { x.GasFeeCap = wide }), ErrFeeCapVeryHigh, ""},
		{"a tip beyond 256 bits", dynamic(func(x *types.DynamicFeeTx) { x.GasTipCap = wide }), ErrTipVeryHigh, ""},
		{"a value beyond 256 bits", dynamic(func(x *types.DynamicFeeTx) { x.Value = wide }), ErrValueTooHigh, ""},
		{"the largest nonce", dynamic(func(x *types.DynamicFeeTx) { x.Nonce = math.MaxUint64 }), ErrNonceMax, ""},
		{"too much initcode", dynamic(func(x *types.DynamicFeeTx) { x.To, x.Data = nil, make([]byte, 1_001) }), ErrInitCodeSize,
			"max initcode size exceeded: code size 1001, limit 1000"},
		{"too many bytes", dynamic(func(x *types.DynamicFeeTx) { x.Data = make([]byte, 5_000) }), ErrOversized, "limit 4096"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Admit(test.tx, &cfg, big.NewInt(1_000_000))
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %q, want %q in it", err, test.text)
			}
		})
	}
	if err := Admit(dynamic(func(x *types.DynamicFeeTx) { x.GasFeeCap = big.NewInt(6) }), &cfg, nil); err != nil {
		t.Fatalf("without a base fee: %v", err)
	}
}

func TestCutterDecides(t *testing.T) {
	c, err := NewCutter(Cutter{MaxTxs: 100})
	if err != nil {
		t.Fatal(err)
	}
	const cut, end = 1_000_000, 2_000_000
	for _, test := range []struct {
		name string
		p    Progress
		want Decision
	}{
		{"nothing executed, nothing to do", Progress{Now: cut + 500_000, TxCount: 0, Idle: true}, Decision{}},
		{"nothing executed, block over", Progress{Now: end, TxCount: 0, Idle: true}, Decision{}},
		{"all executed, too soon", Progress{Now: cut + 200, TxCount: 1, Idle: true}, Decision{WaitUntil: cut + 1_000}},
		{"all executed, minimum reached", Progress{Now: cut + 1_000, TxCount: 1, Idle: true}, Decision{Cut: true}},
		{"more to execute", Progress{Now: cut + 1_000, TxCount: 1}, Decision{WaitUntil: cut + 10_000}},
		{"more to execute, maximum reached", Progress{Now: cut + 10_000, TxCount: 1}, Decision{Cut: true}},
		{"a full mini-block is cut at once", Progress{Now: cut, TxCount: 100}, Decision{Cut: true}},
		{"the end of the block comes first", Progress{Now: end - 10, LastCut: end - 500, TxCount: 1}, Decision{WaitUntil: end}},
		{"more waits, the one before is durable, too soon", Progress{Now: cut + 200, TxCount: 1, Durable: true}, Decision{WaitUntil: cut + 1_000}},
		{"more waits, the one before is durable", Progress{Now: cut + 1_000, TxCount: 1, Durable: true}, Decision{Cut: true}},
		{"the end of the block comes first when idle", Progress{Now: end - 10, LastCut: end - 500, TxCount: 1, Idle: true}, Decision{WaitUntil: end}},
		{"the block is over", Progress{Now: end, LastCut: end - 500, TxCount: 1}, Decision{Cut: true}},
		{"the clock stepped back", Progress{Now: cut - 700_000, TxCount: 1}, Decision{Cut: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.p.LastCut == 0 {
				test.p.LastCut = cut
			}
			test.p.BlockEnd = end
			if got := c.Decide(test.p); got != test.want {
				t.Fatalf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSettingsOutOfRangeAreNamed(t *testing.T) {
	for text, c := range map[string]Cutter{
		"miniblock-ms":     {MaxMicros: 999},
		"miniblock-min-ms": {MinMicros: 10_001},
		"transactions":     {MaxTxs: chain.MaxMiniBlockTxs + 1},
	} {
		if _, err := NewCutter(c); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, ms := range []chain.Millis{99, 12_001} {
		if _, err := NewSlots(ms); err == nil || !strings.Contains(err.Error(), "100..12000") {
			t.Errorf("block-ms %d: %v", ms, err)
		}
	}
	for _, s := range []PendingSettings{{Ahead: 1_025}, {Total: -1}, {TotalBytes: -1}, {AccountBytes: -1}, {HoldMicros: 1}} {
		if _, err := NewPending(s); err == nil {
			t.Errorf("%+v accepted", s)
		}
	}
}

func TestSlots(t *testing.T) {
	s, err := NewSlots(250)
	if err != nil {
		t.Fatal(err)
	}
	const sec = chain.Micros(1_000_000)
	for _, test := range []struct {
		name      string
		last, now chain.Micros
		want      BlockSlot
		wait      chain.Micros
	}{
		{"the next slot", 10*sec + 100, 10*sec + 250_000, BlockSlot{41, 10, 10*sec + 250_000, 10*sec + 500_000}, 0},
		{"late in the next slot", 10*sec + 100, 10*sec + 499_999, BlockSlot{41, 10, 10*sec + 499_999, 10*sec + 500_000}, 0},
		{"still the parent's slot", 10*sec + 100, 10*sec + 249_999, BlockSlot{}, 10*sec + 250_000},
		{"a jump forward skips slots", 10*sec + 100, 99 * sec, BlockSlot{396, 99, 99 * sec, 99*sec + 250_000}, 0},
		{"a step back waits", 10*sec + 100, 5 * sec, BlockSlot{}, 10*sec + 250_000},
		{"after a block closed at its end", 10*sec + 249_999, 10*sec + 250_000, BlockSlot{41, 10, 10*sec + 250_000, 10*sec + 500_000}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, wait, ok := s.Next(test.last, test.now)
			if got != test.want || wait != test.wait || ok != (test.wait == 0) {
				t.Fatalf("got %+v, %d, %v", got, wait, ok)
			}
			if ok && (got.Closed(got.Closes-1) || !got.Closed(got.Closes)) {
				t.Fatal("closes at another time")
			}
			if ok && s.Reopen(got.Opened) != got {
				t.Fatalf("reopened as %+v", s.Reopen(got.Opened))
			}
		})
	}
}

func TestStamp(t *testing.T) {
	for _, test := range [][4]chain.Micros{
		{50, 40, 100, 50}, {30, 40, 100, 40}, {100, 40, 100, 99}, {500, 40, 100, 99}, {100, 99, 100, 99}, {90, 120, 100, 120},
	} {
		if got := Stamp(test[0], test[1], test[2]); got != test[3] {
			t.Errorf("Stamp(%d, %d, %d) = %d, want %d", test[0], test[1], test[2], got, test[3])
		}
	}
}
