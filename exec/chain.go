package exec

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/state"
)

// ErrBlockFull reports that a transaction's gas limit does not fit into what the
// open block has left; it may fit into the next.
var ErrBlockFull = errors.New("block gas limit reached")

// Chain is the executing end of the chain. See the package comment.
type Chain struct {
	cfg  *chain.Config
	db   *state.DB
	trie *state.Trie
	executor

	parent     *types.Header
	parentHash common.Hash
	ancestors  map[uint64]common.Hash // of the last 256 blocks

	epoch        uint64
	nextMini     uint64
	lastMiniHash common.Hash

	open        *openBlock
	roots       bodyRoots         // of the open block
	list        *state.AccessList // of the open mini-block
	receiptsRLP []byte            // memory for encoding those of a mini-block
	edits       []state.Diff      // applied since the last cut: see Edit
	// l1Fees are at the prices that L1Block holds, unless repriced.
	l1Fees   *chain.L1FeeSchedule
	repriced bool

	rec recorder
}

// openBlock is the block under construction.
type openBlock struct {
	header    *types.Header
	env       *evm.Env
	txs       []*chain.Tx
	receipts  []*chain.Receipt
	minis     []chain.MiniBlockHeader
	gasUsed   chain.Gas
	logs      int
	changes   *state.AccessList // of the whole block as one step, whose last values hold
	list      *state.AccessList
	listIndex uint32
	firstTx   int
	firstGas  chain.Gas
	baseFee   *big.Int // of the attributes
	params    chain.BlockParams
	epoch     uint64 // of the chain when it was opened
}

// Position says where a Chain continues.
type Position struct {
	Parent *types.Header // last sealed block
	// Ancestors are the hashes of up to 256 blocks that end with Parent's, by number.
	Ancestors map[uint64]common.Hash
	// Headers are those of the ancestors, by number, for witnesses: a block that asks for
	// an older hash than they reach has none.
	Headers      map[uint64]*types.Header
	Epoch        uint64
	NextMini     uint64      // number of the next mini-block
	LastMiniHash common.Hash // hash of the one before, of the genesis block if there is none
}

// NewChain continues at pos over the state in db, whose trie is t. It takes
// ownership of all three.
func NewChain(cfg *chain.Config, db *state.DB, t *state.Trie, pos Position) *Chain {
	c := &Chain{
		cfg: cfg, db: db, trie: t, parent: pos.Parent, parentHash: pos.Parent.Hash(),
		ancestors: make(map[uint64]common.Hash, 257), epoch: pos.Epoch,
		nextMini: pos.NextMini, lastMiniHash: pos.LastMiniHash,
		list: state.NewAccessList(), l1Fees: new(chain.L1FeeSchedule), repriced: true,
	}
	for n, h := range pos.Ancestors {
		c.ancestors[n] = h
	}
	c.ancestors[c.parent.Number.Uint64()] = c.parentHash
	c.rec.headers = make(map[uint64]*types.Header, 257)
	maps.Copy(c.rec.headers, pos.Headers)
	c.rec.headers[c.parent.Number.Uint64()] = c.parent
	c.executor.init(c)
	return c
}

// State is the flat state that the chain writes.
func (c *Chain) State() *state.DB { return c.db }

// Parent is the header of the last sealed block.
func (c *Chain) Parent() *types.Header { return c.parent }

// NextMini is the number that the next mini-block will have.
func (c *Chain) NextMini() uint64 { return c.nextMini }

// LastMini is the hash of the newest mini-block, of the genesis block if there is none.
func (c *Chain) LastMini() common.Hash { return c.lastMiniHash }

// Close releases what execution holds.
func (c *Chain) Close() { c.executor.close() }

// IsOpen reports whether a block is under construction.
func (c *Chain) IsOpen() bool { return c.open != nil }

// Epoch is the epoch of the mini-blocks to come.
func (c *Chain) Epoch() uint64 { return c.epoch }

// SetEpoch changes the epoch of the mini-blocks to come.
func (c *Chain) SetEpoch(epoch uint64) { c.epoch = epoch }

// OpenHeader is the header of the open block as far as it is known: everything but
// roots, bloom, gas used and the last mini-block's hash. It must not be changed.
func (c *Chain) OpenHeader() *types.Header { return c.open.header }

// OpenBlock is the open block as far as it is cut: its transactions, the headers of
// its mini-blocks, and its attributes.
func (c *Chain) OpenBlock() ([]*chain.Tx, []chain.MiniBlockHeader, chain.Attributes) {
	b := c.open
	return b.txs[:b.firstTx:b.firstTx], b.minis, chain.Attributes{
		Timestamp: b.header.Time, PrevRandao: b.header.MixDigest, ParentBeacon: *b.header.ParentBeaconRoot, Params: b.params, BaseFee: b.baseFee,
	}
}

