package deploy

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// Params are what a deployment fixes. Durations are in seconds.
type Params struct {
	// Owner proposes to the timelock, sets the chain's parameters, but for where batches are,
	// and admits operators to the committee that keeps data. Guardian may pause exits; zero is nobody.
	Owner, Guardian common.Address

	// Chain gives the ids, the accounts and the parameters that SystemConfig announces.
	Chain chain.Config

	// NativeToken is the L1 token that is the currency of L2; zero: ether. With it, L2Ether
	// is the token on L2 that stands for ether, and Rate what it is worth.
	NativeToken, L2Ether common.Address
	Rate                 Rate
	// RefusedTokens are tokens that the bridge refuses from the start.
	RefusedTokens []common.Address

	TimelockDelay   uint64   // between proposal and execution of an upgrade
	ChallengeWindow uint64   // in which a claim may be challenged, 1..
	ProofMaturity   uint64   // between a withdrawal's proof and its payment
	FinalityDelay   uint64   // between a claim's resolution and payments under it
	BondDelay       uint64   // between the release of a bond and its payment
	PauseDuration   uint64   // pause that the guardian has in each period, 1..
	PausePeriod     uint64   // at least twice PauseDuration
	ClaimBond       *big.Int // wei, of a claim
	ChallengerStake *big.Int // wei, with which somebody challenges any number of claims
	BarPeriod       uint64   // between two stakes that the guardian bars

	// Of the pool that pays withdrawals ahead: fees in millionths when it is idle and when
	// it is lent out, how long deposits stay, and when an advance is overdue.
	PoolMinFee, PoolMaxFee     uint64
	PoolLock, PoolOverdueAfter uint64

	// CertificateThreshold is the weight of operators that must have signed for data, in
	// 1/10,000, 5,001..10,000.
	CertificateThreshold uint16
}

// Rate is what ether is worth in the native token: in wei of it for one gwei of ether.
type Rate struct {
	First    uint64 // Min..Max
	Min, Max uint64 // 1..10^18
	// Interval is how long a rate stays at least, MaxAge after how long it is stale: seconds,
	// Interval+1..366 days.
	Interval, MaxAge uint64
}

// UseToken makes a token of L1 the currency of L2. first is what an ether is worth, in
// tokens, 1..10^9; the rate stays within a hundredth and a hundred times of it.
func (p *Params) UseToken(token, l2Ether common.Address, first uint64) {
	const gwei, highest = params.GWei, params.Ether
	p.NativeToken, p.L2Ether = token, l2Ether
	p.Rate.First = first * gwei
	p.Rate.Min, p.Rate.Max = max(1, p.Rate.First/100), min(highest/100, p.Rate.First)*100
}

// bounds are what the contract holds rates to.
func (r Rate) bounds() bindings.TokenRateBounds {
	return bindings.TokenRateBounds{Min: r.Min, Max: r.Max, MinInterval: r.Interval, MaxAge: r.MaxAge}
}

// Production are the durations of a public network: claims may be challenged for seven
// days, nothing is hurried past four hours, and who disagrees with an upgrade has seven days
// to begin an exit that ends before it.
func Production(cfg chain.Config) Params {
	const hour, day = 3600, 24 * 3600
	return Params{
		Chain:         cfg,
		TimelockDelay: 21 * day, ChallengeWindow: 7 * day, ProofMaturity: 4 * hour, FinalityDelay: 4 * hour,
		BondDelay: 4 * hour, PauseDuration: 3 * day, PausePeriod: 30 * day,
		Rate:            Rate{Interval: 600, MaxAge: day},
		ClaimBond:       new(big.Int).Div(big.NewInt(params.Ether), big.NewInt(2)),
		ChallengerStake: new(big.Int).Mul(big.NewInt(params.Ether), big.NewInt(50)), BarPeriod: 7 * day,
		PoolMinFee: 500, PoolMaxFee: 20_000, PoolLock: day, PoolOverdueAfter: 60 * day,
		CertificateThreshold: 6_667,
	}
}

// Development are durations of seconds, for chains that protect nothing.
func Development(cfg chain.Config) Params {
	p := Production(cfg)
	p.TimelockDelay, p.ChallengeWindow, p.ProofMaturity, p.FinalityDelay = 1, 3, 1, 1
	p.BondDelay, p.PauseDuration, p.PausePeriod = 1, 60, 600
	p.Rate.Interval, p.Rate.MaxAge = 1, 30*24*3600
	p.PoolLock, p.PoolOverdueAfter = 1, 3600
	p.ClaimBond = new(big.Int).Div(big.NewInt(params.Ether), big.NewInt(100))
	p.ChallengerStake, p.BarPeriod = new(big.Int).Div(big.NewInt(params.Ether), big.NewInt(10)), 10
	return p
}

// Check returns what is wrong with the parameters, naming the field. The contracts check
// the rest again.
func (p *Params) Check() error {
	zero := common.Address{}
	switch {
	case p.Owner == zero:
		return fmt.Errorf("owner: must not be zero")
	case p.Chain.Batcher == zero || p.Chain.Sequencer == zero:
		return fmt.Errorf("batcher, sequencer: must not be zero")
	case p.ChallengeWindow == 0:
		return fmt.Errorf("challenge window: must be at least 1 s")
	case p.PauseDuration == 0 || p.PausePeriod/2 < p.PauseDuration:
		return fmt.Errorf("pause of %d s in %d s: must be positive and at most half", p.PauseDuration, p.PausePeriod)
	case p.ClaimBond == nil || p.ClaimBond.Sign() < 0:
		return fmt.Errorf("claim bond: must not be negative")
	case p.ChallengerStake == nil || p.ChallengerStake.Cmp(p.ClaimBond) < 0:
		return fmt.Errorf("challenger stake: must not be below the claim bond")
	case p.PoolMinFee > p.PoolMaxFee || p.PoolMaxFee > 500_000 || p.PoolOverdueAfter == 0:
		return fmt.Errorf("fees of the pool %d..%d millionths, overdue after %d s: must be in order, up to 500,000 and positive", p.PoolMinFee, p.PoolMaxFee, p.PoolOverdueAfter)
	case p.CertificateThreshold <= 5_000 || p.CertificateThreshold > 10_000:
		return fmt.Errorf("certificate threshold %d: must be 5,001..10,000", p.CertificateThreshold)
	case (p.NativeToken == zero) != (p.L2Ether == zero):
		return fmt.Errorf("native token, ether on L2: both or neither")
	case p.NativeToken != zero && (p.Rate.Min == 0 || p.Rate.First < p.Rate.Min || p.Rate.First > p.Rate.Max || p.Rate.MaxAge <= p.Rate.Interval):
		return fmt.Errorf("rate %d of %d..%d, stale after %d s, set every %d s: must be in order and positive",
			p.Rate.First, p.Rate.Min, p.Rate.Max, p.Rate.MaxAge, p.Rate.Interval)
	}
	return nil
}
