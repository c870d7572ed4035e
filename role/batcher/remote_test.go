package batcher

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// far is a node that answers a Remote.
type far struct {
	mu     sync.Mutex
	blocks []*chain.Block
	safe   uint64
	origin uint64 // of the safe block
	tip    uint64
	mute   bool
	read   int // blocks whose transactions were asked for
}

// farEth, farDebug and farOptimism are its namespaces.
type (
	farEth      struct{ *far }
	farDebug    struct{ *far }
	farOptimism struct{ *far }
)

var errMute = errors.New("out of order")

func (f farEth) ChainId() hexutil.Uint64 { return 7411 }

func (f farEth) BlockNumber() (hexutil.Uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mute {
		return 0, errMute
	}
	return hexutil.Uint64(len(f.blocks) - 1), nil
}

func (f *far) find(hash common.Hash) (*chain.Block, error) {
	for _, b := range f.blocks {
		if b.Hash() == hash {
			return b, nil
		}
	}
	return nil, errors.New("not found")
}

func (f farDebug) GetRawHeader(number hexutil.Uint64) (hexutil.Bytes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return rlp.EncodeToBytes(f.blocks[number].Header)
}

func (f farDebug) GetRawBlock(hash common.Hash) (hexutil.Bytes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.find(hash)
	if err != nil {
		return nil, err
	}
	f.read++
	return rlp.EncodeToBytes([]any{b.Header, b.Txs, []rlp.RawValue{}, []rlp.RawValue{}})
}

func (f farDebug) GetRawMiniBlockHeaders(hash common.Hash) (hexutil.Bytes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.find(hash)
	if err != nil {
		return nil, err
	}
	return rlp.EncodeToBytes(b.MiniBlocks)
}

func (f farOptimism) SyncStatus() (map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mute {
		return nil, errMute
	}
	return map[string]any{
		"current_l1": map[string]any{"number": f.tip},
		"safe_l2":    map[string]any{"number": f.safe, "l1origin": map[string]any{"number": f.origin, "hash": common.Hash{}}},
	}, nil
}

// add seals a block with those transactions behind the L1 attributes.
func (f *far) add(attrs chain.L1Attributes, micros chain.Micros, txs ...*chain.Tx) *chain.Block {
	f.mu.Lock()
	defer f.mu.Unlock()
	number := uint64(len(f.blocks))
	all := append([]*chain.Tx{attrs.Tx()}, txs...)
	h := &types.Header{Number: new(big.Int).SetUint64(number), Time: micros.Seconds(), BaseFee: big.NewInt(1), Difficulty: new(big.Int), TxHash: types.DeriveSha(chain.Txs(all), trie.NewStackTrie(nil))}
	if number > 0 {
		h.ParentHash = f.blocks[number-1].Hash()
	}
	minis := []chain.MiniBlockHeader{{BlockNumber: number, TimestampMicros: micros, TxCount: uint64(len(all)), Epoch: 3}}
	b := chain.NewBlock(h, all, nil, minis)
	f.blocks = append(f.blocks, b)
	return b
}

