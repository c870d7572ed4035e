package predeploys_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
)

// The oracle knows a transaction without its signature and adds 68 bytes for it.
const signatureBytes = 68

func TestTheOracleAnswersWhatExecutionCharges(t *testing.T) {
	const now, later = 1_800_000_000, 1_900_000_000
	for name, c := range map[string]struct {
		settings predeploys.Settings
		rate     chain.TokenRate
		counts   uint64
	}{
		"ether":                   {fullSettings(), chain.TokenRate{}, 0},
		"a token":                 {tokenSettings(), chain.TokenRate{Rate: 1_234_567_890_123, Until: later, Then: 2}, 1_234_567_890_123},
		"a token of little worth": {tokenSettings(), chain.TokenRate{Rate: 1e18, Until: later, Then: 2}, 1e18},
		"a token worth more":      {tokenSettings(), chain.TokenRate{Rate: 3, Until: later, Then: 2}, 3},
		"a stale rate":            {tokenSettings(), chain.TokenRate{Rate: 500, Until: now, Then: 1000}, 1000},
	} {
		t.Run(name, func(t *testing.T) { checkOracle(t, newL2(t, c.settings), now, c.rate, c.counts) })
	}
}

// checkOracle asks the oracle in a block with this rate, of which counts is what holds.
func checkOracle(t *testing.T, w *l2, now uint64, rate chain.TokenRate, counts uint64) {
	prices := chain.L1FeeParams{
		BaseFee: *uint256.NewInt(7_123_456_789), BlobBaseFee: *uint256.NewInt(3_456_789),
		BaseFeeScalar: 1368, BlobBaseFeeScalar: 810_949, Rate: counts,
	}
	attributes := chain.L1Attributes{
		Number: 5, Timestamp: now, BaseFee: prices.BaseFee.ToBig(), BlobBaseFee: prices.BlobBaseFee.ToBig(),
		BaseFeeScalar: prices.BaseFeeScalar, BlobBaseFeeScalar: prices.BlobBaseFeeScalar, GasTokenRate: rate,
	}
	if r, err := w.Apply(attributes.Tx()); err != nil || r.Status != 1 {
		t.Fatal("attributes not set", err)
	}
	if got := attributes.FeeParams(); got != prices {
		t.Fatalf("prices of the attributes %+v, want %+v", got, prices)
	}
	view := w.Pending()
	if got := chain.ReadL1FeeParams(func(s common.Hash) common.Hash { return view.Storage(chain.L1BlockAddr, s) }); got != prices {
		t.Fatalf("prices that execution reads %+v, want %+v", got, prices)
	}
	check := func(name string, data []byte) {
		t.Helper()
		length := chain.FastLZLength(data) + signatureBytes
		fee := prices.Fee(length)
		if got, err := w.ask(predeploys.GasPriceOracleAddr, encode(t, "getL1Fee(bytes)", data)); err != nil || new(big.Int).SetBytes(got).Cmp(fee.ToBig()) != 0 {
			t.Errorf("%s: getL1Fee = %x, %v; want %x", name, got, err, fee.ToBig())
		}
		used := chain.EstimatedSize(length) * 16 / 1_000_000
		if got, err := w.ask(predeploys.GasPriceOracleAddr, encode(t, "getL1GasUsed(bytes)", data)); err != nil || new(big.Int).SetBytes(got).Uint64() != used {
			t.Errorf("%s: getL1GasUsed = %x, %v; want %x", name, got, err, used)
		}
		got, err := w.ask(predeploys.GasPriceOracleAddr, encode(t, "getL1FeeUpperBound(uint256)", big.NewInt(int64(len(data)))))
		if err != nil || new(big.Int).SetBytes(got).Cmp(fee.ToBig()) < 0 {
			t.Errorf("%s: getL1FeeUpperBound = %x, %v; below the fee %x", name, got, err, fee.ToBig())
		}
	}
	raw, err := os.ReadFile("../../chain/testdata/l1fee.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Data string }
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 100 {
		t.Fatal(len(vectors), err)
	}
	for i, v := range vectors {
		data, err := hex.DecodeString(v.Data)
		if err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("vector %d", i), data)
	}
	r := rand.New(rand.NewSource(3))
	for range 300 {
		data := make([]byte, r.Intn(700))
		for i := range data {
			if data[i] = byte(r.Intn(4)); i > 40 && r.Intn(3) > 0 {
				data[i] = data[i-r.Intn(40)]
			}
		}
		check(hex.EncodeToString(data), data)
	}
}
