package bridging

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
)

const (
	// settleGas is the L1 gas of the portal's payment to the pool, which may pass it on.
	settleGas = 500_000
	// exitGas bounds the L1 gas of the pool's payment, which cannot be estimated while the
	// attestation is on its way.
	exitGas = 1_500_000
)

// Pool is the state of the pool that pays withdrawals ahead. Amounts are wei of the
// chain's currency.
type Pool struct {
	Address     common.Address `json:"address"`
	Cash        *hexutil.Big   `json:"cash"`        // to be lent or taken out
	Outstanding *hexutil.Big   `json:"outstanding"` // paid ahead, not repaid yet
	Fee         uint64         `json:"fee"`         // of a withdrawal of one ether now, in millionths
	Shares      *hexutil.Big   `json:"shares"`      // of the account
	Worth       *hexutil.Big   `json:"worth"`       // of these shares, if all that is lent out comes back
	LockedUntil uint64         `json:"lockedUntil"` // in seconds since 1970
}

// PoolStatus reads the pool, and an account's part in it.
func (c *Client) PoolStatus(ctx context.Context, account common.Address) (*Pool, error) {
	at, err := c.contract("instantExit")
	if err != nil {
		return nil, err
	}
	b := bindings.NewInstantExit()
	ask := func(input []byte, unpack func([]byte) (*big.Int, error)) *big.Int {
		n := new(big.Int)
		if err == nil {
			n, err = callL1(ctx, c, at, input, unpack)
		}
		return n
	}
	cash, lent := ask(b.PackCash(), b.UnpackCash), ask(b.PackOutstanding(), b.UnpackOutstanding)
	fee, shares := ask(b.PackFeeRoundedUp(big.NewInt(params.Ether)), b.UnpackFeeRoundedUp), ask(b.PackShares(account), b.UnpackShares)
	if err != nil {
		return nil, err
	}
	worth := ask(b.PackAssetsRoundedDown(shares), b.UnpackAssetsRoundedDown)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		Address: at, Cash: (*hexutil.Big)(cash), Outstanding: (*hexutil.Big)(lent), Shares: (*hexutil.Big)(shares), Worth: (*hexutil.Big)(worth),
		Fee: fee.Uint64() / (params.Ether / 1_000_000),
	}
	p.LockedUntil, err = callL1(ctx, c, at, b.PackLockedUntil(account), b.UnpackLockedUntil)
	return p, err
}

// PoolDeposit pays into the pool, for shares of it.
func (c *Client) PoolDeposit(ctx context.Context, amount *big.Int) (common.Hash, error) {
	at, err := c.contract("instantExit")
	if err != nil {
		return common.Hash{}, err
	}
	b := bindings.NewInstantExit()
	value := amount
	if c.NativeToken() {
		pool, err := callL1(ctx, c, at, b.PackParameters(), b.UnpackParameters)
		if err != nil {
			return common.Hash{}, err
		}
		if err := c.approve(ctx, pool.Token, at, amount); err != nil {
			return common.Hash{}, err
		}
		value = nil
	}
	r, err := c.sendL1(ctx, "pay into the pool", l1.Request{To: &at, Value: value, Data: b.PackDeposit(amount)})
	if err != nil {
		return common.Hash{}, err
	}
	return r.TxHash, nil
}

// PoolWithdraw takes shares out of the pool that are worth an amount, rounded up; nil: all.
// Their part of the cash comes at once, that of what is lent out when it is repaid: see
// PoolCollect.
func (c *Client) PoolWithdraw(ctx context.Context, amount *big.Int) (common.Hash, error) {
	p, err := c.PoolStatus(ctx, c.Address())
	if err != nil {
		return common.Hash{}, err
	}
	shares, worth := p.Shares.ToInt(), p.Worth.ToInt()
	switch {
	case shares.Sign() == 0:
		return common.Hash{}, fmt.Errorf("account %s has nothing in the pool", c.Address())
	case amount != nil && amount.Cmp(worth) > 0:
		return common.Hash{}, fmt.Errorf("account %s has %s wei in the pool, not %s", c.Address(), worth, amount)
	case amount != nil:
		part := new(big.Int).Mul(amount, shares)
		shares = part.Add(part, new(big.Int).Sub(worth, big.NewInt(1))).Div(part, worth)
	}
	r, err := c.sendL1(ctx, "take out of the pool", l1.Request{To: &p.Address, Data: bindings.NewInstantExit().PackWithdraw(shares)})
	if err != nil {
		return common.Hash{}, err
	}
	return r.TxHash, nil
}

