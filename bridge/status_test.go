package bridge

import (
	"math/big"
	"strings"
	"testing"
)

func TestAWithdrawalHasOneStateOneTimeAndOneReason(t *testing.T) {
	// A window of 100 s, proofs that mature in 20, claims in 10, L1 at 1000.
	base := Facts{Now: 1000, Block: 7, Sealed: true, Safe: 9, Final: 8, ChallengeWindow: 100, ProofMaturity: 20, FinalityDelay: 10}
	claim := &Claim{Index: 3, Block: 8, Created: 950}
	proof := func(change func(*Proof)) *Proof {
		p := &Proof{Claim: *claim, At: 970, Closes: 1050}
		change(p)
		return p
	}
	for name, c := range map[string]struct {
		change func(*Facts)
		state  State
		eta    uint64
		reason string
	}{
		"a block that is open":                {func(f *Facts) { f.Sealed, f.Block = false, 10 }, WaitingForFinality, 0, "not sealed"},
		"a block that is not posted":          {func(f *Facts) { f.Block, f.NextFinal = 10, 1005 }, WaitingForFinality, 1005 + 100 + 10 + 1, "not posted"},
		"a block that is posted":              {func(f *Facts) { f.Block = 9 }, WaitingForFinality, 0, "not final"},
		"a late claim counts for the time":    {func(f *Facts) { f.Block, f.NextFinal, f.NextClaim = 9, 1005, 1030 }, WaitingForFinality, 1030 + 111, "not final"},
		"no claim":                            {func(f *Facts) { f.NextClaim = 1002 }, WaitingForClaim, 1002 + 111, "nobody has claimed"},
		"a claim is due":                      {func(f *Facts) { f.NextClaim = 900 }, WaitingForClaim, 1000 + 111, "nobody has claimed"},
		"nobody knows when the next claim is": {func(*Facts) {}, WaitingForClaim, 0, "nobody has claimed"},
		"a claim of this very block":          {func(f *Facts) { f.Claim = &Claim{Index: 3, Block: 8, Created: 1000} }, WaitingForClaim, 1111, "after the claim's"},
		"a claim":                             {func(f *Facts) { f.Claim = claim }, ReadyToProve, 1061, "claim 3 of block 8"},
		"an old claim":                        {func(f *Facts) { f.Claim = &Claim{Created: 1} }, ReadyToProve, 1021, "prove it"},
		"all claims are challenged":           {func(f *Facts) { f.Disputed = true }, Challenged, 0, "every claim"},
		"in the window":                       {func(f *Facts) { f.Proof = proof(func(*Proof) {}) }, Proven, 1061, "may still be challenged"},
		"a window that is over":               {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Closes = 1000 }) }, Proven, 1011, "somebody must resolve"},
		"a valid claim that is young":         {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Resolved, p.Closes = 995, 990 }) }, Proven, 1006, "outcome must be older"},
		"a valid claim, a young proof":        {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Resolved, p.At = 900, 990 }) }, Proven, 1011, "proof must be older"},
		"exits are paused":                    {func(f *Facts) { f.Proof, f.PausedUntil = proof(func(p *Proof) { p.Resolved, p.At = 900, 900 }), 5000 }, Proven, 5000, "paused"},
		"on the last second":                  {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Resolved, p.At = 990, 900 }) }, Proven, 1001, "outcome"},
		"nothing is missing":                  {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Resolved, p.At = 989, 979 }) }, ReadyToFinalize, 1000, "finalise it"},
		"a call that fails":                   {func(f *Facts) { f.Proof, f.CallFails = proof(func(p *Proof) { p.Resolved, p.At = 989, 979 }), true }, Failed, 0, "its call on L1 fails"},
		"a portal that holds too little": {func(f *Facts) {
			f.Proof, f.CallFails, f.Short = proof(func(p *Proof) { p.Resolved, p.At = 989, 979 }), true, true
		}, Failed, 0, "holds less than its value"},
		"a challenged claim":                           {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Challenged = true }) }, Challenged, 0, "is challenged"},
		"a challenged claim that won":                  {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Challenged, p.Resolved, p.At = true, 900, 900 }) }, ReadyToFinalize, 1000, ""},
		"a challenged claim, and another":              {func(f *Facts) { f.Claim, f.Proof = claim, proof(func(p *Proof) { p.Challenged = true }) }, ReadyToProve, 1061, "is challenged"},
		"a claim that was voided":                      {func(f *Facts) { f.Claim, f.Proof = claim, proof(func(p *Proof) { p.Void = true }) }, ReadyToProve, 1061, "does not count any more"},
		"a claim that was voided, and no other":        {func(f *Facts) { f.Proof = proof(func(p *Proof) { p.Void = true }) }, WaitingForClaim, 0, "does not count any more"},
		"paid":                                         {func(f *Facts) { f.Finalized = true }, Finalized, 0, "paid"},
		"paid, but the message failed":                 {func(f *Facts) { f.Finalized, f.MessageFailed = true, true }, Failed, 0, "deliver it again"},
		"paid by the pool":                             {func(f *Facts) { f.Payout, f.Claim = big.NewInt(55), claim }, PaidByPool, 0, "55 wei"},
		"paid by the pool, and the pool by the portal": {func(f *Facts) { f.Payout, f.Finalized = big.NewInt(55), true }, Finalized, 0, "paid"},
	} {
		f := base
		c.change(&f)
		s := f.Status()
		if s.State != c.state || s.ETA != c.eta || !strings.Contains(s.Reason, c.reason) || s.Reason == "" || strings.Contains(s.Reason, "\n") {
			t.Errorf("%s: %+v, want %s at %d because of %q", name, s, c.state, c.eta, c.reason)
		}
		if paid := s.State == PaidByPool; paid != (s.Repayment != "") || paid && s.Repayment != ReadyToProve {
			t.Errorf("%s: repayment %q", name, s.Repayment)
		}
	}
}
