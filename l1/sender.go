package l1

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// SenderOptions configure a Sender.
type SenderOptions struct {
	Confirmations uint64        // blocks from the transaction's to the head, both counted, 1.. [1]
	Poll          time.Duration // between looks for the receipt [100 ms]
	Resubmit      time.Duration // after which a pending transaction is replaced at a higher price [15 s]
	MaxFeePerGas  *big.Int      // wei, for gas and for blob gas [1,000 gwei]
}

// Sender sends the transactions of one account, whose nonces it owns: no other process
// may use the key meanwhile. It is safe for concurrent use; transactions get their
// nonces in the order of the calls and wait for inclusion side by side. It has no
// goroutine of its own.
type Sender struct {
	client *Client
	signer Signer
	opts   SenderOptions

	turn        chan struct{} // holds one token: submitting, so that nonces have no gaps
	mu          sync.Mutex
	nonce       uint64
	nonceKnown  bool
	inFlight    int // submitted and not settled; without any, the server knows the nonce best
	oldSidecars atomic.Bool
}

// Request is a transaction to be priced, signed and sent.
type Request struct {
	To    *common.Address // nil creates a contract
	Value *big.Int        // wei; nil is zero
	Data  []byte
	Gas   uint64 // 0: estimated, with a fifth to spare
	Blobs []Blob // at most MaxBlobsPerTx
	// Nonce is the only one that the transaction may have; nil: the account's next. If it
	// is used, the error wraps ErrNonceTaken.
	Nonce *uint64
}

