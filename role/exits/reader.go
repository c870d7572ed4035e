package exits

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/rpc"
)

// Chain is what the reader asks of the node.
type Chain interface {
	Head() *types.Header
	Pending() *rpc.OpenBlock
	Finality() (safe, finalized uint64)
	TierTimes(number uint64) rpc.TierTime
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	BlockByNumber(ctx context.Context, number uint64) (*chain.Block, error)
	TxByHash(ctx context.Context, hash common.Hash) (*rpc.TxInfo, error)
	Storage(ctx context.Context, addr common.Address, slot common.Hash, ref rpc.StateRef) (common.Hash, error)
}

// Options of a reader.
type Options struct {
	Chain     Chain
	L1        *l1.Client
	Contracts map[string]common.Address // on L1, by their names in the genesis file
	// PerSecond bounds the questions to L1, by all who ask together, 1.. [200].
	PerSecond int
}

// Reader answers where withdrawals stand. It is safe for concurrent use.
type Reader struct {
	Options
	portal, factory, registry, pool, messenger common.Address

	portals    *bindings.Portal
	factories  *bindings.DisputeGameFactory
	game       *bindings.HybridGame
	registries *bindings.AnchorStateRegistry
	pauses     *bindings.Pause
	pools      *bindings.InstantExit
	messengers *bindings.L1CrossDomainMessenger

	turns  turns
	claims *lru.Cache[uint64, game] // by place: what is fixed of those that L1 will not take back

	mu    sync.Mutex
	known bool // times and pause are
	times times
	pause common.Address
}

// times are what the contracts fix, in seconds.
type times struct{ maturity, finality, window uint64 }

// New reads through opts.L1, which stays the caller's to close.
func New(opts Options) *Reader {
	at := opts.Contracts
	return &Reader{
		Options: opts,
		portal:  at["portal"], factory: at["disputeGameFactory"], registry: at["anchorStateRegistry"],
		pool: at["instantExit"], messenger: at["l1CrossDomainMessenger"],
		portals: bindings.NewPortal(), factories: bindings.NewDisputeGameFactory(), game: bindings.NewHybridGame(),
		registries: bindings.NewAnchorStateRegistry(), pauses: bindings.NewPause(), pools: bindings.NewInstantExit(),
		messengers: bindings.NewL1CrossDomainMessenger(),
		turns:      turns{perSecond: cmp.Or(opts.PerSecond, 200)}, claims: lru.NewCache[uint64, game](maxClaims),
	}
}

// Withdrawal implements rpc.Backend's WithdrawalStatus: hash names a withdrawal, or the
// transaction that made it, of which index counts the withdrawals. Nil: there is none.
func (r *Reader) Withdrawal(ctx context.Context, hash common.Hash, index uint64) (*rpc.WithdrawalStatus, error) {
	if r.portal == (common.Address{}) {
		return nil, rpc.Errorf(rpc.CodeServer, "this chain's genesis names no contracts on L1")
	}
	found, err := r.find(ctx, hash, index)
	if err != nil || found == nil {
		return nil, err
	}
	facts, err := r.facts(ctx, found)
	if err != nil {
		return nil, err
	}
	out := &rpc.WithdrawalStatus{
		Hash: found.withdrawal.Hash(), TxHash: found.tx, Block: found.block, Index: found.index, Count: found.count,
		Nonce: found.withdrawal.Nonce, Sender: found.withdrawal.Sender, Target: found.withdrawal.Target,
		Value: found.withdrawal.Value, GasLimit: found.withdrawal.GasLimit, Data: found.withdrawal.Data,
		Payout: facts.Payout,
	}
	s := facts.Status()
	out.State, out.ETA, out.Reason, out.Repayment = string(s.State), s.ETA, s.Reason, string(s.Repayment)
	proven := facts.Proof != nil && !facts.Proof.Void && (facts.Claim == nil || !facts.Proof.Challenged || facts.Proof.Resolved != 0)
	switch {
	case proven:
		out.Game, out.ProvenBy = facts.Proof.Game, facts.Proof.Submitter
		out.Resolvable = facts.Proof.Resolved == 0 && !facts.Proof.Challenged && facts.Now >= facts.Proof.Closes
	case facts.Claim != nil:
		out.Game, out.ClaimIndex, out.ClaimBlock = facts.Claim.Game, facts.Claim.Index, facts.Claim.Block
	}
	return out, nil
}