// PoolCollect has the pool pay what has come back of advances that were open when the
// account left it, and says how much that was. from is the first L1 block to look at.
func (c *Client) PoolCollect(ctx context.Context, from uint64) (*big.Int, error) {
	at, err := c.contract("instantExit")
	if err != nil {
		return nil, err
	}
	b := bindings.NewInstantExit()
	contract := b.GetABI()
	query := ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(from), Addresses: []common.Address{at},
		Topics: [][]common.Hash{{contract.Events["Sliced"].ID}, nil, {common.BytesToHash(c.Address().Bytes())}},
	}
	slices, err := c.l1.Eth().FilterLogs(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("look for what the account left in the pool (--from-block shortens the search): %w", err)
	}
	total := new(big.Int)
	for _, s := range slices {
		query.FromBlock, query.Topics = new(big.Int).SetUint64(s.BlockNumber), [][]common.Hash{{contract.Events["Repaid"].ID}}
		repaid, err := c.l1.Eth().FilterLogs(ctx, query)
		if err != nil {
			return total, fmt.Errorf("look for repayments of the pool: %w", err)
		}
		id := new(big.Int).SetBytes(s.Topics[1][:])
		for _, r := range repaid {
			call := b.PackCollect(id, r.Topics[1])
			amount, err := callL1(ctx, c, at, call, b.UnpackCollect)
			if err != nil || amount.Sign() == 0 { // not of this slice, paid already, or a part of nothing
				continue
			}
			if _, err := c.sendL1(ctx, "collect from the pool", l1.Request{To: &at, Data: call}); err != nil {
				return total, err
			}
			total.Add(total, amount)
		}
	}
	return total, nil
}

// order is the call of the pool that a withdrawal makes which is to be paid ahead.
func (c *Client) order(ctx context.Context, w Withdrawal) (common.Address, []byte, error) {
	at, err := c.contract("instantExit")
	if err != nil {
		return at, nil, err
	}
	b := bindings.NewInstantExit()
	fee, err := callL1(ctx, c, at, b.PackFeeRoundedUp(w.Amount), b.UnpackFeeRoundedUp)
	if err != nil {
		return at, nil, err
	}
	cash, err := callL1(ctx, c, at, b.PackCash(), b.UnpackCash)
	if err != nil {
		return at, nil, err
	}
	min, err := callL1(ctx, c, at, b.PackMINVALUE(), b.UnpackMINVALUE)
	if err != nil {
		return at, nil, err
	}
	if w.Amount.Cmp(min) < 0 {
		return at, nil, fmt.Errorf("the pool pays withdrawals of %s wei or more ahead, not of %s", min, w.Amount)
	}
	offer := new(big.Int).Sub(w.Amount, fee)
	if offer.Cmp(cash) > 0 {
		return at, nil, fmt.Errorf("the pool has %s wei and would have to pay %s (withdraw less, or without --instant)", cash, offer)
	}
	least := w.MinPayout
	if least == nil {
		least = new(big.Int).Sub(offer, fee)
		if least.Sign() < 0 {
			least = new(big.Int)
		}
	}
	if least.Cmp(offer) > 0 {
		return at, nil, fmt.Errorf("the pool pays %s wei now, less than %s", offer, least)
	}
	c.opts.Report(fmt.Sprintf("the pool pays %s wei and keeps %s", offer, fee))
	return at, b.PackSettle(w.To, w.Amount, least), nil
}

// exitable reports whether the pool may be asked to pay a withdrawal.
func (c *Client) exitable(s *Status) bool {
	return s.State != bridge.PaidByPool && s.Withdrawal.Target == c.at["instantExit"] && s.Withdrawal.Target != common.Address{}
}

// tryExit has the pool pay a withdrawal if a signed block holds it. What the pool refuses
// goes the slow way.
func (c *Client) tryExit(ctx context.Context, s *Status) (paid bool, err error) {
	if time.Now().Before(c.poolAgain) {
		return false, nil
	}
	var refused *Refusal
	switch err := c.Exit(ctx, s); {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNotAttested):
		return false, nil
	case errors.As(err, &refused), errors.Is(err, ErrPoolRefuses):
		c.opts.Report("the pool does not pay: " + err.Error())
		c.poolAgain = time.Now().Add(poolPause)
		return false, nil
	default:
		return false, err
	}
}

