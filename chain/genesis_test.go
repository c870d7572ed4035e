package chain

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestGenesisFileNamesTheFieldThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Genesis)
		want  string
	}{
		"chain id of zero":       {func(g *Genesis) { g.Config.ChainID = 0 }, "chainId"},
		"L1 and L2 the same":     {func(g *Genesis) { g.Config.L1ChainID = g.Config.ChainID }, "chainId"},
		"tiny blocks":            {func(g *Genesis) { g.Config.GasLimit = 1 }, "gasLimit"},
		"cap above the block":    {func(g *Genesis) { g.Config.TxGasCap = g.Config.GasLimit + 1 }, "txGasCap"},
		"initcode below code":    {func(g *Genesis) { g.Config.MaxInitCode = 1 }, "maxInitCode"},
		"no room for a transfer": {func(g *Genesis) { g.Config.MaxTxBytes = 10 }, "maxTxBytes"},
		"denominator of zero":    {func(g *Genesis) { g.Config.BaseFeeDenominator = 0 }, "baseFeeDenominator"},
	} {
		g := &Genesis{Config: DefaultConfig()}
		c.spoil(g)
		raw, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeGenesis(raw); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to name %s", name, err, c.want)
		}
	}
}

func FuzzDecodeGenesis(f *testing.F) {
	raw, err := json.Marshal(&Genesis{Config: DefaultConfig(), Timestamp: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := DecodeGenesis(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		h, err := DecodeGenesis(again)
		if err != nil || !reflect.DeepEqual(g.Config, h.Config) || len(g.Alloc) != len(h.Alloc) {
			t.Fatalf("%s decodes, but comes back as %s (%v)", raw, again, err)
		}
	})
}
