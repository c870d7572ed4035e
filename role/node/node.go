package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/state"
	"github.com/talaria-l2/talaria/store"
)

// Options of a node. The zero value of a field means its default.
type Options struct {
	// Genesis is needed when the data directory is new; otherwise it must be nil or
	// equal to the directory's own.
	Genesis *chain.Genesis
	// GasCap bounds eth_call and eth_estimateGas [the chain's transaction gas cap].
	GasCap chain.Gas
	// StateCache bounds the memory in bytes for accounts and slots that the store has,
	// too, of which a quarter is the store's cache. 0: accounts and slots are all in
	// memory.
	StateCache uint64
	// ProofBlocks is how far behind the head a block may be of which eth_getProof proves
	// the state, 1.. [1,000,000]. The first proof builds a trie of the whole state beside
	// the one that execution has, in as much memory again.
	ProofBlocks uint64
	// ScriptTracers allows debug_trace… with tracers in JavaScript. Nothing bounds their
	// memory: it is for nodes whose users are trusted.
	ScriptTracers bool
	// Development says that the chain need not be derivable: see development.go. A data
	// directory is of one kind for good.
	Development bool
	// Witness has the witnesses of blocks recorded while they are executed, and published.
	// Without, debug_executionWitness executes blocks again.
	Witness bool
	Log     *slog.Logger // [slog.Default()]
}

// Node holds the chain. See the package comment.
type Node struct {
	Genesis *chain.Genesis
	cfg     *chain.Config
	opts    Options
	log     *slog.Logger

	dir   *store.Dir
	store *store.DB
	state *state.DB
	exec  *exec.Chain
	feed  rpc.Feed

	machines sync.Pool // *evm.Machine, for calls
	traces   traceGate
	prover   prover
	posted   tierLog
	final    tierLog
	l1       atomic.Pointer[rpc.L1Status] // nil: none is read
	decided  atomic.Pointer[string]       // under which the store has what L1 blocks decide; nil: nothing derives

	mu     sync.RWMutex
	pub    head
	blocks blockCache
	diffs  diffCache

	witnesses witnessCache

	// reading is held by those who read state, for as long as they do, and by Rewind
	// against them. It comes before mu.
	reading sync.RWMutex

	writes     chan write
	wg         sync.WaitGroup
	failOnce   sync.Once
	failed     chan struct{}
	failure    error
	stopWrites chan struct{}
	closeOnce  sync.Once
	closeErr   error
}

// maxUnwritten bounds the sealed blocks that wait in memory for the store.
const maxUnwritten = 8

// Open takes over a data directory, also when it fails, and loads the state of the
// last block in the store. Mini-blocks after it are in the write-ahead log: see
// Replay.
func Open(dir *store.Dir, opts Options) (*Node, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.ProofBlocks == 0 {
		opts.ProofBlocks = defaultProofBlocks
	}
	n := &Node{
		opts: opts, log: opts.Log, dir: dir,
		writes: make(chan write, maxUnwritten), failed: make(chan struct{}), stopWrites: make(chan struct{}),
	}
	if err := n.load(); err != nil {
		return nil, errors.Join(err, n.closeStores())
	}
	n.wg.Add(1)
	go n.writer()
	return n, nil
}

func (n *Node) load() error {
	err := n.checkDisk()
	if err != nil {
		return err
	}
	if n.Genesis, err = loadGenesis(n.dir, n.opts.Genesis); err != nil {
		return err
	}
	n.cfg = &n.Genesis.Config
	if n.opts.GasCap == 0 {
		n.opts.GasCap = n.cfg.TxGasCap
	}
	storeCache := int64((n.opts.StateCache + 3) / 4) // 0: as the store likes
	if n.store, err = store.Open(n.dir.DBPath(), store.Options{Log: n.log, CacheBytes: storeCache}); err != nil {
		return err
	}
	if err := n.checkWhole(); err != nil {
		return err
	}
	if err := n.store.SetGenesis(encodeGenesis(n.Genesis)); err != nil {
		return err
	}
	_, initialised, err := n.store.Head()
	if err != nil {
		return err
	}
	if !initialised {
		if err := n.writeGenesis(); err != nil {
			return err
		}
	}
	if err := n.checkDevelopment(!initialised); err != nil {
		return err
	}
	return n.loadHead()
}

// loadState reads the state of the newest block in the store.
func (n *Node) loadState() (*state.DB, *state.Trie, error) {
	if n.opts.StateCache == 0 {
		flat := state.NewDB()
		if err := n.store.LoadState(flat); err != nil {
			return nil, nil, err
		}
		return flat, state.BuildTrie(flat), nil
	}
	loader := state.NewLoader(state.Tier{Cold: n.store, Cache: n.opts.StateCache / 4 * 3, Fail: n.store.Fail})
	if err := n.store.LoadState(loader); err != nil {
		return nil, nil, err
	}
	flat, tree := loader.Finish()
	return flat, tree, nil
}

