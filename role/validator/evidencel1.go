package validator

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/l1feed"
)

// L1Evidence is what L1 holds from a point of derivation on, up to the block that decides the
// one that the evidence is about.
type L1Evidence struct {
	State    derive.State `json:"state"`    // where derivation goes on; for the reader to believe, or to derive
	Outcomes []Outcome    `json:"outcomes"` // of the blocks between it and the one in question
	Blocks   []L1Block    `json:"blocks"`   // ascending, without a gap
}

// Outcome is what came of a derived block.
type Outcome struct {
	Number   uint64      `json:"number"`
	Hash     common.Hash `json:"hash"`     // zero: it was replaced
	Replaced bool        `json:"replaced"` // the batch's did not execute
}

// L1Block is an L1 block as derivation reads it, with the header that its hash is of.
type L1Block struct {
	Header      hexutil.Bytes `json:"header"` // RLP
	BlobBaseFee *hexutil.Big  `json:"blobBaseFee"`
	Logs        []L1Log       `json:"logs"` // of the portal and of SystemConfig
	Batches     []L1Batch     `json:"batches"`
}

// L1Log is an event.
type L1Log struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
	Index   uint           `json:"index"` // in the block
}

// L1Batch is a transaction to the inbox, or a certificate, with its data.
type L1Batch struct {
	Tx          common.Hash       `json:"tx"`
	Index       uint64            `json:"index"` // in the block
	From        common.Address    `json:"from"`
	Source      derive.DataSource `json:"source"`
	Data        hexutil.Bytes     `json:"data,omitempty"` // frames that are not in blobs
	Bad         string            `json:"bad,omitempty"`  // why there are none
	BlobHashes  []common.Hash     `json:"blobHashes,omitempty"`
	Commitments []hexutil.Bytes   `json:"commitments,omitempty"` // KZG, of which the hashes are
	Blobs       [][]byte          `json:"blobs,omitempty"`       // without the zeros at the end
}

// newL1Block joins what L1 and derivation know of a block.
func newL1Block(h *types.Header, read *l1.Block, b *derive.L1Block) (L1Block, error) {
	if h.Hash() != b.Hash || read.Hash != b.Hash {
		return L1Block{}, fmt.Errorf("L1 block %d: %w", b.Number, derive.ErrReorg)
	}
	header, err := rlp.EncodeToBytes(h)
	out := L1Block{Header: header, BlobBaseFee: (*hexutil.Big)(b.BlobBaseFee), Logs: []L1Log{}, Batches: []L1Batch{}}
	for _, log := range b.Logs {
		out.Logs = append(out.Logs, L1Log{log.Address, log.Topics, log.Data, log.Index})
	}
	sent := read.Batches
	for _, tx := range b.Batches {
		for len(sent) > 0 { // those that carry nothing were passed over
			_, ok := derive.SourceOf(len(sent[0].BlobHashes), sent[0].Data)
			if ok || sent[0].Certified {
				break
			}
			sent = sent[1:]
		}
		if len(sent) == 0 {
			return L1Block{}, fmt.Errorf("L1 block %d has fewer batches than were read of it", b.Number)
		}
		entry := L1Batch{Tx: sent[0].Hash, Index: sent[0].Index, From: tx.From, Source: tx.Source, Data: tx.Data, Bad: tx.Bad, BlobHashes: sent[0].BlobHashes}
		for _, blob := range tx.Blobs {
			c, err := kzg4844.BlobToCommitment((*kzg4844.Blob)(blob))
			if err != nil {
				return L1Block{}, fmt.Errorf("L1 block %d, blob of %s: %w", b.Number, tx.From, err)
			}
			end := len(blob)
			for end > 0 && blob[end-1] == 0 {
				end--
			}
			entry.Commitments, entry.Blobs = append(entry.Commitments, c[:]), append(entry.Blobs, blob[:end])
		}
		out.Batches, sent = append(out.Batches, entry), sent[1:]
	}
	return out, err
}