// poolPause is how long a pool that does not pay is not asked again.
const poolPause = 15 * time.Second

// ErrPoolRefuses means that the pool has too little, or takes more than was allowed.
var ErrPoolRefuses = errors.New("the pool cannot pay it now")

// offers checks, before anything is paid for, that the pool would pay.
func (c *Client) offers(ctx context.Context, s *Status) error {
	at, b := c.at["instantExit"], bindings.NewInstantExit()
	value := (*big.Int)(s.Withdrawal.Value)
	fee, err := callL1(ctx, c, at, b.PackFeeRoundedUp(value), b.UnpackFeeRoundedUp)
	if err != nil {
		return err
	}
	cash, err := callL1(ctx, c, at, b.PackCash(), b.UnpackCash)
	if err != nil {
		return err
	}
	offer := new(big.Int).Sub(value, fee)
	if offer.Cmp(cash) > 0 {
		return fmt.Errorf("%w: it has %s wei and would have to pay %s", ErrPoolRefuses, cash, offer)
	}
	if data := s.Withdrawal.Data; len(data) == 100 { // settle(recipient, value, minPayout)
		if least := new(big.Int).SetBytes(data[68:]); offer.Cmp(least) < 0 {
			return fmt.Errorf("%w: it offers %s wei, the withdrawal asks for %s", ErrPoolRefuses, offer, least)
		}
	}
	return nil
}

// ErrNotAttested means that no signed block holds a withdrawal yet.
var ErrNotAttested = errors.New("no signed block holds the withdrawal yet")

// Exit hands a signed block in on L1 and has the pool pay a withdrawal that it holds.
func (c *Client) Exit(ctx context.Context, s *Status) error {
	var signed *struct {
		Number    hexutil.Uint64 `json:"blockNumber"`
		Hash      common.Hash    `json:"blockHash"`
		Signature hexutil.Bytes  `json:"signature"`
	}
	if err := c.l2.Client().CallContext(ctx, &signed, "talaria_attestation", s.Block); err != nil {
		return fmt.Errorf("ask for a signed block: %w", err)
	}
	if signed == nil {
		return ErrNotAttested
	}
	if err := c.offers(ctx, s); err != nil {
		return err
	}
	number := new(big.Int).SetUint64(uint64(signed.Number))
	h, err := c.l2.HeaderByNumber(ctx, number)
	if err != nil {
		return fmt.Errorf("get L2 block %d: %w", number, err)
	}
	header, err := rlp.EncodeToBytes(h)
	if err != nil {
		return err
	}
	nodes, err := c.storageProof(ctx, s.Hash, number)
	if err != nil {
		return err
	}
	pool, checkpoints := c.at["instantExit"], c.at["checkpoints"]
	b, cp := bindings.NewInstantExit(), bindings.NewSignedCheckpoints()
	exit := l1.Request{To: &pool, Data: b.PackExit(s.tuple(), header, nodes)}
	known, err := callL1(ctx, c, checkpoints, cp.PackBlockHash(number), cp.UnpackBlockHash)
	if err != nil {
		return err
	}
	if common.Hash(known) == signed.Hash {
		_, err := c.sendL1(ctx, "have the pool pay", exit)
		return err
	}
	// Both in one L1 block, if it can be: the second is checked when the first is in.
	attest := l1.Request{To: &checkpoints, Data: cp.PackAttest(number, signed.Hash, signed.Signature)}
	first, err := c.submitL1(ctx, "hand in the signed block", attest)
	if err != nil {
		return err
	}
	exit.Gas = exitGas
	second, err := c.submitL1(ctx, "have the pool pay", exit)
	if err != nil {
		return errors.Join(err, waited(c.waitL1(ctx, "hand in the signed block", first, attest)))
	}
	if err := waited(c.waitL1(ctx, "hand in the signed block", first, attest)); err != nil {
		return errors.Join(err, waited(c.waitL1(ctx, "have the pool pay", second, exit)))
	}
	return waited(c.waitL1(ctx, "have the pool pay", second, exit))
}

func waited[T any](_ T, err error) error { return err }
