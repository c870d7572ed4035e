package rpc

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// fakeBackend is a chain in memory: each send becomes a mini-block with one log.
type fakeBackend struct {
	Feed
	fakePool
	fakeExits
	fakeVoid
	cfg chain.Config
	key *ecdsa.PrivateKey
	l1  L1Status

	mu      sync.Mutex
	blocks  []*chain.Block
	open    OpenBlock
	minis   []*MiniBlock
	txs     map[common.Hash]*TxInfo
	nonces  map[common.Address]uint64
	order   []common.Hash // of submissions
	hold    bool          // submissions are kept in held, unresolved
	held    []func()
	entered chan struct{} // a token per simulation
	gate    chan struct{} // simulations wait for it when not nil
	ready   error
	safe    uint64
	dev     DevControls // nil: no development chain
	streamFake
}

var logTopic = common.HexToHash("0x01")

func newFake(t testing.TB) *fakeBackend {
	t.Helper()
	key, err := crypto.HexToECDSA("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBackend{
		cfg: chain.DefaultConfig(), key: key, txs: map[common.Hash]*TxInfo{},
		nonces: map[common.Address]uint64{}, entered: make(chan struct{}, 1000),
	}
	b.startOpen(0)
	b.Seal()
	return b
}

func (b *fakeBackend) header(number uint64) *types.Header {
	zero := common.Hash{}
	blob := uint64(0)
	return &types.Header{
		Number: new(big.Int).SetUint64(number), Time: 1_700_000_000 + number, GasLimit: b.cfg.GasLimit,
		BaseFee: big.NewInt(1_000_000), Difficulty: new(big.Int), UncleHash: types.EmptyUncleHash,
		TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash, WithdrawalsHash: &types.EmptyWithdrawalsHash, // else ethclient asks for withdrawals
		BlobGasUsed: &blob, ExcessBlobGas: &blob, ParentBeaconRoot: &zero, RequestsHash: &types.EmptyRequestsHash,
	}
}

func (b *fakeBackend) startOpen(number uint64) { b.open = OpenBlock{Header: b.header(number)} }

// Seal closes the open block and opens the next one.
func (b *fakeBackend) Seal() *chain.Block {
	b.mu.Lock()
	h := types.CopyHeader(b.open.Header)
	if n := len(b.blocks); n > 0 {
		h.ParentHash = b.blocks[n-1].Hash()
	}
	for _, r := range b.open.Receipts {
		for i := range h.Bloom {
			h.Bloom[i] |= r.Bloom[i]
		}
		h.GasUsed += r.GasUsed
	}
	if len(b.open.Txs) > 0 {
		h.TxHash = common.HexToHash("0x77")
	}
	blk := chain.NewBlock(h, b.open.Txs, b.open.Receipts, b.open.MiniBlocks)
	b.blocks = append(b.blocks, blk)
	for _, tx := range blk.Txs {
		sealed := *b.txs[tx.Hash()]
		sealed.BlockHash = blk.Hash()
		b.txs[tx.Hash()] = &sealed
	}
	b.startOpen(blk.Number() + 1)
	b.mu.Unlock()
	b.Publish(Event{Sealed: blk})
	return blk
}