// facts asks both layers about a withdrawal.
func (r *Reader) facts(ctx context.Context, at *place) (*bridge.Facts, error) {
	v, err := r.newest(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.fixed(ctx, v); err != nil {
		return nil, err
	}
	f := &bridge.Facts{
		Now: v.time, Block: at.block, Sealed: at.sealed,
		ChallengeWindow: r.times.window, ProofMaturity: r.times.maturity, FinalityDelay: r.times.finality,
	}
	f.Safe, f.Final = r.Chain.Finality()
	if next := r.Chain.TierTimes(at.block).NextFinal; !next.IsZero() {
		f.NextFinal = uint64(next.Unix())
	}
	hash := at.withdrawal.Hash()
	var paused bool
	var until uint64
	var proofs *big.Int
	questions := []question{
		into(r.portal, r.portals.PackFinalizedWithdrawals(hash), r.portals.UnpackFinalizedWithdrawals, &f.Finalized),
		into(r.portal, r.portals.PackNumProofSubmitters(hash), r.portals.UnpackNumProofSubmitters, &proofs),
		into(r.pause, r.pauses.PackPaused(), r.pauses.UnpackPaused, &paused),
		into(r.pause, r.pauses.PackExpiration(), r.pauses.UnpackExpiration, &until),
	}
	var advance bindings.AdvancesOutput
	if at.withdrawal.Target == r.pool && r.pool != (common.Address{}) {
		questions = append(questions, into(r.pool, r.pools.PackAdvances(hash), r.pools.UnpackAdvances, &advance))
	}
	var delivered, failed bool
	message, carries := at.withdrawal.MessageHash(r.messenger)
	if carries {
		questions = append(questions,
			into(r.messenger, r.messengers.PackSuccessfulMessages(message), r.messengers.UnpackSuccessfulMessages, &delivered),
			into(r.messenger, r.messengers.PackFailedMessages(message), r.messengers.UnpackFailedMessages, &failed))
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	if paused {
		f.PausedUntil = until
	}
	if advance.PaidAt != 0 {
		f.Payout = advance.Payout
	}
	if f.Finalized {
		f.MessageFailed = failed && !delivered
		return f, nil
	}
	if f.Proof, err = r.proof(ctx, v, hash, proofs.Uint64()); err != nil {
		return nil, err
	}
	if p := f.Proof; p != nil && !p.Void && p.Resolved != 0 {
		return f, r.tryCall(ctx, v, at.withdrawal, f)
	}
	if !at.sealed || f.Proof != nil && !f.Proof.Void && !f.Proof.Challenged {
		return f, nil
	}
	return f, r.claimsFor(ctx, v, at.time, f)
}

// fixed reads once what the contracts fix at deployment.
func (r *Reader) fixed(ctx context.Context, v *view) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		return nil
	}
	var maturity, finality *big.Int
	var impl common.Address
	if err := v.ask(ctx,
		into(r.portal, r.portals.PackProofMaturityDelaySeconds(), r.portals.UnpackProofMaturityDelaySeconds, &maturity),
		into(r.portal, r.portals.PackDisputeGameFinalityDelaySeconds(), r.portals.UnpackDisputeGameFinalityDelaySeconds, &finality),
		into(r.portal, r.portals.PackSuperchainConfig(), r.portals.UnpackSuperchainConfig, &r.pause),
		into(r.factory, r.factories.PackGameImpls(gameType), r.factories.UnpackGameImpls, &impl),
	); err != nil {
		return err
	}
	if err := v.ask(ctx, into(impl, r.game.PackChallengeWindow(), r.game.UnpackChallengeWindow, &r.times.window)); err != nil {
		return err
	}
	r.times.maturity, r.times.finality, r.known = maturity.Uint64(), finality.Uint64(), true
	return nil
}

