package chain

import "github.com/holiman/uint256"

// L1FeeParams are the prices of the L1 data fee, as the L1-attributes deposit of a block
// sets them (OP Stack specification, "L1 cost fees", as of Ecotone).
type L1FeeParams struct {
	BaseFee           uint256.Int // of the L1 origin, wei per gas
	BlobBaseFee       uint256.Int // of the L1 origin, wei per blob gas
	BaseFeeScalar     uint32      // millionths
	BlobBaseFeeScalar uint32      // millionths
}

// Size estimate of the specification's Fjord: -42.5856 + 0.8365 × FastLZ length, at least
// 100; all in millionths of a byte.
const (
	sizeIntercept = 42_585_600
	sizeSlope     = 836_500
	sizeLeast     = 100_000_000
	// calldataByteGas is the L1 gas of a byte of call data that is not zero.
	calldataByteGas = 16
)

// EstimatedSize is the share of a batch that a transaction of this FastLZ length is
// charged for, in millionths of a byte.
func EstimatedSize(fastLZ uint32) uint64 {
	return max(sizeLeast, uint64(fastLZ)*sizeSlope-min(sizeIntercept, uint64(fastLZ)*sizeSlope))
}

// Fee is the L1 data fee, in wei and rounded down, of a transaction whose encoding has
// this FastLZ length. Fees from 2^256 wei on, which no L1 has, are 2^256-1.
func (p *L1FeeParams) Fee(fastLZ uint32) (fee uint256.Int) {
	var price, blob, size, scalar uint256.Int
	_, over := price.MulOverflow(&p.BaseFee, scalar.SetUint64(uint64(p.BaseFeeScalar)*calldataByteGas))
	_, overBlob := blob.MulOverflow(&p.BlobBaseFee, scalar.SetUint64(uint64(p.BlobBaseFeeScalar)))
	_, overSum := price.AddOverflow(&price, &blob)
	_, overFee := fee.MulDivOverflow(&price, size.SetUint64(EstimatedSize(fastLZ)), scalar.SetUint64(1e12))
	if over || overBlob || overSum || overFee {
		fee.SetAllOne()
	}
	return fee
}

// L1Fee is the L1 data fee, in wei, of a transaction in its canonical encoding, signature
// included. A deposit has none: L1 has carried it already. z is memory to use.
func L1Fee(tx *Tx, p *L1FeeParams, z *FastLZ) uint256.Int {
	if tx.Deposit != nil {
		return uint256.Int{}
	}
	return p.Fee(z.Length(tx.raw))
}
