package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// fakeVoid are transactions of void blocks.
type fakeVoid map[common.Hash]*VoidTx

func (f fakeVoid) VoidTx(_ context.Context, hash common.Hash) (*VoidTx, error) { return f[hash], nil }

func TestAVoidTransactionIsExplained(t *testing.T) {
	b := newFake(t)
	waits, gone := common.Hash{1}, common.Hash{2}
	b.fakeVoid = fakeVoid{
		waits: {Block: 7, MiniBlock: 70, Index: 3, Why: "L1 reorganised", Since: time.UnixMilli(1_700_000_000_123)},
		gone:  {Block: 8, MiniBlock: 80, Index: 1, Why: "L1 reorganised", Since: time.UnixMilli(1_700_000_000_123), Refusal: "nonce too low"},
	}
	b.send(t)
	there := b.signed(t, 0).Hash()
	b.fakeVoid[there] = b.fakeVoid[gone] // it was, and is in the chain again
	_, addr := serve(t, b, Options{})
	for _, tc := range []struct {
		hash common.Hash
		want string
	}{
		{waits, `{"transactionHash":"` + waits.Hex() + `","blockNumber":"0x7","miniBlockNumber":"0x46","transactionIndex":"0x3","since":"0x18bcfe5687b","why":"L1 reorganised","status":"waiting","error":null}`},
		{gone, `{"transactionHash":"` + gone.Hex() + `","blockNumber":"0x8","miniBlockNumber":"0x50","transactionIndex":"0x1","since":"0x18bcfe5687b","why":"L1 reorganised","status":"gone","error":"nonce too low"}`},
		{there, "null"},
		{common.Hash{3}, "null"},
	} {
		if got := string(ask(t, addr, "talaria_voidTransaction", `["`+tc.hash.Hex()+`"]`).Result); got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", tc.hash, got, tc.want)
		}
	}
}