// GasLeft is the gas that the open block has left.
func (c *Chain) GasLeft() chain.Gas { return c.open.header.GasLimit - c.open.gasUsed }

// Pending is the state after the last applied transaction. Only the goroutine that
// owns the chain may read it.
func (c *Chain) Pending() state.View { return &c.newest }

// MiniTxs is the number of transactions that the open mini-block has so far.
func (c *Chain) MiniTxs() int { return len(c.open.txs) - c.open.firstTx }

// Open begins the next block and makes the system calls of EIP-4788 and EIP-2935.
func (c *Chain) Open(a chain.Attributes) error {
	b, err := c.begin(a)
	if err != nil {
		return err
	}
	c.roots.reset()
	c.list.Reset()
	c.rec.begin()
	for _, edit := range c.edits {
		b.list.Add(0, edit)
	}
	for _, call := range []struct {
		to   common.Address
		data common.Hash
	}{
		{params.BeaconRootsAddress, a.ParentBeacon},
		{params.HistoryStorageAddress, c.parentHash},
	} {
		// A call that fails changes nothing, and the block goes on without it.
		diff, err := c.vm().SystemCall(&c.newest, b.env, call.to, call.data[:])
		if c.rec.on {
			c.rec.reads.Note(c.vm())
		}
		if err == nil {
			c.write(c.nextPosition(1), diff)
			b.list.Add(0, diff)
		}
	}
	c.open = b
	c.repriced = c.repriced || c.rec.on // so that the prices are looked at
	c.priceL1()
	return nil
}

// begin makes the next block, still without content. It changes nothing.
func (c *Chain) begin(a chain.Attributes) (*openBlock, error) {
	if c.open != nil {
		return nil, fmt.Errorf("open block %d: block %d is still open", c.parent.Number.Uint64()+1, c.open.env.Number)
	}
	if a.Timestamp < c.parent.Time {
		return nil, fmt.Errorf("open block %d: timestamp %d is before the parent's %d", c.parent.Number.Uint64()+1, a.Timestamp, c.parent.Time)
	}
	if a.Params == (chain.BlockParams{}) {
		a.Params = c.cfg.BlockParams()
	}
	header := newHeader(a)
	header.ParentHash = c.parentHash
	header.Number = new(big.Int).Add(c.parent.Number, common.Big1)
	if header.BaseFee = a.BaseFee; a.BaseFee == nil {
		header.BaseFee = chain.NextBaseFee(c.cfg, c.parent)
	}
	return &openBlock{
		header: header,
		env: &evm.Env{
			Number: header.Number.Uint64(), Timestamp: a.Timestamp, GasLimit: header.GasLimit,
			BaseFee: header.BaseFee, PrevRandao: a.PrevRandao,
			Coinbase: header.Coinbase, BaseFeeRecipient: chain.BaseFeeVaultAddr,
			ParentBeaconRoot: a.ParentBeacon, BlockHash: c.ancestor,
			DeferCredits: true, Config: c.cfg,
		},
		changes: state.NewAccessList(),
		list:    c.list,
		baseFee: a.BaseFee, params: a.Params, epoch: c.epoch,
	}, nil
}

func (c *Chain) ancestor(number uint64) common.Hash { return c.ancestors[number] }

// fits reports whether the open block has the gas for the transaction.
func (c *Chain) fits(tx *chain.Tx) error {
	if tx.Gas() > c.GasLeft() {
		return fmt.Errorf("%w: transaction gas %d, block has %d left of %d", ErrBlockFull, tx.Gas(), c.GasLeft(), c.open.header.GasLimit)
	}
	return nil
}

// Apply executes one transaction at the end of the open mini-block. An error means
// that the transaction is not valid here and that nothing changed: ErrBlockFull, or
// one of evm's.
func (c *Chain) Apply(tx *chain.Tx) (*chain.Receipt, error) {
	if err := c.fits(tx); err != nil {
		return nil, err
	}
	if c.repriced {
		c.priceL1()
	}
	res := &c.result
	if err := c.vm().Execute(&c.newest, tx, c.open.env, res); err != nil {
		return nil, err
	}
	if c.rec.on {
		reads := &c.rec.reads.scratch
		if ancestors, ok := c.readsInto(reads, c.vm(), &c.rec.again, &c.newest, tx, res.GasUsed); ok {
			c.rec.reads.add(reads, ancestors)
		} else {
			c.rec.stop()
		}
	}
	at := c.nextPosition(1)
	c.write(at, res.Diff)
	r := c.receipts().make(tx, c.open.env, res)
	c.enter(tx, at, res, r, c.pools())
	return r, nil
}

