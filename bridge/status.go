package bridge

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

// State is where a withdrawal stands.
type State string

// The states of a withdrawal, in the order of its way.
const (
	// WaitingForFinality: its block is not sealed, not posted, or not final on L1.
	WaitingForFinality State = "waiting-for-finality"
	// WaitingForClaim: nobody has claimed an output that holds it.
	WaitingForClaim State = "waiting-for-claim"
	// ReadyToProve: a right claim holds it.
	ReadyToProve State = "ready-to-prove"
	// Challenged: the claim it was proven under is disputed, and there is no other one.
	Challenged State = "challenged"
	// Proven: only time is missing, or that somebody resolves the claim.
	Proven State = "proven"
	// ReadyToFinalize: L1 pays when it is asked.
	ReadyToFinalize State = "ready-to-finalize"
	// Failed: its call on L1 fails. It can be tried again.
	Failed State = "failed"
	// PaidByPool: InstantExit has paid its recipient. The portal still owes the pool.
	PaidByPool State = "paid-by-pool"
	// Finalized: paid, and its call was made.
	Finalized State = "finalized"
)

// Status says where a withdrawal stands: one state, one time, one reason.
type Status struct {
	State State
	// ETA is when it can be paid on L1 if every step is taken as soon as it can be, in
	// seconds since 1970 by L1's clock; 0: paid, or nobody can say.
	ETA    uint64
	Reason string // what it waits for, or what to do; one line
	// Repayment is how far the withdrawal itself is once the pool has paid it; else empty.
	Repayment State
}

// Claim is an output claimed on L1 that holds the withdrawal.
type Claim struct {
	Index   uint64 // place in the factory's list
	Game    common.Address
	Block   uint64 // L2 block of the output
	Created uint64 // when, in seconds since 1970
}

// Proof is a withdrawal's proof under a claim.
type Proof struct {
	Claim     // Index and Block are zero where they were not looked up
	Submitter common.Address
	At        uint64 // when, in seconds since 1970

	Closes     uint64 // until when the claim may be challenged
	Void       bool   // the claim lost, was voided, or is not one that counts
	Challenged bool
	Resolved   uint64 // when the claim was found valid; 0: not yet
}

// Facts are what both layers say of a withdrawal at one moment. Times are seconds since
// 1970.
type Facts struct {
	Now uint64 // of L1's newest block

	Block           uint64 // L2 block that holds the withdrawal
	Sealed          bool
	Safe, Final     uint64 // newest L2 block posted, and final on L1
	NextFinal       uint64 // when blocks will be final next; 0 is not known
	NextClaim       uint64 // when the next claim is due; 0 is not known
	ChallengeWindow uint64 // seconds
	ProofMaturity   uint64 // seconds
	FinalityDelay   uint64 // seconds
	PausedUntil     uint64 // exits are paused; 0: they are not

	Claim    *Claim // right and unchallenged, the one that pays first; nil: there is none
	Disputed bool   // a right claim that holds it is challenged
	Proof    *Proof // the one that pays first; nil: there is none

	// CallFails tells that paying it now would fail only because its call on L1 does.
	CallFails bool
	// Short tells that the portal holds less than the withdrawal's value, so that the call
	// fails: a genesis has given out ether that L1 does not hold.
	Short     bool
	Finalized bool
	// MessageFailed tells that the portal has paid it, and that the message in it failed
	// and waits at the messenger.
	MessageFailed bool
	Payout        *big.Int // wei that the pool has paid for it; nil: none
}

// Status judges the facts.
func (f *Facts) Status() Status {
	way := f.way()
	if f.Payout == nil || f.Finalized {
		return way
	}
	return Status{
		State: PaidByPool, Repayment: way.State,
		Reason: fmt.Sprintf("the pool has paid %s wei to the recipient; the portal repays the pool: %s", f.Payout, way.Reason),
	}
}

