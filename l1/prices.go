package l1

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
)

// prices are what a transaction offers, in wei.
type prices struct {
	tip, feeCap *big.Int // per gas
	blobFeeCap  *big.Int // per blob gas; nil without blobs
}

// suggest prices a transaction so that it stays valid while the base fees double.
func (s *Sender) suggest(ctx context.Context, blobs bool) (prices, error) {
	var p prices
	err := s.client.retry(ctx, "suggest L1 fees", func(ctx context.Context) error {
		head, err := s.client.eth.HeaderByNumber(ctx, nil)
		if err != nil {
			return err
		}
		if p.tip, err = s.client.eth.SuggestGasTipCap(ctx); err != nil {
			return err
		}
		if p.tip.Sign() == 0 {
			p.tip = big.NewInt(1)
		}
		p.feeCap = new(big.Int).Set(p.tip)
		if head.BaseFee != nil {
			p.feeCap.Add(p.feeCap, new(big.Int).Lsh(head.BaseFee, 1))
		}
		if !blobs {
			return nil
		}
		fee, err := s.client.eth.BlobBaseFee(ctx)
		if err != nil {
			return err
		}
		p.blobFeeCap = new(big.Int).Lsh(fee, 1)
		return nil
	})
	if err != nil {
		return prices{}, err
	}
	return p, s.affordable(p)
}

// raise is the price of a replacement: what pools demand above the old price (10 % for
// plain transactions, 100 % for blobs) and at least today's suggestion.
func (s *Sender) raise(ctx context.Context, old prices) (prices, error) {
	now, err := s.suggest(ctx, old.blobFeeCap != nil)
	if err != nil {
		return old, err
	}
	percent := int64(15)
	if old.blobFeeCap != nil {
		percent = 100
	}
	up := func(was, suggested *big.Int) *big.Int {
		v := new(big.Int).Mul(was, big.NewInt(100+percent))
		v.Div(v, big.NewInt(100)).Add(v, big.NewInt(1))
		if v.Cmp(suggested) < 0 {
			return suggested
		}
		return v
	}
	next := prices{tip: up(old.tip, now.tip), feeCap: up(old.feeCap, now.feeCap)}
	if old.blobFeeCap != nil {
		next.blobFeeCap = up(old.blobFeeCap, now.blobFeeCap)
	}
	if err := s.affordable(next); err != nil {
		return old, err
	}
	return next, nil
}

func (s *Sender) affordable(p prices) error {
	limit := s.opts.MaxFeePerGas
	if p.feeCap.Cmp(limit) > 0 {
		return fmt.Errorf("%w: %v wei per gas, limit %v", ErrFeeLimit, p.feeCap, limit)
	}
	if p.blobFeeCap != nil && p.blobFeeCap.Cmp(limit) > 0 {
		return fmt.Errorf("%w: %v wei per blob gas, limit %v", ErrFeeLimit, p.blobFeeCap, limit)
	}
	return nil
}

// buildTx is an EIP-1559 transaction, or an EIP-4844 one when there are blobs.
func buildTx(chainID *big.Int, req *Request, nonce uint64, p prices, load *cargo) (*types.Transaction, error) {
	value := req.Value
	if value == nil {
		value = new(big.Int)
	}
	if load == nil {
		return types.NewTx(&types.DynamicFeeTx{
			ChainID: chainID, Nonce: nonce, GasTipCap: p.tip, GasFeeCap: p.feeCap,
			Gas: req.Gas, To: req.To, Value: value, Data: req.Data,
		}), nil
	}
	words := make([]*uint256.Int, 0, 5)
	for _, v := range []*big.Int{chainID, p.tip, p.feeCap, value, p.blobFeeCap} {
		w, overflow := uint256.FromBig(v)
		if overflow || v.Sign() < 0 {
			return nil, fmt.Errorf("L1 transaction: %v does not fit 256 bits", v)
		}
		words = append(words, w)
	}
	return types.NewTx(&types.BlobTx{
		ChainID: words[0], Nonce: nonce, GasTipCap: words[1], GasFeeCap: words[2],
		Gas: req.Gas, To: *req.To, Value: words[3], Data: req.Data,
		BlobFeeCap: words[4], BlobHashes: load.hashes,
	}), nil
}

// refusalKind is why a server does not take a transaction, as far as it matters.
type refusalKind int

const (
	refusedOther refusalKind = iota
	refusedNonce             // the nonce is used
	refusedPrice             // the price is too low, also to replace another
	refusedBusy              // not now: the pool is full, or holds another kind of this account
)

// refusal sorts the messages of go-ethereum, reth, nethermind and anvil, which have no
// error codes in common.
func refusal(err error) refusalKind {
	var re rpc.Error
	if !errors.As(err, &re) {
		return refusedOther
	}
	msg := strings.ToLower(re.Error())
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(msg, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("nonce too low", "nonce is too low", "oldnonce"):
		return refusedNonce
	case has("underpriced", "too low to replace", "max fee per gas less than block base fee",
		"max fee per blob gas less than", "gas price below minimum", "fee too low", "feetoolow",
		"gas tip cap", "gas fee cap"):
		return refusedPrice
	case has("already reserved", "txpool is full", "nonce too high", "gapped nonce", "in-flight transaction limit", "account limit exceeded"):
		return refusedBusy
	}
	return refusedOther
}

// submitRaw sends the bytes once. A transaction that the pool has already is sent.
func (s *Sender) submitRaw(ctx context.Context, tx *types.Transaction) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	err := s.client.eth.SendTransaction(ctx, tx)
	var re rpc.Error
	if errors.As(err, &re) {
		msg := strings.ToLower(re.Error())
		if strings.Contains(msg, "already known") || strings.Contains(msg, "already imported") || strings.Contains(msg, "alreadyknown") {
			return nil
		}
	}
	return err
}
