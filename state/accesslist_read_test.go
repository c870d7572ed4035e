package state

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

func TestWhatAnAccessListTells(t *testing.T) {
	one, five, nine := uint64(1), uint64(5), uint64(9)
	a, b, slot := common.Address{1}, common.Address{2}, common.Hash{31: 4}
	l := NewAccessList()
	l.Add(0, Diff{{Address: a, Nonce: &one, Storage: []SlotDiff{{slot, common.Hash{1}}}}})
	l.Add(3, Diff{{Address: a, Nonce: &five, Storage: []SlotDiff{{slot, common.Hash{2}}}}, {Address: b, Nonce: &nine}})
	l.AddBalance(7, b, *uint256.NewInt(2))
	decoded, err := DecodeAccessList(l.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*AccessList{l, decoded, NewAccessList()} {
		var nonces string
		l.Nonces(func(addr *common.Address, index uint32, nonce uint64) {
			nonces += fmt.Sprintf("%x:%d:%d ", addr[0], index, nonce)
		})
		if l.Len() == 0 {
			if l.Steps() != 0 || nonces != "" {
				t.Errorf("empty: %d steps, nonces %s", l.Steps(), nonces)
			}
			continue
		}
		if l.Steps() != 7 || nonces != "1:0:1 1:3:5 2:3:9 " {
			t.Errorf("%d steps, nonces %s", l.Steps(), nonces)
		}
		for index, want := range map[uint32]byte{0: 1, 2: 1, 3: 2, 9: 2} {
			if v, ok := l.StorageAfter(a, slot, index); !ok || v[0] != want {
				t.Errorf("after step %d: %x %v, want %d", index, v, ok, want)
			}
		}
		for _, q := range []struct {
			addr common.Address
			slot common.Hash
		}{{a, common.Hash{}}, {b, slot}, {common.Address{9}, slot}} {
			if _, ok := l.StorageAfter(q.addr, q.slot, 9); ok {
				t.Errorf("%x %x: there is a value", q.addr, q.slot)
			}
		}
	}
	late := NewAccessList()
	late.Add(4, Diff{{Address: a, Storage: []SlotDiff{{slot, common.Hash{1}}}}})
	if _, ok := late.StorageAfter(a, slot, 3); ok {
		t.Error("a value before it was written")
	}
}
