package store

import (
	"encoding/binary"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/state"
)

// The first byte of a key names the table. Numbers are big-endian; in history
// tables the number is inverted, so that the first key at or behind
// (key ‖ ^n) is the newest change up to block n.
const (
	tableHeader    = 'h' // number → RLP header
	tableNumber    = 'n' // block hash → number
	tableBody      = 'b' // number ‖ first index (u32) → RLP bodyRecord
	tableReceipts  = 'r' // number ‖ first index (u32) → RLP list of receipts without bloom
	tableMinis     = 'm' // number → RLP list of miniRecord
	tableMiniLast  = 'l' // number of a block's last mini-block → block number
	tableMiniHash  = 'i' // mini-block hash → mini-block number
	tableTx        = 't' // tx hash → block number ‖ index (u32)
	tableAccount   = 'a' // address → account
	tableSlot      = 's' // address ‖ slot → value without leading zeros
	tableCode      = 'c' // code hash → code; content-addressed, never deleted
	tableAccountAt = 'A' // address ‖ ^number → account after the block, empty: absent
	tableSlotAt    = 'S' // address ‖ slot ‖ ^number → value after the block, empty: zero
	tableChanges   = 'd' // number → RLP list of changeRecord
	tableMeta      = 'M' // name → value
	tableSystem    = 'Z'
)

var (
	keyFormat  = []byte{tableSystem, 'f'}
	keyGenesis = []byte{tableSystem, 'g'}
	keyHead    = []byte{tableSystem, 'h'}
	// Of a database that was filled from a snapshot.
	keyBase     = []byte{tableSystem, 'b'} // number of the block with which it begins
	keyImport   = []byte{tableSystem, 'i'} // there while it is being filled
	keyImported = []byte{tableSystem, 'p'} // and the index of a piece (u32): that is loaded
)

func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func numberKey(table byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), table), number)
}

func hashKey(table byte, hash common.Hash) []byte {
	return append(append(make([]byte, 0, 33), table), hash[:]...)
}

func accountKey(addr common.Address) []byte {
	return append(append(make([]byte, 0, 21), tableAccount), addr[:]...)
}

func slotKey(addr common.Address, slot common.Hash) []byte {
	return append(append(append(make([]byte, 0, 53), tableSlot), addr[:]...), slot[:]...)
}

// atKey is the history key of a flat key at a block; its table is the upper case
// letter of the flat one.
func atKey(flat []byte, number uint64) []byte {
	key := append(make([]byte, 0, len(flat)+8), flat...)
	key[0] -= 'a' - 'A'
	return binary.BigEndian.AppendUint64(key, ^number)
}

func encodeSlot(v common.Hash) []byte { return common.TrimLeftZeroes(v[:]) }

func decodeSlot(b []byte) (common.Hash, error) {
	if len(b) > 32 {
		return common.Hash{}, errors.New("database: slot value above 32 bytes")
	}
	return common.BytesToHash(b), nil
}

// encodeAccount gives: length of the balance, balance, nonce as uvarint, and the
// code hash if there is code.
func encodeAccount(a *state.Account) []byte {
	balance := a.Balance.Bytes()
	out := append(append(make([]byte, 0, 80), byte(len(balance))), balance...)
	out = binary.AppendUvarint(out, a.Nonce)
	if a.CodeHash != types.EmptyCodeHash {
		out = append(out, a.CodeHash[:]...)
	}
	return out
}

func decodeAccount(b []byte) (state.Account, error) {
	bad := errors.New("database: malformed account")
	a := state.EmptyAccount
	if len(b) == 0 || b[0] > 32 || len(b) < 1+int(b[0]) {
		return a, bad
	}
	balance := b[1 : 1+b[0]]
	if len(balance) > 0 && balance[0] == 0 {
		return a, bad
	}
	a.Balance.SetBytes(balance)
	b = b[1+len(balance):]
	nonce, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return a, bad
	}
	a.Nonce = nonce
	switch b = b[n:]; len(b) {
	case 0:
	case 32:
		a.CodeHash = common.Hash(b)
		if a.CodeHash == types.EmptyCodeHash {
			return a, bad
		}
	default:
		return a, bad
	}
	return a, nil
}
