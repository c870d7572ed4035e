package verify

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// execute repeats the block.
func (w *work) execute() *Fault {
	parent := w.in.Header.ParentHash
	for _, call := range []struct {
		to   common.Address
		data common.Hash
	}{
		{params.BeaconRootsAddress, *w.in.Header.ParentBeaconRoot},
		{params.HistoryStorageAddress, parent},
	} {
		// A call that fails changes nothing, and the block goes on without it.
		diff, err := w.v.machine.SystemCall(w.world, w.env, call.to, call.data[:])
		if w.world.fault != nil {
			return w.world.fault
		}
		if err == nil {
			w.world.apply(0, diff)
		}
	}
	w.price()
	index := 0
	for i, m := range w.in.MiniBlocks {
		before, first := w.gasUsed, index
		for k, tx := range w.txs[i] {
			if f := w.executeTx(m, i, k, tx, index); f != nil {
				return w.earlier(f)
			}
			index++
		}
		clear(w.txs[i]) // which the rest of the block does not need
		if f := w.endMiniBlock(i, m, before, w.receipts[first:]); f != nil {
			return w.earlier(f)
		}
		if w.v.sums.full() {
			if f := w.checkSums(); f != nil {
				return f
			}
		}
	}
	return w.earlier(w.world.fault)
}

// executeTx executes a transaction, which is number k of the mini-block, and compares its
// receipt, if one came with it.
func (w *work) executeTx(m *chain.RawMiniBlock, mini, k int, tx *chain.Tx, index int) *Fault {
	where := func() string { return fmt.Sprintf("block %d, transaction %d", w.in.Header.Number, index) }
	if left := w.in.Header.GasLimit - w.gasUsed; tx.Gas() > left {
		return fault(KindTxInvalid, fmt.Sprintf("at most %d gas, which the block has left", left), tx.Gas(), "%s", where())
	}
	out := &w.v.out
	err := w.v.machine.Execute(w.world, tx, w.env, out)
	if w.world.fault != nil {
		return w.world.fault
	}
	if err != nil {
		return fault(KindTxInvalid, "a valid transaction", err, "%s", where())
	}
	w.world.apply(uint32(k+1), out.Diff)
	if touchesL1Block(out.Diff) {
		w.price()
	}
	if w.world.fault != nil {
		return w.world.fault
	}
	w.gasUsed += out.GasUsed
	r := &w.v.receipt
	*r = chain.Receipt{Type: tx.Type(), Status: out.Status, CumulativeGasUsed: w.gasUsed, Logs: out.Logs, DepositNonce: out.DepositNonce}
	if len(out.Logs) > 0 {
		r.Bloom = w.v.blooms.of(out.Logs)
		for i := range w.bloom {
			w.bloom[i] |= r.Bloom[i]
		}
	}
	encoded := r.AppendBinary(w.v.memory.room(r.BinarySize() + 1))
	w.receipts = append(w.receipts, encoded)
	if k >= len(m.Receipts) {
		return nil
	}
	w.v.stored = r.AppendStored(w.v.stored[:0])
	if have := m.Receipts[k]; string(have) == string(w.v.stored) || string(have) == string(encoded) {
		return nil
	}
	claimed, err := m.DecodeReceipts()
	if err != nil {
		return fault(KindReceiptsHash, m.Header.ReceiptsHash, err, "mini-block %d of block %d, the receipts that came with it", mini, w.in.Header.Number)
	}
	if hash := chain.ReceiptsHash(claimed); hash != m.Header.ReceiptsHash {
		return fault(KindReceiptsHash, m.Header.ReceiptsHash, hash, "mini-block %d of block %d, the receipts that came with it", mini, w.in.Header.Number)
	}
	return compareReceipts(r, claimed[k], where())
}

func touchesL1Block(d state.Diff) bool {
	for i := range d {
		if d[i].Address == chain.L1BlockAddr {
			return true
		}
	}
	return false
}

