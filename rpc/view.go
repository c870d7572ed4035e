package rpc

import (
	"context"
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// blockView is a sealed or open block behind one face.
type blockView struct {
	header   *types.Header
	hash     common.Hash // zero of the open block
	open     bool
	txs      []*chain.Tx
	receipts []*chain.Receipt
	minis    []chain.MiniBlockHeader
}

func sealedView(b *chain.Block) *blockView {
	if b == nil {
		return nil
	}
	return &blockView{header: b.Header, hash: b.Hash(), txs: b.Txs, receipts: b.Receipts, minis: b.MiniBlocks}
}

// openView fills in what an open header cannot carry yet: bloom and gas so far, and
// the constants that client libraries insist on.
func openView(p *OpenBlock) *blockView {
	h := types.CopyHeader(p.Header)
	h.UncleHash = types.EmptyUncleHash
	h.Bloom = types.Bloom{}
	for _, r := range p.Receipts {
		for i := range h.Bloom {
			h.Bloom[i] |= r.Bloom[i]
		}
	}
	if n := len(p.Receipts); n > 0 {
		h.GasUsed = p.Receipts[n-1].CumulativeGasUsed
	}
	return &blockView{header: h, open: true, txs: p.Txs, receipts: p.Receipts, minis: p.MiniBlocks}
}

func (v *blockView) number() uint64 { return v.header.Number.Uint64() }

// miniOf is the number of the mini-block that holds transaction i.
func (v *blockView) miniOf(i int) uint64 {
	k := sort.Search(len(v.minis), func(k int) bool { return v.minis[k].FirstTxIndex > uint64(i) })
	// Empty mini-blocks share their first index with the next one, so k-1 is the last
	// that starts at or before i, which is the one that holds it.
	if k == 0 {
		return 0
	}
	return v.minis[k-1].Number
}

// at is the place of transaction i, whose first log has that index in the block.
func (v *blockView) at(i int, firstLog uint64) TxInfo {
	t := TxInfo{
		Tx: v.txs[i], BlockHash: v.hash, BlockNumber: v.number(), BlockTime: v.header.Time,
		BaseFee: v.header.BaseFee, Index: uint64(i), FirstLogIndex: firstLog, MiniBlock: v.miniOf(i),
	}
	if i < len(v.receipts) {
		t.Receipt = v.receipts[i]
	}
	return t
}

// place is the place of transaction i with its log index left out.
func (v *blockView) place(i int) *TxInfo {
	t := v.at(i, 0)
	return &t
}

// each visits every transaction that has a receipt, in order.
func (v *blockView) each(visit func(t *TxInfo) bool) {
	var logs uint64
	for i := range v.receipts {
		t := v.at(i, logs)
		logs += uint64(len(t.Receipt.Logs))
		if !visit(&t) {
			return
		}
	}
}

// places are the transactions of a mini-block with their places in the block.
func (m *MiniBlock) places() []TxInfo {
	out := make([]TxInfo, len(m.Txs))
	logs := m.FirstLogIndex
	for i, tx := range m.Txs {
		out[i] = TxInfo{
			Tx: tx, Receipt: m.Receipts[i], BlockHash: m.BlockHash, BlockNumber: m.Header.BlockNumber,
			BlockTime: m.BlockTime, BaseFee: m.BaseFee, Index: m.Header.FirstTxIndex + uint64(i),
			FirstLogIndex: logs, MiniBlock: m.Header.Number,
		}
		logs += uint64(len(m.Receipts[i].Logs))
	}
	return out
}

// numberOf resolves a reference that is no hash to a block number, for block
// queries: "latest" is the last sealed block; "pending" is the open one.
func (s *Server) numberOf(ref blockRef) (number uint64, pending bool) {
	switch ref.tag {
	case tagEarliest:
		return 0, false
	case tagLatest:
		return s.backend.Head().Number.Uint64(), false
	case tagPending:
		return s.backend.Head().Number.Uint64(), true
	case tagSafe:
		safe, _ := s.backend.Finality()
		return safe, false
	case tagFinalized:
		_, finalized := s.backend.Finality()
		return finalized, false
	}
	return ref.number, false
}

// noneYet tells whether the reference is to the safe or the final block, and the node knows
// none: one that began with a snapshot does not take genesis for it.
func (s *Server) noneYet(ref blockRef) bool {
	if ref.tag != tagSafe && ref.tag != tagFinalized {
		return false
	}
	b, ok := s.backend.(interface{ Base() uint64 })
	number, _ := s.numberOf(ref)
	return ok && number == 0 && b.Base() > 0
}

// block finds a block for a block query; nil when there is none.
func (s *Server) block(ctx context.Context, ref blockRef) (*blockView, error) {
	if ref.tag == tagHash {
		b, err := s.backend.BlockByHash(ctx, ref.hash)
		return sealedView(b), err
	}
	if s.noneYet(ref) {
		return nil, nil
	}
	number, pending := s.numberOf(ref)
	if pending {
		if p := s.backend.Pending(); p != nil {
			return openView(p), nil
		}
	}
	b, err := s.backend.BlockByNumber(ctx, number)
	return sealedView(b), err
}

// stateRef resolves a reference for state queries: "latest", "pending" and the open
// block's number are the newest mini-block.
func (s *Server) stateRef(ctx context.Context, ref blockRef) (StateRef, error) {
	switch ref.tag {
	case tagLatest, tagPending:
		return StateRef{Newest: true}, nil
	case tagHash:
		b, err := s.backend.BlockByHash(ctx, ref.hash)
		if err != nil {
			return StateRef{}, err
		}
		if b == nil {
			return StateRef{}, Errorf(CodeServer, "header for hash not found")
		}
		return StateRef{Number: b.Number()}, nil
	}
	if s.noneYet(ref) {
		return StateRef{}, Errorf(CodeServer, "header not found")
	}
	number, _ := s.numberOf(ref)
	head := s.backend.Head().Number.Uint64()
	if number <= head {
		return StateRef{Number: number}, nil
	}
	if p := s.backend.Pending(); p != nil && p.Header.Number.Uint64() == number {
		return StateRef{Newest: true}, nil
	}
	return StateRef{}, Errorf(CodeServer, "header not found")
}

func (s *Server) tiers() tiers {
	safe, finalized := s.backend.Finality()
	return tiers{safe, finalized}
}
