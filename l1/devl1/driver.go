package devl1

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/miner"
)

// backlogSeconds is by how much blocks mined on demand may trail the clock. A new
// chain's genesis lies so far back, so that its first blocks can follow at once.
const backlogSeconds = 12

// headKey is where the driver keeps the hash of the block that it publishes next. The
// block and this key are on disk before anybody can see the block.
var headKey = []byte("talaria-devl1-head")

// driver stands in for the consensus layer: it asks go-ethereum's miner for a block,
// keeps its blobs, has it executed and makes it the head.
type driver struct {
	eth    *eth.Ethereum
	blobs  *blobStore
	opts   *Options
	turn   chan struct{} // holds one token: whoever has it may make a block
	closed bool          // guarded by turn
	pause  chan struct{} // holds one token: periodic blocks need it
}

func newDriver(e *eth.Ethereum, blobs *blobStore, opts *Options) *driver {
	d := &driver{eth: e, blobs: blobs, opts: opts, turn: make(chan struct{}, 1), pause: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	d.pause <- struct{}{}
	return d
}

// recover makes the block the head that was published last, also when the process
// died between publishing it and go-ethereum noting it.
func (d *driver) recover() error {
	bc := d.eth.BlockChain()
	if has, err := d.eth.ChainDb().Has(headKey); err != nil || !has {
		if err != nil {
			return fmt.Errorf("read head: %w", err)
		}
		return d.publish(bc.GetBlockByHash(bc.CurrentBlock().Hash()))
	}
	raw, err := d.eth.ChainDb().Get(headKey)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	block := bc.GetBlockByHash(common.BytesToHash(raw))
	if block == nil || !bc.HasBlockAndState(block.Hash(), block.NumberU64()) {
		return fmt.Errorf("head block %x is missing: the datadir is damaged, start with an empty one", raw)
	}
	return d.publish(block)
}

// run produces a block at every multiple of the period until ctx ends.
func (d *driver) run(ctx context.Context) {
	period := time.Duration(d.opts.PeriodMillis) * time.Millisecond
	for {
		now := time.Now()
		timer := time.NewTimer(now.Truncate(period).Add(period).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		select {
		case <-d.pause:
		default:
			continue
		}
		err := d.tick(ctx)
		d.pause <- struct{}{}
		if err != nil && ctx.Err() == nil && d.opts.Logger != nil {
			d.opts.Logger.Error("L1 block not produced", "err", err)
		}
	}
}

// tick makes the periodic block, unless blocks on demand have used this second.
func (d *driver) tick(ctx context.Context) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.release()
	now := uint64(time.Now().Unix())
	if now <= d.eth.BlockChain().CurrentBlock().Time {
		return nil
	}
	_, err := d.produce(ctx, now)
	return err
}

// mine makes a block on demand.
func (d *driver) mine(ctx context.Context) (*types.Header, error) {
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	timestamp := max(d.eth.BlockChain().CurrentBlock().Time+1, uint64(time.Now().Unix())-backlogSeconds)
	earliest := time.Unix(int64(timestamp)-MaxAhead, 0)
	if wait := time.Until(earliest); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return d.produce(ctx, timestamp)
}

func (d *driver) mineInstantly(ctx context.Context, f func(context.Context) error) error {
	select {
	case <-d.pause:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.pause <- struct{}{} }()

	txs := make(chan core.NewTxsEvent, 256)
	sub := d.eth.TxPool().SubscribeTransactions(txs, false)
	defer sub.Unsubscribe()
	mineCtx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- f(mineCtx)
	}()
	var mineErr error
	for {
		select {
		case <-txs:
			drain(txs)
			if _, err := d.mine(mineCtx); err != nil && mineCtx.Err() == nil {
				mineErr = err
				cancel()
			}
		case err := <-done:
			return errors.Join(mineErr, err)
		}
	}
}

func drain(txs <-chan core.NewTxsEvent) {
	for {
		select {
		case <-txs:
		default:
			return
		}
	}
}

func (d *driver) take(ctx context.Context) error {
	select {
	case <-d.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if d.closed {
		d.release()
		return ErrClosed
	}
	return nil
}

func (d *driver) release() { d.turn <- struct{}{} }

// close waits for a block in the making and refuses further ones.
func (d *driver) close() {
	<-d.turn
	d.closed = true
	d.release()
}

// produce builds, keeps, executes and publishes the next block. Randomness and beacon
// root follow from the parent, so that nothing in a block depends on the machine.
func (d *driver) produce(ctx context.Context, timestamp uint64) (*types.Header, error) {
	bc := d.eth.BlockChain()
	parent := bc.CurrentBlock()
	// Transactions that RPC has accepted must be seen, and mined ones must be gone.
	if err := d.eth.TxPool().Sync(); err != nil {
		return nil, fmt.Errorf("sync transaction pool: %w", err)
	}
	parentHash := parent.Hash()
	beaconRoot := crypto.Keccak256Hash([]byte("beacon root"), parentHash[:])
	block, envelope, err := d.eth.Miner().BuildTestingPayload(&miner.BuildPayloadArgs{
		Parent: parentHash, Timestamp: timestamp, FeeRecipient: d.opts.FeeRecipient,
		Random: crypto.Keccak256Hash(parentHash[:]), Withdrawals: types.Withdrawals{},
		BeaconRoot: &beaconRoot, Version: engine.PayloadV3,
	}, nil, false, nil)
	if err != nil {
		return nil, fmt.Errorf("build block %d: %w", parent.Number.Uint64()+1, err)
	}
	slot := timestamp - bc.Genesis().Time()
	if err := d.blobs.put(slot, envelope.BlobsBundle); err != nil {
		return nil, fmt.Errorf("keep blobs of block %d: %w", block.NumberU64(), err)
	}
	if _, err := bc.InsertBlockWithoutSetHead(ctx, block, false); err != nil {
		return nil, fmt.Errorf("execute block %d: %w", block.NumberU64(), err)
	}
	db := d.eth.ChainDb()
	hash := block.Hash()
	if err := db.Put(headKey, hash[:]); err != nil {
		return nil, fmt.Errorf("keep head %d: %w", block.NumberU64(), err)
	}
	if err := db.SyncKeyValue(); err != nil {
		return nil, fmt.Errorf("sync block %d: %w", block.NumberU64(), err)
	}
	if err := d.publish(block); err != nil {
		return nil, err
	}
	return block.Header(), nil
}

// publish makes block the head and moves the safe and finalized heads behind it.
func (d *driver) publish(block *types.Block) error {
	bc := d.eth.BlockChain()
	if bc.CurrentBlock().Hash() != block.Hash() {
		if _, err := bc.SetCanonical(block); err != nil {
			return fmt.Errorf("publish block %d: %w", block.NumberU64(), err)
		}
	}
	behind := func(depth uint64) *types.Header {
		n := block.NumberU64()
		return bc.GetHeaderByNumber(n - min(depth, n))
	}
	bc.SetFinalized(behind(d.opts.FinalizedDepth))
	bc.SetSafe(behind(d.opts.SafeDepth))
	d.eth.SetSynced()
	return nil
}
