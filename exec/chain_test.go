package exec

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/state"
)

const genesisTime = 1_800_000_000

type world struct {
	t     *testing.T
	g     *chain.Genesis
	keys  []*ecdsa.PrivateKey
	nonce map[int]uint64
	chain *Chain
	now   chain.Micros
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, nonce: make(map[int]uint64), now: genesisTime * 1_000_000}
	w.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: genesisTime, Alloc: predeploys.Alloc(predeploys.Settings{})}
	for i := range 4 {
		key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{byte(i + 1)}, 32))
		if err != nil {
			t.Fatal(err)
		}
		w.keys = append(w.keys, key)
		w.g.Alloc[crypto.PubkeyToAddress(key.PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
	}
	w.chain = w.boot()
	return w
}

// boot makes a chain at genesis.
func (w *world) boot() *Chain {
	diff, err := GenesisDiff(w.g)
	if err != nil {
		w.t.Fatal(err)
	}
	db, tree := state.NewDB(), state.NewTrie()
	db.Apply(diff)
	tree.Apply(diff)
	block := GenesisBlock(w.g, tree.Root(), tree.StorageRoot(chain.MessagePasserAddr))
	return NewChain(&w.g.Config, db, tree, Position{Parent: block.Header, LastMiniHash: block.Hash()})
}

