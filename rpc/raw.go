package rpc

import (
	"strconv"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

// rawMethods answer with consensus encodings, and with what a chain of this kind has
// none of.
func (s *Server) rawMethods(t methodTable) {
	t.read("debug_getRawHeader", 1, s.getRawHeader).doc("The RLP of a sealed block's header", "rpc.TestRawEncodings")
	t.read("debug_getRawBlock", 1, s.getRawBlock).doc("The RLP of a sealed block: header, transactions, no uncles, no withdrawals", "rpc.TestRawEncodings")
	t.read("debug_getRawMiniBlockHeaders", 1, s.getRawMiniHeaders).doc("The RLP list of the headers of a sealed block's mini-blocks, in order", "rpc.TestRawEncodings")
	t.read("debug_getRawReceipts", 1, s.getRawReceipts).doc("The consensus encodings of a block's receipts", "rpc.TestRawEncodings")
	t.read("debug_getRawTransaction", 1, s.getRawTransaction).doc("The EIP-2718 encoding of a transaction, `0x` if it is not known", "rpc.TestRawEncodings")
	t.fixed("debug_getBadBlocks", "[]").doc("Always empty: a node executes only what the sequencer signed or L1 holds, and stops rather than keep a block that is wrong", "rpc.TestFixedAnswers")
	t.read("eth_getRawTransactionByBlockNumberAndIndex", 2, s.rawTxByNumberAndIndex).doc("The EIP-2718 encoding of a transaction by its place", "rpc.TestRawEncodings")
	t.read("eth_getRawTransactionByBlockHashAndIndex", 2, s.rawTxByHashAndIndex).doc("The EIP-2718 encoding of a transaction by its place in a sealed block", "rpc.TestRawEncodings")
	t.read("eth_getUncleByBlockNumberAndIndex", 2, noUncle(func(a *args) { a.block(0) })).doc("Always null: there are no uncles", "rpc.TestFixedAnswers")
	t.read("eth_getUncleByBlockHashAndIndex", 2, noUncle(func(a *args) { a.hash(0) })).doc("Always null: there are no uncles", "rpc.TestFixedAnswers")
}

// sealed finds a block that has a hash. An unknown one is an error, as in go-ethereum.
func (s *Server) sealed(c *call, a *args) (*blockView, error) {
	ref := read(a, 0, decodeBlockRef)
	if a.err != nil {
		return nil, a.err
	}
	v, err := s.block(c.ctx, ref)
	switch {
	case err != nil:
		return nil, err
	case v == nil && ref.tag == tagHash:
		return nil, Errorf(CodeServer, "block %s not found", ref.hash)
	case v == nil:
		return nil, Errorf(CodeServer, "block #%d not found", ref.number)
	case v.open:
		return nil, Errorf(CodeServer, "block %d is not sealed yet: ask for latest, or wait", v.number())
	}
	return v, nil
}

func (s *Server) getRawHeader(c *call, a *args) (rawJSON, error) {
	v, err := s.sealed(c, a)
	if err != nil {
		return nil, err
	}
	enc, err := rlp.EncodeToBytes(v.header)
	if err != nil {
		return nil, err
	}
	return hexData(enc), nil
}

// bodyRLP is a block as it travels (yellow paper section 4.4.3, EIP-4895).
type bodyRLP struct {
	Header      rlp.RawValue
	Txs         []*chain.Tx
	Uncles      []rlp.RawValue
	Withdrawals []rlp.RawValue
}

// blockRLP is the encoding of a sealed block.
func blockRLP(v *blockView) ([]byte, error) {
	header, err := rlp.EncodeToBytes(v.header)
	if err != nil {
		return nil, err
	}
	return rlp.EncodeToBytes(&bodyRLP{Header: header, Txs: v.txs})
}

func (s *Server) getRawBlock(c *call, a *args) (rawJSON, error) {
	v, err := s.sealed(c, a)
	if err != nil {
		return nil, err
	}
	enc, err := blockRLP(v)
	if err != nil {
		return nil, err
	}
	return hexData(enc), nil
}

func (s *Server) getRawMiniHeaders(c *call, a *args) (rawJSON, error) {
	v, err := s.sealed(c, a)
	if err != nil {
		return nil, err
	}
	enc, err := rlp.EncodeToBytes(v.minis)
	if err != nil {
		return nil, err
	}
	return hexData(enc), nil
}

func (s *Server) getRawReceipts(c *call, a *args) (rawJSON, error) {
	v, err := s.sealed(c, a)
	if err != nil {
		return nil, err
	}
	w := newWriter(700 * (len(v.receipts) + 1))
	w.open('[')
	for _, r := range v.receipts {
		w.hex(r.MarshalBinary())
		if len(w.b) > s.opts.MaxResponseBytes {
			return nil, s.tooLarge()
		}
	}
	w.shut(']')
	return w.b, nil
}

func (s *Server) getRawTransaction(c *call, a *args) (rawJSON, error) {
	t, err := s.lookup(c, a)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return rawJSON(`"0x"`), nil
	}
	return hexData(t.Tx.Raw()), nil
}

func rawTxAt(v *blockView, i uint64) rawJSON {
	if i >= uint64(len(v.txs)) {
		return nil
	}
	return hexData(v.txs[i].Raw())
}

func (s *Server) rawTxByNumberAndIndex(c *call, a *args) (rawJSON, error) {
	ref, i := a.block(0), a.index(1)
	return s.found(c, a, ref, func(v *blockView) rawJSON { return rawTxAt(v, i) })
}

func (s *Server) rawTxByHashAndIndex(c *call, a *args) (rawJSON, error) {
	ref, i := byHash(a, 0), a.index(1)
	return s.found(c, a, ref, func(v *blockView) rawJSON { return rawTxAt(v, i) })
}

// noUncle checks the parameters and answers null.
func noUncle(block func(a *args)) reader {
	return func(_ *call, a *args) (rawJSON, error) {
		block(a)
		a.index(1)
		return nil, a.err
	}
}

// quoted is a JSON string that needs no escapes.
func quoted(s string) string { return strconv.Quote(s) }
