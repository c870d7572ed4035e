package rpc

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// Accessor tells what blocks read and wrote, by executing them again.
type Accessor interface {
	// BlockAccesses is the block access list (EIP-7928) of a block by number, the open
	// one included: ascending by address, nil when there is no such block.
	BlockAccesses(ctx context.Context, number uint64) ([]AccountAccess, error)
}

// AccountAccess is what a block did to one account; its RLP is EIP-7928's. An account
// that was only looked at has empty lists.
type AccountAccess struct {
	Address  common.Address
	Storage  []SlotChanges
	Reads    []*big.Int // slots that were read and never changed, ascending
	Balances []ValueChange
	Nonces   []NonceChange
	Codes    []CodeChange
}

// SlotChanges are the values that a block gave one slot.
type SlotChanges struct {
	Slot    *big.Int
	Changes []ValueChange
}

// ValueChange is a value after the step with the index: 0 is what the block does before
// its transactions, i is transaction i-1.
type ValueChange struct {
	Index uint32
	Value *big.Int
}

// NonceChange is a nonce after a step.
type NonceChange struct {
	Index uint32
	Value uint64
}

// CodeChange is a code after a step.
type CodeChange struct {
	Index uint32
	Code  []byte
}

// accessMethods are about what blocks touched.
func (s *Server) accessMethods(t methodTable) {
	t.slow("eth_getBlockAccessList", 1, s.getBlockAccessList).doc("What a block read and wrote, by account and transaction (EIP-7928); the block is executed again", "role/node.TestBlockAccessLists")
	t.slow("debug_getRawBlockAccessList", 1, s.getRawBlockAccessList).doc("The RLP of what `eth_getBlockAccessList` tells", "role/node.TestBlockAccessLists")
}

// accesses finds the list of the block that argument 0 names; absent is nil.
func (s *Server) accesses(c *call, a *args) ([]AccountAccess, error) {
	ref := read(a, 0, decodeBlockRef)
	if a.err != nil {
		return nil, a.err
	}
	v, err := s.block(c.ctx, ref)
	if err != nil || v == nil {
		return nil, err
	}
	return s.backend.BlockAccesses(c.ctx, v.number())
}

func (s *Server) getBlockAccessList(c *call, a *args) (rawJSON, error) {
	list, err := s.accesses(c, a)
	if err != nil || list == nil {
		return nil, err
	}
	w := newWriter(1024 * len(list))
	w.open('[')
	for i := range list {
		w.accountAccess(&list[i])
		if len(w.b) > s.opts.MaxResponseBytes {
			return nil, s.tooLarge()
		}
	}
	w.shut(']')
	return w.b, nil
}

func (w *writer) accountAccess(a *AccountAccess) {
	w.open('{')
	w.key("address").hex(a.Address[:])
	w.key("storageChanges").open('[')
	for i := range a.Storage {
		slot := &a.Storage[i]
		w.open('{')
		w.key("key").word(slot.Slot)
		w.key("changes").open('[')
		for _, c := range slot.Changes {
			w.open('{')
			w.key("index").qty(uint64(c.Index))
			w.key("value").word(c.Value)
			w.shut('}')
		}
		w.shut(']')
		w.shut('}')
	}
	w.shut(']')
	w.key("storageReads").open('[')
	for _, slot := range a.Reads {
		w.word(slot)
	}
	w.shut(']')
	w.key("balanceChanges").open('[')
	for _, c := range a.Balances {
		w.open('{')
		w.key("index").qty(uint64(c.Index))
		w.key("value").big(c.Value)
		w.shut('}')
	}
	w.shut(']')
	w.key("nonceChanges").open('[')
	for _, c := range a.Nonces {
		w.open('{')
		w.key("index").qty(uint64(c.Index))
		w.key("value").qty(c.Value)
		w.shut('}')
	}
	w.shut(']')
	w.key("codeChanges").open('[')
	for _, c := range a.Codes {
		w.open('{')
		w.key("index").qty(uint64(c.Index))
		w.key("code").hex(c.Code)
		w.shut('}')
	}
	w.shut(']')
	w.shut('}')
}

// word writes an integer as 32 bytes of data.
func (w *writer) word(v *big.Int) {
	var b [32]byte
	w.hex(v.FillBytes(b[:]))
}

func (s *Server) getRawBlockAccessList(c *call, a *args) (rawJSON, error) {
	list, err := s.accesses(c, a)
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, Errorf(CodeNotFound, "block not found")
	}
	enc, err := rlp.EncodeToBytes(list)
	if err != nil {
		return nil, err
	}
	return hexData(enc), nil
}