// add executes tx in a mini-block of its own; the caller holds mu.
func (b *fakeBackend) add(tx *chain.Tx) (*TxInfo, *MiniBlock) {
	i := uint64(len(b.open.Txs))
	log := &types.Log{Address: common.HexToAddress("0xaa"), Topics: []common.Hash{logTopic}, Data: []byte{1}}
	r := &chain.Receipt{
		Type: tx.Type(), Status: 1, CumulativeGasUsed: 21000 * (i + 1), GasUsed: 21000, TxHash: tx.Hash(),
		Logs: []*types.Log{log}, EffectiveGasPrice: tx.EffectiveGasPrice(b.open.Header.BaseFee), DepositNonce: 7,
	}
	if r.Bloom = chain.LogsBloom(r.Logs); !tx.IsDeposit() {
		r.L1Prices = &chain.L1FeeParams{BaseFee: *uint256.NewInt(7e9), BlobBaseFee: *uint256.NewInt(3), BaseFeeScalar: 1368, BlobBaseFeeScalar: 810_949}
	}
	mb := &chain.MiniBlock{Txs: []*chain.Tx{tx}, Receipts: []*chain.Receipt{r}, Header: chain.MiniBlockHeader{
		ChainID: b.cfg.ChainID, Number: uint64(len(b.minis)), BlockNumber: b.open.Header.Number.Uint64(),
		Index: i, FirstTxIndex: i, TxCount: 1, GasUsed: 21000, ParentHash: b.lastMini(), TxsHash: tx.Hash(), TimestampMicros: b.stamp(),
	}}
	m := &MiniBlock{MiniBlock: mb, Hash: mb.Header.Hash(), BlockTime: b.open.Header.Time, BaseFee: b.open.Header.BaseFee, FirstLogIndex: i}
	b.minis = append(b.minis, m)
	b.open.Txs = append(b.open.Txs[:i:i], tx)
	b.open.Receipts = append(b.open.Receipts[:i:i], r)
	b.open.MiniBlocks = append(b.open.MiniBlocks[:i:i], mb.Header)
	info := m.places()[0]
	b.txs[tx.Hash()] = &info
	return &info, m
}

func (b *fakeBackend) SubmitTxs(_ context.Context, sends []Send) []*Submission {
	subs := make([]*Submission, len(sends))
	for i := range sends {
		subs[i] = b.submit(sends[i].Raw)
	}
	return subs
}

func failed(hash common.Hash, err error) *Submission {
	s := NewSubmission()
	s.Decoded(hash)
	s.Resolve(nil, err)
	return s
}

