package chain

import (
	"encoding/binary"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// L1FeeParams are the prices of the L1 data fee, as the L1-attributes deposit of a block
// sets them (OP Stack specification, "L1 cost fees", as of Ecotone).
type L1FeeParams struct {
	BaseFee           uint256.Int // of the L1 origin, wei per gas
	BlobBaseFee       uint256.Int // of the L1 origin, wei per blob gas
	BaseFeeScalar     uint32      // millionths
	BlobBaseFeeScalar uint32      // millionths
	// Rate is what ether is worth in the native currency, in wei of it for one gwei of
	// ether; 0: the native currency is ether.
	Rate uint64
}

// Size estimate of the specification's Fjord: -42.5856 + 0.8365 × FastLZ length, at least
// 100; all in millionths of a byte.
const (
	sizeIntercept = 42_585_600
	sizeSlope     = 836_500
	sizeLeast     = 100_000_000
	// calldataByteGas is the L1 gas of a byte of call data that is not zero.
	calldataByteGas = 16
	// flatFastLZ is the largest FastLZ length that counts as the least size.
	flatFastLZ = (sizeLeast + sizeIntercept) / sizeSlope
	// flatBytes is the largest size whose FastLZ length cannot exceed flatFastLZ: n bytes
	// become n + ⌈n/32⌉ at most (see FastLZ).
	flatBytes = flatFastLZ * 32 / 33
)

// Slots of L1Block that hold the prices (OP Stack specification, "L1 attributes
// predeployed contract", storage layout as of Ecotone).
var (
	slotBaseFee     = common.Hash{31: 1}
	slotScalars     = common.Hash{31: 3} // bytes 16..19 base fee scalar, 20..23 blob base fee scalar
	slotBlobBaseFee = common.Hash{31: 7}
	slotL1Clock     = common.Hash{} // bytes 16..23 timestamp, 24..31 number
)

// ReadL1FeeParams are the prices in the storage of L1Block, which slot reads.
func ReadL1FeeParams(slot func(common.Hash) common.Hash) (p L1FeeParams) {
	scalars := slot(slotScalars)
	p.BaseFeeScalar, p.BlobBaseFeeScalar = binary.BigEndian.Uint32(scalars[16:]), binary.BigEndian.Uint32(scalars[20:])
	base, blob := slot(slotBaseFee), slot(slotBlobBaseFee)
	p.BaseFee.SetBytes32(base[:])
	p.BlobBaseFee.SetBytes32(blob[:])
	if rate := TokenRateOf(slot(GasTokenRateSlot)); rate != (TokenRate{}) {
		clock := slot(slotL1Clock)
		p.Rate = rate.At(binary.BigEndian.Uint64(clock[16:]))
	}
	return p
}

// FeeParams are the prices that the attributes bring.
func (a *L1Attributes) FeeParams() L1FeeParams {
	p := L1FeeParams{BaseFeeScalar: a.BaseFeeScalar, BlobBaseFeeScalar: a.BlobBaseFeeScalar, Rate: a.GasTokenRate.At(a.Timestamp)}
	p.BaseFee.SetFromBig(a.BaseFee)
	p.BlobBaseFee.SetFromBig(a.BlobBaseFee)
	return p
}

// EstimatedSize is the share of a batch that a transaction of this FastLZ length is
// charged for, in millionths of a byte.
func EstimatedSize(fastLZ uint32) uint64 {
	return max(sizeLeast, uint64(fastLZ)*sizeSlope-min(sizeIntercept, uint64(fastLZ)*sizeSlope))
}

// rateUnit is the wei of ether for which a rate is.
const rateUnit = 1_000_000_000

// Fee is the L1 data fee, in wei of the native currency, of a transaction whose encoding
// has this FastLZ length: rounded down in ether, and then up where the currency is
// another. Fees from 2^256 wei on, which no L1 has, are 2^256-1.
func (p *L1FeeParams) Fee(fastLZ uint32) (fee uint256.Int) {
	var price, blob, size, scalar uint256.Int
	_, over := price.MulOverflow(&p.BaseFee, scalar.SetUint64(uint64(p.BaseFeeScalar)*calldataByteGas))
	_, overBlob := blob.MulOverflow(&p.BlobBaseFee, scalar.SetUint64(uint64(p.BlobBaseFeeScalar)))
	_, overSum := price.AddOverflow(&price, &blob)
	_, overFee := fee.MulDivOverflow(&price, size.SetUint64(EstimatedSize(fastLZ)), scalar.SetUint64(1e12))
	if over || overBlob || overSum || overFee {
		fee.SetAllOne()
		return fee
	}
	if p.Rate != 0 {
		fee = p.inCurrency(&fee)
	}
	return fee
}

// inCurrency is ⌈ether × rate / 10^9⌉.
func (p *L1FeeParams) inCurrency(ether *uint256.Int) (fee uint256.Int) {
	rate, unit := uint256.NewInt(p.Rate), uint256.NewInt(rateUnit)
	_, over := fee.MulDivOverflow(ether, rate, unit)
	var rest uint256.Int
	if !over && !rest.MulMod(ether, rate, unit).IsZero() {
		_, over = fee.AddOverflow(&fee, rest.SetOne())
	}
	if over {
		fee.SetAllOne()
	}
	return fee
}

// L1GasUsed is the L1 gas that a share of this FastLZ length would cost as call data,
// rounded down.
func L1GasUsed(fastLZ uint32) uint64 { return EstimatedSize(fastLZ) * calldataByteGas / 1e6 }

// L1FeeSchedule gives the L1 data fees of transactions at one set of prices. It is only
// read once made. The zero value charges nothing.
type L1FeeSchedule struct {
	params  L1FeeParams
	least   uint256.Int // fee of the least size, wei
	charges bool        // some fee is not zero
}

// NewL1FeeSchedule makes the schedule of p.
func NewL1FeeSchedule(p L1FeeParams) *L1FeeSchedule {
	most := p.Fee(math.MaxUint32)
	return &L1FeeSchedule{params: p, least: p.Fee(0), charges: !most.IsZero()}
}

// Params are the prices; the caller must not change them.
func (s *L1FeeSchedule) Params() *L1FeeParams { return &s.params }

// Free reports whether every fee is zero.
func (s *L1FeeSchedule) Free() bool { return !s.charges }

// Fee is the L1 data fee, in wei, of a transaction in its canonical encoding, signature
// included. A deposit has none: L1 has carried it already. z is memory to use.
func (s *L1FeeSchedule) Fee(tx *Tx, z *FastLZ) uint256.Int {
	if tx.Deposit != nil {
		return uint256.Int{}
	}
	return s.fee(tx.FastLZ(z))
}

// FeeOf is the fee of a transaction with this encoding.
func (s *L1FeeSchedule) FeeOf(encoding []byte, z *FastLZ) uint256.Int {
	if len(encoding) <= flatBytes {
		return s.least
	}
	return s.fee(z.Length(encoding))
}

func (s *L1FeeSchedule) fee(fastLZ uint32) uint256.Int {
	if fastLZ <= flatFastLZ {
		return s.least
	}
	return s.params.Fee(fastLZ)
}
