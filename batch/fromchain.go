package batch

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

// FromBlock takes from a sealed block what a batch carries of it. The result
// aliases the raw transactions. It wants the block's transactions and mini-block
// headers, and fails with ErrInvalidBlock when they contradict each other.
func FromBlock(b *chain.Block) (Block, error) {
	fail := func(why any) (Block, error) {
		return Block{}, fmt.Errorf("batch block %d: %w: %v", b.Number(), ErrInvalidBlock, why)
	}
	if len(b.Txs) == 0 {
		return fail("no L1-attributes deposit")
	}
	attrs, err := chain.ParseL1Attributes(b.Txs[0])
	if err != nil {
		return fail(err)
	}
	out := Block{
		Number: b.Number(), Timestamp: b.Header.Time,
		Origin: chain.L1Origin{Number: attrs.Number, Hash: attrs.Hash},
	}
	for _, tx := range b.Txs {
		if !tx.IsDeposit() {
			out.Txs = append(out.Txs, tx.Raw())
			sender := tx.From()
			if tx.Unsigned() {
				sender = common.Address{} // no signature gives it
			}
			out.Senders = append(out.Senders, sender)
		} else if len(out.Txs) > 0 {
			return fail("deposit behind a user transaction")
		}
	}
	total := uint64(0)
	for i := range b.MiniBlocks {
		m := &b.MiniBlocks[i]
		out.MiniBlocks = append(out.MiniBlocks, MiniBlock{Timestamp: m.TimestampMicros, TxCount: m.TxCount, Epoch: m.Epoch})
		total += m.TxCount
	}
	if total != uint64(len(b.Txs)) {
		return fail(fmt.Sprintf("mini-blocks hold %d transactions, the block %d", total, len(b.Txs)))
	}
	if err := out.check(); err != nil {
		return fail(err)
	}
	return out, nil
}