func (b *fakeBackend) submit(raw []byte) *Submission {
	tx, err := chain.DecodeTx(raw, &b.cfg)
	if err != nil {
		return failed(zeroHash, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = append(b.order, tx.Hash())
	next := b.nonces[tx.From()]
	switch {
	case tx.Nonce() > next:
		return failed(tx.Hash(), NonceGapError(next, tx.Nonce()))
	case tx.Nonce() < next:
		return failed(tx.Hash(), fmt.Errorf("nonce too low: next nonce %d, tx nonce %d", next, tx.Nonce()))
	}
	b.nonces[tx.From()]++
	sub := NewSubmission()
	sub.Decoded(tx.Hash())
	info, m := b.add(tx)
	if b.hold {
		b.held = append(b.held, func() { b.Publish(Event{MiniBlock: m}); sub.Resolve(info, nil) })
		return sub
	}
	b.Publish(Event{MiniBlock: m})
	sub.Resolve(info, nil)
	return sub
}

// Deposit adds a deposit transaction to the open block.
func (b *fakeBackend) Deposit() *chain.Tx {
	attrs := chain.L1Attributes{Number: 1, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}
	tx := attrs.Tx()
	b.mu.Lock()
	_, m := b.add(tx)
	b.mu.Unlock()
	b.Publish(Event{MiniBlock: m})
	return tx
}

func (b *fakeBackend) signed(t testing.TB, nonce uint64) *types.Transaction {
	t.Helper()
	to := common.HexToAddress("0xbb")
	tx, err := types.SignNewTx(b.key, types.NewPragueSigner(new(big.Int).SetUint64(b.cfg.ChainID)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(b.cfg.ChainID), Nonce: nonce, GasTipCap: big.NewInt(2), GasFeeCap: big.NewInt(3_000_000),
		Gas: 21000, To: &to, Value: big.NewInt(5),
	})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func (b *fakeBackend) raw(t testing.TB, nonce uint64) string {
	enc, err := b.signed(t, nonce).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return string(hexData(enc))
}

func (b *fakeBackend) Config() *chain.Config { return &b.cfg }
func (b *fakeBackend) Dev() DevControls      { return b.dev }

func (b *fakeBackend) Head() *types.Header {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.blocks[len(b.blocks)-1].Header
}

func (b *fakeBackend) Pending() *OpenBlock {
	b.mu.Lock()
	defer b.mu.Unlock()
	open := b.open
	return &open
}

func (b *fakeBackend) Finality() (uint64, uint64) { return b.safe, 0 }
func (b *fakeBackend) Ready() error               { return b.ready }

func (b *fakeBackend) HeaderByNumber(ctx context.Context, n uint64) (*types.Header, error) {
	blk, err := b.BlockByNumber(ctx, n)
	if blk == nil {
		return nil, err
	}
	return blk.Header, nil
}

func (b *fakeBackend) BlockByNumber(_ context.Context, n uint64) (*chain.Block, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= uint64(len(b.blocks)) {
		return nil, nil
	}
	return b.blocks[n], nil
}

func (b *fakeBackend) BlockByHash(_ context.Context, h common.Hash) (*chain.Block, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, blk := range b.blocks {
		if blk.Hash() == h {
			return blk, nil
		}
	}
	return nil, nil
}

func (b *fakeBackend) TxByHash(_ context.Context, h common.Hash) (*TxInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.txs[h], nil
}

func (b *fakeBackend) MiniBlockByNumber(_ context.Context, n uint64) (*MiniBlock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= uint64(len(b.minis)) {
		return nil, nil
	}
	return b.minis[n], nil
}

func (b *fakeBackend) MiniBlockByHash(_ context.Context, h common.Hash) (*MiniBlock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.minis {
		if m.Hash == h {
			return m, nil
		}
	}
	return nil, nil
}

func (b *fakeBackend) Balance(_ context.Context, _ common.Address, ref StateRef) (*big.Int, error) {
	if ref.Newest {
		return big.NewInt(1000), nil
	}
	return new(big.Int).SetUint64(ref.Number), nil
}

func (b *fakeBackend) Nonce(_ context.Context, a common.Address, _ StateRef) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nonces[a], nil
}

func (b *fakeBackend) Code(context.Context, common.Address, StateRef) ([]byte, error) {
	return []byte{0x60}, nil
}

func (b *fakeBackend) Storage(_ context.Context, _ common.Address, slot common.Hash, _ StateRef) (common.Hash, error) {
	return slot, nil
}

// pass tells that a simulation runs and waits for the gate.
func (b *fakeBackend) pass(ctx context.Context) error {
	b.entered <- struct{}{}
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Call panics, reverts, fails or echoes, by its first byte of data.
func (b *fakeBackend) Call(ctx context.Context, req *CallRequest) (*CallResult, error) {
	if err := b.pass(ctx); err != nil {
		return nil, err
	}
	if len(req.Msg.Data) > 0 {
		switch req.Msg.Data[0] {
		case 0xff:
			panic("crash")
		case 0xfd:
			reason := common.FromHex("0x08c379a0" + "0000000000000000000000000000000000000000000000000000000000000020" +
				"0000000000000000000000000000000000000000000000000000000000000002" + "6e6f000000000000000000000000000000000000000000000000000000000000")
			return &CallResult{ReturnData: reason, Reverted: true}, nil
		case 0xfe:
			return &CallResult{Err: errors.New("out of gas")}, nil
		}
	}
	return &CallResult{ReturnData: req.Msg.Data}, nil
}

func (b *fakeBackend) EstimateGas(ctx context.Context, req *CallRequest) (chain.Gas, error) {
	if err := b.pass(ctx); err != nil {
		return 0, err
	}
	if len(req.Msg.Data) > 0 {
		return 0, RevertError(nil)
	}
	return min(21000, req.GasCap), nil
}

func (b *fakeBackend) CreateAccessList(ctx context.Context, _ *CallRequest) (*AccessListResult, error) {
	if err := b.pass(ctx); err != nil {
		return nil, err
	}
	return &AccessListResult{AccessList: types.AccessList{{Address: common.HexToAddress("0xaa"), StorageKeys: []common.Hash{logTopic}}}, GasUsed: 5}, nil
}

// serve starts a server of b on a free port and ends it with the test.
func serve(t testing.TB, b Backend, o Options) (*Server, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(b, o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, ln.Addr().String()
}

// MiniBlockEncodings implements FeedHolder.
func (b *fakeBackend) MiniBlockEncodings(context.Context, uint64, int, int) ([][]byte, error) {
	return nil, nil
}

// BlockEncodings implements FeedHolder.
func (b *fakeBackend) BlockEncodings(context.Context, uint64, int, int) ([][]byte, error) {
	return nil, nil
}
