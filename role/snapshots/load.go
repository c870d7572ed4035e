package snapshots

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/snapshot"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// LoadOptions say from where a snapshot is loaded. A zero field means its default, in
// brackets.
type LoadOptions struct {
	URL     string         // of the server's JSON-RPC, http:// or https://
	Genesis *chain.Genesis // of the chain
	Signer  common.Address // who signs mini-blocks [the genesis's sequencer]
	// Parallel is how many pieces are loaded at once, 1..16 [4].
	Parallel int
	Log      *slog.Logger // [slog.Default()]
}

const (
	maxParallel = 16
	// longestPause is the longest one before a server is asked again.
	longestPause = 5 * time.Second
	// everyLine is how often the log says how far it is.
	everyLine = 2 * time.Second
)

// Load fills the store of a data directory, which dir has locked, from a snapshot, or goes
// on where it was interrupted. It returns when the store begins with the snapshot's block
// and node.Open may take it over; at once if the store holds a chain. A server that does
// not answer is asked again until ctx ends; what a server sends that is wrong is a
// FaultError, after which nothing of it is left.
func Load(ctx context.Context, dir *store.Dir, opts LoadOptions) error {
	if opts.Signer == (common.Address{}) {
		opts.Signer = opts.Genesis.Config.Sequencer
	}
	if opts.Parallel == 0 {
		opts.Parallel = 4
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	l := &loader{opts: opts, log: opts.Log, dir: dir, client: newClient(opts.URL)}
	defer l.client.close()
	for {
		done, err := l.attempt(ctx)
		if done || err != nil {
			return err
		}
		if err := pause(ctx, longestPause/64); err != nil {
			return err
		}
	}
}

// loader loads one data directory.
type loader struct {
	opts   LoadOptions
	log    *slog.Logger
	dir    *store.Dir
	client *client

	db       *store.DB
	manifest *snapshot.Manifest
	gone     common.Hash // of the block of a snapshot that the server had dropped

	mu     sync.Mutex
	loaded int // pieces
	bytes  uint64
	line   time.Time // when the log last said so
}

// attempt loads a snapshot; not done: the server has dropped it, and another one is to be
// loaded. After a FaultError nothing of it is left.
func (l *loader) attempt(ctx context.Context) (done bool, err error) {
	if l.db, err = store.Open(l.dir.DBPath(), store.Options{Log: l.log}); err != nil {
		return false, err
	}
	wipe := false
	defer func() {
		err = errors.Join(err, l.db.Close())
		if wipe {
			err = errors.Join(err, store.RemoveImport(l.dir.DBPath()))
		}
	}()
	if _, ok, err := l.db.Head(); ok || err != nil {
		return ok, err
	}
	err = l.load(ctx)
	var fault *FaultError
	switch wipe = errors.As(err, &fault) || errors.Is(err, errGone); {
	case err == nil:
		return true, nil
	case errors.Is(err, errGone):
		l.log.Warn("the snapshot is gone; loading another one", "err", err)
		return false, nil
	}
	return false, err
}

func (l *loader) load(ctx context.Context) error {
	started := time.Now()
	loaded, err := l.begin(ctx)
	if err != nil {
		return err
	}
	m := l.manifest
	l.loaded, l.bytes, l.line = len(loaded), 0, started
	l.log.Info("loads a snapshot", "from", l.opts.URL, "block", m.Number(), "hash", m.Header.Hash(),
		"accounts", m.Accounts, "slots", m.Slots, "pieces", len(m.Pieces), "loaded", len(loaded), "bytes", m.Bytes())
	headers, minis, err := l.pieces(ctx, loaded)
	if errors.Is(err, errGone) {
		l.gone = m.Header.Hash()
	}
	if err != nil {
		return err
	}
	base, genesis, err := l.check(ctx, headers, minis)
	if err != nil {
		return err
	}
	if err := l.db.FinishImport(base, genesis); err != nil {
		return err
	}
	l.log.Info("loaded the snapshot", "block", m.Number(), "accounts", m.Accounts, "slots", m.Slots, "bytes", l.bytes, "in", time.Since(started).Round(time.Millisecond))
	return nil
}

// begin decides on a snapshot: the one that is half loaded, if there is one and the server
// has it, else its newest. It returns the pieces that are loaded.
func (l *loader) begin(ctx context.Context) (loaded map[int]bool, err error) {
	raw, loaded, err := l.db.Import()
	switch {
	case err == nil:
		if l.manifest, err = snapshot.DecodeManifest(raw); err != nil {
			return nil, errors.Join(errGone, err) // of another version
		}
		return loaded, l.patiently(ctx, func() error {
			have, err := l.client.manifest(ctx, l.manifest.Header.Hash())
			if err == nil && string(have.Encode()) != string(raw) {
				err = fmt.Errorf("%w: it has made it again", errGone)
			}
			if err == nil {
				err = l.confirmed()
			}
			return err
		})
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	err = l.patiently(ctx, func() (err error) {
		var making string
		if l.manifest, making, err = l.client.latest(ctx); err == nil && l.manifest == nil {
			err = fmt.Errorf("%w: a snapshot is being made: %s", errLater, making)
		}
		return err
	})
	if err == nil && l.manifest.Header.Hash() == l.gone {
		err = &FaultError{l.opts.URL, fmt.Errorf("it offers the snapshot of block %d again, of which it did not have every piece", l.manifest.Number())}
	}
	if err == nil {
		err = l.confirmed()
	}
	if err == nil {
		err = l.db.BeginImport(l.manifest.Encode())
	}
	return nil, err
}

// confirmed checks that the leader vouches for the snapshot's block.
func (l *loader) confirmed() error {
	if err := l.manifest.Check(l.opts.Genesis.Config.ChainID, l.opts.Signer); err != nil {
		return &FaultError{l.opts.URL, err}
	}
	return nil
}

// patiently calls f until it succeeds, or fails for another reason than that the server
// does not answer now.
func (l *loader) patiently(ctx context.Context, f func() error) error {
	wait := longestPause / 64
	for {
		err := f()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, errLater) {
			return err
		}
		l.waits(err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, longestPause)
	}
}

// waits tells why the server is asked again, now and then.
func (l *loader) waits(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.line) >= everyLine {
		l.line = now
		l.log.Info("waits for the server of the snapshot", "err", why)
	}
}

