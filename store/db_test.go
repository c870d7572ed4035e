package store

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// testChain makes blocks with deposits, signed transactions, mini-blocks, and diffs
// over few accounts and slots, so that values are overwritten and deleted.
type testChain struct {
	rng    *rand.Rand
	key    *ecdsa.PrivateKey
	signer types.Signer
	parent *types.Header
	mini   uint64
	nonce  uint64
}

type testBlock struct {
	block *chain.Block
	sigs  []chain.Signature
	diff  state.Diff
}

func newTestChain(seed uint64) *testChain {
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return &testChain{rng: rand.New(rand.NewPCG(seed, 0)), key: key, signer: types.NewPragueSigner(big.NewInt(chain.DefaultL2ChainID))}
}

func (c *testChain) next() testBlock {
	h := &types.Header{Number: new(big.Int), Difficulty: new(big.Int), BaseFee: big.NewInt(1000), GasLimit: 30_000_000, Time: 1_700_000_000}
	if c.parent != nil {
		h.Number.Add(c.parent.Number, big.NewInt(1))
		h.ParentHash, h.Time = c.parent.Hash(), c.parent.Time+1
	}
	h.Extra = c.rand(10)
	var txs []*chain.Tx
	var receipts []*chain.Receipt
	var minis []chain.MiniBlockHeader
	var sigs []chain.Signature
	var gas uint64
	for i := range uint64(1 + c.rng.IntN(3)) {
		if h.Number.Sign() == 0 {
			break
		}
		m := chain.MiniBlockHeader{ChainID: 1, Number: c.mini, BlockNumber: h.Number.Uint64(), Index: i, FirstTxIndex: uint64(len(txs)), TimestampMicros: chain.Micros(c.mini)}
		c.mini++
		for range c.rng.IntN(4) {
			tx, r := c.tx(&gas)
			txs, receipts = append(txs, tx), append(receipts, r)
		}
		m.TxCount = uint64(len(txs)) - m.FirstTxIndex
		sig, err := m.Sign(c.key)
		if err != nil {
			panic(err)
		}
		minis, sigs = append(minis, m), append(sigs, sig)
	}
	c.parent = h
	b := chain.NewBlock(h, txs, receipts, minis)
	b.FillReceipts()
	return testBlock{b, sigs, c.diff()}
}

func (c *testChain) rand(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return b
}

func (c *testChain) tx(gas *uint64) (*chain.Tx, *chain.Receipt) {
	*gas += 21_000 + uint64(c.rng.IntN(1000))
	r := &chain.Receipt{Status: 1, CumulativeGasUsed: *gas}
	for range c.rng.IntN(3) {
		r.Logs = append(r.Logs, &types.Log{Address: common.Address(c.rand(20)), Topics: []common.Hash{common.Hash(c.rand(32))}, Data: c.rand(40)})
	}
	r.Bloom = chain.LogsBloom(r.Logs)
	to := common.Address(c.rand(20))
	if c.rng.IntN(3) == 0 {
		d := &chain.Deposit{SourceHash: common.Hash(c.rand(32)), From: common.Address(c.rand(20)), Mint: big.NewInt(3), Value: big.NewInt(2), Gas: 50_000, Data: c.rand(9)}
		if c.rng.IntN(2) == 0 {
			d.To = &to
		}
		r.Type, r.DepositNonce = chain.DepositTxType, c.rng.Uint64()
		return chain.NewDepositTx(d), r
	}
	r.L1Prices = new(chain.L1FeeParams) // L1Block holds nothing
	c.nonce++
	body := &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Nonce: c.nonce, GasTipCap: big.NewInt(5), GasFeeCap: big.NewInt(9000), Gas: 90_000, Data: c.rand(5)}
	if c.rng.IntN(2) == 0 {
		body.To = &to
	}
	var unsigned types.TxData = body
	if c.rng.IntN(2) == 0 { // whose receipt has no type byte
		unsigned = &types.LegacyTx{Nonce: c.nonce, GasPrice: big.NewInt(9000), Gas: 90_000, To: body.To, Data: body.Data}
	}
	eth, err := types.SignNewTx(c.key, c.signer, unsigned)
	if err != nil {
		panic(err)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		panic(err)
	}
	cfg := chain.DefaultConfig()
	tx, err := chain.DecodeTx(raw, &cfg)
	if err != nil {
		panic(err)
	}
	r.Type = eth.Type()
	return tx, r
}

