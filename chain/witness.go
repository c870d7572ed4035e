package chain

import (
	"errors"
	"io"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// Witness is what execution of a block needs of the chain before it, so that whoever
// holds no state can repeat it (debug_executionWitness). Its RLP is that of go-ethereum's
// stateless.ExtWitness. It proves nothing by itself: hashes do, from the parent's state
// root downwards.
type Witness struct {
	// Headers are the parent and, as far back as BLOCKHASH was asked for, its ancestors,
	// without a gap, ascending by number.
	Headers []*types.Header
	// Codes are those that execution looked at, each once, ascending.
	Codes [][]byte
	// State are the nodes of the account trie and of storage tries before the block that
	// lie on the way to what is read or changed, and those beside a way that deletions
	// join to another. Each once, ascending; a node within another is not listed.
	State [][]byte
}

// Size is about what the witness takes, in bytes.
func (w *Witness) Size() int {
	const perHeader, perItem = 700, 24
	size := perHeader*len(w.Headers) + perItem*(len(w.Codes)+len(w.State))
	for _, code := range w.Codes {
		size += len(code)
	}
	for _, node := range w.State {
		size += len(node)
	}
	return size
}

// witnessRLP is a Witness as it is encoded: with a list of keys, which nobody needs and
// which is always empty.
type witnessRLP struct {
	Headers []*types.Header
	Codes   [][]byte
	State   [][]byte
	Keys    [][]byte
}

// EncodeRLP implements rlp.Encoder.
func (w *Witness) EncodeRLP(out io.Writer) error {
	return rlp.Encode(out, &witnessRLP{Headers: w.Headers, Codes: w.Codes, State: w.State})
}

// DecodeRLP implements rlp.Decoder. Of what it reads only the form is checked, and that
// there is a header.
func (w *Witness) DecodeRLP(s *rlp.Stream) error {
	var in witnessRLP
	if err := s.Decode(&in); err != nil {
		return err
	}
	if len(in.Headers) == 0 {
		return errors.New("witness: no header")
	}
	*w = Witness{Headers: in.Headers, Codes: in.Codes, State: in.State}
	return nil
}
