package snapshots

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/klauspost/compress/zstd"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/snapshot"
)

const (
	manifestFile = "manifest"
	makingDir    = "making"
	// maxWindow bounds the memory that decompressing a piece takes for its window.
	maxWindow = 8 << 20
	// confirmTimeout is how long the next block's first mini-block is waited for.
	confirmTimeout = time.Minute
)

// errMoved says that the chain was taken back behind the block of a snapshot.
var errMoved = errors.New("the chain was taken back meanwhile")

// make makes a snapshot and notes how that went.
func (s *Server) make() {
	started := time.Now()
	h, err := s.produce()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("no snapshot was made; tried again when somebody asks", "err", err)
	}
	if s.failure, s.failed = err, time.Now(); err == nil {
		s.held = append(s.held, h)
		s.drop(keepSnapshots, time.Time{})
		s.log.Info("made a snapshot", "block", h.number, "accounts", s.making.Accounts, "slots", s.making.Slots, "pieces", h.pieces, "in", time.Since(started).Round(time.Millisecond))
	}
	s.making = nil
}

// produce makes a snapshot of the newest block in the store.
func (s *Server) produce() (_ *held, err error) {
	size, err := s.node.Store().StateBytes()
	if err != nil {
		return nil, err
	}
	if err := s.room(size); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, makingDir)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	w, err := newPieceWriter(s, dir)
	if err != nil {
		return nil, err
	}
	defer w.close()
	header, err := s.node.Store().LoadHead(&w.builder)
	if err != nil {
		return nil, err
	}
	if err := w.builder.FinishState(); err != nil {
		return nil, err
	}
	states := len(w.pieces)
	base, err := s.base(header)
	if err != nil {
		return nil, err
	}
	if err := w.builder.AddBlock(base); err != nil {
		return nil, err
	}
	m := &snapshot.Manifest{
		Version: snapshot.Version, ChainID: s.node.Config().ChainID, Header: header,
		Accounts: w.builder.Accounts, Codes: w.builder.Codes, Slots: w.builder.Slots,
		Block: uint64(len(w.pieces) - states), Pieces: w.pieces,
	}
	if err := s.confirm(m, base); err != nil {
		return nil, err
	}
	raw := m.Encode()
	if _, err := snapshot.DecodeManifest(raw); err != nil { // a block beyond the bounds
		return nil, fmt.Errorf("nobody could load it: %w (a later block will do)", err)
	}
	// The name makes it whole: what was not synced before a power cut is found out by
	// whoever loads it.
	if err := os.WriteFile(filepath.Join(dir, manifestFile), raw, 0o644); err != nil {
		return nil, err
	}
	h := newHeld(m, raw, time.Now())
	whole := filepath.Join(s.dir, h.hash.Hex())
	if err := errors.Join(os.RemoveAll(whole), os.Rename(dir, whole)); err != nil {
		return nil, err
	}
	s.forget(h.hash)
	return h, nil
}

// forget drops a snapshot that was made again.
func (s *Server) forget(hash common.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.held {
		if h.hash == hash {
			s.held = append(s.held[:i], s.held[i+1:]...)
			return
		}
	}
}

// base is the block with a header, and what comes before it.
func (s *Server) base(header *types.Header) (*snapshot.Base, error) {
	number := header.Number.Uint64()
	if number == 0 {
		return nil, errors.New("the chain has no block yet")
	}
	block, err := s.node.BlockByNumber(s.ctx, number)
	if err != nil {
		return nil, err
	}
	if block == nil || block.Hash() != header.Hash() {
		return nil, errMoved
	}
	b := &snapshot.Base{Block: block}
	list, err := s.node.MiniBlocksFrom(s.ctx, block.MiniBlocks[0].Number)
	if err != nil {
		return nil, err
	}
	if len(list) != len(block.MiniBlocks) || list[0].BlockHash != block.Hash() {
		return nil, errMoved
	}
	for _, m := range list {
		b.Signatures = append(b.Signatures, m.Signature)
	}
	minis := make([]snapshot.MiniBlock, len(list))
	for i, m := range list {
		minis[i] = snapshot.MiniBlock{Header: m.Header, Signature: m.Signature}
		for _, tx := range m.Txs {
			minis[i].Txs = append(minis[i].Txs, tx.Raw())
		}
	}
	if err := snapshot.CheckSigned(minis, s.node.Config().Sequencer); err != nil {
		return nil, fmt.Errorf("block %d: %w (a later block will do)", number, err)
	}
	b.Ancestors, err = ancestors(s.ctx, s.node, number)
	return b, err
}

// confirm waits for the first mini-block of the next block, and puts it into the manifest.
func (s *Server) confirm(m *snapshot.Manifest, base *snapshot.Base) error {
	last := base.Block.MiniBlocks[len(base.Block.MiniBlocks)-1]
	next, err := s.next(last.Number + 1)
	if err != nil {
		return err
	}
	h := &next.Header
	switch {
	case h.ParentHash != last.Hash():
		return errMoved
	case next.Signature == chain.Signature{}:
		return fmt.Errorf("block %d was taken over from L1: what the leader did not sign confirms nothing (a later block will do)", h.BlockNumber)
	}
	m.Confirmation, m.Signature = *h, next.Signature
	m.Diff, err = s.node.MiniBlockDiff(s.ctx, next)
	return err
}

// next waits for the mini-block with the number.
func (s *Server) next(number uint64) (*rpc.MiniBlock, error) {
	ctx, cancel := context.WithTimeout(s.ctx, confirmTimeout)
	defer cancel()
	for {
		list, err := s.node.MiniBlocksFrom(ctx, number)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return list[0], nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("nothing confirms block before mini-block %d yet: %w", number, err)
		}
	}
}

// pieceWriter makes the files of pieces.
type pieceWriter struct {
	s       *Server
	dir     string
	builder snapshot.Builder
	pieces  []snapshot.Piece
	enc     *zstd.Encoder
	since   time.Time // when work went on
}

func newPieceWriter(s *Server, dir string) (*pieceWriter, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow/2), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	w := &pieceWriter{s: s, dir: dir, enc: enc, since: time.Now()}
	w.builder.Emit, w.builder.PieceBytes = w.write, s.opts.PieceBytes
	return w, nil
}

func (w *pieceWriter) close() { _ = w.enc.Close() }

// write makes the next piece, and rests as long as that was work.
func (w *pieceWriter) write(c *snapshot.Content) error {
	if err := w.s.ctx.Err(); err != nil {
		return err
	}
	raw := c.Encode()
	packed := w.enc.EncodeAll(raw, nil)
	if err := w.s.room(uint64(len(packed))); err != nil {
		return err
	}
	index := len(w.pieces)
	w.pieces = append(w.pieces, snapshot.Piece{Hash: keccak.Sum256(packed), Size: uint64(len(packed)), Raw: uint64(len(raw))})
	if err := os.WriteFile(filepath.Join(w.dir, strconv.Itoa(index)), packed, 0o644); err != nil {
		return err
	}
	w.s.mu.Lock()
	b := &w.builder
	*w.s.making = progress{b.Accounts, b.Codes, b.Slots, len(w.pieces)}
	w.s.mu.Unlock()
	if err := pause(w.s.ctx, time.Since(w.since)); err != nil {
		return err
	}
	w.since = time.Now()
	return nil
}
