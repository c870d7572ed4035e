package exits_test

import (
	"math/big"
	"testing"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// TestWrongClaimsDoNotHideTheRightOne, however many of them are around it.
func TestWrongClaimsDoNotHideTheRightOne(t *testing.T) {
	w, counted, _ := newWorld(t)
	w.chain.final = head
	const around = 80
	w.claimOthers(made+1, 1, around+1)
	w.is(bridge.WaitingForClaim, "nobody has claimed")
	w.claim(made+1, true)
	w.claimOthers(made+2, 1, around+1)
	if s := w.is(bridge.ReadyToProve, ""); s.ClaimIndex != around || s.ClaimBlock != made+1 {
		t.Errorf("ready: %+v", s)
	}

	// Few questions do for all of them.
	pages, game := bindings.NewDisputeGameFactory().PackFindLatestGames(0, new(big.Int), new(big.Int)), bindings.NewHybridGame()
	counted.of(pages)
	w.status()
	if n := counted.of(pages, game.PackStatus(), game.PackRootClaim()); n[0] > 10 || n[1] != 1 || n[2] != 0 {
		t.Errorf("pages, standings and roots asked %d times", n)
	}
}
