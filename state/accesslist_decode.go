package state

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
)

// MaxAccessListBytes bounds what DecodeAccessList takes. A block of 10 Ggas cannot
// write more: 50 MB of code at 200 gas a byte, or 36 MB of new slots.
const MaxAccessListBytes = 64 << 20

// ErrAccessList is the cause of every error of DecodeAccessList.
var ErrAccessList = errors.New("invalid access list")

// DecodeAccessList decodes what Encode wrote and refuses everything else: other
// than canonical RLP, an order that is not strictly ascending, entries without
// changes, storage reads and trailing bytes. Codes share memory with raw.
func DecodeAccessList(raw []byte) (*AccessList, error) {
	l, err := decodeAccessList(raw)
	if err != nil {
		return nil, fmt.Errorf("decode access list of %d bytes: %w: %w", len(raw), ErrAccessList, err)
	}
	return l, nil
}

func decodeAccessList(raw []byte) (*AccessList, error) {
	if len(raw) > MaxAccessListBytes {
		return nil, fmt.Errorf("more than %d bytes", MaxAccessListBytes)
	}
	content, rest, err := rlp.SplitList(raw)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d trailing bytes", len(rest))
	}
	l := &AccessList{sorted: true}
	for len(content) > 0 {
		var c accountChanges
		if content, err = c.decode(content); err != nil {
			return nil, fmt.Errorf("account %d: %w", len(l.accounts), err)
		}
		if n := len(l.accounts); n > 0 && bytes.Compare(l.accounts[n-1].address[:], c.address[:]) >= 0 {
			return nil, fmt.Errorf("account %d: address %s out of order", n, c.address)
		}
		l.accounts = append(l.accounts, c)
	}
	return l, nil
}

// decode reads one account and returns what follows it in b.
func (c *accountChanges) decode(b []byte) ([]byte, error) {
	b, rest, err := rlp.SplitList(b)
	if err != nil {
		return nil, err
	}
	address, b, err := rlp.SplitString(b)
	if err != nil {
		return nil, err
	}
	if len(address) != common.AddressLength {
		return nil, fmt.Errorf("address of %d bytes", len(address))
	}
	c.address = common.Address(address)
	if b, err = c.decodeStorage(b); err != nil {
		return nil, err
	}
	reads, b, err := rlp.SplitList(b)
	if err != nil {
		return nil, err
	}
	if len(reads) > 0 {
		return nil, errors.New("storage reads")
	}
	if c.balance, b, err = decodeChanges(b, decodeBalance); err != nil {
		return nil, fmt.Errorf("balance: %w", err)
	}
	if c.nonce, b, err = decodeChanges(b, rlp.SplitUint64); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	if c.code, b, err = decodeChanges(b, rlp.SplitString); err != nil {
		return nil, fmt.Errorf("code: %w", err)
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the last field", len(b))
	}
	if len(c.storage)+len(c.balance)+len(c.nonce)+len(c.code) == 0 {
		return nil, errors.New("no changes")
	}
	return rest, nil
}

func (c *accountChanges) decodeStorage(b []byte) ([]byte, error) {
	b, rest, err := rlp.SplitList(b)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	for len(b) > 0 {
		var s slotChanges
		if b, err = s.decode(b); err != nil {
			return nil, fmt.Errorf("slot %d: %w", len(c.storage), err)
		}
		if n := len(c.storage); n > 0 && bytes.Compare(c.storage[n-1].slot[:], s.slot[:]) >= 0 {
			return nil, fmt.Errorf("slot %s out of order", s.slot)
		}
		c.storage = append(c.storage, s)
	}
	return rest, nil
}

func (s *slotChanges) decode(b []byte) ([]byte, error) {
	b, rest, err := rlp.SplitList(b)
	if err != nil {
		return nil, err
	}
	if s.slot, b, err = decodeWord(b); err != nil {
		return nil, err
	}
	if s.values, b, err = decodeChanges(b, decodeWord); err != nil {
		return nil, err
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the changes", len(b))
	}
	if len(s.values) == 0 {
		return nil, errors.New("no changes")
	}
	return rest, nil
}

// decodeChanges reads a list of [index, value] and returns what follows it in b.
func decodeChanges[V any](b []byte, value func([]byte) (V, []byte, error)) (changes []change[V], rest []byte, err error) {
	b, rest, err = rlp.SplitList(b)
	if err != nil {
		return nil, nil, err
	}
	for len(b) > 0 {
		var pair []byte
		if pair, b, err = rlp.SplitList(b); err != nil {
			return nil, nil, err
		}
		index, pair, err := rlp.SplitUint64(pair)
		if err != nil {
			return nil, nil, fmt.Errorf("index: %w", err)
		}
		if index > math.MaxUint32 {
			return nil, nil, fmt.Errorf("index %d above 32 bits", index)
		}
		if n := len(changes); n > 0 && uint64(changes[n-1].index) >= index {
			return nil, nil, fmt.Errorf("index %d out of order", index)
		}
		v, pair, err := value(pair)
		if err != nil {
			return nil, nil, err
		}
		if len(pair) > 0 {
			return nil, nil, fmt.Errorf("%d bytes after the value", len(pair))
		}
		changes = append(changes, change[V]{uint32(index), v})
	}
	return changes, rest, nil
}

func decodeWord(b []byte) (v common.Hash, rest []byte, err error) {
	digits, rest, err := rlp.SplitString(b)
	if err != nil {
		return v, nil, err
	}
	if len(digits) > len(v) {
		return v, nil, fmt.Errorf("integer of %d bytes", len(digits))
	}
	if len(digits) > 0 && digits[0] == 0 {
		return v, nil, errors.New("integer with leading zeros")
	}
	return common.BytesToHash(digits), rest, nil
}

func decodeBalance(b []byte) (v uint256.Int, rest []byte, err error) {
	word, rest, err := decodeWord(b)
	if err == nil {
		v.SetBytes32(word[:])
	}
	return v, rest, err
}
