package proposer

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

// Root is an output root, Address an account on L1.
type (
	Root    = common.Hash
	Address = common.Address
)

// ErrClaimed means that somebody has made the same claim.
var ErrClaimed = errors.New("the output is claimed already")

// Claims are the dispute games of a chain.
type Claims interface {
	// Count is how many games there are, of all types.
	Count(ctx context.Context) (uint64, error)
	// Game looks at a game by its place; nil when it is of another type.
	Game(ctx context.Context, place uint64) (*Game, error)
	// At is the address of the game in a place. It commits to the L1 blocks before the game's.
	At(ctx context.Context, place uint64) (Address, error)
	// Claim claims the output root of a block, with a bond.
	Claim(ctx context.Context, root Root, block uint64) error
	// Challenge counters a game with its Counter and the account's stake, and stakes first
	// if need be. Many may be under way at once.
	Challenge(ctx context.Context, g *Game) error
	// Purse looks into the account.
	Purse(ctx context.Context) (Purse, error)
	// Stake makes sure that the account has a stake that may challenge.
	Stake(ctx context.Context) error
	// Settle resolves a right claim if it is time. It is done when nothing is left to do.
	Settle(ctx context.Context, g *Game) (done bool, err error)
	// TakeBack has one of the account's released bonds paid that are ready.
	TakeBack(ctx context.Context) error
	// MoveAnchor makes a right claim the anchor if it is final. It is done when the anchor is
	// this claim or a newer one.
	MoveAnchor(ctx context.Context, g *Game) (done bool, err error)
}

// Purse is what an account has and needs, in wei.
type Purse struct {
	Balance *big.Int
	Bond    *big.Int // of a claim
	Stake   *big.Int // with which to challenge
	Staked  bool     // it has a stake that may challenge
}

// GameType is the type of HybridGame.
const GameType = 7411

// Contracts are the dispute games on an L1. It implements Claims.
type Contracts struct {
	Client  *l1.Client
	Sender  *l1.Sender
	Factory Address

	factory *bindings.DisputeGameFactory
	game    *bindings.HybridGame
	vaults  *bindings.BondVault
	stakes  *bindings.ChallengerStakes

	registry *bindings.AnchorStateRegistry

	staking sync.Mutex // held while a stake is being made sure of

	// Of the goroutine that calls TakeBack and MoveAnchor.
	vault, anchors Address // zero: not known yet
	seen           uint64  // releases of bonds that were looked at
	owed           []owed  // that are not paid, the largest first
}

// NewContracts reads and calls the games of a factory, with an account that nobody else
// uses.
func NewContracts(client *l1.Client, sender *l1.Sender, factory Address) *Contracts {
	return &Contracts{
		Client: client, Sender: sender, Factory: factory,
		factory: bindings.NewDisputeGameFactory(), game: bindings.NewHybridGame(), vaults: bindings.NewBondVault(),
		stakes: bindings.NewChallengerStakes(), registry: bindings.NewAnchorStateRegistry(),
	}
}

// call reads a contract at L1's newest block.
func call[T any](ctx context.Context, c *Contracts, to Address, input []byte, unpack func([]byte) (T, error)) (out T, err error) {
	raw, err := c.Client.Eth().CallContract(ctx, ethereum.CallMsg{To: &to, Data: input}, nil)
	if err != nil {
		return out, err
	}
	return unpack(raw)
}

// Count implements Claims.
func (c *Contracts) Count(ctx context.Context) (uint64, error) {
	n, err := call(ctx, c, c.Factory, c.factory.PackGameCount(), c.factory.UnpackGameCount)
	if err != nil {
		return 0, fmt.Errorf("count games: %w", err)
	}
	return n.Uint64(), nil
}

// At implements Claims.
func (c *Contracts) At(ctx context.Context, place uint64) (Address, error) {
	at, err := call(ctx, c, c.Factory, c.factory.PackGameAtIndex(new(big.Int).SetUint64(place)), c.factory.UnpackGameAtIndex)
	return at.Proxy, err
}

