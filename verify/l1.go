package verify

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// Slots of L1Block (contracts/src/l2/L1Block.sol), of which the first transaction of every
// block writes all.
var (
	slotClock     = common.Hash{}          // bytes 16..23 timestamp, 24..31 number
	slotBaseFee   = common.Hash{31: 1}     // wei per gas
	slotHash      = common.Hash{31: 2}     // of the L1 block
	slotSequence  = common.Hash{31: 3}     // 16..19 base fee scalar, 20..23 blob base fee scalar, 24..31 sequence number
	slotBatcher   = common.Hash{31: 4}     // address
	slotBlobFee   = common.Hash{31: 7}     // wei per blob gas
	slotTokenRate = chain.GasTokenRateSlot // where the currency is a token
)

// checkL1 checks the first transaction, what follows from its L1 origin and that of the
// parent, and where deposits are.
func (w *work) checkL1() *Fault {
	h, first := w.in.Header, w.txs[0]
	if len(first) == 0 {
		return fault(KindL1Attributes, "the L1-attributes deposit", "no transaction", "block %d, first mini-block", h.Number)
	}
	attrs, err := chain.ParseL1Attributes(first[0])
	if err != nil {
		return fault(KindL1Attributes, "the L1-attributes deposit", err, "block %d, transaction 0", h.Number)
	}
	if want := attrs.Tx(); want.Hash() != first[0].Hash() {
		return fault(KindL1Attributes, want.Raw(), first[0].Raw(), "block %d, transaction 0", h.Number)
	}
	isToken := attrs.GasTokenRate != chain.TokenRate{}
	if isToken == w.v.cfg.GasToken.IsZero() {
		return fault(KindL1Attributes, "a rate only where the currency is a token", attrs.GasTokenRate, "block %d, transaction 0", h.Number)
	}
	w.l1 = attrs
	before, known := w.parentL1()
	if w.world.fault != nil {
		return w.world.fault
	}
	same := known && attrs.Number == before.Number
	if f := w.checkOrigin(&attrs, &before, known, same); f != nil {
		return f
	}
	if h.Time < attrs.Timestamp {
		return fault(KindTimestamp, "at least the L1 origin's "+text(attrs.Timestamp), h.Time, "block %d", h.Number)
	}
	if f := w.v.checkParams(h, w.extra, w.ancestry, same); f != nil {
		return f
	}
	return w.checkDeposits(same)
}

// parentL1 is what the parent's state says of its L1 origin, known unless the parent is
// genesis, whose origin is not in the state.
func (w *work) parentL1() (a chain.L1Attributes, known bool) {
	if w.ancestry.parent.Number.Sign() == 0 {
		return chain.L1Attributes{Number: w.in.Genesis.Number, Hash: w.in.Genesis.Hash}, w.in.Genesis != chain.L1Origin{}
	}
	read := func(slot common.Hash) common.Hash { return w.world.Storage(chain.L1BlockAddr, slot) }
	clock, sequence, base, blob, batcher := read(slotClock), read(slotSequence), read(slotBaseFee), read(slotBlobFee), read(slotBatcher)
	a = chain.L1Attributes{
		Number: binary.BigEndian.Uint64(clock[24:]), Timestamp: binary.BigEndian.Uint64(clock[16:]), Hash: read(slotHash),
		BaseFee: new(big.Int).SetBytes(base[:]), BlobBaseFee: new(big.Int).SetBytes(blob[:]),
		SequenceNumber: binary.BigEndian.Uint64(sequence[24:]), Batcher: common.Address(batcher[12:]),
		BaseFeeScalar: binary.BigEndian.Uint32(sequence[16:]), BlobBaseFeeScalar: binary.BigEndian.Uint32(sequence[20:]),
	}
	if !w.v.cfg.GasToken.IsZero() {
		a.GasTokenRate = chain.TokenRateOf(read(slotTokenRate))
	}
	return a, true
}

