package light

import (
	"crypto/ecdsa"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

const (
	testChainID = 7411
	testTime    = 1_800_000_000 // seconds
)

var (
	leaderKey = testKey(1)
	otherKey  = testKey(2)
	rich      = crypto.PubkeyToAddress(testKey(3).PublicKey)
	coin      = common.HexToAddress("0x00000000000000000000000000000000000c0174")
)

func testKey(n byte) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{n}, 32))
	if err != nil {
		panic(err)
	}
	return key
}

func testTrust() Trust {
	return Trust{ChainID: testChainID, Leaders: []Leader{{Address: crypto.PubkeyToAddress(leaderKey.PublicKey)}}}
}

// object is a JSON object as a node answers it.
type object = map[string]any

// world is a chain that a test leads. It computes what a node answers with go-ethereum's
// tries and the types of package chain, which package light knows nothing of.
type world struct {
	t       testing.TB
	mu      sync.Mutex    // of the nodes that serve it
	changed chan struct{} // closed when there is more to stream

	parents map[common.Hash]common.Hash // of all mini-blocks there ever were
	minis   []*worldMini
	blocks  []*worldBlock // sealed, from genesis
	epoch   uint64
	base    uint64 // time of genesis, seconds
	state   map[common.Address]*worldAccount
	// open is the block being built.
	open struct {
		txs      []*chain.Tx
		receipts []*chain.Receipt
		minis    uint64
		gas      uint64
	}
}

type worldMini struct {
	header chain.MiniBlockHeader
	hash   common.Hash
	diff   []byte
	json   object
}

type worldBlock struct {
	header   *types.Header
	hash     common.Hash
	json     object // with whole transactions
	receipts []any
	state    map[common.Address]*worldAccount
}

type worldAccount struct {
	nonce   uint64
	balance *big.Int
	code    []byte
	storage map[common.Hash]common.Hash
}

func newWorld(t testing.TB) *world { return newWorldAt(t, testTime) }

func newWorldAt(t testing.TB, base uint64) *world {
	w := &world{t: t, changed: make(chan struct{}), parents: make(map[common.Hash]common.Hash), base: base, state: map[common.Address]*worldAccount{
		rich:                         {nonce: 0, balance: big.NewInt(params.Ether), storage: map[common.Hash]common.Hash{}},
		coin:                         {nonce: 1, balance: new(big.Int), code: []byte{0x60, 0x01}, storage: map[common.Hash]common.Hash{{31: 1}: {31: 42}, {31: 2}: {0: 9}}},
		params.HistoryStorageAddress: {nonce: 1, balance: new(big.Int), code: params.HistoryStorageCode, storage: map[common.Hash]common.Hash{}},
	}}
	w.seal(common.Hash{})
	return w
}

// mini cuts a mini-block with transactions, signed by key; nil: not signed.
func (w *world) mini(key *ecdsa.PrivateKey, txs ...*chain.Tx) *worldMini {
	w.t.Helper()
	parent := w.blocks[len(w.blocks)-1]
	number := parent.header.Number.Uint64() + 1
	h := chain.MiniBlockHeader{
		ChainID: testChainID, Epoch: w.epoch, Number: uint64(len(w.minis)), ParentHash: parent.hash, BlockNumber: number, Index: w.open.minis,
		TimestampMicros: chain.Micros((w.base+number)*1e6 + w.open.minis*10_000), FirstTxIndex: uint64(len(w.open.txs)), TxCount: uint64(len(txs)),
	}
	if n := len(w.minis); n > 0 {
		h.ParentHash = w.minis[n-1].hash
	}
	if h.Index == 0 {
		w.state[params.HistoryStorageAddress].storage[historySlot(number-1)] = parent.hash
	}
	var receipts []*chain.Receipt
	for _, tx := range txs {
		w.open.gas += 21_000
		r := &chain.Receipt{Type: tx.Type(), Status: 1, CumulativeGasUsed: chain.Gas(w.open.gas), DepositNonce: number}
		if tx.IsDeposit() {
			r.Logs = nil
		} else {
			r.Logs = []*types.Log{{Address: coin, Topics: []common.Hash{{31: 7}, {0: 1}}, Data: []byte("paid")}}
			from := w.state[tx.From()]
			from.nonce++
			from.balance = new(big.Int).Sub(from.balance, tx.Value())
		}
		r.Bloom = chain.LogsBloom(r.Logs)
		receipts = append(receipts, r)
	}
	h.GasUsed = chain.Gas(21_000 * len(txs))
	h.TxsHash, h.ReceiptsHash = chain.TxsHash(txs), chain.ReceiptsHash(receipts)
	m := &worldMini{header: h, diff: w.diff(parent.hash, number, h.Index == 0)}
	m.header.DiffHash = crypto.Keccak256Hash(m.diff)
	m.hash = m.header.Hash()
	w.parents[m.hash] = m.header.ParentHash
	m.json = w.miniJSON(&m.header, key, txs, receipts)
	w.minis = append(w.minis, m)
	w.open.minis++
	w.open.txs, w.open.receipts = append(w.open.txs, txs...), append(w.open.receipts, receipts...)
	return m
}

