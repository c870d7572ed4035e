package sequencer

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// Development makes the chain a development chain: a block is sealed after every
// transaction, or as commands say, its clock can be set, its state edited, and it can
// go back. No slot and no L1 block holds it up; nothing of it can be derived. See
// docs/adr/0018-development-chain.md. The node must be opened for one, too.
type Development struct {
	Keys []*ecdsa.PrivateKey // of the accounts that the node signs for
}

// command is run by the executing goroutine. An error ends the sequencer.
type command func(*loop) error

// devChain is a development chain beside its blocks.
type devChain struct {
	keys  map[common.Address]*ecdsa.PrivateKey
	order []common.Address

	devRecord
	deposits []*chain.Tx  // of L1 blocks up to the loop's origin, for the next block
	due      chain.Micros // when the next block is sealed by time
}

// devRecord is what the store keeps of it.
type devRecord struct {
	Settings  rpc.DevSettings `json:"settings"`
	NextID    uint64          `json:"nextId"`
	Snapshots []devSnapshot   `json:"snapshots,omitempty"` // by id
	// Origin is the newest L1 block whose deposits were executed when block OriginAt was
	// sealed, or in a block that was undone.
	Origin   chain.L1Origin `json:"origin"`
	OriginAt uint64         `json:"originAt"`
	// UndoneSeq is the last log record that going back undid.
	UndoneSeq uint64 `json:"undoneSeq"`
	// Target is the block that the chain is going back to, nil if it is not.
	Target *uint64 `json:"target,omitempty"`
}

// undid reports whether the log record was undone.
func (d *devChain) undid(seq uint64) bool { return d != nil && seq <= d.UndoneSeq }

// startDevelopment reads what the store has of a development chain, and completes
// going back if that was interrupted.
func (s *Sequencer) startDevelopment() error {
	if s.opts.Development == nil {
		return nil
	}
	d := &devChain{keys: make(map[common.Address]*ecdsa.PrivateKey)}
	for _, k := range s.opts.Development.Keys {
		addr := crypto.PubkeyToAddress(k.PublicKey)
		d.keys[addr], d.order = k, append(d.order, addr)
	}
	if err := s.node.LoadDevelopment(&d.devRecord); err != nil {
		return fmt.Errorf("development chain: %w", err)
	}
	s.dev = d
	if d.Target == nil {
		return nil
	}
	if err := s.node.Rewind(*d.Target); err != nil {
		return err
	}
	d.Target = nil
	return s.saveDevelopment()
}

func (s *Sequencer) saveDevelopment() error { return s.node.SaveDevelopment(&s.dev.devRecord) }

// admitFee is the base fee that a transaction must pay to be admitted, nil if that is
// known only when its block opens.
func (s *Sequencer) admitFee() *big.Int {
	if s.opts.Development != nil {
		return nil
	}
	return s.node.PublishedHead().BaseFee
}

// Dev are the commands of a development chain, nil if it is none.
func (s *Sequencer) Dev() rpc.DevControls {
	if s.dev == nil {
		return nil
	}
	return &devControls{s}
}

// devControls implements rpc.DevControls by commands to the loop.
type devControls struct{ s *Sequencer }

// do runs f on the executing goroutine and waits until it, or what it has handed the
// function to, has said how it went.
func (c *devControls) do(ctx context.Context, f func(l *loop, done func(error)) error) error {
	result := make(chan error, 1)
	run := func(l *loop) error { return f(l, func(err error) { result <- err }) }
	select {
	case c.s.commands <- run:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.s.looped:
		return rpc.NotReadyError("the sequencer is shutting down")
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.s.published:
	}
	select {
	case err := <-result:
		return err
	default:
		return rpc.NotReadyError("the sequencer is shutting down")
	}
}

// Accounts implements rpc.DevControls.
func (c *devControls) Accounts() []common.Address { return c.s.dev.order }

// Sign implements rpc.DevControls.
func (c *devControls) Sign(account common.Address, hash common.Hash) ([]byte, error) {
	key := c.s.dev.keys[account]
	if key == nil {
		return nil, fmt.Errorf("unknown account %s: the node signs for those that eth_accounts names", account)
	}
	return crypto.Sign(hash[:], key)
}