// pieces loads those that are not loaded, several at once, and returns what the others hold
// of the block.
func (l *loader) pieces(ctx context.Context, loaded map[int]bool) ([]*types.Header, []snapshot.MiniBlock, error) {
	m := l.manifest
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	blocks := make([]*snapshot.Content, len(m.Pieces)) // of those that hold the block
	var workers sync.WaitGroup
	for range min(max(l.opts.Parallel, 1), maxParallel) {
		workers.Go(func() {
			for index := range todo {
				content, err := l.piece(ctx, index)
				if err != nil {
					cancel(err)
					return
				}
				blocks[index] = content
			}
		})
	}
feeding:
	for i := range m.Pieces {
		if loaded[i] {
			continue
		}
		select {
		case todo <- i:
		case <-ctx.Done():
			break feeding
		}
	}
	close(todo)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, nil, err
	}
	var headers []*types.Header
	var minis []snapshot.MiniBlock
	for _, c := range blocks {
		if c != nil {
			headers, minis = append(headers, c.Headers...), append(minis, c.MiniBlocks...)
		}
	}
	return headers, minis, nil
}

// piece loads one, and returns it if it is of the block.
func (l *loader) piece(ctx context.Context, index int) (kept *snapshot.Content, err error) {
	m := l.manifest
	var content *snapshot.Content
	err = l.patiently(ctx, func() (err error) {
		content, err = l.client.piece(ctx, m, index)
		return err
	})
	if err != nil {
		return nil, err
	}
	ofBlock, ofState := len(content.Headers)+len(content.MiniBlocks), len(content.Accounts)+len(content.Codes)+len(content.Slots)
	switch {
	case m.HoldsBlock(index) && ofState > 0 || !m.HoldsBlock(index) && ofBlock > 0:
		return nil, &FaultError{l.opts.URL, fmt.Errorf("piece %d of %d is wrong: state and block in one", index, len(m.Pieces))}
	case m.HoldsBlock(index):
		kept = content
	default:
		if err := l.db.ImportPiece(index, content, m.Number()); err != nil {
			if errors.Is(err, snapshot.ErrMalformed) {
				err = &FaultError{l.opts.URL, err}
			}
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded++
	l.bytes += m.Pieces[index].Size
	if now := time.Now(); now.Sub(l.line) >= everyLine {
		l.line = now
		l.log.Info("loads a snapshot", "pieces", l.loaded, "of", len(m.Pieces), "bytes", l.bytes, "ofBytes", m.Bytes())
	}
	return kept, nil
}

// check checks what was loaded against the header: the state as the store has it, and the
// block.
func (l *loader) check(ctx context.Context, headers []*types.Header, minis []snapshot.MiniBlock) (*snapshot.Base, *chain.Block, error) {
	m := l.manifest
	fault := func(err error) error { return &FaultError{l.opts.URL, err} }
	base, err := snapshot.NewBase(&l.opts.Genesis.Config, l.opts.Signer, m, headers, minis)
	if err != nil {
		return nil, nil, fault(err)
	}
	genesis, _, err := node.GenesisOf(l.opts.Genesis)
	if err != nil {
		return nil, nil, err
	}
	oldest := m.Header
	if len(headers) > 0 {
		oldest = headers[0]
	}
	if oldest.Number.Uint64() == 1 && oldest.ParentHash != genesis.Hash() {
		return nil, nil, fault(fmt.Errorf("it begins with genesis block %s, the genesis file's is %s", oldest.ParentHash, genesis.Hash()))
	}
	tree := state.NewTrieLoader(state.NewTrie())
	if err := l.db.LoadState(cancellable{tree, ctx}); err != nil {
		if errors.Is(err, store.ErrNotFound) { // a code
			err = fault(err)
		}
		return nil, nil, err
	}
	if root := tree.Finish().Root(); root != m.Header.Root {
		return nil, nil, fault(fmt.Errorf("the state of its %d pieces has root %s, the header of block %d says %s", len(m.Pieces), root, m.Number(), m.Header.Root))
	}
	return base, genesis, nil
}

// cancellable takes the state until its context ends.
type cancellable struct {
	store.StateLoader
	ctx context.Context
}

func (c cancellable) Err() error { return c.ctx.Err() }
