package snapshot

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// Content is what a piece holds. The first pieces hold the state: accounts, then codes, then
// slots, ascending over all of them. The last ones hold the block and its ancestors.
type Content struct {
	Headers    []*types.Header // of the block's ancestors, ascending
	MiniBlocks []MiniBlock     // of the block
	Accounts   []Account       // ascending by address
	Codes      [][]byte        // ascending by hash
	Slots      []Slot          // ascending by address and slot
}

// MiniBlock is one of the block's, without its diff, which the state holds.
type MiniBlock struct {
	Header    chain.MiniBlockHeader
	Signature chain.Signature
	Txs       [][]byte
	Receipts  [][]byte // with empty blooms
}

// Account is one that exists.
type Account struct {
	Address common.Address
	state.Account
}

// Slot is one that is not zero.
type Slot struct {
	Address     common.Address
	Slot, Value common.Hash
}

// Encode is the RLP list of the five lists; slots are [address, [slot, value, slot, …]].
func (c *Content) Encode() []byte {
	w := rlp.NewEncoderBuffer(nil)
	top := w.List()
	encodeTo(&w, c.Headers)
	encodeTo(&w, c.MiniBlocks)
	list := w.List()
	for i := range c.Accounts {
		a := &c.Accounts[i]
		item := w.List()
		w.WriteBytes(a.Address[:])
		w.WriteUint64(a.Nonce)
		w.WriteUint256(&a.Balance)
		if a.CodeHash == types.EmptyCodeHash {
			w.WriteBytes(nil)
		} else {
			w.WriteBytes(a.CodeHash[:])
		}
		w.ListEnd(item)
	}
	w.ListEnd(list)
	list = w.List()
	for _, code := range c.Codes {
		w.WriteBytes(code)
	}
	w.ListEnd(list)
	list = w.List()
	for i := 0; i < len(c.Slots); {
		addr := c.Slots[i].Address
		item := w.List()
		w.WriteBytes(addr[:])
		slots := w.List()
		for ; i < len(c.Slots) && c.Slots[i].Address == addr; i++ {
			w.WriteBytes(c.Slots[i].Slot[:])
			w.WriteBytes(common.TrimLeftZeroes(c.Slots[i].Value[:]))
		}
		w.ListEnd(slots)
		w.ListEnd(item)
	}
	w.ListEnd(list)
	w.ListEnd(top)
	return w.ToBytes()
}

func encodeTo(w *rlp.EncoderBuffer, v any) {
	if err := rlp.Encode(w, v); err != nil {
		panic(fmt.Sprintf("encode snapshot: %v", err)) // own value: cannot fail
	}
}
