package rpc

import (
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// rollupRef is a block of an answer; numbers are plain ones, as in the OP Stack.
type rollupRef struct {
	Hash, ParentHash  common.Hash
	Number, Timestamp uint64
	L1Origin          struct {
		Hash   common.Hash
		Number uint64
	} `json:"l1origin"`
	SequenceNumber uint64
}

type rollupHeads struct {
	Current     rollupRef `json:"current_l1"`
	Head        rollupRef `json:"head_l1"`
	Finalized   rollupRef `json:"finalized_l1"`
	Unsafe      rollupRef `json:"unsafe_l2"`
	Safe        rollupRef `json:"safe_l2"`
	FinalizedL2 rollupRef `json:"finalized_l2"`
}

func TestARollupNodeTellsHeadsAndOutputs(t *testing.T) {
	b := newFake(t)
	_, addr := serve(t, b, Options{})
	if r := ask(t, addr, "optimism_syncStatus", "[]"); r.Error == nil || !strings.Contains(r.Error.Message, "reads no L1") {
		t.Errorf("without an L1: %s %+v", r.Result, r.Error)
	}
	for range 2 {
		b.Deposit()
		b.Seal()
	}
	b.safe = 1
	b.l1 = L1Status{Current: L1Ref{Number: 8}, Head: L1Ref{Number: 9, Hash: common.Hash{9}, Parent: common.Hash{8}, Timestamp: 7}, Finalized: L1Ref{Number: 5}}
	heads := result[rollupHeads](t, addr, "optimism_syncStatus", "[]")
	if h := heads.Head; h.Number != 9 || h.Hash != (common.Hash{9}) || h.ParentHash != (common.Hash{8}) || h.Timestamp != 7 || heads.Current.Number != 8 || heads.Finalized.Number != 5 {
		t.Errorf("L1: %+v", heads)
	}
	two := b.blocks[2]
	if u := heads.Unsafe; u.Number != 2 || u.Hash != two.Hash() || u.ParentHash != b.blocks[1].Hash() || u.L1Origin.Number != 1 || heads.Safe.Number != 1 {
		t.Errorf("L2: %+v", heads)
	}
	if g := heads.FinalizedL2; g.Number != 0 || g.Hash != b.blocks[0].Hash() || g.L1Origin.Number != 3 {
		t.Errorf("genesis: %+v", g)
	}

	for _, number := range []string{`"0x2"`, "2"} {
		out := result[struct {
			Version, OutputRoot, StateRoot, WithdrawalStorageRoot common.Hash
			BlockRef                                              rollupRef
			SyncStatus                                            rollupHeads
		}](t, addr, "optimism_outputAtBlock", "["+number+"]")
		hash := two.Hash()
		want := crypto.Keccak256Hash(make([]byte, 32), two.Header.Root[:], two.Header.WithdrawalsHash[:], hash[:])
		if out.OutputRoot != want || out.Version != (common.Hash{}) || out.BlockRef != heads.Unsafe || out.SyncStatus != heads || out.StateRoot != two.Header.Root || out.WithdrawalStorageRoot != *two.Header.WithdrawalsHash {
			t.Errorf("output at %s: %+v", number, out)
		}
	}
	if r := ask(t, addr, "optimism_outputAtBlock", "[3]"); r.Error == nil || !strings.Contains(r.Error.Message, "head is 2") {
		t.Errorf("a block that is not sealed: %s %+v", r.Result, r.Error)
	}
}
