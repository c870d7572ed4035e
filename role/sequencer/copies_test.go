package sequencer

import (
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// What waits for a nonce is by whom it says: a replica can neither have one transaction wait
// for several senders, nor put it in the place of who signed and waits.
func TestNothingWaitsForASenderWhoWasOnlyNamed(t *testing.T) {
	r, g := newGatedRig(t)
	v := r.vouch()
	tx := r.transfer(0, 1, 1)
	var honest *rpc.Submission
	forged := func() {
		t.Helper()
		for user := 1; user <= 2; user++ {
			if _, err := r.await(r.named(v, tx.Raw(), r.address(user))); !errors.Is(err, chain.ErrTxSignature) {
				t.Errorf("named as of user %d: %v", user, err)
			}
		}
	}
	forged()
	release := r.held(func(l *loop) {
		if n := l.s.gaps.Len(); n != 0 {
			t.Errorf("%d transactions wait", n)
		}
	})
	release()
	honest = r.submit(tx)
	forged()
	right := r.named(v, r.transfer(1, 1, 1).Raw(), r.address(1)) // waits, and is not checked behind execution yet
	for user := range 3 {
		if _, err := r.await(r.submit(r.transfer(user, 0, 1))); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []*rpc.Submission{honest, right} {
		if _, err := r.await(s); err != nil {
			t.Errorf("who signed waits in vain: %v", err)
		}
	}
	g.release()
}

// One transaction in the open block for several senders is executed again once, for who
// signed it, and nobody is told that it is gone.
func TestOneTransactionForSeveralSendersIsExecutedAgainOnce(t *testing.T) {
	for name, order := range map[string][]int{"signer first": {0, 1}, "signer last": {2, 1, 0}, "not the signer": {1, 2}} {
		t.Run(name, func(t *testing.T) {
			r, g := newGatedRig(t)
			v := r.vouch()
			before := r.node.PublishedHead().Number.Uint64()
			tx := r.transfer(0, 0, 7)
			for _, user := range order {
				voucher := v
				if user == 0 {
					voucher = nil // the honest way
				}
				if _, err := r.await(r.named(voucher, tx.Raw(), r.address(user))); err != nil {
					t.Fatalf("user %d: %v", user, err)
				}
			}
			g.release()
			r.sealed(before + 1) // not before it went back
			r.included(tx.Hash())
			block, err := r.node.BlockByNumber(t.Context(), before+1)
			if err != nil {
				t.Fatal(err)
			}
			var users []common.Address
			for _, tx := range block.Txs {
				if !tx.IsDeposit() {
					users = append(users, tx.From())
				}
			}
			if len(users) != 1 || users[0] != r.address(0) {
				t.Errorf("executed for %v, signed by %s", users, r.address(0))
			}
			if void, err := r.seq.VoidTx(t.Context(), tx.Hash()); void != nil || err != nil {
				t.Errorf("named as gone: %+v, %v", void, err)
			}
			if gone, err := r.node.GoneTx(tx.Hash()); gone != nil || err != nil {
				t.Errorf("written down as gone: %+v, %v", gone, err)
			}
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				list, err := r.node.VoidTxs()
				if err == nil && len(list) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d are still to be executed again, %v", len(list), err)
				}
			}
		})
	}
}

// Distrust holds for everything of a replica, on connections that are over, too.
func TestDistrustHoldsForConnectionsThatAreOver(t *testing.T) {
	r, g := newGatedRig(t)
	g.release()
	over, caught := r.vouch(), r.vouch()
	r.seq.Release(over)
	if _, err := r.await(r.named(caught, r.transfer(0, 0, 1).Raw(), r.address(1))); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !caught.Withdrawn(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not found")
		}
	}
	if !over.Withdrawn() {
		t.Fatal("what came on a connection that is over is still believed")
	}
	a := admitted{tx: mustRestore(t, r.transfer(0, 1, 1).Raw(), r.address(2)), sub: rpc.NewSubmissions([]rpc.Send{{Voucher: over}})[0], check: 1}
	r.held(func(l *loop) { l.take(a) })()
	if _, err := r.await(a.sub); err == nil {
		t.Error("a forged sender of a connection that is over is executed")
	}
}
