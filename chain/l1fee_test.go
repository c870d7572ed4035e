package chain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
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
	fees := NewL1FeeSchedule(vectorPrices())
	a := L1Attributes{Number: 1}
	var z FastLZ
	if fee := fees.Fee(a.Tx(), &z); !fee.IsZero() {
		t.Errorf("fee %s", &fee)
	}
}

func TestASchedulesFeesAreTheFormulas(t *testing.T) {
	prices := vectorPrices()
	fees := NewL1FeeSchedule(prices)
	var z FastLZ
	check := func(raw []byte) {
		t.Helper()
		want := prices.Fee(FastLZLength(raw))
		tx := &Tx{raw: raw}
		for range 2 { // the second time from what the transaction keeps
			if fee := fees.Fee(tx, &z); fee.IsZero() || !fee.Eq(&want) {
				t.Errorf("fee %s of %d bytes, want %s", &fee, len(raw), &want)
			}
		}
		if fee := fees.FeeOf(raw, &z); !fee.Eq(&want) {
			t.Errorf("fee %s of an encoding of %d bytes, want %s", &fee, len(raw), &want)
		}
	}
	for _, v := range feeVectors(t) {
		raw, _ := hex.DecodeString(v.Data)
		check(raw)
	}
	r := rand.New(rand.NewSource(1))
	for n := 1; n < 400; n++ { // across the sizes that are not looked at
		raw := make([]byte, n)
		r.Read(raw)
		check(raw)
		check(bytes.Repeat([]byte{7}, n))
	}
}

func TestOnlySizesThatCannotMatterAreNotLookedAt(t *testing.T) {
	if EstimatedSize(flatFastLZ) != sizeLeast || EstimatedSize(flatFastLZ+1) == sizeLeast {
		t.Errorf("FastLZ length %d is not the last of the least size", flatFastLZ)
	}
	if most := literals(flatBytes); most != flatFastLZ {
		t.Errorf("%d bytes become %d, want %d", flatBytes, most, flatFastLZ)
	}
}

func TestAScheduleIsFreeIfNothingIsCharged(t *testing.T) {
	free := []L1FeeParams{{}, {BaseFee: *uint256.NewInt(7)}, {BaseFeeScalar: 7, BlobBaseFeeScalar: 7}}
	for _, p := range free {
		if !NewL1FeeSchedule(p).Free() {
			t.Errorf("%+v is not free", p)
		}
	}
	if !new(L1FeeSchedule).Free() {
		t.Error("the zero schedule is not free")
	}
	if NewL1FeeSchedule(L1FeeParams{BlobBaseFee: *uint256.NewInt(1), BlobBaseFeeScalar: 1}).Free() {
		t.Error("a schedule that charges a long transaction is free")
	}
}

func TestPricesAreReadFromL1BlocksSlots(t *testing.T) {
	slots := map[common.Hash]common.Hash{
		{31: 1}: {30: 0x12, 31: 0x34},
		{31: 3}: {16: 1, 17: 2, 18: 3, 19: 4, 20: 5, 21: 6, 22: 7, 23: 8, 31: 9},
		{31: 7}: {31: 0x56},
	}
	want := L1FeeParams{BaseFee: *uint256.NewInt(0x1234), BlobBaseFee: *uint256.NewInt(0x56), BaseFeeScalar: 0x01020304, BlobBaseFeeScalar: 0x05060708}
	if got := ReadL1FeeParams(func(s common.Hash) common.Hash { return slots[s] }); got != want {
		t.Errorf("%+v, want %+v", got, want)
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
		if most := uint32(len(data) + (len(data)+31)/32); got > most {
			t.Errorf("length %d of %d bytes", got, len(data))
		}
	})
}

func BenchmarkFastLZ(b *testing.B) {
	r := rand.New(rand.NewSource(1))
	transfer, call := make([]byte, 118), make([]byte, 1200)
	r.Read(transfer)
	for i := 0; i < len(call); i += 32 {
		r.Read(call[min(i+24, len(call)):min(i+32, len(call))])
	}
	token := append(append(make([]byte, 0, 200), transfer...), make([]byte, 68)...)
	copy(token[50:], []byte{0xa9, 0x05, 0x9c, 0xbb})
	copy(token[70:], transfer[:20])
	for name, data := range map[string][]byte{"transfer": transfer, "token transfer": token, "call of 1200 bytes": call} {
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