// read is the block for derivation, as far as its own hashes can tell: the header's fields
// are under its hash, and blobs under their versioned hashes. That L1 has the block with these
// events and transactions, a node of L1 tells.
func (b *L1Block) read() (*derive.L1Block, error) {
	h := new(types.Header)
	if err := rlp.DecodeBytes(b.Header, h); err != nil {
		return nil, fmt.Errorf("evidence: header of an L1 block: %w", err)
	}
	if h.Number == nil || !h.Number.IsUint64() {
		return nil, errors.New("evidence: an L1 block without a number")
	}
	out := &derive.L1Block{
		Number: h.Number.Uint64(), Hash: h.Hash(), ParentHash: h.ParentHash, Timestamp: h.Time, BaseFee: h.BaseFee,
		BlobBaseFee: (*big.Int)(b.BlobBaseFee), PrevRandao: h.MixDigest,
	}
	if h.ParentBeaconRoot != nil {
		out.ParentBeaconRoot = *h.ParentBeaconRoot
	}
	for _, log := range b.Logs {
		out.Logs = append(out.Logs, &types.Log{Address: log.Address, Topics: log.Topics, Data: log.Data, Index: log.Index, BlockNumber: out.Number, BlockHash: out.Hash})
	}
	for i := range b.Batches {
		tx := &b.Batches[i]
		entry := derive.BatchTx{From: tx.From, Source: tx.Source, Data: tx.Data, Bad: tx.Bad}
		if len(tx.Blobs) > 0 && len(tx.Blobs) != len(tx.BlobHashes) || len(tx.Commitments) != len(tx.Blobs) {
			return nil, fmt.Errorf("evidence: L1 transaction %s: %d blobs, %d commitments, %d hashes", tx.Tx, len(tx.Blobs), len(tx.Commitments), len(tx.BlobHashes))
		}
		for k, content := range tx.Blobs {
			blob := new(batch.Blob)
			if copy(blob[:], content) < len(content) {
				return nil, fmt.Errorf("evidence: L1 transaction %s: blob %d is too large", tx.Tx, k)
			}
			c, err := kzg4844.BlobToCommitment((*kzg4844.Blob)(blob))
			if err != nil || string(c[:]) != string(tx.Commitments[k]) || versioned(c) != tx.BlobHashes[k] {
				return nil, fmt.Errorf("%w: blob %d of L1 transaction %s is not what its hash says (%v)", ErrNotConfirmed, k, tx.Tx, err)
			}
			entry.Blobs = append(entry.Blobs, blob)
		}
		out.Batches = append(out.Batches, entry)
	}
	return out, nil
}

// find derives the block with the number.
func (e *L1Evidence) find(cfg *chain.Config, number uint64) (*derive.BlockInput, error) {
	outcomes := make(map[uint64]Outcome)
	for _, o := range e.Outcomes {
		outcomes[o.Number] = o
	}
	p := derive.New(cfg, e.State, derive.Settings{})
	for i := range e.Blocks {
		b, err := e.Blocks[i].read()
		if err != nil {
			return nil, err
		}
		if b.Number != p.NextL1() {
			return nil, fmt.Errorf("%w: L1 block %d where %d must be", ErrNotConfirmed, b.Number, p.NextL1())
		}
		if err := p.Push(*b); err != nil {
			return nil, fmt.Errorf("%w: L1 block %d: %w", ErrNotConfirmed, b.Number, err)
		}
		for in := p.Next(); in != nil; in = p.Next() {
			o, ok := outcomes[in.Number]
			switch {
			case in.Number == number && (!ok || !o.Replaced || in.Kind != derive.FromBatch):
				return in, nil
			case !ok:
				return nil, fmt.Errorf("%w: nothing says what came of block %d", ErrNotConfirmed, in.Number)
			case o.Replaced && in.Kind == derive.FromBatch:
				if err := p.Invalid(errReplaced); err != nil {
					return nil, fmt.Errorf("%w: block %d: %w", ErrNotConfirmed, in.Number, err)
				}
			default:
				p.Executed(o.Hash)
			}
		}
	}
	return nil, fmt.Errorf("%w: L1 does not hold block %d", ErrNotConfirmed, number)
}