func testAddr(i int) common.Address { return common.BytesToAddress([]byte{0xee, byte(i)}) }
func testSlot(i int) common.Hash    { return common.BytesToHash([]byte{0xdd, byte(i)}) }

const testKeys = 6

func (c *testChain) diff() state.Diff {
	var d state.Diff
	for i := range testKeys {
		if c.rng.IntN(2) == 0 {
			continue
		}
		a := state.AccountDiff{Address: testAddr(i)}
		if c.rng.IntN(2) == 0 {
			n := uint64(c.rng.IntN(3))
			a.Nonce = &n
		}
		if c.rng.IntN(2) == 0 {
			a.Balance = uint256.NewInt(uint64(c.rng.IntN(3)))
			if c.rng.IntN(4) == 0 {
				a.Balance.SetBytes(c.rand(32))
			}
		}
		if c.rng.IntN(4) == 0 {
			a.CodeChanged = true
			if c.rng.IntN(2) == 0 {
				a.Code = c.rand(1 + c.rng.IntN(50))
			}
		}
		for s := range testKeys {
			if c.rng.IntN(3) == 0 {
				a.Storage = append(a.Storage, state.SlotDiff{Slot: testSlot(s), Value: common.BytesToHash([]byte{byte(c.rng.IntN(3)), 0})})
			}
		}
		d = append(d, a)
	}
	return d
}

func openDB(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, db *DB, b testBlock) {
	t.Helper()
	if err := db.WriteBlock(b.block, b.sigs, b.diff, nil); err != nil {
		t.Fatal(err)
	}
}

// equalViews compares all test accounts and slots.
func equalViews(t *testing.T, what string, got, want state.View) {
	t.Helper()
	for i := range testKeys + 1 { // the last was never written
		a := testAddr(i)
		ga, gok := got.Account(a)
		wa, wok := want.Account(a)
		if ga != wa || gok != wok {
			t.Fatalf("%s: account %d: %+v %v, want %+v %v", what, i, ga, gok, wa, wok)
		}
		if g, w := got.Code(ga.CodeHash), want.Code(ga.CodeHash); string(g) != string(w) {
			t.Fatalf("%s: account %d: code %x, want %x", what, i, g, w)
		}
		if g, w := got.HasStorage(a), want.HasStorage(a); g != w {
			t.Fatalf("%s: account %d: has storage %v, want %v", what, i, g, w)
		}
		for s := range testKeys + 1 {
			if g, w := got.Storage(a, testSlot(s)), want.Storage(a, testSlot(s)); g != w {
				t.Fatalf("%s: account %d slot %d: %x, want %x", what, i, s, g, w)
			}
		}
	}
}

func checkLoaded(t *testing.T, db *DB, want state.View) {
	t.Helper()
	loaded := state.NewDB()
	if err := db.LoadState(loaded); err != nil {
		t.Fatal(err)
	}
	equalViews(t, "loaded", loaded.Head(), want)
}

// stopping takes three items.
type stopping struct {
	state.DB
	taken int
}

var errEnough = errors.New("enough")

func (s *stopping) LoadAccount(common.Address, state.Account) { s.taken++ }
func (s *stopping) Err() error {
	if s.taken == 3 {
		return errEnough
	}
	return nil
}

func TestWhoTakesTheStateMaySayStop(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "db"))
	defer db.Close()
	c := newTestChain(1)
	for range 20 {
		write(t, db, c.next())
	}
	s := new(stopping)
	if err := db.LoadState(s); !errors.Is(err, errEnough) || s.taken != 3 {
		t.Errorf("%d accounts were taken: %v", s.taken, err)
	}
	if n, err := db.StateBytes(); err != nil {
		t.Errorf("the state takes %d bytes: %v", n, err)
	}
}

func TestDBReturnsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path)
	c := newTestChain(1)
	if _, ok, err := db.Head(); ok || err != nil {
		t.Fatalf("empty database has a head (%v)", err)
	}
	var blocks []testBlock
	for range 20 {
		b := c.next()
		write(t, db, b)
		blocks = append(blocks, b)
	}
	check := func() {
		if head, ok, err := db.Head(); head != 19 || !ok || err != nil {
			t.Fatal(head, ok, err)
		}
		for n, want := range blocks {
			checkBlock(t, db, uint64(n), want)
		}
	}
	check()
	closeDB(t, db)
	db = openDB(t, path)
	check()
	if err := db.WriteBlock(blocks[19].block, blocks[19].sigs, nil, nil); err == nil {
		t.Fatal("a block was written twice")
	}
	fork := newTestChain(2)
	for range 20 {
		fork.next()
	}
	if b := fork.next(); db.WriteBlock(b.block, b.sigs, b.diff, nil) == nil {
		t.Fatal("a block with another parent was written")
	}
	for _, err := range []error{
		second(db.Block(20)), second(db.Header(20)), second(db.BlockByHash(common.Hash{1})), second(db.Receipts(20)),
		third(db.TxLookup(common.Hash{1})), third(db.MiniBlock(c.mini)), third(db.MiniBlockByHash(common.Hash{1})),
		second(db.Meta("x")), second(db.Genesis()), second(db.Signatures(20)),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	closeDB(t, db)
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

func checkBlock(t *testing.T, db *DB, n uint64, want testBlock) {
	t.Helper()
	got, err := db.BlockByHash(want.block.Hash())
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != want.block.Hash() || got.Number() != n || !slices.Equal(got.MiniBlocks, want.block.MiniBlocks) {
		t.Fatalf("block %d differs", n)
	}
	for i, tx := range want.block.Txs {
		if g := got.Txs[i]; g.Hash() != tx.Hash() || g.From() != tx.From() || string(g.Raw()) != string(tx.Raw()) {
			t.Fatalf("block %d transaction %d differs", n, i)
		}
		number, index, err := db.TxLookup(tx.Hash())
		if number != n || index != uint64(i) || err != nil {
			t.Fatalf("transaction %d of block %d found at %d of %d: %v", i, n, index, number, err)
		}
		if g, w := got.Receipts[i], want.block.Receipts[i]; !reflect.DeepEqual(g, w) && !(len(g.Logs) == 0 && len(w.Logs) == 0 && string(g.MarshalBinary()) == string(w.MarshalBinary())) {
			t.Fatalf("block %d receipt %d: %+v, want %+v", n, i, g, w)
		}
	}
	sigs, err := db.Signatures(n)
	if err != nil || !slices.Equal(sigs, want.sigs) && len(want.sigs) > 0 {
		t.Fatalf("signatures of block %d: %v", n, err)
	}
	for i, h := range want.block.MiniBlocks {
		m, b, err := db.MiniBlockByHash(h.Hash())
		if err != nil || m.Header != h || m.Signature != want.sigs[i] || b.Number() != n || uint64(len(m.Txs)) != h.TxCount || len(m.Receipts) != len(m.Txs) {
			t.Fatalf("mini-block %d: %v", h.Number, err)
		}
	}
}

func TestDBHistoryEqualsTheStateOfEveryBlock(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer closeDB(t, db)
	c := newTestChain(3)
	model := state.NewDB()
	for n := range uint64(40) {
		b := c.next()
		write(t, db, b)
		if v := model.Apply(b.diff); v != n+1 {
			t.Fatal(v)
		}
	}
	for n := range uint64(40) {
		want, err := model.View(n + 1)
		if err != nil {
			t.Fatal(err)
		}
		equalViews(t, "history", db.HistoryView(n), want)
		want.Close()
	}
	checkLoaded(t, db, model.Head())
}

// dump is everything but code.
func dump(t *testing.T, db *DB) map[string]string {
	t.Helper()
	it, err := db.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	out := make(map[string]string)
	for it.First(); it.Valid(); it.Next() {
		if it.Key()[0] != tableCode {
			out[string(it.Key())] = string(it.Value())
		}
	}
	return out
}

func TestDBRewindLeavesWhatWasThere(t *testing.T) {
	path := t.TempDir()
	db := openDB(t, path)
	c := newTestChain(4)
	model := state.NewDB()
	var dumps []map[string]string
	var blocks []testBlock
	for range 25 {
		b := c.next()
		write(t, db, b)
		model.Apply(b.diff)
		blocks = append(blocks, b)
		dumps = append(dumps, dump(t, db))
	}
	if err := db.Rewind(25); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	for _, to := range []uint64{24, 20, 19, 7, 0} {
		if err := db.Rewind(to); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, db); !reflect.DeepEqual(got, dumps[to]) {
			t.Fatalf("after rewind to %d: %d keys, want %d", to, len(got), len(dumps[to]))
		}
		want, err := model.View(to + 1)
		if err != nil {
			t.Fatal(err)
		}
		checkLoaded(t, db, want)
		want.Close()
		closeDB(t, db)
		db = openDB(t, path)
		if head, _, _ := db.Head(); head != to {
			t.Fatalf("head %d after reopening, want %d", head, to)
		}
	}
	for n, b := range blocks[1:] {
		write(t, db, b)
		if !reflect.DeepEqual(dump(t, db), dumps[n+1]) {
			t.Fatalf("block %d written again differs", n+1)
		}
	}
	closeDB(t, db)
}

