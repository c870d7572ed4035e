package verify

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

// maxEpochStep is how far the epochs of a block may be beyond the last of its parent
// (docs/spec/derivation.md).
const maxEpochStep = 1 << 20

// maxDeposits bounds the user deposits of a block (docs/spec/derivation.md).
const maxDeposits = 60_000

// checkMiniBlocks checks the headers of the mini-blocks, one after another, and who signed
// them.
func (w *work) checkMiniBlocks() *Fault {
	in, block := w.in, w.in.Header.Number.Uint64()
	if len(in.MiniBlocks) == 0 {
		return fault(KindMiniBlock, "at least one mini-block", 0, "block %d", block)
	}
	last, link, f := w.lastBefore()
	if f != nil {
		return f
	}
	epochLimit := last.Epoch + maxEpochStep
	first, next := uint64(0), last.Number+1
	if in.Before == nil {
		next = 0
	}
	for i, m := range in.MiniBlocks {
		h, where := &m.Header, fmt.Sprintf("mini-block %d of block %d", i, block)
		for _, c := range []struct {
			name       string
			want, have uint64
		}{
			{"chainId", w.v.cfg.ChainID, h.ChainID},
			{"number", next, h.Number},
			{"blockNumber", block, h.BlockNumber},
			{"index", uint64(i), h.Index},
			{"firstTxIndex", first, h.FirstTxIndex},
			{"txCount", uint64(len(m.Txs)), h.TxCount},
		} {
			if c.want != c.have {
				return fault(KindMiniBlock, c.want, c.have, "%s, %s", where, c.name)
			}
		}
		if h.TxCount > chain.MaxMiniBlockTxs {
			return fault(KindMiniBlock, "at most "+text(chain.MaxMiniBlockTxs), h.TxCount, "%s, txCount", where)
		}
		if h.ParentHash != link {
			return fault(KindMiniBlockParent, link, h.ParentHash, "%s", where)
		}
		if h.Epoch < last.Epoch || h.Epoch > epochLimit {
			return fault(KindEpoch, fmt.Sprintf("%d to %d", last.Epoch, epochLimit), h.Epoch, "%s", where)
		}
		if least := max(last.TimestampMicros, chain.Micros(w.in.Header.Time)*1_000_000); h.TimestampMicros < least {
			return fault(KindMiniBlockTimestamp, "at least "+text(least), h.TimestampMicros, "%s", where)
		}
		if f := w.checkSigner(m, where); f != nil {
			return f
		}
		link, last = h.Hash(), h
		first, next = first+h.TxCount, next+1
	}
	if w.extra.LastMiniBlock != link {
		return fault(KindExtraData, link, w.extra.LastMiniBlock, "block %d, last mini-block", block)
	}
	return nil
}

// lastBefore is the mini-block before the first of the block, and its hash.
func (w *work) lastBefore() (*chain.MiniBlockHeader, common.Hash, *Fault) {
	a := w.ancestry
	if a.parent.Number.Sign() == 0 {
		return new(chain.MiniBlockHeader), w.in.Header.ParentHash, nil
	}
	before := w.in.Before
	if hash := before.Hash(); hash != a.extra.LastMiniBlock {
		return nil, common.Hash{}, fault(KindParent, a.extra.LastMiniBlock, hash, "last mini-block of block %d", a.parent.Number)
	}
	return before, a.extra.LastMiniBlock, nil
}

// checkSigner checks that the leader signed. A block with one mini-block need not be
// signed if it turns out to have deposits only.
func (w *work) checkSigner(m *chain.RawMiniBlock, where string) *Fault {
	leader := w.in.Leader
	if leader == (common.Address{}) {
		leader = w.v.cfg.Sequencer
	}
	if m.Signature == (chain.Signature{}) && len(w.in.MiniBlocks) == 1 && onlyDeposits(m.Txs) {
		w.unsigned = true
		return nil
	}
	signer, err := m.Header.Signer(m.Signature)
	if err != nil {
		return fault(KindLeaderSignature, leader, err, "%s", where)
	}
	if signer != leader {
		return fault(KindLeaderSignature, leader, signer, "%s", where)
	}
	return nil
}

