package node

import (
	"fmt"

	"github.com/talaria-l2/talaria/chain"
)

// Replay takes one record of the write-ahead log, in order, and brings the chain to
// where it was when the record was written. Records of blocks that the store holds
// are skipped. Everything is executed again and must give the hashes in the log.
func (n *Node) Replay(kind byte, payload []byte) error {
	switch kind {
	case RecordMiniBlock:
		rec, err := decodeMiniRecord(payload)
		if err != nil {
			return err
		}
		return n.replayMiniBlock(rec)
	case RecordSeal:
		rec, err := decodeSealRecord(payload)
		if err != nil {
			return err
		}
		return n.replaySeal(rec)
	case RecordEdit:
		return n.replayEdit(payload)
	}
	return fmt.Errorf("log record of kind %d is not known (written by a newer version?)", kind)
}

func (n *Node) replayMiniBlock(rec *miniRecord) error {
	h := &rec.Header
	if h.Number < n.exec.NextMini() {
		return nil
	}
	if h.Number > n.exec.NextMini() {
		return fmt.Errorf("log continues with mini-block %d, the chain needs %d", h.Number, n.exec.NextMini())
	}
	if !n.exec.IsOpen() {
		if err := n.exec.Open(rec.attributes()); err != nil {
			return fmt.Errorf("replay mini-block %d: %w", h.Number, err)
		}
	}
	txs := make([]*chain.Tx, len(rec.Txs))
	for i, raw := range rec.Txs {
		var err error
		if txs[i], err = chain.RestoreTx(raw, rec.Senders[i]); err != nil {
			return fmt.Errorf("replay mini-block %d: transaction %d: %w", h.Number, i, err)
		}
	}
	if i, err := n.exec.ApplyAll(txs); err != nil {
		return fmt.Errorf("replay mini-block %d: transaction %d: %w", h.Number, i, err)
	}
	n.exec.SetEpoch(h.Epoch)
	m, version := n.exec.Cut(h.TimestampMicros)
	if m.Header != *h {
		return fmt.Errorf("replay mini-block %d: execution gives %s, the log says %s", h.Number, m.Header.Hash(), h.Hash())
	}
	m.Signature = rec.Signature
	n.PublishMiniBlock(m, n.exec.OpenHeader(), rec.attributes(), version)
	return nil
}

func (n *Node) replaySeal(rec *sealRecord) error {
	if rec.Number <= n.exec.Parent().Number.Uint64() {
		return nil
	}
	if !n.exec.IsOpen() || n.exec.OpenHeader().Number.Uint64() != rec.Number {
		return fmt.Errorf("log seals block %d, which is not open", rec.Number)
	}
	block, diff, err := n.exec.Seal()
	if err != nil {
		return fmt.Errorf("replay seal: %w", err)
	}
	if block.Hash() != rec.Hash {
		return fmt.Errorf("replay seal of block %d: execution gives %s, the log says %s", rec.Number, block.Hash(), rec.Hash)
	}
	if err := n.PublishBlock(block, diff, nil); err != nil {
		return err
	}
	n.PublishWitness(block, n.exec.Witness())
	return nil
}