// diff has one account besides the history contract.
func (w *world) diff(parent common.Hash, number uint64, first bool) []byte {
	type change struct {
		Index uint64
		Value []byte
	}
	type slot struct {
		Key     []byte
		Changes []change
	}
	none := []any{}
	list := []any{}
	if first {
		key := historySlot(number - 1)
		list = append(list, []any{params.HistoryStorageAddress, []slot{{common.TrimLeftZeroes(key[:]), []change{{0, parent[:]}}}}, none, none, none, none})
	}
	list = append(list, []any{rich, none, none, []any{[]any{uint64(1), big.NewInt(5)}}, none, none})
	enc, err := rlp.EncodeToBytes(list)
	if err != nil {
		w.t.Fatal(err)
	}
	return enc
}

// seal ends the open block, or makes the genesis block.
func (w *world) seal(last common.Hash) *worldBlock {
	w.t.Helper()
	state := make(map[common.Address]*worldAccount)
	for addr, a := range w.state {
		b := *a
		b.storage = maps.Clone(a.storage)
		state[addr] = &b
	}
	zero := uint64(0)
	h := &types.Header{
		Number: big.NewInt(int64(len(w.blocks))), Time: w.base + uint64(len(w.blocks)), Difficulty: new(big.Int), GasLimit: 10_000_000_000,
		GasUsed: w.open.gas, UncleHash: types.EmptyUncleHash, BaseFee: big.NewInt(1_000_000), Coinbase: chain.SequencerFeeVaultAddr,
		BlobGasUsed: &zero, ExcessBlobGas: &zero, ParentBeaconRoot: &common.Hash{1}, RequestsHash: &types.EmptyRequestsHash, WithdrawalsHash: &types.EmptyRootHash,
	}
	h.Extra = append([]byte{1, 0, 0, 0, 250, 0, 0, 0, 6, 0, 0, 0, 0, 0, 15, 66, 64}, last[:]...)
	if n := len(w.blocks); n > 0 {
		h.ParentHash = w.blocks[n-1].hash
	}
	h.Root = newStateTrie(w.t, state).Hash()
	var txs, receipts rawList
	b := &worldBlock{header: h, state: state, receipts: []any{}}
	list := []any{}
	before := uint64(0)
	for i, tx := range w.open.txs {
		r := w.open.receipts[i]
		txs, receipts = append(txs, tx.Raw()), append(receipts, r.MarshalBinary())
		list = append(list, txJSON(w.t, tx))
		b.receipts = append(b.receipts, receiptJSON(tx, r, before))
		before = uint64(r.CumulativeGasUsed)
	}
	h.TxHash, h.ReceiptHash = types.DeriveSha(txs, trie.NewStackTrie(nil)), types.DeriveSha(receipts, trie.NewStackTrie(nil))
	b.hash = h.Hash()
	b.json = asObject(w.t, h)
	b.json["hash"], b.json["transactions"], b.json["miniBlockCount"] = b.hash, list, hexutil.Uint64(w.open.minis)
	w.blocks = append(w.blocks, b)
	w.open.txs, w.open.receipts, w.open.minis, w.open.gas = nil, nil, 0, 0
	return b
}

// block makes a whole block: a deposit, then a mini-block of each of the lists.
func (w *world) block(lists ...[]*chain.Tx) {
	w.mini(leaderKey, w.deposit())
	for _, txs := range lists {
		w.mini(leaderKey, txs...)
	}
	w.seal(w.minis[len(w.minis)-1].hash)
}

