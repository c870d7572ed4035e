package sequencer

import (
	"context"
	"math/rand"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// A burst in which no nonce comes twice is executed in bundles, and comes out as if each
// transaction had been taken alone: nonces that arrive in the wrong order find their place, what is not valid is
// told so, and the log replays to the same chain.
func TestABurstIsExecutedInBundles(t *testing.T) {
	r := newRigWith(t, func(r *rig) { r.pending.HoldMicros = 60_000_000 }) // however slow the machine is
	const each = 400
	type sent struct {
		tx   *chain.Tx
		want string // part of the error, "" for none
	}
	var burst []sent
	for nonce := range uint64(each) {
		for user := range r.users {
			burst = append(burst, sent{r.transfer(user, nonce, 1), ""})
		}
	}
	shuffle := rand.New(rand.NewSource(1))
	for i := range len(burst) - 8 {
		k := i + shuffle.Intn(8)
		burst[i], burst[k] = burst[k], burst[i]
	}
	burst = append(burst, sent{r.transfer(0, 0, 2), "nonce too low"}, sent{r.transfer(1, each, 2*params.Ether), "insufficient funds"})

	sends := make([]rpc.Send, len(burst)) // all at once: then there are bundles
	for i := range burst {
		sends[i].Raw = burst[i].tx.Raw()
	}
	subs := r.seq.Submit(sends)
	indexes := make(map[[2]uint64]bool)
	for i, s := range subs {
		info, err := r.await(s)
		if want := burst[i].want; want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("transaction %d: %v, want %s", i, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
		if info.Tx.Hash() != burst[i].tx.Hash() || info.Receipt.TxHash != info.Tx.Hash() || indexes[[2]uint64{info.BlockNumber, info.Index}] {
			t.Fatalf("transaction %d is answered with %+v", i, info)
		}
		indexes[[2]uint64{info.BlockNumber, info.Index}] = true
	}
	n := r.node
	r.stop()
	if s := n.Exec().Stats(); s.Transactions+s.Serial == 0 {
		t.Error("no bundle was made")
	}
	r.start()
	balance, err := r.node.Balance(context.Background(), common.Address{0xaa}, rpc.StateRef{Newest: true})
	if err != nil || balance.Int64() != int64(each*len(r.users)) {
		t.Errorf("recipient holds %v (%v), want %d", balance, err, each*len(r.users))
	}
}
