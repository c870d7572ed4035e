package snapshot

import (
	"bytes"
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

// DecodeContent reads what Encode makes. The result keeps parts of raw. It checks order
// and form: of two contents with the same encoding there is one.
func DecodeContent(raw []byte) (*Content, error) {
	c := new(Content)
	if err := c.decode(raw); err != nil {
		return nil, fmt.Errorf("piece: %w: %w", ErrMalformed, err)
	}
	return c, nil
}

func (c *Content) decode(raw []byte) error {
	rest, trailing, err := rlp.SplitList(raw)
	if err != nil {
		return err
	}
	if len(trailing) > 0 {
		return fmt.Errorf("%d bytes behind the end", len(trailing))
	}
	for _, into := range []any{&c.Headers, &c.MiniBlocks} {
		_, after, err := rlp.SplitList(rest)
		if err != nil {
			return err
		}
		if err := rlp.DecodeBytes(rest[:len(rest)-len(after)], into); err != nil {
			return err
		}
		rest = after
	}
	for _, part := range []struct {
		name   string
		decode func(list []byte) error
	}{{"accounts", c.decodeAccounts}, {"codes", c.decodeCodes}, {"slots", c.decodeSlots}} {
		var list []byte
		if list, rest, err = rlp.SplitList(rest); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		if err := part.decode(list); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes behind the last list", len(rest))
	}
	return nil
}

// fixed reads a string of that many bytes.
func fixed(b []byte, n int) (value, rest []byte, err error) {
	if value, rest, err = rlp.SplitString(b); err == nil && len(value) != n {
		err = fmt.Errorf("%d bytes, want %d", len(value), n)
	}
	return value, rest, err
}

// number reads an integer of at most max bytes.
func number(b []byte, max int) (value, rest []byte, err error) {
	value, rest, err = rlp.SplitString(b)
	if err == nil && (len(value) > max || len(value) > 0 && value[0] == 0) {
		err = fmt.Errorf("integer of %d bytes, want at most %d and no zeros in front", len(value), max)
	}
	return value, rest, err
}

func (c *Content) decodeAccounts(list []byte) error {
	for len(list) > 0 {
		item, rest, err := rlp.SplitList(list)
		if err != nil {
			return err
		}
		list = rest
		a := Account{Account: state.EmptyAccount}
		addr, item, err := fixed(item, common.AddressLength)
		if err != nil {
			return err
		}
		a.Address = common.Address(addr)
		nonce, item, err := number(item, 8)
		if err != nil {
			return err
		}
		for _, b := range nonce {
			a.Nonce = a.Nonce<<8 | uint64(b)
		}
		balance, item, err := number(item, 32)
		if err != nil {
			return err
		}
		a.Balance.SetBytes(balance)
		code, item, err := rlp.SplitString(item)
		switch {
		case err != nil:
			return err
		case len(item) > 0:
			return fmt.Errorf("account %s: %d bytes too many", a.Address, len(item))
		case len(code) == common.HashLength:
			if a.CodeHash = common.Hash(code); a.CodeHash == types.EmptyCodeHash {
				return fmt.Errorf("account %s: hash of no code", a.Address)
			}
		case len(code) > 0:
			return fmt.Errorf("account %s: code hash of %d bytes", a.Address, len(code))
		}
		if a.IsEmpty() {
			return fmt.Errorf("account %s is empty", a.Address)
		}
		if n := len(c.Accounts); n > 0 && bytes.Compare(c.Accounts[n-1].Address[:], addr) >= 0 {
			return fmt.Errorf("account %s is not in order", a.Address)
		}
		c.Accounts = append(c.Accounts, a)
	}
	return nil
}

func (c *Content) decodeCodes(list []byte) error {
	for len(list) > 0 {
		code, rest, err := rlp.SplitString(list)
		if err != nil {
			return err
		}
		if len(code) == 0 {
			return fmt.Errorf("code %d is empty", len(c.Codes))
		}
		c.Codes, list = append(c.Codes, code), rest
	}
	return nil
}

func (c *Content) decodeSlots(list []byte) error {
	for len(list) > 0 {
		item, rest, err := rlp.SplitList(list)
		if err != nil {
			return err
		}
		list = rest
		addr, item, err := fixed(item, common.AddressLength)
		if err != nil {
			return err
		}
		slots, after, err := rlp.SplitList(item)
		if err != nil {
			return err
		}
		if len(after) > 0 || len(slots) == 0 {
			return fmt.Errorf("slots of %x: empty, or %d bytes too many", addr, len(after))
		}
		first := len(c.Slots)
		if first > 0 && bytes.Compare(c.Slots[first-1].Address[:], addr) >= 0 {
			return fmt.Errorf("slots of %x are not in order", addr)
		}
		for len(slots) > 0 {
			var slot, value []byte
			if slot, slots, err = fixed(slots, common.HashLength); err != nil {
				return err
			}
			if value, slots, err = number(slots, common.HashLength); err != nil {
				return err
			}
			if len(value) == 0 {
				return fmt.Errorf("slot %x of %x is zero", slot, addr)
			}
			if n := len(c.Slots); n > first && bytes.Compare(c.Slots[n-1].Slot[:], slot) >= 0 {
				return fmt.Errorf("slot %x of %x is not in order", slot, addr)
			}
			c.Slots = append(c.Slots, Slot{common.Address(addr), common.Hash(slot), common.BytesToHash(value)})
		}
	}
	return nil
}
