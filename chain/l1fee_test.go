package chain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"os"
	"testing"

	"github.com/holiman/uint256"
)

// feeVector is data with its FastLZ length and its L1 data fee under vectorPrices, both
// computed by op-geth v1.101702.3 (types.FlzCompressLen, types.NewL1CostFuncFjord).
type feeVector struct {
	Data   string `json:"data"` // hexadecimal
	FastLZ uint32 `json:"fastlz"`
	Fee    string `json:"fee"` // wei, decimal
}

func vectorPrices() L1FeeParams {
	return L1FeeParams{
		BaseFee: *uint256.NewInt(7_123_456_789), BlobBaseFee: *uint256.NewInt(3_456_789),
		BaseFeeScalar: 1368, BlobBaseFeeScalar: 810_949,
	}
}

func feeVectors(t testing.TB) []feeVector {
	raw, err := os.ReadFile("testdata/l1fee.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []feeVector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 100 {
		t.Fatalf("%d vectors", len(vectors))
	}
	return vectors
}

func TestLengthsAndFeesAreTheSpecifications(t *testing.T) {
	prices := vectorPrices()
	var reused FastLZ
	for i, v := range feeVectors(t) {
		data, err := hex.DecodeString(v.Data)
		if err != nil {
			t.Fatal(err)
		}
		if got, again := reused.Length(data), FastLZLength(data); got != v.FastLZ || again != v.FastLZ {
			t.Errorf("vector %d of %d bytes: length %d with memory used before, %d with fresh, want %d", i, len(data), got, again, v.FastLZ)
		}
		if fee := prices.Fee(v.FastLZ); fee.Dec() != v.Fee {
			t.Errorf("vector %d: fee %s, want %s", i, fee.Dec(), v.Fee)
		}
	}
}

func TestMemoryUsedForGigabytesIsClearedInTime(t *testing.T) {
	data := bytes.Repeat([]byte("a line that repeats\n"), 50)
	want := FastLZLength(data)
	z := FastLZ{base: fastLZMost - 1500} // as after as many bytes
	for i := range z.last {
		z.last[i] = z.base - 1
	}
	for range 3 {
		if got := z.Length(data); got != want {
			t.Fatalf("length %d, want %d", got, want)
		}
	}
	if z.base != 2000 {
		t.Errorf("base %d: was not cleared when it had to be", z.base)
	}
}

func TestFeesSaturateAndSmallTransactionsPayForAHundredBytes(t *testing.T) {
	if a, b := EstimatedSize(0), EstimatedSize(170); a != 100_000_000 || b != 100_000_000 {
		t.Errorf("sizes %d, %d", a, b)
	}
	if got := EstimatedSize(171); got != 171*836_500-42_585_600 {
		t.Errorf("size %d", got)
	}
	p := L1FeeParams{BaseFeeScalar: 1 << 31, BlobBaseFeeScalar: 1 << 31}
	if fee := p.Fee(1000); !fee.IsZero() {
		t.Errorf("fee %s at prices of zero", &fee)
	}
	p.BaseFee.SetAllOne()
	most := new(uint256.Int).SetAllOne()
	if fee := p.Fee(1000); !fee.Eq(most) {
		t.Errorf("fee %s, want the most", &fee)
	}
}

func TestDepositsPayNoL1Fee(t *testing.T) {
	prices := vectorPrices()
	a := L1Attributes{Number: 1}
	var z FastLZ
	if fee := L1Fee(a.Tx(), &prices, &z); !fee.IsZero() {
		t.Errorf("fee %s", &fee)
	}
	tx := &Tx{raw: bytes.Repeat([]byte{7}, 200)}
	want := prices.Fee(FastLZLength(tx.raw))
	if fee := L1Fee(tx, &prices, &z); fee.IsZero() || !fee.Eq(&want) {
		t.Errorf("fee %s, want %s", &fee, &want)
	}
}

// FuzzFastLZ holds memory that was used before to fresh memory, and the length to the
// specification's bound.
func FuzzFastLZ(f *testing.F) {
	for _, v := range feeVectors(f) {
		data, _ := hex.DecodeString(v.Data)
		f.Add(data)
	}
	var z FastLZ
	f.Fuzz(func(t *testing.T, data []byte) {
		got, want := z.Length(data), FastLZLength(data)
		if got != want {
			t.Errorf("length %d, want %d", got, want)
		}
		if most := uint32(len(data) + len(data)/32 + 1); got > most {
			t.Errorf("length %d of %d bytes", got, len(data))
		}
	})
}

func BenchmarkFastLZ(b *testing.B) {
	r := rand.New(rand.NewSource(1))
	transfer, call := make([]byte, 118), make([]byte, 1200)
	r.Read(transfer)
	for i := 0; i < len(call); i += 32 {
		r.Read(call[i+24 : min(i+32, len(call))])
	}
	for name, data := range map[string][]byte{"transfer": transfer, "call of 1200 bytes": call} {
		b.Run(name, func(b *testing.B) {
			var z FastLZ
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				z.Length(data)
			}
		})
	}
}