func (w *world) tx(from int, inner *types.DynamicFeeTx) *chain.Tx {
	w.t.Helper()
	inner.ChainID = new(big.Int).SetUint64(w.g.Config.ChainID)
	inner.Nonce = w.nonce[from]
	w.nonce[from]++
	if inner.GasFeeCap == nil {
		inner.GasFeeCap, inner.GasTipCap = big.NewInt(2_000_000), big.NewInt(1)
	}
	raw, err := types.MustSignNewTx(w.keys[from], types.LatestSignerForChainID(inner.ChainID), inner).MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &w.g.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

func attributes(number uint64) *chain.L1Attributes {
	return &chain.L1Attributes{Number: number, Hash: common.Hash{byte(number)}, Timestamp: genesisTime, BaseFee: big.NewInt(7), BlobBaseFee: big.NewInt(1)}
}

// random transactions: transfers, a contract that writes and logs, failures.
func (w *world) random(r *rand.Rand, n int) []*chain.Tx {
	// Stores 7 in slot 0 while it is created, and leaves ten bytes of code.
	initcode := common.FromHex("6960003560015560076000600055600a6000f3")
	var txs []*chain.Tx
	for range n {
		from := r.Intn(len(w.keys))
		to := crypto.PubkeyToAddress(w.keys[r.Intn(len(w.keys))].PublicKey)
		switch r.Intn(4) {
		case 0:
			txs = append(txs, w.tx(from, &types.DynamicFeeTx{Gas: 200_000, Data: initcode}))
		case 1: // a withdrawal: writes and logs
			addr := chain.MessagePasserAddr
			txs = append(txs, w.tx(from, &types.DynamicFeeTx{Gas: 300_000, To: &addr, Value: big.NewInt(5)}))
		case 2: // runs out of gas
			addr := chain.MessagePasserAddr
			txs = append(txs, w.tx(from, &types.DynamicFeeTx{Gas: 25_000, To: &addr, Value: big.NewInt(5)}))
		default:
			txs = append(txs, w.tx(from, &types.DynamicFeeTx{Gas: 21_000, To: &to, Value: big.NewInt(int64(r.Intn(1000)))}))
		}
	}
	return txs
}

// run makes one block of the transactions, cut after each index in cuts.
func (w *world) run(c *Chain, txs []*chain.Tx, cuts map[int]bool) *chain.Block {
	w.t.Helper()
	if err := c.Open(chain.Attributes{Timestamp: c.Parent().Time + 1, PrevRandao: common.Hash{9}, ParentBeacon: common.Hash{8}}); err != nil {
		w.t.Fatal(err)
	}
	for i, tx := range txs {
		if _, err := c.Apply(tx); err != nil {
			w.t.Fatalf("transaction %d: %v", i, err)
		}
		if cuts[i] {
			w.now += 1000
			c.Cut(w.now)
		}
	}
	if c.MiniTxs() > 0 {
		w.now += 1000
		c.Cut(w.now)
	}
	block, _, err := c.Seal()
	if err != nil {
		w.t.Fatal(err)
	}
	return block
}

func TestBoundariesChangeMiniBlocksAndNothingElse(t *testing.T) {
	w := newWorld(t)
	delete(w.g.Alloc, chain.MiniBlockClockAddr) // it tells of boundaries
	a, b := w.boot(), w.boot()
	for n := range 5 {
		r := rand.New(rand.NewSource(int64(n)))
		txs := append([]*chain.Tx{attributes(uint64(n)).Tx()}, w.random(r, 40)...)
		cuts := make(map[int]bool)
		for i := range txs {
			cuts[i] = r.Intn(3) == 0
		}
		x, y := w.run(a, txs, cuts), w.run(b, txs, nil)
		hx, hy := types.CopyHeader(x.Header), types.CopyHeader(y.Header)
		hx.Extra, hy.Extra = nil, nil
		hx.ParentHash, hy.ParentHash = common.Hash{}, common.Hash{}
		// EIP-2935 stores the parent's hash, which the last mini-block enters.
		if n > 0 {
			hx.Root, hy.Root = common.Hash{}, common.Hash{}
		}
		if !reflect.DeepEqual(hx, hy) {
			t.Fatalf("block %d: headers differ:\n%+v\n%+v", n+1, hx, hy)
		}
		checkMiniBlocks(t, x)
		checkMiniBlocks(t, y)
	}
}

// checkMiniBlocks holds the headers against the block they make up.
func checkMiniBlocks(t *testing.T, b *chain.Block) {
	t.Helper()
	var first, gas uint64
	for i, m := range b.MiniBlocks {
		txs, receipts := b.Txs[first:first+m.TxCount], b.Receipts[first:first+m.TxCount]
		if m.Index != uint64(i) || m.FirstTxIndex != first || m.BlockNumber != b.Number() ||
			m.TxsHash != chain.TxsHash(txs) || m.ReceiptsHash != chain.ReceiptsHash(receipts) {
			t.Fatalf("mini-block %d: %+v", i, m)
		}
		if i > 0 && m.ParentHash != b.MiniBlocks[i-1].Hash() {
			t.Fatalf("mini-block %d: parent hash", i)
		}
		first += m.TxCount
		gas += m.GasUsed
	}
	extra, err := chain.DecodeExtra(b.Header.Extra)
	if err != nil || extra.LastMiniBlock != b.MiniBlocks[len(b.MiniBlocks)-1].Hash() {
		t.Fatalf("extraData %+v, %v", extra, err)
	}
	if first != uint64(len(b.Txs)) || gas != b.Header.GasUsed {
		t.Fatalf("mini-blocks hold %d of %d transactions, %d of %d gas", first, len(b.Txs), gas, b.Header.GasUsed)
	}
}

// The same inputs, cut at the same places, give the same hash; and roots are those
// that go-ethereum computes from the same content.
func TestSameInputsGiveTheSameHashes(t *testing.T) {
	w := newWorld(t)
	again := w.boot()
	for n := range 3 {
		r := rand.New(rand.NewSource(int64(n)))
		txs := append([]*chain.Tx{attributes(uint64(n)).Tx()}, w.random(r, 30)...)
		cuts := map[int]bool{0: true, 7: true, 20: true}
		start := w.now
		x := w.run(w.chain, txs, cuts)
		w.now = start
		y := w.run(again, txs, cuts)
		if x.Hash() != y.Hash() {
			t.Fatalf("block %d: %s and %s", n+1, x.Hash(), y.Hash())
		}
		var eth types.Transactions
		for _, tx := range x.Txs[1:] {
			eth = append(eth, tx.Eth())
		}
		if ours, theirs := types.DeriveSha(chain.Txs(x.Txs[1:]), trie.NewStackTrie(nil)), types.DeriveSha(eth, trie.NewStackTrie(nil)); ours != theirs {
			t.Errorf("transactions root %s, go-ethereum's %s", ours, theirs)
		}
		receipts := make(types.Receipts, 0, len(x.Receipts))
		for _, rc := range x.Receipts[1:] {
			receipts = append(receipts, &types.Receipt{Type: rc.Type, Status: rc.Status, CumulativeGasUsed: rc.CumulativeGasUsed, Bloom: rc.Bloom, Logs: rc.Logs})
		}
		if ours, theirs := types.DeriveSha(chain.Receipts(x.Receipts[1:]), trie.NewStackTrie(nil)), types.DeriveSha(receipts, trie.NewStackTrie(nil)); ours != theirs {
			t.Errorf("receipts root %s, go-ethereum's %s", ours, theirs)
		}
		if bloom := types.MergeBloom(receipts); bloom != x.Header.Bloom {
			t.Errorf("bloom differs from go-ethereum's")
		}
	}
}

func TestARefusedTransactionChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.chain
	if err := c.Open(chain.Attributes{Timestamp: genesisTime + 1}); err != nil {
		t.Fatal(err)
	}
	to := common.Address{1}
	good := w.tx(0, &types.DynamicFeeTx{Gas: 21_000, To: &to, Value: big.NewInt(1)})
	if _, err := c.Apply(good); err != nil {
		t.Fatal(err)
	}
	left := c.GasLeft()
	future := w.tx(1, &types.DynamicFeeTx{Gas: 21_000, To: &to})
	future = w.tx(1, &types.DynamicFeeTx{Gas: 21_000, To: &to})
	poor := w.tx(2, &types.DynamicFeeTx{Gas: 21_000, To: &to, Value: big.NewInt(2 * params.Ether)})
	for name, bad := range map[string]struct {
		tx   *chain.Tx
		want error
	}{
		"again":     {good, evm.ErrNonceTooLow},
		"too early": {future, evm.ErrNonceTooHigh},
		"poor":      {poor, evm.ErrInsufficientFunds},
	} {
		if _, err := c.Apply(bad.tx); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v, want %v", name, err, bad.want)
		}
	}
	if c.MiniTxs() != 1 || c.GasLeft() != left {
		t.Errorf("%d transactions, %d gas left: something changed", c.MiniTxs(), c.GasLeft())
	}
}

