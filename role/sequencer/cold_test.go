package sequencer

import (
	"context"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/rpc"
)

// TestAStateLargerThanTheCacheIsServed: with a cache for a few hundred accounts the
// node answers for thousands, right after a transaction and after each restart, in
// which part of the chain is in the store and part in the log; at last with everything
// in memory again.
func TestAStateLargerThanTheCacheIsServed(t *testing.T) {
	const accounts, restarts = 4000, 3
	address := func(i int) (a common.Address) {
		a[0] = 0x77
		binary.BigEndian.PutUint32(a[16:], uint32(i))
		return a
	}
	r := newRigWith(t, func(r *rig) {
		r.stateCache = 1
		for i := range accounts {
			r.g.Alloc[address(i)] = types.Account{Balance: big.NewInt(int64(i + 1)), Storage: map[common.Hash]common.Hash{{31: 1}: common.BigToHash(big.NewInt(int64(i + 1)))}}
		}
	})
	random := rand.New(rand.NewPCG(1, 75))
	received := make([]int64, accounts)
	check := func() {
		t.Helper()
		ref, ctx := rpc.StateRef{Newest: true}, context.Background()
		for _, i := range random.Perm(accounts) {
			balance, err := r.node.Balance(ctx, address(i), ref)
			if want := int64(i+1) + received[i]; err != nil || balance.Int64() != want {
				t.Fatalf("balance of account %d is %s (%v), want %d", i, balance, err, want)
			}
			value, err := r.node.Storage(ctx, address(i), common.Hash{31: 1}, ref)
			if err != nil || value.Big().Int64() != int64(i+1) {
				t.Fatalf("slot of account %d is %s (%v)", i, value, err)
			}
		}
	}
	var nonce uint64
	for round := range restarts {
		check()
		for range 300 {
			i := random.IntN(accounts)
			if _, err := r.await(r.submit(r.transferTo(address(i), 0, nonce, 7))); err != nil {
				t.Fatal(err)
			}
			nonce, received[i] = nonce+1, received[i]+7
		}
		check()
		if r.stop(); round == restarts-1 {
			r.stateCache = 0
		}
		r.start()
	}
	check()
}