// way is the status without the pool.
func (f *Facts) way() Status {
	switch {
	case f.Finalized && f.MessageFailed:
		return Status{State: Failed, Reason: "the portal has paid it, but its message failed and waits at the messenger: deliver it again"}
	case f.Finalized:
		return Status{State: Finalized, Reason: "paid on L1"}
	case f.Proof == nil:
		return f.unproven("")
	case f.Proof.Void:
		return f.unproven("; the claim it was proven under does not count any more")
	case f.Proof.Challenged && f.Proof.Resolved == 0:
		if f.Claim != nil {
			return f.unproven("; the claim it was proven under is challenged")
		}
		return Status{State: Challenged, Reason: fmt.Sprintf("claim %s, under which it was proven, is challenged: it waits for the dispute, or for another claim", f.Proof.Game)}
	}
	return f.proven()
}

// unproven is the status of what has no proof that helps. why explains that, and begins
// with a semicolon.
func (f *Facts) unproven(why string) Status {
	if c := f.Claim; c != nil {
		if f.Now <= c.Created {
			return Status{State: WaitingForClaim, ETA: f.paidAfterProof(c.Created+1, c), Reason: "it can be proven in the L1 block after the claim's" + why}
		}
		return Status{State: ReadyToProve, ETA: f.paidAfterProof(f.Now, c), Reason: fmt.Sprintf("claim %d of block %d holds it: prove it%s", c.Index, c.Block, why)}
	}
	if f.Block <= f.Final && f.Sealed {
		if f.Disputed {
			return Status{State: Challenged, Reason: "every claim that holds it is challenged: it waits for the dispute, or for another claim" + why}
		}
		return Status{State: WaitingForClaim, ETA: f.paidAfterClaim(f.NextClaim), Reason: fmt.Sprintf("nobody has claimed the output of block %d or a later one%s", f.Block, why)}
	}
	reason := fmt.Sprintf("block %d is posted, its L1 block is not final yet", f.Block)
	if !f.Sealed {
		reason = fmt.Sprintf("block %d is not sealed yet", f.Block)
	} else if f.Block > f.Safe {
		reason = fmt.Sprintf("block %d is not posted to L1 yet", f.Block)
	}
	eta := uint64(0)
	if f.NextFinal != 0 {
		eta = f.paidAfterClaim(max(f.NextFinal, f.NextClaim))
	}
	return Status{State: WaitingForFinality, ETA: eta, Reason: reason + why}
}

// proven is the status of what was proven under a claim that counts and is unchallenged
// or won.
func (f *Facts) proven() Status {
	p := f.Proof
	mature, reason := p.At+f.ProofMaturity+1, "its proof must be older"
	resolved := p.Resolved
	if resolved == 0 {
		resolved = max(p.Closes, f.Now)
	}
	if final := resolved + f.FinalityDelay + 1; final > mature {
		mature, reason = final, "the claim's outcome must be older"
	}
	if p.Resolved == 0 && f.Now < p.Closes {
		reason = "the claim it was proven under may still be challenged"
	} else if p.Resolved == 0 {
		reason = "its claim's challenge period is over: somebody must resolve the claim"
	}
	if f.PausedUntil > mature {
		mature, reason = f.PausedUntil, "exits are paused"
	}
	switch {
	case f.Now < mature || p.Resolved == 0:
		return Status{State: Proven, ETA: max(mature, f.Now), Reason: reason}
	case f.CallFails && f.Short:
		return Status{State: Failed, Reason: "the portal on L1 holds less than its value: this chain's genesis gave out ether that was never deposited"}
	case f.CallFails:
		return Status{State: Failed, Reason: "its call on L1 fails now, so that the portal does not pay it: try again when it can succeed"}
	}
	return Status{State: ReadyToFinalize, ETA: f.Now, Reason: "nothing is missing: finalise it"}
}

// paidAfterProof is when a withdrawal can be paid that is proven at a time under a claim.
func (f *Facts) paidAfterProof(at uint64, c *Claim) uint64 {
	resolved := max(c.Created+f.ChallengeWindow, f.Now)
	return max(at+f.ProofMaturity+1, resolved+f.FinalityDelay+1, f.PausedUntil)
}

// paidAfterClaim is the same for a claim that is made at a time; 0 is not known.
func (f *Facts) paidAfterClaim(at uint64) uint64 {
	if at == 0 {
		return 0
	}
	at = max(at, f.Now)
	return f.paidAfterProof(at+1, &Claim{Created: at})
}