func TestABlockIsFullWhenGasDoesNotFit(t *testing.T) {
	w := newWorld(t)
	w.g.Config.GasLimit, w.g.Config.TxGasCap = 30_000_000, 30_000_000
	c := w.boot()
	if err := c.Open(chain.Attributes{Timestamp: genesisTime + 1}); err != nil {
		t.Fatal(err)
	}
	to := common.Address{1}
	if _, err := c.Apply(w.tx(0, &types.DynamicFeeTx{Gas: 21_000, To: &to})); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(w.tx(1, &types.DynamicFeeTx{Gas: 29_979_001, To: &to})); !errors.Is(err, ErrBlockFull) {
		t.Errorf("one gas too much: %v", err)
	}
	w.nonce[1] = 0
	if _, err := c.Apply(w.tx(1, &types.DynamicFeeTx{Gas: 29_979_000, To: &to})); err != nil {
		t.Errorf("what just fits: %v", err)
	}
}

func TestBlocksOpenAndSealInOrder(t *testing.T) {
	w := newWorld(t)
	c := w.chain
	if err := c.Open(chain.Attributes{Timestamp: genesisTime - 1}); err == nil {
		t.Error("a block before its parent was opened")
	}
	if err := c.Open(chain.Attributes{Timestamp: genesisTime}); err != nil {
		t.Fatal(err)
	}
	if err := c.Open(chain.Attributes{Timestamp: genesisTime}); err == nil {
		t.Error("a second block was opened")
	}
	if _, _, err := c.Seal(); err == nil {
		t.Error("a block without mini-block was sealed")
	}
	if _, err := c.Apply(attributes(1).Tx()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Seal(); err == nil {
		t.Error("a block with an open mini-block was sealed")
	}
	c.Cut(w.now)
	if _, _, err := c.Seal(); err != nil {
		t.Fatal(err)
	}
}