// Tip is the L1 block that decides: whoever finds it on L1 with the transactions that are
// listed has the same before him.
func (e *L1Evidence) Tip() chain.L1Origin {
	if len(e.Blocks) == 0 {
		return chain.L1Origin{}
	}
	h := new(types.Header)
	if err := rlp.DecodeBytes(e.Blocks[len(e.Blocks)-1].Header, h); err != nil || h.Number == nil {
		return chain.L1Origin{}
	}
	return chain.L1Origin{Number: h.Number.Uint64(), Hash: h.Hash()}
}

// versioned is the hash by which L1 names a blob (EIP-4844).
func versioned(c kzg4844.Commitment) common.Hash {
	return kzg4844.CalcBlobHashV1(sha256.New(), &c)
}

// readL1 reads what L1 holds from a state on, up to the block tip.
func readL1(ctx context.Context, opts *L1Options, cfg *chain.Config, state derive.State, tip chain.L1Origin, log *slog.Logger) ([]L1Block, error) {
	feed := l1feed.Start(opts.L1, l1feed.Options{
		From: state.From, Poll: opts.Poll, Log: log,
		Batches: &l1feed.Batches{Config: cfg, System: state.Reading, Resolver: opts.Resolver},
	})
	defer feed.Close()
	var out []L1Block
	system := state.Reading
	for number := state.From; number <= tip.Number; number++ {
		b, err := feed.Next(ctx)
		if err != nil {
			return nil, err
		}
		// The batcher of a block is that of the configuration before it.
		read, err := opts.L1.Fetch(ctx, number, system.Batcher)
		if err != nil {
			return nil, err
		}
		h, err := opts.L1.HeaderByNumber(ctx, number)
		if err != nil {
			return nil, err
		}
		if number == state.From {
			b.Batches = nil // not read, and no part of what follows
		} else {
			system = derive.SystemAfter(cfg, system, b, nil)
		}
		entry, err := newL1Block(h, read, b)
		if err != nil {
			return nil, err
		}
		if out = append(out, entry); number == tip.Number && b.Hash != tip.Hash {
			return nil, fmt.Errorf("L1 block %d: %w", number, derive.ErrReorg)
		}
	}
	return out, nil
}

// CheckL1 asks an L1 whether it holds what the evidence says. It is nil for evidence that is
// not about L1.
func (e *Evidence) CheckL1(ctx context.Context, opts *L1Options) error {
	if e.L1 == nil {
		return nil
	}
	tip := e.L1.Tip()
	h, err := opts.L1.HeaderByNumber(ctx, tip.Number)
	switch {
	case err == nil && h.Hash() != tip.Hash || errors.Is(err, l1.ErrNotFound):
		return fmt.Errorf("%w: L1 does not have block %d %s", ErrNotConfirmed, tip.Number, tip.Hash)
	case err != nil:
		return fmt.Errorf("compare the evidence with L1: %w", err)
	}
	have, err := readL1(ctx, opts, &e.Config, e.L1.State, tip, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("compare the evidence with L1: %w", err)
	}
	if len(have) != len(e.L1.Blocks) {
		return fmt.Errorf("%w: L1 has %d blocks where it has %d", ErrNotConfirmed, len(have), len(e.L1.Blocks))
	}
	for i := range have {
		a, err1 := json.Marshal(&have[i])
		b, err2 := json.Marshal(&e.L1.Blocks[i])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if string(a) != string(b) {
			return fmt.Errorf("%w: L1 block %d is another one there", ErrNotConfirmed, e.L1.State.From+uint64(i))
		}
	}
	return nil
}