func onlyDeposits(txs [][]byte) bool {
	for _, raw := range txs {
		if !isDeposit(raw) {
			return false
		}
	}
	return true
}

func isDeposit(raw []byte) bool { return len(raw) > 0 && raw[0] == chain.DepositTxType }

// decodeTogether transactions are decoded, and their senders recovered, together: enough
// that those of one sender meet, and so few that the memory for it is small.
const decodeTogether = 1 << 14

// decode decodes all transactions from their encodings and finds who signed them, many at a
// time.
func (w *work) decode() *Fault {
	total := 0
	for _, m := range w.in.MiniBlocks {
		total += len(m.Txs)
	}
	raws, hints, all := make([][]byte, 0, total), make([]common.Address, 0, total), make([]*chain.Tx, total)
	for _, m := range w.in.MiniBlocks {
		raws, hints = append(raws, m.Txs...), append(hints, m.Senders...)
	}
	// Deposits are the first of a block that is right.
	first := 0
	for first < total && isDeposit(raws[first]) {
		first++
	}
	errs := make([]error, min(total, decodeTogether))
	for i := range first {
		all[i], errs[0] = chain.DecodeAnyTx(raws[i], w.v.cfg)
		if f := w.checkDecoded(i, raws[i], hints[i], all[i], errs[0]); f != nil {
			return f
		}
	}
	for from := first; from < total; from += decodeTogether {
		to := min(from+decodeTogether, total)
		w.v.decoder.DecodeHinted(raws[from:to], hints[from:to], all[from:to], errs)
		for i := from; i < to; i++ {
			if isDeposit(raws[i]) { // which the decoder refuses
				all[i], errs[i-from] = chain.DecodeAnyTx(raws[i], w.v.cfg)
			}
			if f := w.checkDecoded(i, raws[i], hints[i], all[i], errs[i-from]); f != nil {
				return f
			}
		}
	}
	w.txs = make([][]*chain.Tx, len(w.in.MiniBlocks))
	for i, m := range w.in.MiniBlocks {
		w.txs[i], all = all[:len(m.Txs)], all[len(m.Txs):]
	}
	for i, m := range w.in.MiniBlocks {
		if hash := chain.TxsHash(w.txs[i]); hash != m.Header.TxsHash {
			return fault(KindTxsHash, hash, m.Header.TxsHash, "mini-block %d of block %d", i, w.in.Header.Number)
		}
	}
	if root := w.v.memory.listRoot(raws, &w.v.batch); root != w.in.Header.TxHash {
		return fault(KindTxRoot, root, w.in.Header.TxHash, "block %d", w.in.Header.Number)
	}
	return nil
}

// checkDecoded checks what came of the encoding of a transaction.
func (w *work) checkDecoded(index int, raw []byte, hint common.Address, tx *chain.Tx, err error) *Fault {
	block := w.in.Header.Number
	switch {
	case isDeposit(raw) && (err != nil || string(tx.Raw()) != string(raw)):
		return fault(KindTxEncoding, "a deposit", text(err), "block %d, transaction %d", block, index)
	case err != nil:
		return fault(decodeKind(err), "a signed transaction of the chain", err, "block %d, transaction %d", block, index)
	case hint != tx.From():
		return fault(KindSender, tx.From(), hint, "block %d, transaction %d", block, index)
	}
	return nil
}

func decodeKind(err error) Kind {
	switch {
	case errors.Is(err, chain.ErrTxChainID):
		return KindTxChainID
	case errors.Is(err, chain.ErrTxSignature):
		return KindTxSignature
	}
	return KindTxEncoding
}

// sum hashes without the memory of a batch.
func sum(b []byte) common.Hash { return keccak.Sum256(b) }
