package attestor

import (
	"context"
	"math/big"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a chain of headers.
type world struct {
	rpc.Feed
	mu      sync.Mutex
	headers []*types.Header
}

func (w *world) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number >= uint64(len(w.headers)) {
		return nil, nil
	}
	return w.headers[number], nil
}

// seal appends a block whose withdrawals have a root; fork tells blocks of one height apart.
func (w *world) seal(root, fork byte) *types.Header {
	w.mu.Lock()
	h := &types.Header{Number: big.NewInt(int64(len(w.headers))), WithdrawalsHash: &common.Hash{root}, Extra: []byte{fork}, Difficulty: new(big.Int)}
	w.headers = append(w.headers, h)
	w.mu.Unlock()
	w.Publish(rpc.Event{Sealed: chain.NewBlock(h, nil, nil, nil)})
	return h
}

func (w *world) rewind(to int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headers = w.headers[:to]
}

func TestBlocksWithWithdrawalsAreSignedOncePerHeight(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	w := new(world)
	w.seal(1, 0) // genesis
	checkpoints := common.Address{5}
	file := filepath.Join(t.TempDir(), "attested.json")
	start := func() *Attestor {
		a, err := Start(Options{Chain: w, Key: key, L1ChainID: 7410, L2ChainID: 7411, Checkpoints: checkpoints, File: file})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := start()
	newest := func(from uint64) *rpc.Attestation {
		t.Helper()
		at, err := a.Newest(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	// sealed seals until the attestor, which subscribes in a goroutine of its own, has seen it.
	sealed := func(root, fork byte) *rpc.Attestation {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			h := w.seal(root, fork)
			for range 20 {
				if at := newest(0); at != nil && at.Number <= h.Number.Uint64() && at.Hash == w.headers[at.Number].Hash() && *w.headers[at.Number].WithdrawalsHash == (common.Hash{root}) {
					return at
				}
				<-time.After(time.Millisecond)
			}
			if time.Now().After(deadline) {
				t.Fatalf("block %v with withdrawals is not attested", h.Number)
			}
		}
	}
	w.seal(1, 0)
	if at := newest(0); at != nil {
		t.Errorf("block %d without withdrawals was signed", at.Number)
	}
	first := sealed(2, 0)
	signer, err := crypto.SigToPub(Digest(7410, 7411, checkpoints, first.Number, first.Hash).Bytes(), append(first.Signature[:64:64], first.Signature[64]-27))
	if err != nil || crypto.PubkeyToAddress(*signer) != crypto.PubkeyToAddress(key.PublicKey) {
		t.Errorf("the signature is another's: %v", err)
	}
	if at := newest(first.Number + 1); at != nil {
		t.Errorf("asked from %d, got %d", first.Number+1, at.Number)
	}
	second := sealed(3, 0)
	if second.Number <= first.Number {
		t.Errorf("block %d after block %d", second.Number, first.Number)
	}

	// The chain goes back; the height that was signed is never signed again.
	w.rewind(int(first.Number))
	if at := newest(0); at != nil {
		t.Errorf("block %d is gone, its signature is served", at.Number)
	}
	a.Close()
	a = start()
	for n := first.Number; n <= second.Number; n++ {
		w.seal(4, 1)
	}
	third := sealed(4, 1)
	if third.Number <= second.Number {
		t.Errorf("block %d was signed, block %d had been before", third.Number, second.Number)
	}
	a.Close()

	// What was signed is served after a restart.
	a = start()
	if at := newest(0); at == nil || at.Number != third.Number || at.Hash != third.Hash {
		t.Errorf("after a restart: %+v, want %+v", at, third)
	}
	a.Close()
}