// loadHead makes the newest block in the store the head, with its state.
func (n *Node) loadHead() error {
	number, _, err := n.store.Head()
	if err != nil {
		return err
	}
	flat, tree, err := n.loadState()
	if err != nil {
		return err
	}
	block, err := n.store.Block(number)
	if err != nil {
		return err
	}
	if root := tree.Root(); root != block.Header.Root {
		return fmt.Errorf("data directory %s: state of block %d has root %s, its header says %s (restore a backup, or derive the chain from L1 into a new directory)",
			n.dir.Path(), number, root, block.Header.Root)
	}
	pos, err := n.position(block)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state = flat
	n.exec = exec.NewChain(n.cfg, flat, tree, pos)
	n.exec.SetWitness(n.opts.Witness)
	n.pub.sealed, n.pub.open, n.pub.version = block.Header, nil, flat.Version()
	if n.pub.safe > number {
		n.pub.safe, n.pub.finalized = number, min(n.pub.finalized, number)
		n.noteTiers()
	}
	return nil
}

// position says where the chain continues after block, the newest in the store.
func (n *Node) position(block *chain.Block) (exec.Position, error) {
	number := block.Number()
	pos := exec.Position{
		Parent: block.Header, Ancestors: make(map[uint64]common.Hash), Headers: make(map[uint64]*types.Header), LastMiniHash: block.Hash(),
	}
	for i := number; i+256 > number; i-- {
		h, err := n.store.Header(i)
		if err != nil {
			return pos, err
		}
		pos.Ancestors[i], pos.Headers[i] = h.Hash(), h
		if i == 0 {
			break
		}
	}
	if number > 0 {
		last := block.MiniBlocks[len(block.MiniBlocks)-1]
		pos.Epoch, pos.NextMini, pos.LastMiniHash = last.Epoch, last.Number+1, last.Hash()
	}
	return pos, nil
}

func (n *Node) writeGenesis() error {
	block, diff, err := GenesisOf(n.Genesis)
	if err != nil {
		return err
	}
	if err := n.store.WriteBlock(block, nil, diff, nil); err != nil {
		return fmt.Errorf("write genesis: %w", err)
	}
	return n.store.Sync()
}

// ReadGenesis is the genesis of the chain that the directory holds, nil if it holds
// none yet.
func ReadGenesis(dir *store.Dir) (*chain.Genesis, error) {
	raw, err := os.ReadFile(dir.GenesisPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read genesis: %w", err)
	}
	g, err := chain.DecodeGenesis(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir.GenesisPath(), err)
	}
	return g, nil
}

func loadGenesis(dir *store.Dir, given *chain.Genesis) (*chain.Genesis, error) {
	path := dir.GenesisPath()
	have, err := ReadGenesis(dir)
	switch {
	case err != nil:
		return nil, err
	case have != nil:
		if given != nil && string(encodeGenesis(given)) != string(encodeGenesis(have)) {
			return nil, fmt.Errorf("%s: belongs to another chain than the genesis given (use another data directory)", path)
		}
		return have, dir.SetChainID(have.Config.ChainID)
	case given == nil:
		return nil, fmt.Errorf("%s: no genesis file (give one for a new data directory)", path)
	}
	if err := given.Config.Check(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if err := dir.WriteFile(filepath.Base(path), encodeGenesis(given)); err != nil {
		return nil, err
	}
	return given, dir.SetChainID(given.Config.ChainID)
}

func encodeGenesis(g *chain.Genesis) []byte {
	out, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encode genesis: %v", err)) // own value: cannot fail
	}
	return append(out, '\n')
}

// Rewind makes block number the head again and forgets every later block. It waits
// for readers of the old chain, which may read from the store.
func (n *Node) Rewind(number uint64) error {
	return n.AfterWrites(func() error {
		defer n.traces.shut()()
		n.reading.Lock()
		defer n.reading.Unlock()
		if err := n.store.Rewind(number); err != nil {
			return fmt.Errorf("go back to block %d: %w", number, err)
		}
		n.exec.Close()
		n.blocks.forget(number)
		if err := n.loadHead(); err != nil {
			return err
		}
		n.feed.Publish(rpc.Event{Rewound: &rpc.Rewound{Mini: n.exec.NextMini(), Block: number + 1}})
		return nil
	})
}

// Exec is the executing chain. The caller that drives the node owns it.
func (n *Node) Exec() *exec.Chain { return n.exec }

// Config is the chain's configuration.
func (n *Node) Config() *chain.Config { return n.cfg }

// Dir is the data directory.
func (n *Node) Dir() *store.Dir { return n.dir }

// Store is the block store.
func (n *Node) Store() *store.DB { return n.store }

// Failed is closed when the node cannot go on; Failure says why.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Failure is valid after Failed is closed.
func (n *Node) Failure() error { return n.failure }

// Fail stops the node for good: nothing is published or acknowledged after it.
func (n *Node) Fail(err error) {
	n.failOnce.Do(func() {
		n.failure = err
		close(n.failed)
	})
}

// Close writes what is sealed and closes the data directory. Whoever drives the node
// must have stopped publishing.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		close(n.stopWrites)
		n.wg.Wait()
		n.mu.Lock()
		for _, r := range n.pub.recent {
			r.state.Close()
		}
		n.mu.Unlock()
		n.closeErr = n.closeStores()
	})
	return n.closeErr
}

func (n *Node) closeStores() error {
	var err error
	if n.store != nil {
		err = n.store.Close()
	}
	return errors.Join(err, n.dir.Close())
}
