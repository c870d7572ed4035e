package store

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

func TestDBTellsThePricesOfABlockThatBringsNone(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer closeDB(t, db)
	c := newTestChain(21)
	write(t, db, c.next())
	for price := range uint64(4) {
		b := c.next()
		b.diff = append(state.Diff{{Address: chain.L1BlockAddr, Storage: []state.SlotDiff{
			{Slot: common.Hash{31: 1}, Value: common.Hash{31: byte(price)}}, {Slot: common.Hash{31: 3}, Value: common.Hash{19: 9}},
		}}}, b.diff...)
		write(t, db, b)
	}
	found := 0
	for n := uint64(1); n < 5; n++ {
		b, err := db.Block(n)
		if err != nil {
			t.Fatal(err)
		}
		want := chain.L1FeeParams{BaseFee: *uint256.NewInt(n - 1), BaseFeeScalar: 9}
		for i, r := range b.Receipts {
			switch {
			case b.Txs[i].IsDeposit() != (r.L1Prices == nil):
				t.Errorf("block %d: prices %v of a transaction of type %#x", n, r.L1Prices, r.Type)
			case r.L1Prices != nil && *r.L1Prices != want:
				t.Errorf("block %d: prices %+v, want %+v", n, *r.L1Prices, want)
			case r.L1Prices != nil:
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no transaction had prices")
	}
}
