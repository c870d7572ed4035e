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

// DecodeContent reads what Encode makes. The result keeps parts of raw. It checks order,
// form and limits while it reads, so that what is refused has not taken more memory than
// what is not: of two contents with the same encoding there is one.
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
	for _, part := range []struct {
		name   string
		decode func(list []byte) error
	}{{"headers", c.decodeHeaders}, {"mini-blocks", c.decodeMiniBlocks}, {"accounts", c.decodeAccounts}, {"codes", c.decodeCodes}, {"slots", c.decodeSlots}} {
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

// room checks that one more item of the state may follow.
func (c *Content) room() error {
	if len(c.Accounts)+len(c.Codes)+len(c.Slots) == MaxItems {
		return fmt.Errorf("more than %d", MaxItems)
	}
	return nil
}

func (c *Content) decodeHeaders(list []byte) error {
	for len(list) > 0 {
		_, rest, err := rlp.SplitList(list)
		if err != nil {
			return err
		}
		if len(c.Headers) == Ancestors {
			return fmt.Errorf("more than %d", Ancestors)
		}
		h := new(types.Header)
		if err := rlp.DecodeBytes(list[:len(list)-len(rest)], h); err != nil {
			return err
		}
		c.Headers, list = append(c.Headers, h), rest
	}
	return nil
}

func (c *Content) decodeMiniBlocks(list []byte) error {
	room := MaxTxs // a mini-block takes a place, too
	for len(list) > 0 {
		item, rest, err := rlp.SplitList(list)
		if err != nil {
			return err
		}
		if room--; room < 0 {
			return fmt.Errorf("more than %d", MaxTxs)
		}
		list = rest
		var m MiniBlock
		_, after, err := rlp.SplitList(item)
		if err != nil {
			return err
		}
		if err := rlp.DecodeBytes(item[:len(item)-len(after)], &m.Header); err != nil {
			return err
		}
		signature, item, err := fixed(after, len(m.Signature))
		if err != nil {
			return err
		}
		m.Signature = chain.Signature(signature)
		txs, item, err := rlp.SplitList(item)
		if err != nil {
			return err
		}
		receipts, item, err := rlp.SplitList(item)
		if err != nil {
			return err
		}
		if len(item) > 0 {
			return fmt.Errorf("mini-block %d: %d bytes too many", m.Header.Number, len(item))
		}
		if m.Txs, err = decodeStrings(txs, room); err != nil {
			return fmt.Errorf("transactions: %w", err)
		}
		room -= len(m.Txs)
		if m.Receipts, err = decodeStrings(receipts, len(m.Txs)); err != nil {
			return fmt.Errorf("receipts: %w", err)
		}
		c.MiniBlocks = append(c.MiniBlocks, m)
	}
	return nil
}

// decodeStrings reads a list of at most max.
func decodeStrings(list []byte, max int) (out [][]byte, err error) {
	for len(list) > 0 {
		if len(out) == max {
			return nil, fmt.Errorf("more than %d", max)
		}
		var s []byte
		if s, list, err = rlp.SplitString(list); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
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
		if err := c.room(); err != nil {
			return err
		}
		c.Accounts = append(c.Accounts, a)
	}
	return nil
}

func (c *Content) decodeCodes(list []byte) error {
	var last common.Hash
	for len(list) > 0 {
		code, rest, err := rlp.SplitString(list)
		if err != nil {
			return err
		}
		if len(code) == 0 {
			return fmt.Errorf("code %d is empty", len(c.Codes))
		}
		hash := (&state.AccountDiff{Code: code}).NewCodeHash()
		if bytes.Compare(last[:], hash[:]) >= 0 {
			return fmt.Errorf("code %d is not in the order of hashes", len(c.Codes))
		}
		if err := c.room(); err != nil {
			return err
		}
		c.Codes, list, last = append(c.Codes, code), rest, hash
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
			if err := c.room(); err != nil {
				return err
			}
			c.Slots = append(c.Slots, Slot{common.Address(addr), common.Hash(slot), common.BytesToHash(value)})
		}
	}
	return nil
}
