package rpc

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// Rollup is what a node knows of its L1.
type Rollup interface {
	// L1Status tells how far L1 is and is read; false when the node reads no L1.
	L1Status() (L1Status, bool)
	// GenesisOrigin is the L1 origin of block 0.
	GenesisOrigin() chain.L1Origin
}

// L1Ref names an L1 block; the zero value is one that is not known.
type L1Ref struct {
	Number       uint64
	Hash, Parent common.Hash
	Timestamp    uint64 // seconds
}

// L1Status are L1's heads as a node sees them.
type L1Status struct {
	Current, Head, Safe, Finalized L1Ref // Current is the newest that derivation has read
}

// The methods of a rollup node in the OP Stack's specification have plain numbers in
// their answers, where Ethereum's have hexadecimal ones.

// outputAtBlock is optimism_outputAtBlock.
func (s *Server) outputAtBlock(c *call, a *args) (rawJSON, error) {
	number := read(a, 0, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	b, err := s.backend.BlockByNumber(c.ctx, number)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, Errorf(CodeServer, "block %d is not sealed yet, head is %d", number, s.backend.Head().Number)
	}
	root, err := chain.OutputRoot(b.Header)
	if err != nil {
		return nil, err
	}
	w := newWriter(2048)
	w.open('{')
	w.key("version").hex(make([]byte, 32))
	w.key("outputRoot").hex(root[:])
	w.key("blockRef")
	if err := s.blockRef(w, b); err != nil {
		return nil, err
	}
	w.key("withdrawalStorageRoot").hex(b.Header.WithdrawalsHash[:])
	w.key("stateRoot").hex(b.Header.Root[:])
	w.key("syncStatus")
	if err := s.rollupStatus(c, w); err != nil {
		return nil, err
	}
	w.shut('}')
	return w.b, nil
}

// rollupSyncStatus is optimism_syncStatus.
func (s *Server) rollupSyncStatus(c *call, _ *args) (rawJSON, error) {
	w := newWriter(2048)
	if err := s.rollupStatus(c, w); err != nil {
		return nil, err
	}
	return w.b, nil
}

// rollupStatus writes the heads of both layers. There is one chain only, so that the
// specification's heads across chains are those of this one.
func (s *Server) rollupStatus(c *call, w *writer) error {
	status, ok := s.backend.L1Status()
	if !ok {
		return Errorf(CodeServer, "this node reads no L1: ask one that derives the chain")
	}
	heads, err := s.rollupHeads(c.ctx)
	if err != nil {
		return err
	}
	w.open('{')
	w.key("current_l1").l1Ref(&status.Current)
	w.key("current_l1_finalized").l1Ref(&status.Finalized)
	w.key("head_l1").l1Ref(&status.Head)
	w.key("safe_l1").l1Ref(&status.Safe)
	w.key("finalized_l1").l1Ref(&status.Finalized)
	for _, l2 := range []struct {
		name string
		head int
	}{
		{"unsafe_l2", 0}, {"cross_unsafe_l2", 0},
		{"pending_safe_l2", 1}, {"local_safe_l2", 1}, {"safe_l2", 1},
		{"finalized_l2", 2},
	} {
		w.key(l2.name)
		if err := s.blockRef(w, heads[l2.head]); err != nil {
			return err
		}
	}
	w.shut('}')
	return nil
}

// rollupHeads are the newest block, the newest safe and the newest final one. The chain
// may go back meanwhile: then they are looked up again.
func (s *Server) rollupHeads(ctx context.Context) (heads [3]*chain.Block, err error) {
	for range 10 {
		safe, finalized := s.backend.Finality()
		head := s.backend.Head().Number.Uint64()
		missing := false
		for i, number := range []uint64{head, min(safe, head), min(finalized, head)} {
			if heads[i], err = s.backend.BlockByNumber(ctx, number); err != nil {
				return heads, err
			}
			missing = missing || heads[i] == nil
		}
		if !missing {
			return heads, nil
		}
	}
	return heads, Errorf(CodeServer, "the chain is going back to an earlier block: ask again")
}

// blockRef writes a sealed block with its L1 origin.
func (s *Server) blockRef(w *writer, b *chain.Block) error {
	attrs := chain.L1Attributes{}
	if b.Number() == 0 {
		origin := s.backend.GenesisOrigin()
		attrs.Number, attrs.Hash = origin.Number, origin.Hash
	} else {
		var err error
		if attrs, err = attributesOf(b.Txs); err != nil {
			return err
		}
	}
	hash := b.Hash()
	w.open('{')
	w.key("hash").hex(hash[:])
	w.key("number").int(int(b.Number()))
	w.key("parentHash").hex(b.Header.ParentHash[:])
	w.key("timestamp").int(int(b.Header.Time))
	w.key("l1origin").open('{')
	w.key("hash").hex(attrs.Hash[:])
	w.key("number").int(int(attrs.Number))
	w.shut('}')
	w.key("sequenceNumber").int(int(attrs.SequenceNumber))
	w.shut('}')
	return nil
}

// attributesOf are the L1 attributes of a block with these transactions.
func attributesOf(txs []*chain.Tx) (chain.L1Attributes, error) {
	if len(txs) == 0 || txs[0].Type() != chain.DepositTxType {
		return chain.L1Attributes{}, Errorf(CodeServer, "block has no L1 attributes: it was made by a development method")
	}
	return chain.ParseL1Attributes(txs[0])
}

func (w *writer) l1Ref(r *L1Ref) {
	w.open('{')
	w.key("hash").hex(r.Hash[:])
	w.key("number").int(int(r.Number))
	w.key("parentHash").hex(r.Parent[:])
	w.key("timestamp").int(int(r.Timestamp))
	w.shut('}')
}

// L1RefOf names the L1 block with this header.
func L1RefOf(h *types.Header) L1Ref {
	return L1Ref{Number: h.Number.Uint64(), Hash: h.Hash(), Parent: h.ParentHash, Timestamp: h.Time}
}