// Game implements Claims.
func (c *Contracts) Game(ctx context.Context, place uint64) (*Game, error) {
	at, err := call(ctx, c, c.Factory, c.factory.PackGameAtIndex(new(big.Int).SetUint64(place)), c.factory.UnpackGameAtIndex)
	if err != nil {
		return nil, err
	}
	if at.GameType != GameType {
		return nil, nil
	}
	head, err := c.Client.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return nil, err
	}
	g := &Game{Address: at.Proxy, Created: time.Unix(int64(at.Timestamp), 0), Now: time.Unix(int64(head.Time), 0)}
	closes, err1 := call(ctx, c, at.Proxy, c.game.PackWindowClosesAt(), c.game.UnpackWindowClosesAt)
	root, err2 := call(ctx, c, at.Proxy, c.game.PackRootClaim(), c.game.UnpackRootClaim)
	var err3 error
	g.Block, err3 = call(ctx, c, at.Proxy, c.game.PackL2SequenceNumber(), c.game.UnpackL2SequenceNumber)
	creator, err4 := call(ctx, c, at.Proxy, c.game.PackGameCreator(), c.game.UnpackGameCreator)
	before, err5 := call(ctx, c, at.Proxy, c.game.PackL1Head(), c.game.UnpackL1Head)
	g.Root, g.Closes, g.Own = root, time.Unix(int64(closes), 0), creator == c.Sender.Address()
	if err := errors.Join(err1, err2, err3, err4, err5, c.refresh(ctx, g)); err != nil {
		return nil, err
	}
	known, err := c.Client.HeaderByHash(ctx, before)
	if err != nil {
		return nil, fmt.Errorf("the L1 block before the game: %w", err)
	}
	g.L1Head = known.Number.Uint64()
	g.Held = g.Challenged && c.held(ctx, g)
	return g, nil
}

// Values of GameStatus.
const (
	inProgress = iota
	challengerWins
	defenderWins
)

// refresh reads what can change of a game.
func (c *Contracts) refresh(ctx context.Context, g *Game) error {
	status, err1 := call(ctx, c, g.Address, c.game.PackStatus(), c.game.UnpackStatus)
	challenger, err2 := call(ctx, c, g.Address, c.game.PackChallenger(), c.game.UnpackChallenger)
	g.Challenged, g.Resolved, g.Valid = challenger != Address{}, status != inProgress, status == defenderWins
	return errors.Join(err1, err2)
}

// held reports whether a game is challenged in L1's final state. Where that cannot be read
// it is not.
func (c *Contracts) held(ctx context.Context, g *Game) bool {
	raw, err := c.Client.Eth().CallContract(ctx, ethereum.CallMsg{To: &g.Address, Data: c.game.PackChallenger()}, big.NewInt(int64(l1.Finalized)))
	if err != nil {
		return false
	}
	by, err := c.game.UnpackChallenger(raw)
	return err == nil && by != Address{}
}

// Claim implements Claims.
func (c *Contracts) Claim(ctx context.Context, root Root, block uint64) error {
	var extra [32]byte
	new(big.Int).SetUint64(block).FillBytes(extra[:])
	there, err := call(ctx, c, c.Factory, c.factory.PackGames(GameType, root, extra[:]), c.factory.UnpackGames)
	if err != nil {
		return err
	}
	if there.Proxy != (Address{}) {
		return ErrClaimed
	}
	bond, err := call(ctx, c, c.Factory, c.factory.PackInitBonds(GameType), c.factory.UnpackInitBonds)
	if err != nil {
		return err
	}
	_, err = c.Sender.Send(ctx, l1.Request{To: &c.Factory, Value: bond, Data: c.factory.PackCreate(GameType, root, extra[:])})
	return err
}

// Challenge implements Claims.
func (c *Contracts) Challenge(ctx context.Context, g *Game) error {
	at, err := call(ctx, c, g.Address, c.game.PackSTAKES(), c.game.UnpackSTAKES)
	if err != nil {
		return err
	}
	if err := c.stake(ctx, at); err != nil {
		return fmt.Errorf("stake: %w", err)
	}
	_, err = c.Sender.Send(ctx, l1.Request{To: &g.Address, Data: c.game.PackChallenge(g.Counter)})
	return err
}

// Settle implements Claims.
func (c *Contracts) Settle(ctx context.Context, g *Game) (done bool, err error) {
	head, err := c.Client.HeaderByTag(ctx, l1.Latest)
	if err != nil || int64(head.Time) < g.Closes.Unix() {
		return false, err
	}
	if err := c.refresh(ctx, g); err != nil || g.Resolved {
		return g.Resolved, err
	}
	if g.Challenged {
		return false, nil // until there is a verdict
	}
	_, err = c.Sender.Send(ctx, l1.Request{To: &g.Address, Data: c.game.PackResolve()})
	return err == nil, err
}