func TestDBMetaIsEditedAtOnce(t *testing.T) {
	path := t.TempDir()
	db := openDB(t, path)
	for _, name := range []string{"kept", "changed", "dropped"} {
		if err := db.PutMeta(name, []byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.EditMeta([]MetaEdit{{"changed", []byte("new")}, {"dropped", nil}, {"never there", nil}, {"empty", []byte{}}}); err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	db = openDB(t, path)
	for name, want := range map[string]string{"kept": "old", "changed": "new", "empty": ""} {
		if v, err := db.Meta(name); err != nil || string(v) != want {
			t.Errorf("%s is %q, want %q: %v", name, v, want, err)
		}
	}
	if _, err := db.Meta("dropped"); !errors.Is(err, ErrNotFound) {
		t.Errorf("dropped: %v", err)
	}
	closeDB(t, db)
}

func TestDBMetaGenesisAndFormat(t *testing.T) {
	path := t.TempDir()
	db := openDB(t, path)
	if err := db.PutMeta("cursor", []byte("5")); err != nil {
		t.Fatal(err)
	}
	if err := db.SetGenesis([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := db.SetGenesis([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := db.SetGenesis([]byte("{ }")); err == nil {
		t.Fatal("another genesis was accepted")
	}
	closeDB(t, db)
	db = openDB(t, path)
	if v, err := db.Meta("cursor"); string(v) != "5" || err != nil {
		t.Fatal(v, err)
	}
	if v, err := db.Genesis(); string(v) != "{}" || err != nil {
		t.Fatal(v, err)
	}
	if err := db.db.Set(keyFormat, be64(dbFormat+1), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	if _, err := Open(path, Options{}); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
}

func FuzzDecodeAccount(f *testing.F) {
	f.Add(encodeAccount(&state.Account{Nonce: 300, Balance: *uint256.NewInt(7), CodeHash: common.Hash{1}}))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAccount(b)
		if err == nil && string(encodeAccount(&a)) != string(b) {
			t.Fatalf("%x is not canonical", b)
		}
	})
}

func BenchmarkDBWriteBlock(b *testing.B) {
	db := openDB(b, b.TempDir())
	c := newTestChain(5)
	for b.Loop() {
		b.StopTimer()
		blk := c.next()
		b.StartTimer()
		write(b, db, blk)
	}
	b.StopTimer()
	closeDB(b, db)
}
