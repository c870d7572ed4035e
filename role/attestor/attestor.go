package attestor

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/rpc"
)

// Chain is what is signed.
type Chain interface {
	// HeaderByNumber returns a sealed header; nil when there is none.
	HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error)
	// Subscribe starts a stream of what is published.
	Subscribe(buffer int) *rpc.FeedReader
}

// Options of an attestor.
type Options struct {
	Chain                Chain
	Key                  *ecdsa.PrivateKey // of the attestor that SignedCheckpoints names
	L1ChainID, L2ChainID uint64
	Checkpoints          common.Address // SignedCheckpoints on L1
	// File keeps the newest signature. Two attestors with one key must not have two files.
	File string
	Log  *slog.Logger // [slog.Default()]
}

// record is what the file holds.
type record struct {
	Number    uint64        `json:"number"`
	Hash      common.Hash   `json:"hash"`
	Signature hexutil.Bytes `json:"signature"`
}

// Attestor signs one chain's blocks. It must be closed.
type Attestor struct {
	opts Options

	mu     sync.Mutex
	newest *record // nil: nothing is signed yet

	cancel context.CancelFunc
	done   chan struct{}
}

// buffer is how many unread events the attestor is behind before it begins anew.
const buffer = 256

// Start begins to sign, above what the file says was signed.
func Start(opts Options) (*Attestor, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	a := &Attestor{opts: opts, done: make(chan struct{})}
	raw, err := os.ReadFile(opts.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read what was attested: %w", err)
	default:
		a.newest = new(record)
		if err := json.Unmarshal(raw, a.newest); err != nil {
			return nil, fmt.Errorf("read what was attested: %s: %w", opts.File, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	go a.run(ctx)
	return a, nil
}

// Close stops signing and waits for it.
func (a *Attestor) Close() {
	a.cancel()
	<-a.done
}

// Newest implements rpc.Exits' Attestation: the newest signature, if it is of that height
// or a later one and of a block that the chain still has.
func (a *Attestor) Newest(ctx context.Context, number uint64) (*rpc.Attestation, error) {
	a.mu.Lock()
	r := a.newest
	a.mu.Unlock()
	if r == nil || r.Number < number {
		return nil, nil
	}
	if held, err := a.holds(ctx, r); err != nil || !held {
		return nil, err
	}
	return &rpc.Attestation{Number: r.Number, Hash: r.Hash, Signature: r.Signature}, nil
}

// holds reports whether a signed block is the chain's.
func (a *Attestor) holds(ctx context.Context, r *record) (bool, error) {
	h, err := a.opts.Chain.HeaderByNumber(ctx, r.Number)
	return err == nil && h != nil && h.Hash() == r.Hash, err
}

func (a *Attestor) run(ctx context.Context) {
	defer close(a.done)
	for ctx.Err() == nil { // a reader that fell behind is cut off: begin anew
		reader := a.opts.Chain.Subscribe(buffer)
		a.follow(ctx, reader)
		reader.Close()
	}
}

func (a *Attestor) follow(ctx context.Context, reader *rpc.FeedReader) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-reader.Events():
			if !ok {
				return
			}
			if ev.Sealed == nil {
				continue
			}
			if err := a.sign(ctx, ev.Sealed.Header); err != nil && ctx.Err() == nil {
				a.opts.Log.Error("a block could not be attested: withdrawals are not paid ahead", "block", ev.Sealed.Number(), "err", err)
			}
		}
	}
}

// sign signs a sealed block if there are withdrawals to attest to and its height was not
// signed before.
func (a *Attestor) sign(ctx context.Context, h *types.Header) error {
	a.mu.Lock()
	last := a.newest
	a.mu.Unlock()
	number := h.Number.Uint64()
	if last != nil && number <= last.Number || h.WithdrawalsHash == nil {
		return nil
	}
	root, err := a.attested(ctx, last)
	if err != nil || root == *h.WithdrawalsHash {
		return err
	}
	hash := h.Hash()
	signature, err := crypto.Sign(Digest(a.opts.L1ChainID, a.opts.L2ChainID, a.opts.Checkpoints, number, hash).Bytes(), a.opts.Key)
	if err != nil {
		return err
	}
	signature[64] += 27
	r := &record{number, hash, signature}
	if err := a.save(r); err != nil {
		return err
	}
	a.mu.Lock()
	a.newest = r
	a.mu.Unlock()
	return nil
}

// attested is the root of the withdrawals that the newest signature attests to; at first,
// and when the chain has left its block, that of no block.
func (a *Attestor) attested(ctx context.Context, last *record) (common.Hash, error) {
	if last == nil {
		return a.genesisRoot(ctx)
	}
	h, err := a.opts.Chain.HeaderByNumber(ctx, last.Number)
	if err != nil || h == nil || h.Hash() != last.Hash || h.WithdrawalsHash == nil {
		return common.Hash{}, err
	}
	return *h.WithdrawalsHash, nil
}

// genesisRoot is the root of no withdrawals at all.
func (a *Attestor) genesisRoot(ctx context.Context) (common.Hash, error) {
	h, err := a.opts.Chain.HeaderByNumber(ctx, 0)
	if err != nil || h == nil || h.WithdrawalsHash == nil {
		return common.Hash{}, err
	}
	return *h.WithdrawalsHash, nil
}

// save puts a signature on disk, in place of the one before.
func (a *Attestor) save(r *record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return da.WriteFile(a.opts.File, append(raw, '\n'))
}

// Digest is what an attestor signs (SignedCheckpoints.digest): EIP-191 data for that
// contract, which are the ABI encoding of both chain ids, height and hash.
func Digest(l1ChainID, l2ChainID uint64, checkpoints common.Address, number uint64, hash common.Hash) common.Hash {
	text := append([]byte{0x19, 0x00}, checkpoints[:]...)
	for _, n := range []uint64{l1ChainID, l2ChainID, number} {
		text = binary.BigEndian.AppendUint64(append(text, make([]byte, 24)...), n)
	}
	return crypto.Keccak256Hash(text, hash[:])
}