// maxProofs bounds the proofs of one withdrawal that are looked at: the oldest and the
// newest half. Everybody may prove, as often as they pay for it.
const maxProofs = 32

// proof is the proof under which the withdrawal is paid first; nil: there is none.
func (r *Reader) proof(ctx context.Context, v *view, hash common.Hash, count uint64) (*bridge.Proof, error) {
	places := span(0, min(count, maxProofs/2))
	if count > maxProofs/2 {
		places = append(places, span(max(maxProofs/2, count-min(count, maxProofs/2)), count)...)
	}
	submitters := make([]common.Address, len(places))
	questions := make([]question, len(places))
	for i, n := range places {
		questions[i] = into(r.portal, r.portals.PackProofSubmitters(hash, new(big.Int).SetUint64(n)), r.portals.UnpackProofSubmitters, &submitters[i])
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	slices.SortFunc(submitters, common.Address.Cmp)
	submitters = slices.Compact(submitters)
	rows := make([]bindings.ProvenWithdrawalsOutput, len(submitters))
	questions = questions[:0]
	for i, who := range submitters {
		questions = append(questions, into(r.portal, r.portals.PackProvenWithdrawals(hash, who), r.portals.UnpackProvenWithdrawals, &rows[i]))
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	games := make([]game, len(rows))
	questions = questions[:0]
	for i, row := range rows {
		games[i].Game = row.DisputeGameProxy
		questions = append(questions, r.statusOf(&games[i])...)
	}
	if err := v.ask(ctx, questions...); err != nil {
		return nil, err
	}
	var best *bridge.Proof
	for i, row := range rows {
		g := &games[i]
		p := &bridge.Proof{
			Claim: bridge.Claim{Game: g.Game}, Submitter: submitters[i], At: row.Timestamp,
			Closes: g.closes, Void: !g.counts(), Challenged: g.challenger != (common.Address{}), Resolved: g.resolved,
		}
		if best == nil || r.rank(p) < r.rank(best) {
			best = p
		}
	}
	return best, nil
}

// rank orders proofs by when they pay, those that do not last.
func (r *Reader) rank(p *bridge.Proof) uint64 {
	switch {
	case p.Void:
		return 1 << 62
	case p.Challenged && p.Resolved == 0:
		return 1 << 61
	case p.Resolved == 0:
		return max(p.At+r.times.maturity, p.Closes+r.times.finality)
	}
	return max(p.At+r.times.maturity, p.Resolved+r.times.finality)
}

// tryCall finds out whether paying a withdrawal fails because of its call.
func (r *Reader) tryCall(ctx context.Context, v *view, w *bridge.Withdrawal, f *bridge.Facts) error {
	data, err := v.reverts(ctx, r.portal, r.portals.PackFinalizeWithdrawalTransactionExternalProof(Tuple(w), f.Proof.Submitter))
	if err != nil {
		return fmt.Errorf("try the withdrawal on L1: %w", err)
	}
	failed := bindings.PortalWithdrawalCallFailedErrorID()
	f.CallFails = len(data) >= 4 && [4]byte(data) == [4]byte(failed[:4])
	if !f.CallFails || w.Value.Sign() == 0 || r.Contracts["nativeTokenBridge"] != (common.Address{}) {
		return nil
	}
	if err := v.turns.wait(ctx, 1); err != nil {
		return err
	}
	held, err := v.client.Balance(ctx, r.portal)
	f.Short = err == nil && held.Cmp(w.Value) < 0
	return err
}

// Tuple is a withdrawal as the contracts take it.
func Tuple(w *bridge.Withdrawal) bindings.TypesWithdrawalTransaction {
	return bindings.TypesWithdrawalTransaction{
		Nonce: w.Nonce, Sender: w.Sender, Target: w.Target, Value: w.Value, GasLimit: w.GasLimit, Data: w.Data,
	}
}