// back takes the chain back to before the mini-block, the first of its block, in a new
// epoch.
func (w *world) back(mini uint64) {
	first := w.minis[mini]
	w.minis, w.blocks = w.minis[:mini], w.blocks[:first.header.BlockNumber]
	w.open.txs, w.open.receipts, w.open.minis, w.open.gas = nil, nil, 0, 0
	w.epoch++
}

func (w *world) deposit() *chain.Tx {
	d := chain.Deposit{
		SourceHash: crypto.Keccak256Hash(big.NewInt(int64(len(w.minis))).Bytes()), From: chain.L1AttributesDepositor, To: &chain.L1BlockAddr,
		Mint: big.NewInt(int64(len(w.minis))), Value: new(big.Int), Gas: 1_000_000, Data: []byte{0x44, 0x0a, 0x5e, 0x20, byte(len(w.minis))},
	}
	return chain.NewDepositTx(&d)
}

// pay is a transaction of the type from rich.
func (w *world) pay(typ byte, nonce uint64) *chain.Tx {
	w.t.Helper()
	id, to := big.NewInt(testChainID), coin
	list := types.AccessList{{Address: coin, StorageKeys: []common.Hash{{31: 1}, {31: 2}}}, {Address: rich, StorageKeys: []common.Hash{}}}
	var inner types.TxData
	switch typ {
	case types.LegacyTxType:
		inner = &types.LegacyTx{Nonce: nonce, GasPrice: big.NewInt(1e9), Gas: 21_000, To: &to, Value: big.NewInt(5)}
	case types.AccessListTxType:
		inner = &types.AccessListTx{ChainID: id, Nonce: nonce, GasPrice: big.NewInt(1e9), Gas: 60_000, Value: big.NewInt(5), Data: []byte{0x00}, AccessList: list}
	case types.DynamicFeeTxType:
		inner = &types.DynamicFeeTx{ChainID: id, Nonce: nonce, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2e9), Gas: 60_000, To: &to, Value: big.NewInt(5), Data: []byte("hello"), AccessList: list}
	case types.SetCodeTxType:
		auth, err := types.SignSetCode(otherKey, types.SetCodeAuthorization{ChainID: *uint256.MustFromBig(id), Address: coin, Nonce: 3})
		if err != nil {
			w.t.Fatal(err)
		}
		inner = &types.SetCodeTx{ChainID: uint256.MustFromBig(id), Nonce: nonce, GasTipCap: uint256.NewInt(1), GasFeeCap: uint256.NewInt(2e9), Gas: 60_000, To: to, Value: uint256.NewInt(5), AuthList: []types.SetCodeAuthorization{auth}}
	}
	signed, err := types.SignNewTx(testKey(3), types.LatestSignerForChainID(id), inner)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := signed.MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := chain.DefaultConfig()
	tx, err := chain.DecodeTx(raw, &cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

func (w *world) miniJSON(h *chain.MiniBlockHeader, key *ecdsa.PrivateKey, txs []*chain.Tx, receipts []*chain.Receipt) object {
	w.t.Helper()
	var sig chain.Signature
	if key != nil {
		var err error
		if sig, err = h.Sign(key); err != nil {
			w.t.Fatal(err)
		}
	}
	n := func(v uint64) hexutil.Uint64 { return hexutil.Uint64(v) }
	list, outcomes := []any{}, []any{}
	before := uint64(w.open.gas) - uint64(h.GasUsed)
	for i, tx := range txs {
		list = append(list, txJSON(w.t, tx))
		outcomes = append(outcomes, receiptJSON(tx, receipts[i], before))
		before = uint64(receipts[i].CumulativeGasUsed)
	}
	return object{
		"chainId": n(h.ChainID), "epoch": n(h.Epoch), "number": n(h.Number), "parentHash": h.ParentHash, "blockNumber": n(h.BlockNumber),
		"index": n(h.Index), "timestampMicros": n(uint64(h.TimestampMicros)), "firstTxIndex": n(h.FirstTxIndex), "txCount": n(h.TxCount),
		"gasUsed": n(uint64(h.GasUsed)), "txsHash": h.TxsHash, "receiptsHash": h.ReceiptsHash, "diffHash": h.DiffHash, "hash": h.Hash(),
		"signature": hexutil.Bytes(sig[:]), "transactions": list, "receipts": outcomes,
	}
}

func asObject(t testing.TB, v any) object {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out := object{}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func txJSON(t testing.TB, tx *chain.Tx) object {
	t.Helper()
	if d := tx.Deposit; d != nil {
		return object{
			"type": hexutil.Uint64(DepositType), "hash": tx.Hash(), "from": d.From, "to": d.To, "gas": hexutil.Uint64(d.Gas), "value": (*hexutil.Big)(d.Value),
			"input": hexutil.Bytes(d.Data), "sourceHash": d.SourceHash, "mint": (*hexutil.Big)(d.Mint), "isSystemTx": d.IsSystem,
			"nonce": "0x0", "gasPrice": "0x0", "v": "0x0", "r": "0x0", "s": "0x0",
		}
	}
	out := asObject(t, tx.Eth())
	out["from"] = tx.From()
	return out
}

func receiptJSON(tx *chain.Tx, r *chain.Receipt, before uint64) object {
	logs := []any{}
	for _, l := range r.Logs {
		logs = append(logs, object{"address": l.Address, "topics": l.Topics, "data": hexutil.Bytes(l.Data), "removed": false})
	}
	out := object{
		"transactionHash": tx.Hash(), "type": hexutil.Uint64(r.Type), "status": hexutil.Uint64(r.Status),
		"cumulativeGasUsed": hexutil.Uint64(r.CumulativeGasUsed), "gasUsed": hexutil.Uint64(uint64(r.CumulativeGasUsed) - before),
		"logsBloom": r.Bloom, "logs": logs, "from": tx.From(), "finality": "sequenced",
	}
	if tx.IsDeposit() {
		out["depositNonce"], out["depositReceiptVersion"] = hexutil.Uint64(r.DepositNonce), "0x1"
	}
	return out
}

// newStateTrie is the state as a trie by hashed addresses.
func newStateTrie(t testing.TB, state map[common.Address]*worldAccount) *trie.Trie {
	t.Helper()
	tr := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for addr, a := range state {
		code := types.EmptyCodeHash
		if len(a.code) > 0 {
			code = crypto.Keccak256Hash(a.code)
		}
		enc, err := rlp.EncodeToBytes([]any{a.nonce, a.balance, newStorageTrie(t, a.storage).Hash(), code})
		if err != nil {
			t.Fatal(err)
		}
		tr.MustUpdate(crypto.Keccak256(addr[:]), enc)
	}
	return tr
}

func newStorageTrie(t testing.TB, storage map[common.Hash]common.Hash) *trie.Trie {
	t.Helper()
	tr := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for slot, value := range storage {
		enc, err := rlp.EncodeToBytes(common.TrimLeftZeroes(value[:]))
		if err != nil {
			t.Fatal(err)
		}
		tr.MustUpdate(crypto.Keccak256(slot[:]), enc)
	}
	return tr
}

// proof is eth_getProof's answer at the block.
func (b *worldBlock) proof(t testing.TB, addr common.Address, slots ...common.Hash) object {
	t.Helper()
	a := b.state[addr]
	if a == nil {
		a = &worldAccount{balance: new(big.Int)}
	}
	code := types.EmptyCodeHash
	if len(a.code) > 0 {
		code = crypto.Keccak256Hash(a.code)
	}
	storage := newStorageTrie(t, a.storage)
	list := []any{}
	for _, slot := range slots {
		value := a.storage[slot]
		list = append(list, object{"key": slot, "value": (*hexutil.Big)(value.Big()), "proof": prove(t, storage, slot[:])})
	}
	return object{
		"address": addr, "accountProof": prove(t, newStateTrie(t, b.state), addr[:]), "balance": (*hexutil.Big)(a.balance), "nonce": hexutil.Uint64(a.nonce),
		"codeHash": code, "storageHash": storage.Hash(), "storageProof": list,
	}
}

// nodeList collects nodes in the order in which they are proven.
type nodeList []hexutil.Bytes

func (l *nodeList) Put(_, value []byte) error { *l = append(*l, common.CopyBytes(value)); return nil }
func (l *nodeList) Delete([]byte) error       { return nil }

func prove(t testing.TB, tr *trie.Trie, key []byte) nodeList {
	t.Helper()
	list := nodeList{}
	if tr.Hash() == types.EmptyRootHash {
		return list
	}
	if err := tr.Prove(crypto.Keccak256(key), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// text is v as JSON.
func text(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