// checkOrigin compares the L1 origin with the parent's.
func (w *work) checkOrigin(a, before *chain.L1Attributes, known, same bool) *Fault {
	at := w.in.Header.Number
	if !known {
		return nil
	}
	if !same {
		if a.Number != before.Number+1 {
			return fault(KindL1Origin, text(before.Number)+" or the next", a.Number, "block %d, number of the L1 origin", at)
		}
		if a.SequenceNumber != 0 {
			return fault(KindL1Origin, 0, a.SequenceNumber, "block %d, sequence number", at)
		}
		if a.Timestamp < before.Timestamp {
			return fault(KindL1Origin, "at least "+text(before.Timestamp), a.Timestamp, "block %d, timestamp of the L1 origin", at)
		}
		return w.checkSystem(a)
	}
	want := *before
	want.SequenceNumber++
	if w.ancestry.parent.Number.Sign() == 0 { // only number and hash of the origin are known
		if a.Hash != want.Hash || a.SequenceNumber != 1 {
			return fault(KindL1Origin, text(want.Hash)+" with sequence number 1", text(a.Hash)+" with "+text(a.SequenceNumber), "block %d", at)
		}
		return w.checkSystem(a)
	}
	// The source hash is part of the encoding, and so is everything else that was checked.
	if wanted := want.Tx(); wanted.Hash() != w.txs[0][0].Hash() {
		return fault(KindL1Origin, wanted.Deposit.Data, w.txs[0][0].Deposit.Data, "block %d, L1 attributes of the same origin", at)
	}
	return nil
}

// checkSystem checks what only the SystemConfig contract changes, on a chain without one.
func (w *work) checkSystem(a *chain.L1Attributes) *Fault {
	if w.v.cfg.SystemConfig != (common.Address{}) {
		return nil
	}
	want := *a
	system := w.v.cfg.System()
	want.Batcher, want.BaseFeeScalar, want.BlobBaseFeeScalar, want.GasTokenRate = system.Batcher, system.BaseFeeScalar, system.BlobBaseFeeScalar, system.GasTokenRate
	if want.Tx().Hash() != a.Tx().Hash() {
		return fault(KindL1Attributes, want.Tx().Deposit.Data, a.Tx().Deposit.Data, "block %d, batcher, scalars and rate", w.in.Header.Number)
	}
	return nil
}

// checkDeposits checks that deposits of L1 stand behind the first transaction, in the
// first mini-block, and only where the L1 origin is new.
func (w *work) checkDeposits(same bool) *Fault {
	block, index, users, deposits := w.in.Header.Number, 0, false, 0
	for i, txs := range w.txs {
		for _, tx := range txs {
			if !tx.IsDeposit() {
				users = true
			} else if index > 0 {
				deposits++
				switch d := tx.Deposit; {
				case users || i > 0:
					return fault(KindDeposit, "deposits first, in the first mini-block", tx.Hash(), "block %d, transaction %d", block, index)
				case same:
					return fault(KindDeposit, "none: the L1 origin is the parent's", tx.Hash(), "block %d, transaction %d", block, index)
				case d.From == chain.L1AttributesDepositor || d.IsSystem || deposits > maxDeposits:
					return fault(KindDeposit, "a deposit as the portal makes them", tx.Raw(), "block %d, transaction %d", block, index)
				}
			}
			index++
		}
	}
	return nil
}

// price gives the environment the prices of the L1 data fee that L1Block holds.
func (w *work) price() {
	p := chain.ReadL1FeeParams(func(slot common.Hash) common.Hash {
		if slot == slotTokenRate && w.v.cfg.GasToken.IsZero() {
			return common.Hash{} // nothing can have written it, and no witness has it
		}
		return w.world.Storage(chain.L1BlockAddr, slot)
	})
	if p != *w.v.fees.Params() {
		w.v.fees = chain.NewL1FeeSchedule(p)
	}
	w.env.L1Fees = w.v.fees
}

// hasClock reports whether the chain has MiniBlockClock.
func (w *work) hasClock() bool {
	a, _ := w.world.Account(chain.MiniBlockClockAddr)
	return a.CodeHash != types.EmptyCodeHash
}