// startFar serves a node with a genesis block and dials it.
func startFar(t *testing.T) (*far, *Remote) {
	t.Helper()
	f := &far{tip: 5}
	genesis := &types.Header{Number: new(big.Int), Time: 100, BaseFee: big.NewInt(1), Difficulty: new(big.Int), TxHash: types.EmptyTxsHash}
	f.blocks = []*chain.Block{chain.NewBlock(genesis, nil, nil, nil)}
	server := rpc.NewServer()
	for name, api := range map[string]any{"eth": farEth{f}, "debug": farDebug{f}, "optimism": farOptimism{f}} {
		if err := server.RegisterName(name, api); err != nil {
			t.Fatal(err)
		}
	}
	h := httptest.NewServer(server)
	t.Cleanup(func() { h.Close(); server.Stop() })
	r, err := Dial(t.Context(), RemoteOptions{URL: h.URL, Config: remoteConfig(), Poll: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return f, r
}

func remoteConfig() *chain.Config {
	cfg := chain.DefaultConfig()
	cfg.InclusionWindow = 40
	return &cfg
}

func signedTxs(t *testing.T) []*chain.Tx {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	to, id := common.Address{7}, big.NewInt(7411)
	var out []*chain.Tx
	for _, data := range []types.TxData{
		&types.LegacyTx{GasPrice: big.NewInt(7), Gas: 21_000, To: &to, Value: big.NewInt(9)},
		&types.DynamicFeeTx{ChainID: id, Nonce: 1, GasFeeCap: big.NewInt(8), GasTipCap: big.NewInt(1), Gas: 90_000, Data: bytes.Repeat([]byte{1}, 200)},
	} {
		signed, err := types.SignNewTx(key, types.NewPragueSigner(id), data)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signed.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		tx, err := chain.DecodeTx(raw, remoteConfig())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, tx)
	}
	return out
}

func TestANodeElsewhereGivesWhatABatchCarries(t *testing.T) {
	f, r := startFar(t)
	want := f.add(chain.L1Attributes{Number: 2, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}, 101_000_000, signedTxs(t)...)
	for range 2 {
		got, err := r.BlockByNumber(t.Context(), 1)
		if err != nil || got == nil {
			t.Fatalf("block 1: %v, %v", got, err)
		}
		a, err := batch.FromBlock(want)
		if err != nil {
			t.Fatal(err)
		}
		b, err := batch.FromBlock(got)
		if err != nil {
			t.Fatal(err)
		}
		if got.Hash() != want.Hash() || !reflect.DeepEqual(a, b) {
			t.Errorf("%+v, want %+v", b, a)
		}
	}
	if f.read != 1 {
		t.Errorf("the block was read %d times", f.read)
	}
	if b, err := r.BlockByNumber(t.Context(), 2); b != nil || err != nil {
		t.Errorf("block 2 of two: %v, %v", b, err)
	}

	// The node goes back to another block of that number.
	f.mu.Lock()
	f.blocks = f.blocks[:1]
	f.mu.Unlock()
	other := f.add(chain.L1Attributes{Number: 3, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}, 102_000_000)
	if b, err := r.BlockByNumber(t.Context(), 1); err != nil || b == nil || b.Hash() != other.Hash() {
		t.Errorf("the other block 1: %v, %v", b, err)
	}
}

func TestTransactionsOfAnotherBlockAreRefused(t *testing.T) {
	f, r := startFar(t)
	b := f.add(chain.L1Attributes{Number: 2, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}, 101_000_000, signedTxs(t)...)
	f.mu.Lock()
	b.Txs = b.Txs[:2]
	f.mu.Unlock()
	if got, err := r.BlockByNumber(t.Context(), 1); err == nil {
		t.Errorf("%+v", got)
	}
}

func TestANodeElsewhereTellsWhatL1Holds(t *testing.T) {
	f, r := startFar(t)
	await := func(block, tip uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for {
			b, l1 := r.Safe()
			if b == block && l1 == tip {
				return
			}
			select {
			case <-ctx.Done():
				t.Fatalf("safe is %d at L1 block %d, want %d at %d", b, l1, block, tip)
			case <-time.After(time.Millisecond):
			}
		}
	}
	await(0, 5)
	// What a node in trouble said last stays.
	f.mu.Lock()
	f.mute = true
	f.mu.Unlock()
	if _, err := r.BlockByNumber(t.Context(), 0); err == nil {
		t.Error("a mute node gave a block")
	}
	await(0, 5)
	// When the window is nearly over, blocks of deposits alone need no posting.
	forced := func(origin uint64, time chain.Micros) {
		f.add(chain.L1Attributes{Number: origin, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}, time)
	}
	f.add(chain.L1Attributes{Number: 2, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}, 101_000_000, signedTxs(t)...)
	forced(3, 101_000_000)
	forced(4, 101_000_000)
	f.add(chain.L1Attributes{Number: 5, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}, 103_000_000, signedTxs(t)...)
	f.mu.Lock()
	f.mute, f.safe, f.origin, f.tip = false, 1, 2, 40
	f.mu.Unlock()
	await(3, 40)
}
