package derive

import "github.com/talaria-l2/talaria/chain"

// MaxFill bounds how full the blocks of all batches that one L1 block decides can be, in
// millionths of a full block: 240 of them. A sequencer makes 120 while L1 makes one, if it
// makes ten in a second and L1 one in twelve.
const MaxFill = 240 * fullBlock

// fullBlock is the fill of a block whose transactions may use all of its gas.
const fullBlock = 1_000_000

// Fill is how full a block is at most, in millionths: the gas limits of its user
// transactions, up to the block's own.
func Fill(b *chain.Block) uint64 {
	return fillOf(b.Txs, b.Header.GasLimit)
}

func fillOf(txs []*chain.Tx, limit chain.Gas) uint64 {
	sum := chain.Gas(0)
	for _, tx := range txs {
		if !tx.IsDeposit() {
			sum += min(tx.Gas(), limit)
		}
	}
	switch {
	case sum == 0:
		return 0
	case sum >= limit:
		return fullBlock
	}
	return (sum*fullBlock + limit - 1) / limit
}