// enter puts a transaction whose diff is in the memory at the end of the open
// mini-block, and pays its credits.
func (c *Chain) enter(tx *chain.Tx, at int64, res *evm.Result, r *chain.Receipt, pool *pools) {
	b := c.open
	b.listIndex++
	b.list.Add(b.listIndex, res.Diff)
	c.mem.settle(res.Diff)
	c.noteL1(res.Diff)
	for i := range res.Credits {
		b.list.AddBalance(b.listIndex, res.Credits[i].Address, c.mem.credit(at, &res.Credits[i], pool))
	}
	b.gasUsed += res.GasUsed
	r.CumulativeGasUsed = b.gasUsed
	for _, l := range r.Logs {
		l.BlockNumber, l.TxIndex, l.Index = b.env.Number, uint(len(b.txs)), uint(b.logs)
		b.logs++
	}
	b.txs, b.receipts = append(b.txs, tx), append(b.receipts, r)
}

// Cut ends the open mini-block at the given time and makes its changes the newest
// version of the state. The result is not signed.
func (c *Chain) Cut(at chain.Micros) (*chain.MiniBlock, uint64) {
	b := c.open
	txs, receipts := b.txs[b.firstTx:len(b.txs):len(b.txs)], b.receipts[b.firstTx:len(b.receipts):len(b.receipts)]
	b.list.Add(b.listIndex, evm.EndMiniBlock(&c.newest, c.nextMini, at))
	diff := b.list.Final()
	var encoded []byte
	var diffHash common.Hash
	encode := func() {
		encoded = b.list.Encode()
		diffHash = keccak.Sum256(encoded)
	}
	wait := c.beside(len(txs), encode)
	m := &chain.MiniBlock{
		Header: chain.MiniBlockHeader{
			ChainID: c.cfg.ChainID, Epoch: c.epoch, Number: c.nextMini, ParentHash: c.lastMiniHash,
			BlockNumber: b.env.Number, Index: uint64(len(b.minis)), TimestampMicros: at,
			FirstTxIndex: uint64(b.firstTx), TxCount: uint64(len(txs)), GasUsed: b.gasUsed - b.firstGas,
			TxsHash: chain.TxsHash(txs), ReceiptsHash: c.receiptsHash(receipts),
		},
		Txs: txs, Receipts: receipts,
	}
	b.changes.Add(0, diff)
	version := c.db.Apply(diff)
	wait()
	m.Diff, m.Header.DiffHash = encoded, diffHash
	c.finish(m)
	return m, version
}

// finish notes a mini-block of the open block whose changes are the newest version.
func (c *Chain) finish(m *chain.MiniBlock) {
	b := c.open
	if len(m.Txs) > 0 {
		c.roots.add(m.Txs, m.Receipts)
	}
	b.minis = append(b.minis, m.Header)
	c.nextMini++
	c.lastMiniHash = m.Header.Hash()

	c.forgetWrites()
	c.edits = nil
	b.list.Reset()
	b.listIndex = 0
	b.firstTx, b.firstGas = len(b.txs), b.gasUsed
}

// keptReceiptBytes bounds the memory for encoding receipts that is kept.
const keptReceiptBytes = 4 << 20

// receiptsHash is chain.ReceiptsHash in memory that is used again.
func (c *Chain) receiptsHash(receipts []*chain.Receipt) common.Hash {
	enc := slices.Grow(c.receiptsRLP[:0], chain.ReceiptsSize(receipts))
	enc = chain.AppendReceipts(enc, receipts)
	if cap(enc) <= keptReceiptBytes {
		c.receiptsRLP = enc
	}
	return keccak.Sum256(enc)
}

// Seal ends the open block, which must have a mini-block and nothing after its last
// cut, and returns it with everything it changed.
func (c *Chain) Seal() (*chain.Block, state.Diff, error) {
	b := c.open
	if len(b.minis) == 0 || c.MiniTxs() > 0 || c.Edited() {
		return nil, nil, fmt.Errorf("seal block %d: %d mini-blocks, %d transactions and %d edits not cut", b.env.Number, len(b.minis), c.MiniTxs(), len(c.edits))
	}
	diff := b.changes.Final()
	c.sealWitness(diff)
	c.trie.Apply(diff)
	h := b.header
	h.Root = c.trie.Root()
	passer := c.trie.StorageRoot(chain.MessagePasserAddr)
	h.WithdrawalsHash = &passer
	h.GasUsed = b.gasUsed
	h.TxHash, h.ReceiptHash, h.Bloom = c.roots.sum()
	h.Extra = extra(b.params, c.lastMiniHash)
	block := chain.NewBlock(h, b.txs, b.receipts, b.minis)
	c.parent, c.parentHash, c.open = h, block.Hash(), nil
	c.ancestors[b.env.Number], c.rec.headers[b.env.Number] = c.parentHash, h
	delete(c.ancestors, b.env.Number-256)
	delete(c.rec.headers, b.env.Number-256)
	return block, diff, nil
}
