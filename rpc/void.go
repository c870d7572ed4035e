package rpc

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// VoidTransactions is the part of Backend that tells of transactions whose blocks became
// void, after L1 reorganised or decided otherwise.
type VoidTransactions interface {
	// VoidTx tells of a transaction that was published by this node and is not in its chain
	// now; nil: there is none with that hash.
	VoidTx(ctx context.Context, hash common.Hash) (*VoidTx, error)
}

// VoidTx is where a transaction was, and what becomes of it.
type VoidTx struct {
	Block, MiniBlock, Index uint64    // where it was
	Why                     string    // its block is void
	Since                   time.Time // that is so
	Refusal                 string    // why it cannot be executed again; empty: it waits to be
}

// voidTransaction is talaria_voidTransaction: what became of a transaction whose receipt
// somebody once had. Null: it is in the chain, or was never published here.
func (s *Server) voidTransaction(c *call, a *args) (rawJSON, error) {
	hash := a.hash(0)
	if a.err != nil {
		return nil, a.err
	}
	if t, err := s.backend.TxByHash(c.ctx, hash); err != nil || t != nil {
		return nil, err
	}
	v, err := s.backend.VoidTx(c.ctx, hash)
	if err != nil || v == nil {
		return nil, err
	}
	status := "waiting"
	if v.Refusal != "" {
		status = "gone"
	}
	w := newWriter(512)
	w.open('{')
	w.key("transactionHash").hex(hash[:])
	w.key("blockNumber").qty(v.Block)
	w.key("miniBlockNumber").qty(v.MiniBlock)
	w.key("transactionIndex").qty(v.Index)
	w.key("since").millis(v.Since)
	w.key("why").text(v.Why)
	w.key("status").str(status)
	if v.Refusal == "" {
		w.key("error").null()
	} else {
		w.key("error").text(v.Refusal)
	}
	w.shut('}')
	return w.b, nil
}
