package chain

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

func tokenConfig() Config {
	cfg := DefaultConfig()
	cfg.GasToken = GasToken{Token: common.Address{1}, Bridge: common.Address{2}, L2Ether: common.Address{3}, Name: "Talaria", Symbol: "TLR",
		Rate: TokenRate{Rate: 1e12, Until: 1_900_000_000, Then: 2e12}}
	return cfg
}

func TestANativeTokenIsDescribedInFull(t *testing.T) {
	cfg := tokenConfig()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(*GasToken){
		func(g *GasToken) { g.Token = common.Address{} }, func(g *GasToken) { g.Bridge = common.Address{} },
		func(g *GasToken) { g.L2Ether = common.Address{} }, func(g *GasToken) { g.Name = "" },
		func(g *GasToken) { g.Name = strings.Repeat("a", 33) }, func(g *GasToken) { g.Symbol = "b\x00" },
		func(g *GasToken) { g.Rate.Rate = 0 }, func(g *GasToken) { g.Rate.Then = 0 },
	} {
		bad := cfg
		spoil(&bad.GasToken)
		if bad.Check() == nil {
			t.Errorf("%+v: accepted", bad.GasToken)
		}
	}
	if g := (GasToken{}); g.CurrencyName() != "Ether" || g.CurrencySymbol() != "ETH" || cfg.GasToken.CurrencySymbol() != "TLR" {
		t.Error("currencies are not called by their names")
	}
}

func TestGenesisAndConfigurationNameOneCurrency(t *testing.T) {
	token := common.Hash{11: 18, 12: 1}
	for _, c := range []struct {
		what    string
		cfg     Config
		storage map[common.Hash]common.Hash
		good    bool
	}{
		{"ether in both", DefaultConfig(), nil, true},
		{"the token in both", tokenConfig(), map[common.Hash]common.Hash{GasTokenSlot: token}, true},
		{"a token in the configuration only", tokenConfig(), nil, false},
		{"a token in L1Block only", DefaultConfig(), map[common.Hash]common.Hash{GasTokenSlot: token}, false},
	} {
		raw, err := json.Marshal(Genesis{Config: c.cfg, Alloc: types.GenesisAlloc{L1BlockAddr: {Balance: new(big.Int), Storage: c.storage}}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := DecodeGenesis(raw)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.what, err)
		}
		if err == nil && g.Config != c.cfg {
			t.Errorf("%s: %+v", c.what, g.Config)
		}
		if strings.Contains(string(raw), "gasToken") != (c.cfg != DefaultConfig()) {
			t.Errorf("%s: %s", c.what, raw)
		}
	}
}

func TestARateHoldsUntilItIsStale(t *testing.T) {
	r := TokenRate{Rate: 5, Until: 100, Then: 10}
	if r.At(99) != 5 || r.At(100) != 10 || (TokenRate{}).At(0) != 0 {
		t.Errorf("%d before, %d after, %d for ether", r.At(99), r.At(100), (TokenRate{}).At(0))
	}
	if got := TokenRateOf(r.Word()); got != r {
		t.Errorf("%+v of %x", got, r.Word())
	}
}

func TestARateComesWithTheAttributes(t *testing.T) {
	ether := L1Attributes{Number: 9, BaseFee: big.NewInt(7), BlobBaseFee: big.NewInt(1)}
	token := ether
	token.GasTokenRate = TokenRate{Rate: 1, Until: 2, Then: 3}
	for _, a := range []L1Attributes{ether, token} {
		tx := a.Tx()
		got, err := ParseL1Attributes(tx)
		if err != nil || got.GasTokenRate != a.GasTokenRate || got.Number != 9 {
			t.Errorf("%+v, %v", got, err)
		}
		tx.Deposit.Data = tx.Deposit.Data[:len(tx.Deposit.Data)-1]
		if _, err := ParseL1Attributes(tx); err == nil {
			t.Error("short data was accepted")
		}
	}
}

func TestL1SetsTheRateOfATokenOnly(t *testing.T) {
	cfg, rate := tokenConfig(), TokenRate{Rate: 7, Until: 8, Then: 9}
	update := func(word common.Hash) *types.Log {
		data := make([]byte, 64, 96)
		data[31], data[63] = 32, 32
		return &types.Log{Topics: []common.Hash{ConfigUpdateTopic, {}, {31: 0x81}}, Data: append(data, word[:]...)}
	}
	before := cfg.System()
	after, err := before.Apply(&cfg, update(rate.Word()))
	if err != nil || after.GasTokenRate != rate {
		t.Errorf("%+v, %v", after, err)
	}
	ether := DefaultConfig()
	bad := rate.Word()
	bad[0] = 1
	for _, c := range []struct {
		cfg  *Config
		word common.Hash
	}{{&ether, rate.Word()}, {&cfg, TokenRate{Rate: 0, Until: 1, Then: 1}.Word()}, {&cfg, TokenRate{Rate: 1, Until: 1}.Word()}, {&cfg, bad}} {
		if got, err := before.Apply(c.cfg, update(c.word)); !errors.Is(err, ErrUpdate) || got != before {
			t.Errorf("word %x: %+v, %v", c.word, got, err)
		}
	}
}

func TestAFeeInATokenIsRoundedUpAndNeverFree(t *testing.T) {
	ether := vectorPrices()
	for _, rate := range []uint64{1, 3, 999_999_999, 1e9, 1e9 + 1, 1e12, 1e18} {
		token := ether
		token.Rate = rate
		for _, size := range []uint32{0, 150, 400, 100_000} {
			in, fee := ether.Fee(size), token.Fee(size)
			// ⌈in × rate / 10^9⌉
			want := new(big.Int).Mul(in.ToBig(), new(big.Int).SetUint64(rate))
			want.Add(want, big.NewInt(999_999_999)).Div(want, big.NewInt(1_000_000_000))
			if fee.ToBig().Cmp(want) != 0 || fee.IsZero() {
				t.Errorf("rate %d, size %d: fee %s, want %s", rate, size, &fee, want)
			}
		}
	}
	most := L1FeeParams{BaseFeeScalar: 1, Rate: 1e18}
	most.BaseFee.SetAllOne()
	most.BaseFee.Rsh(&most.BaseFee, 10)
	if fee := most.Fee(0); fee.Sign() >= 0 { // all bits set
		t.Errorf("fee %s does not saturate", &fee)
	}
}
