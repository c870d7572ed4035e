package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Prover reads many values of one state, and proves them.
type Prover interface {
	// Proof proves an account and slots of it, in their order, against the state root of
	// a sealed block.
	Proof(ctx context.Context, addr common.Address, slots []common.Hash, number uint64) (*AccountProof, error)
	// StorageValues are the values of slots at one state, in their order.
	StorageValues(ctx context.Context, slots []StorageSlot, ref StateRef) ([]common.Hash, error)
}

// AccountProof is a Merkle proof by EIP-1186. An absent account has the values of an
// empty one, and its proof shows its absence.
type AccountProof struct {
	Nonce       uint64
	Balance     *big.Int // wei
	CodeHash    common.Hash
	StorageHash common.Hash
	Nodes       [][]byte // RLP of the nodes from the state root on
	Slots       []SlotProof
}

// SlotProof proves the value of one slot; an account without storage has no nodes.
type SlotProof struct {
	Value common.Hash
	Nodes [][]byte // RLP of the nodes from the storage hash on
}

// StorageSlot names one slot of one account.
type StorageSlot struct {
	Address common.Address
	Slot    common.Hash
}

// maxStorageSlots bounds the slots of one request, as go-ethereum's.
const maxStorageSlots = 1024

var errEmptyRequest = errors.New("empty request")

// storageRequest is the parameter of eth_getStorageValues.
type storageRequest map[common.Address][]common.Hash

func decodeStorageRequest(raw []byte) (storageRequest, error) {
	if raw[0] != '{' {
		return nil, errors.New("want an object of lists of storage keys by address")
	}
	out, total := make(storageRequest), 0
	var err error
	members(raw, func(key string, value []byte) {
		if err != nil {
			return
		}
		var addr common.Address
		if addr, err = decodeAddress([]byte(`"` + key + `"`)); err != nil {
			return
		}
		if value[0] != '[' {
			err = errors.New("want a list of storage keys")
			return
		}
		slots := out[addr]
		elements(value, func(elem []byte) bool {
			var slot common.Hash
			slot, err = decodeSlot(elem)
			slots = append(slots, slot)
			total++
			return err == nil && total <= maxStorageSlots
		})
		out[addr] = slots
	})
	if err == nil && total == 0 {
		err = errEmptyRequest
	}
	return out, err
}

func (r storageRequest) total() (n int) {
	for _, slots := range r {
		n += len(slots)
	}
	return n
}

// getStorageValues answers for all accounts at one state, ascending by address.
func (s *Server) getStorageValues(c *call, a *args) (rawJSON, error) {
	req, block := read(a, 0, decodeStorageRequest), a.state(1)
	if a.err != nil {
		return nil, a.err
	}
	if req.total() > maxStorageSlots {
		return nil, Errorf(CodeClientLimit, "too many slots (max %d)", maxStorageSlots)
	}
	ref, err := s.stateRef(c.ctx, block)
	if err != nil {
		return nil, err
	}
	addrs := slices.SortedFunc(maps.Keys(req), func(a, b common.Address) int { return bytes.Compare(a[:], b[:]) })
	var list []StorageSlot
	for _, addr := range addrs {
		for _, slot := range req[addr] {
			list = append(list, StorageSlot{addr, slot})
		}
	}
	values, err := s.backend.StorageValues(c.ctx, list, ref)
	if err != nil {
		return nil, err
	}
	w := newWriter(70*len(list) + 50*len(addrs))
	w.open('{')
	for _, addr := range addrs {
		w.key(string(hexText(addr[:]))).open('[')
		for range req[addr] {
			w.hex(values[0][:])
			values = values[1:]
		}
		w.shut(']')
	}
	w.shut('}')
	return w.b, nil
}

// hexText is hex data without quotes.
func hexText(v []byte) []byte {
	q := hexData(v)
	return q[1 : len(q)-1]
}

// maxProofSlots bounds the slots of one proof, as go-ethereum's.
const maxProofSlots = 1024

// proofKey is a slot as it was asked for: a whole word is echoed as such, anything
// shorter as a quantity.
type proofKey struct {
	slot common.Hash
	word bool
}

func decodeProofKeys(raw []byte) (keys []proofKey, err error) {
	if raw[0] != '[' {
		return nil, errors.New("want a list of storage keys")
	}
	elements(raw, func(elem []byte) bool {
		if len(keys) == maxProofSlots {
			err = fmt.Errorf("too many storage keys requested (max %d)", maxProofSlots)
			return false
		}
		var k proofKey
		if k.slot, err = decodeSlot(elem); err != nil {
			return false
		}
		digits := strings.TrimPrefix(strings.TrimPrefix(unquote(elem), "0x"), "0X")
		k.word = len(digits) > 2*common.HashLength-2
		keys = append(keys, k)
		return true
	})
	return keys, err
}

// sealedNumber resolves a reference to a sealed block: "latest" and "pending" are the
// last one, since what is not sealed has no root.
func (s *Server) sealedNumber(ctx context.Context, ref blockRef) (uint64, error) {
	if ref.tag == tagLatest || ref.tag == tagPending {
		return s.backend.Head().Number.Uint64(), nil
	}
	st, err := s.stateRef(ctx, ref)
	if err == nil && st.Newest {
		err = Errorf(CodeServer, "block %d is not sealed yet: ask for latest, or wait", ref.number)
	}
	return st.Number, err
}

// getProof is EIP-1186, always of a sealed block.
func (s *Server) getProof(c *call, a *args) (rawJSON, error) {
	addr, keys, block := a.address(0), readOr(a, 1, nil, decodeProofKeys), a.state(2)
	if a.err != nil {
		return nil, a.err
	}
	number, err := s.sealedNumber(c.ctx, block)
	if err != nil {
		return nil, err
	}
	slots := make([]common.Hash, len(keys))
	for i := range keys {
		slots[i] = keys[i].slot
	}
	p, err := s.backend.Proof(c.ctx, addr, slots, number)
	if err != nil {
		return nil, err
	}
	w := newWriter(4096 + 2048*len(keys))
	w.open('{')
	w.key("address").hex(addr[:])
	w.key("accountProof").nodes(p.Nodes)
	w.key("balance").big(p.Balance)
	w.key("codeHash").hex(p.CodeHash[:])
	w.key("nonce").qty(p.Nonce)
	w.key("storageHash").hex(p.StorageHash[:])
	w.key("storageProof").open('[')
	for i := range keys {
		w.open('{')
		if w.key("key"); keys[i].word {
			w.hex(slots[i][:])
		} else {
			w.big(slots[i].Big())
		}
		w.key("value").big(p.Slots[i].Value.Big())
		w.key("proof").nodes(p.Slots[i].Nodes)
		w.shut('}')
	}
	w.shut(']')
	w.shut('}')
	return w.b, nil
}

// nodes writes a list of data.
func (w *writer) nodes(list [][]byte) {
	w.open('[')
	for _, node := range list {
		w.hex(node)
	}
	w.shut(']')
}
