package replica

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/derivation"
	"github.com/talaria-l2/talaria/role/l1feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noL1 is an L1 that is down.
type noL1 struct{ l1feed.L1 }

func (noL1) HeaderByTag(context.Context, l1.Tag) (*types.Header, error) {
	return nil, l1.ErrUnavailable
}

func TestSafeIsNotAboveTheHeadAfterAReorg(t *testing.T) {
	dir, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: 1_700_000_000, Alloc: predeploys.Alloc(predeploys.Settings{})}
	n, err := node.Open(dir, node.Options{Genesis: g})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	genesis, err := n.GenesisState()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := derivation.LoadStates(n.DerivationStates(stateName))
	if err != nil {
		t.Fatal(err)
	}
	r := &Replica{node: n, heads: derivation.Heads{L1: noL1{}, States: kept}, headsAt: time.Now().Add(time.Hour), log: slog.New(slog.DiscardHandler)}
	var states []derive.State
	for number := range uint64(3) {
		at := g.Timestamp + 1 + number
		in := derive.BlockInput{
			Number: number + 1, Timestamp: at,
			L1Attributes: chain.L1Attributes{SequenceNumber: number + 1},
			MiniBlocks:   []derive.MiniPlan{{TimestampMicros: chain.Micros(at) * 1_000_000, TxCount: 1}},
		}
		after := genesis
		after.Head.Number = number + 1
		in.ParentHash = n.PublishedHead().Hash()
		if after.Head.Hash, err = r.Execute(t.Context(), &in); err != nil {
			t.Fatal(err)
		}
		if err := r.Settled(after, chain.L1Origin{}); err != nil {
			t.Fatal(err)
		}
		states = append(states, after)
	}
	for _, state := range []derive.State{states[1], genesis} {
		if err := r.Rewound(state); err != nil {
			t.Fatal(err)
		}
		safe, finalized := n.Finality()
		if head := n.PublishedHead().Number.Uint64(); head != state.Head.Number || safe != head || finalized > safe {
			t.Fatalf("head %d, safe %d, finalized %d, want head %d", head, safe, finalized, state.Head.Number)
		}
	}
}