// Send implements rpc.DevControls.
func (c *devControls) Send(ctx context.Context, t rpc.DevTx) (*rpc.TxInfo, error) {
	var sub *rpc.Submission
	err := c.do(ctx, func(l *loop, done func(error)) error {
		tx, err := l.devMake(&t)
		if err != nil {
			done(err)
			return nil
		}
		sub = rpc.NewSubmission()
		sub.Decoded(tx.Hash())
		done(nil)
		return l.devTake(admitted{tx: tx, sub: sub})
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-sub.Done():
		return sub.Result()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// devMake makes a transaction with the sender's next nonce, signed if the node can.
func (l *loop) devMake(t *rpc.DevTx) (*chain.Tx, error) {
	cfg, settings := l.s.node.Config(), &l.dev.Settings
	acc, _ := l.chain.Pending().Account(t.From)
	nonce := acc.Nonce
	if t.Nonce != nil {
		nonce = *t.Nonce
	}
	key := l.dev.keys[t.From]
	impersonated := settings.ImpersonateAll || settings.Impersonated[t.From]
	var tx *chain.Tx
	var err error
	switch {
	case key != nil && !t.Unsigned:
		tx, err = signTx(cfg, key, t.Make(nonce))
	case impersonated:
		tx, err = chain.NewUnsignedTx(t.Make(nonce), t.From)
	default:
		err = fmt.Errorf("no key of %s, and it is not impersonated (anvil_impersonateAccount, or use an account of eth_accounts)", t.From)
	}
	if err != nil {
		return nil, err
	}
	return tx, sequencing.Admit(tx, cfg, nil)
}

func signTx(cfg *chain.Config, key *ecdsa.PrivateKey, data types.TxData) (*chain.Tx, error) {
	eth, err := types.SignNewTx(key, types.NewPragueSigner(new(big.Int).SetUint64(cfg.ChainID)), data)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return chain.DecodeTx(raw, cfg)
}

// Change implements rpc.DevControls.
func (c *devControls) Change(ctx context.Context, change func(*rpc.DevSettings, rpc.DevNow) error) (rpc.DevSettings, error) {
	var after rpc.DevSettings
	err := c.do(ctx, func(l *loop, done func(error)) error {
		settings := l.dev.Settings.Clone()
		if err := change(&settings, l.devNow()); err != nil {
			done(err)
			return nil
		}
		if settings.IntervalMillis != l.dev.Settings.IntervalMillis {
			l.dev.due = now() + settings.IntervalMillis.Micros()
		}
		l.dev.Settings, after = settings, settings.Clone()
		if !settings.Manual && l.chain.IsOpen() {
			if err := l.devSeal(); err != nil {
				return err
			}
		}
		if err := l.s.saveDevelopment(); err != nil {
			return err
		}
		l.barrier(done)
		return nil
	})
	if err != nil { // the loop may still be at it
		return rpc.DevSettings{}, err
	}
	return after, nil
}

func (l *loop) devNow() rpc.DevNow {
	n := rpc.DevNow{Clock: now(), Head: l.head.Number, HeadTime: l.head.Timestamp}
	if l.chain.IsOpen() {
		n.OpenTxs = l.users
	}
	return n
}

// barrier calls f when everything up to now is durable and published.
func (l *loop) barrier(f func(error)) {
	n := l.s.node
	l.s.entries <- entry{then: func(error) {
		select {
		case <-n.Failed():
			f(rpc.NotReadyError(n.Failure().Error()))
		default:
			f(nil)
		}
	}}
}

// resumeDevelopment completes what a crash may have left of the settings.
func (l *loop) resumeDevelopment() {
	if l.dev == nil {
		return
	}
	l.dev.due = now() + l.dev.Settings.IntervalMillis.Micros()
	settings := &l.dev.Settings
	set := settings.NextTimestamp != 0 && settings.NextTimestamp <= l.head.Timestamp
	if set {
		settings.NextTimestamp = 0
	}
	if set || settings.Clock(now()).Seconds() < l.head.Timestamp {
		l.dev.goOnFrom(l.head.Timestamp)
	}
}

// drain waits until everything up to now is durable, published and in the store.
func (l *loop) drain() error {
	done := make(chan error, 1)
	l.barrier(func(err error) { done <- err })
	if err := <-done; err != nil {
		return err
	}
	return l.s.node.AfterWrites(func() error { return nil })
}
