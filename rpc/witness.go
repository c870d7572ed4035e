package rpc

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

// Witness is the witness of a sealed block.
type Witness struct {
	Number  uint64
	Hash    common.Hash
	Witness *chain.Witness
}

// Witnesser tells what execution of blocks needs of the chain before them.
type Witnesser interface {
	// ExecutionWitness is the witness of a sealed block.
	ExecutionWitness(ctx context.Context, number uint64, hash common.Hash) (*chain.Witness, error)
}

// witnessMethods are about witnesses.
func (s *Server) witnessMethods(t methodTable) {
	t.slow("debug_executionWitness", 1, s.executionWitness).doc("What somebody without the state needs to execute a sealed block: nodes of the state trie, codes and headers", "role/node.TestWitnessesOfBlocks")
}

// executionWitness answers in the form that execution clients are agreeing on
// (docs/spec/witness.md).
func (s *Server) executionWitness(c *call, a *args) (rawJSON, error) {
	ref := read(a, 0, decodeBlockRef)
	if a.err != nil {
		return nil, a.err
	}
	if ref.tag == tagPending {
		return nil, Errorf(CodeServer, "the pending block has no witness: it is not sealed yet")
	}
	v, err := s.block(c.ctx, ref)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, Errorf(CodeNotFound, "block not found")
	}
	if v.open {
		return nil, Errorf(CodeServer, "block %d has no witness: it is not sealed yet", v.number())
	}
	w, err := s.backend.ExecutionWitness(c.ctx, v.number(), v.hash)
	if err != nil {
		return nil, err
	}
	return s.witnessJSON(w)
}

func (s *Server) witnessJSON(w *chain.Witness) (rawJSON, error) {
	if 2*w.Size() > s.opts.MaxResponseBytes {
		return nil, s.tooLarge()
	}
	out := newWriter(2*w.Size() + 64)
	list := func(name string, items [][]byte) {
		out.key(name).open('[')
		for _, item := range items {
			out.hex(item)
		}
		out.shut(']')
	}
	headers := make([][]byte, len(w.Headers))
	for i, h := range w.Headers {
		var err error
		if headers[i], err = rlp.EncodeToBytes(h); err != nil {
			return nil, err
		}
	}
	out.open('{')
	list("state", w.State)
	list("codes", w.Codes)
	list("keys", nil)
	list("headers", headers)
	out.shut('}')
	return out.b, nil
}