// NewSender sends through c, which stays the caller's to close.
func NewSender(c *Client, signer Signer, opts SenderOptions) *Sender {
	opts.Confirmations = max(opts.Confirmations, 1)
	if opts.Poll <= 0 {
		opts.Poll = 100 * time.Millisecond
	}
	if opts.Resubmit <= 0 {
		opts.Resubmit = 15 * time.Second
	}
	if opts.MaxFeePerGas == nil {
		opts.MaxFeePerGas = big.NewInt(1_000 * params.GWei)
	}
	s := &Sender{client: c, signer: signer, opts: opts, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// Address is the account that sends.
func (s *Sender) Address() common.Address { return s.signer.Address() }

// SendBlobs sends data with blobs to an address and waits for the receipt.
func (s *Sender) SendBlobs(ctx context.Context, to common.Address, data []byte, blobs []Blob) (*types.Receipt, error) {
	return s.Send(ctx, Request{To: &to, Data: data, Blobs: blobs})
}

// Deploy creates a contract from its creation code with arguments appended.
func (s *Sender) Deploy(ctx context.Context, bytecode []byte) (common.Address, *types.Receipt, error) {
	r, err := s.Send(ctx, Request{Data: bytecode})
	if err != nil {
		return common.Address{}, r, fmt.Errorf("deploy L1 contract: %w", err)
	}
	return r.ContractAddress, r, nil
}

// Send submits a transaction and waits until it has the confirmations, replacing it at
// a higher price while it is stuck. A failed transaction gives its receipt and
// ErrReverted. When ctx ends after the submission the transaction may still be
// included.
func (s *Sender) Send(ctx context.Context, req Request) (*types.Receipt, error) {
	a, err := s.Submit(ctx, req)
	if err != nil {
		return nil, err
	}
	return a.Wait(ctx)
}

// Pending is a submitted transaction, to be waited for by one goroutine.
type Pending struct {
	sender  *Sender
	settled sync.Once
	draft   *types.Transaction // newest signed version, without sidecar
	load    *cargo
	prices  prices
	hashes  []common.Hash // of every version, the oldest first
}

// Hash is the hash of the newest version.
func (p *Pending) Hash() common.Hash { return p.draft.Hash() }

// Submit sends a transaction without waiting for it. Its nonce is used only if the
// server accepts it.
func (s *Sender) Submit(ctx context.Context, req Request) (*Pending, error) {
	p := &Pending{sender: s}
	var err error
	if len(req.Blobs) > 0 {
		if req.To == nil {
			return nil, errors.New("send L1 transaction: a blob transaction cannot create a contract")
		}
		if p.load, err = newCargo(req.Blobs); err != nil {
			return nil, fmt.Errorf("send L1 transaction: %w", err)
		}
		version := byte(types.BlobSidecarVersion1)
		if s.oldSidecars.Load() {
			version = types.BlobSidecarVersion0
		}
		if _, err = p.load.sidecar(version); err != nil { // ahead of the queue: it takes long
			return nil, fmt.Errorf("send L1 transaction: %w", err)
		}
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, fmt.Errorf("send L1 transaction: %w", ctx.Err())
	}
	defer func() { s.turn <- struct{}{} }()
	if req.Gas == 0 {
		if req.Gas, err = s.estimate(ctx, &req); err != nil {
			return nil, err
		}
	}
	if p.prices, err = s.suggest(ctx, p.load != nil); err != nil {
		return nil, err
	}
	if err := p.first(ctx, &req); err != nil {
		return nil, fmt.Errorf("send L1 transaction of %v: %w", s.Address(), err)
	}
	s.mu.Lock()
	s.inFlight++
	s.mu.Unlock()
	return p, nil
}

// settle is called when nobody waits for p any more. With nothing in flight the next
// nonce is asked for again: L1 may have reorganised and forgotten transactions.
func (p *Pending) settle() {
	p.settled.Do(func() {
		s := p.sender
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.inFlight--; s.inFlight == 0 {
			s.nonceKnown = false
		}
	})
}

// first submits the first version, finding the nonce. Its caller holds the turn.
func (p *Pending) first(ctx context.Context, req *Request) error {
	s := p.sender
	for reloads := 0; ; {
		nonce, err := s.nonceFor(ctx, req)
		if err != nil {
			return err
		}
		if p.draft, err = s.sign(ctx, req, nonce, p.prices, p.load); err != nil {
			return err
		}
		err = s.submit(ctx, p.draft, p.load)
		switch {
		case err == nil:
			s.setNonce(nonce+1, true)
			p.hashes = append(p.hashes, p.draft.Hash())
			return nil
		case transient(err):
			// It may have arrived all the same: keep its hash and send the same again.
			s.setNonce(nonce, true)
			if n := len(p.hashes); n == 0 || p.hashes[n-1] != p.draft.Hash() {
				p.hashes = append(p.hashes, p.draft.Hash())
			}
		case refusal(err) == refusedNonce && reloads < 3:
			if r, rerr := p.included(ctx); rerr != nil || r != nil {
				s.setNonce(nonce+1, rerr == nil)
				return rerr
			}
			if req.Nonce != nil {
				s.setNonce(0, false)
				return fmt.Errorf("nonce %d: %w", nonce, ErrNonceTaken)
			}
			reloads++
			s.setNonce(0, false)
			continue
		case refusal(err) == refusedBusy:
			// The pool holds a transaction of another kind of this account: wait for it.
		case refusal(err) == refusedPrice:
			if p.prices, err = s.raise(ctx, p.prices); err != nil {
				return err
			}
		default:
			s.setNonce(0, false)
			return err
		}
		if serr := sleep(ctx, s.opts.Poll); serr != nil {
			return errors.Join(serr, err)
		}
	}
}

func (s *Sender) nonceFor(ctx context.Context, req *Request) (uint64, error) {
	if req.Nonce != nil {
		return *req.Nonce, nil
	}
	return s.nextNonce(ctx)
}

func (s *Sender) nextNonce(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	nonce, known := s.nonce, s.nonceKnown
	s.mu.Unlock()
	if known {
		return nonce, nil
	}
	return s.client.PendingNonce(ctx, s.Address())
}

func (s *Sender) setNonce(n uint64, known bool) {
	s.mu.Lock()
	s.nonce, s.nonceKnown = n, known
	s.mu.Unlock()
}

// Wait returns the receipt once it has the confirmations.
func (p *Pending) Wait(ctx context.Context) (*types.Receipt, error) {
	defer p.settle()
	s := p.sender
	what := func() string { return fmt.Sprintf("wait for L1 transaction %v", p.Hash()) }
	resubmit := time.Now().Add(s.opts.Resubmit)
	missing := 0
	for {
		r, err := p.included(ctx)
		switch {
		case err == nil && r != nil:
			done, err := s.confirmed(ctx, r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", what(), err)
			}
			if done && r.Status != types.ReceiptStatusSuccessful {
				return r, fmt.Errorf("%s: %w, gas used %d of %d", what(), ErrReverted, r.GasUsed, p.draft.Gas())
			}
			if done {
				return r, nil
			}
			missing = 0
		case err != nil && !errors.Is(err, ErrUnavailable):
			return nil, fmt.Errorf("%s: %w", what(), err)
		case err == nil && time.Now().After(resubmit):
			resubmit = time.Now().Add(s.opts.Resubmit)
			if next, err := s.client.PendingNonce(ctx, s.Address()); err == nil && next < p.draft.Nonce() {
				return nil, fmt.Errorf("%s: %w: L1 wants nonce %d, this one has %d", what(), ErrNonceGap, next, p.draft.Nonce())
			}
			used, err := p.replace(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", what(), err)
			}
			if !used {
				missing = 0
				break
			}
			// One of the versions, probably: its receipt comes a moment after the nonce.
			resubmit = time.Now()
			if missing++; missing > 20 {
				s.setNonce(0, false)
				return nil, fmt.Errorf("%s, nonce %d: %w", what(), p.draft.Nonce(), ErrNonceTaken)
			}
		}
		if err := sleep(ctx, s.opts.Poll); err != nil {
			return nil, fmt.Errorf("%s: %w", what(), err)
		}
	}
}

// included looks for the receipt of any version, the newest first.
func (p *Pending) included(ctx context.Context) (*types.Receipt, error) {
	for i := len(p.hashes) - 1; i >= 0; i-- {
		r, err := p.sender.client.Receipt(ctx, p.hashes[i])
		if err == nil || !errors.Is(err, ErrNotFound) {
			return r, err
		}
	}
	return nil, nil
}

// confirmed reports whether the receipt's block is canonical and deep enough.
func (s *Sender) confirmed(ctx context.Context, r *types.Receipt) (bool, error) {
	if s.opts.Confirmations == 1 {
		return true, nil
	}
	head, err := s.client.HeaderByTag(ctx, Latest)
	if errors.Is(err, ErrUnavailable) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if head.Number.Uint64()+1 < r.BlockNumber.Uint64()+s.opts.Confirmations {
		return false, nil
	}
	at, err := s.client.HeaderByNumber(ctx, r.BlockNumber.Uint64())
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && at.Hash() == r.BlockHash, err
}

// replace submits the same transaction at a higher price. It reports whether the nonce
// has been used meanwhile. At the price limit the last version is sent again, in case
// the pool has lost it.
func (p *Pending) replace(ctx context.Context) (nonceUsed bool, err error) {
	s := p.sender
	next := p.draft
	raised, err := s.raise(ctx, p.prices)
	if err != nil && !errors.Is(err, ErrFeeLimit) {
		if errors.Is(err, ErrUnavailable) {
			return false, nil
		}
		return false, err
	}
	if err == nil {
		req := &Request{To: p.draft.To(), Value: p.draft.Value(), Data: p.draft.Data(), Gas: p.draft.Gas()}
		if next, err = s.sign(ctx, req, p.draft.Nonce(), raised, p.load); err != nil {
			return false, err
		}
	}
	err = s.submit(ctx, next, p.load)
	if next != p.draft && (err == nil || transient(err)) {
		p.draft, p.prices = next, raised
		p.hashes = append(p.hashes, next.Hash())
	}
	switch {
	case err == nil, transient(err), refusal(err) == refusedBusy:
		return false, nil
	case refusal(err) == refusedPrice:
		p.prices = raised // the next try starts from here
		return false, nil
	case refusal(err) == refusedNonce:
		return true, nil
	}
	return false, err
}

// sign builds and signs one version of a transaction, without sidecar.
func (s *Sender) sign(ctx context.Context, req *Request, nonce uint64, p prices, load *cargo) (*types.Transaction, error) {
	tx, err := buildTx(s.client.chainID, req, nonce, p, load)
	if err != nil {
		return nil, err
	}
	return s.signer.SignTx(ctx, tx, s.client.chainID)
}

// estimate asks for the gas that the transaction needs and adds a fifth, within the
// protocol's limit per transaction (EIP-7825).
func (s *Sender) estimate(ctx context.Context, req *Request) (uint64, error) {
	var gas uint64
	what := "estimate gas of L1 transaction"
	err := s.client.retry(ctx, what, func(ctx context.Context) (err error) {
		gas, err = s.client.eth.EstimateGas(ctx, ethereum.CallMsg{From: s.Address(), To: req.To, Value: req.Value, Data: req.Data})
		return err
	})
	if err != nil && strings.Contains(err.Error(), "revert") {
		return 0, fmt.Errorf("%w: %w", ErrReverted, err)
	}
	if err != nil {
		return 0, err
	}
	return max(gas, min(gas+gas/5, params.MaxTxGas)), nil
}
