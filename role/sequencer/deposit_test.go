package sequencer

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

// deposit has block n of L1, still to come, hold a deposit of a tenth of an ether for the user.
func (r *rig) deposit(n uint64, user int) {
	to := crypto.PubkeyToAddress(r.users[user].PublicKey)
	amount := common.BigToHash(big.NewInt(1e17)).Bytes()
	opaque := append(append([]byte{}, amount...), amount...)
	opaque = append(opaque, 0, 0, 0, 0, 0, 1, 0, 0, 0) // 65,536 gas, a call, no data
	data := append(common.Hash{31: 32}.Bytes(), common.Hash{31: byte(len(opaque))}.Bytes()...)
	data = append(data, common.RightPadBytes(opaque, 96)...)
	r.chain.mu.Lock()
	defer r.chain.mu.Unlock()
	r.chain.logs = map[uint64][]*types.Log{n: {{
		Address: r.g.Config.Portal, Topics: []common.Hash{chain.DepositEventTopic, {31: 1}, common.BytesToHash(to[:]), {}}, Data: data,
	}}}
}

// depositRig has L1 blocks up to 12. User 3 has nothing but a deposit in one of them, and
// receipts for two transactions; user 0 has one for a third.
func depositRig(t *testing.T, in uint64) (*rig, []*chain.Tx) {
	r := newForkRig(t, 12, func(r *rig) {
		r.users = append(r.users, key(t, 77))
		r.g.Config.Portal = common.Address{0x99}
		r.deposit(in, 3)
	})
	r.reach(r.chain.tip())
	txs := []*chain.Tx{r.transfer(3, 0, 1), r.transfer(3, 1, 1), r.transfer(0, 0, 1)}
	for _, tx := range txs {
		if _, err := r.await(r.submit(tx)); err != nil {
			t.Fatal(err)
		}
	}
	return r, txs
}

func TestTransactionsWaitForADepositThatMoves(t *testing.T) {
	for _, moves := range []uint64{1, 2, 4} {
		t.Run(fmt.Sprint(moves), func(t *testing.T) {
			r, txs := depositRig(t, 12)
			r.chain.cutBack(3)
			r.deposit(12+moves, 3)
			r.chain.grow(1, 8)
			r.reach(r.chain.tip())
			for _, tx := range txs {
				r.included(tx.Hash())
			}
			r.nothingLeft()
		})
	}
}

func TestTransactionsWaitForADepositThroughARestart(t *testing.T) {
	r, txs := depositRig(t, 11)
	r.chain.cutBack(3)
	r.chain.grow(1, 4)
	r.reach(r.chain.tip())
	r.included(txs[2].Hash())
	r.stop()
	r.start()
	r.deposit(14, 3)
	r.chain.grow(1, 2)
	r.reach(r.chain.tip())
	for _, tx := range txs {
		r.included(tx.Hash())
	}
	r.nothingLeft()
}

// The deposit does not come again.
func TestTransactionsDoNotWaitForADepositForEver(t *testing.T) {
	r, txs := depositRig(t, 10)
	void := func(tx *chain.Tx) string {
		t.Helper()
		v, err := r.seq.VoidTx(t.Context(), tx.Hash())
		if err != nil || v == nil {
			t.Fatalf("%+v, %v", v, err)
		}
		return v.Refusal
	}
	r.chain.cutBack(3)
	r.chain.grow(1, 3+againOrigins-1) // one before the last origin on which they are tried
	r.reach(r.chain.tip())
	r.included(txs[2].Hash())
	time.Sleep(time.Second) // blocks on the same origin change nothing
	for _, tx := range txs[:2] {
		if refusal := void(tx); refusal != "" {
			t.Fatalf("gone too early: %s", refusal)
		}
	}
	r.chain.grow(1, 3)
	r.reach(r.chain.tip())
	r.nothingLeft()
	for i, want := range []string{"insufficient funds", "nonce too high"} {
		if refusal := void(txs[i]); !strings.Contains(refusal, want) {
			t.Errorf("transaction %d is gone: %q, want %q", i, refusal, want)
		}
	}
}
