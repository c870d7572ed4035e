package devnet

import (
	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/da"
)

// Scalars of the L1 data fee with which a charged byte pays what a byte costs in a full
// batch: the blob gas of the blob that it fills, and its share of the transaction's gas
// (docs/adr/0025-l1-data-fee.md). The formula charges 16 gas a byte times the scalar.
const (
	CostBlobBaseFeeScalar = (million*batch.BlobBytes + batch.MaxFrameData - 1) / batch.MaxFrameData
	CostBaseFeeScalar     = (million*batchTxGas + 16*fullBatch - 1) / (16 * fullBatch)

	million    = 1_000_000
	batchTxGas = 21_000
	fullBatch  = da.MaxBlobsPerTx * batch.MaxFrameData // bytes
)
