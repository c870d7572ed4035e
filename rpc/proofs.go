package rpc

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// Prover reads many values of one state.
type Prover interface {
	// StorageValues are the values of slots at one state, in their order.
	StorageValues(ctx context.Context, slots []StorageSlot, ref StateRef) ([]common.Hash, error)
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