// endMiniBlock sets the clock and compares what the mini-block did with its header.
func (w *work) endMiniBlock(i int, m *chain.RawMiniBlock, gasBefore chain.Gas, receipts [][]byte) *Fault {
	h, where := &m.Header, placeOf(i, w.in.Header.Number.Uint64())
	if w.hasClock() {
		var word common.Hash
		binary.BigEndian.PutUint64(word[16:], uint64(h.TimestampMicros))
		binary.BigEndian.PutUint64(word[24:], h.Number+1)
		w.world.apply(uint32(h.TxCount), state.Diff{{Address: chain.MiniBlockClockAddr, Storage: []state.SlotDiff{{Value: word}}}})
	}
	if w.world.fault != nil {
		return w.world.fault
	}
	if m.Receipts != nil && len(m.Receipts) != len(receipts) {
		return fault(KindReceiptCount, len(receipts), len(m.Receipts), "%s", where)
	}
	if used := w.gasUsed - gasBefore; used != h.GasUsed {
		return fault(KindMiniBlockGas, used, h.GasUsed, "%s", where)
	}
	w.v.sums.addList(receipts, summed{KindReceiptsHash, h.ReceiptsHash, i})
	diff := w.world.changes.encode(w.world.codes)
	if m.Diff != nil && string(m.Diff) != string(diff) {
		if hash := sum(m.Diff); hash != h.DiffHash {
			return fault(KindDiffHash, h.DiffHash, hash, "%s, the diff that came with it", where)
		}
		return compareDiffs(diff, m.Diff, where)
	}
	if w.proven[i] {
		return nil
	}
	w.v.sums.add(diff, summed{KindDiffHash, h.DiffHash, i})
	return nil
}

func placeOf(mini int, block uint64) string {
	return fmt.Sprintf("mini-block %d of block %d", mini, block)
}

// compareReceipts finds the first difference of two receipts that differ.
func compareReceipts(want, have *chain.Receipt, where string) *Fault {
	switch {
	case want.Type != have.Type:
		return fault(KindReceiptType, want.Type, have.Type, "%s", where)
	case want.Status != have.Status:
		return fault(KindReceiptStatus, want.Status, have.Status, "%s", where)
	case want.CumulativeGasUsed != have.CumulativeGasUsed:
		return fault(KindReceiptGas, want.CumulativeGasUsed, have.CumulativeGasUsed, "%s, cumulative gas", where)
	case want.DepositNonce != have.DepositNonce:
		return fault(KindDepositNonce, want.DepositNonce, have.DepositNonce, "%s", where)
	case len(want.Logs) != len(have.Logs):
		return fault(KindLogCount, len(want.Logs), len(have.Logs), "%s", where)
	}
	for i, l := range want.Logs {
		if f := compareLogs(l, have.Logs[i], fmt.Sprintf("%s, log %d", where, i)); f != nil {
			return f
		}
	}
	return fault(KindReceiptBloom, want.Bloom[:], have.Bloom[:], "%s", where)
}

func compareLogs(want, have *types.Log, where string) *Fault {
	if want.Address != have.Address {
		return fault(KindLogAddress, want.Address, have.Address, "%s", where)
	}
	if fmt.Sprint(want.Topics) != fmt.Sprint(have.Topics) {
		return fault(KindLogTopics, want.Topics, have.Topics, "%s", where)
	}
	if string(want.Data) != string(have.Data) {
		return fault(KindLogData, want.Data, have.Data, "%s", where)
	}
	return nil
}

// blooms makes bloom filters of logs (yellow paper, M3:2048) and remembers the bits of
// words that it met, since each costs a hash.
type blooms struct {
	bits map[string][3]uint16
}

// keptBlooms bounds the words that are remembered, at some 100 bytes each.
const keptBlooms = 1 << 16

func (b *blooms) of(logs []*types.Log) (bloom types.Bloom) {
	for _, l := range logs {
		b.add(&bloom, l.Address[:])
		for i := range l.Topics {
			b.add(&bloom, l.Topics[i][:])
		}
	}
	return bloom
}

func (b *blooms) add(bloom *types.Bloom, word []byte) {
	bits, ok := b.bits[string(word)]
	if !ok {
		hash := sum(word)
		for i := range bits {
			bits[i] = binary.BigEndian.Uint16(hash[2*i:]) & 2047
		}
		if b.bits == nil || len(b.bits) >= keptBlooms {
			b.bits = make(map[string][3]uint16)
		}
		b.bits[string(word)] = bits
	}
	for _, bit := range bits {
		bloom[types.BloomByteLength-1-bit/8] |= 1 << (bit % 8)
	}
}
