package store

import (
	"math"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

func TestHistoryTellsWhichBlocksChangedAnAccount(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer closeDB(t, db)
	c := newTestChain(5)
	changed := make(map[common.Address]map[uint64]bool)
	const blocks = 40
	for n := range uint64(blocks) {
		b := c.next()
		write(t, db, b)
		for i := range b.diff {
			d := &b.diff[i]
			if d.Nonce == nil && d.Balance == nil && !d.CodeChanged {
				continue
			}
			if changed[d.Address] == nil {
				changed[d.Address] = make(map[uint64]bool)
			}
			changed[d.Address][n] = true
		}
	}
	addrs := []common.Address{{}, {0xff}}
	for addr := range changed {
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		for _, forward := range []bool{false, true} {
			for _, at := range []uint64{0, 1, 2, 17, blocks - 1, blocks, math.MaxUint64} {
				var want uint64
				found := false
				for n := range changed[addr] {
					if forward && n >= at && (!found || n < want) || !forward && n <= at && (!found || n > want) {
						want, found = n, true
					}
				}
				got, ok, err := db.AccountChange(addr, at, forward)
				if err != nil || ok != found || ok && got != want {
					t.Fatalf("%v at %d, forward %v: %d, %v, %v; want %d, %v", addr, at, forward, got, ok, err, want, found)
				}
			}
		}
	}
}
