package devl1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/klauspost/compress/zstd"
)

// storedBlob is one blob of a slot, in block order.
type storedBlob struct {
	Hash       common.Hash // versioned hash (EIP-4844)
	Commitment kzg4844.Commitment
	Blob       []byte // kzg4844.Blob
}

// blobStore keeps the blobs of recent slots: one zstd-compressed RLP file per slot
// that has blobs, or in memory when there is no directory. It is safe for concurrent
// use.
type blobStore struct {
	dir  string
	keep uint64 // slots

	mu    sync.Mutex
	slots map[uint64][]byte // encoded; content only without dir, else nil
	low   uint64            // no slot below is kept

	enc *zstd.Encoder
	dec *zstd.Decoder
}

const blobSuffix = ".blobs"

// maxSlotBytes bounds one decoded file: far above 9 blobs and their proofs.
const maxSlotBytes = 64 << 20

func openBlobStore(dir string, keep uint64) (*blobStore, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSlotBytes))
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	s := &blobStore{dir: dir, keep: keep, slots: make(map[uint64][]byte), enc: enc, dec: dec}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), blobSuffix)
		slot, err := strconv.ParseUint(name, 10, 64)
		if ok && err == nil {
			s.slots[slot] = nil
		}
	}
	return s, nil
}

func (s *blobStore) path(slot uint64) string {
	return filepath.Join(s.dir, strconv.FormatUint(slot, 10)+blobSuffix)
}

// put keeps the blobs of the block at slot, durably, and forgets those too old.
func (s *blobStore) put(slot uint64, bundle *engine.BlobsBundle) error {
	if bundle != nil && len(bundle.Blobs) > 0 {
		raw, err := s.encode(bundle)
		if err != nil {
			return err
		}
		if s.dir != "" {
			if err := writeFileSync(s.path(slot), raw); err != nil {
				return err
			}
			raw = nil
		}
		s.mu.Lock()
		s.slots[slot] = raw
		s.mu.Unlock()
	}
	return s.forget(slot)
}

func (s *blobStore) encode(bundle *engine.BlobsBundle) ([]byte, error) {
	if len(bundle.Commitments) != len(bundle.Blobs) {
		return nil, fmt.Errorf("%d commitments of %d blobs", len(bundle.Commitments), len(bundle.Blobs))
	}
	list := make([]storedBlob, len(bundle.Blobs))
	for i, blob := range bundle.Blobs {
		c := kzg4844.Commitment(bundle.Commitments[i])
		list[i] = storedBlob{Hash: versionedHash(c), Commitment: c, Blob: blob}
	}
	raw, err := rlp.EncodeToBytes(list)
	if err != nil {
		return nil, fmt.Errorf("encode blobs: %w", err)
	}
	return s.enc.EncodeAll(raw, nil), nil
}

// get returns the blobs of slot in block order; none when the slot has none.
func (s *blobStore) get(slot uint64) ([]storedBlob, error) {
	s.mu.Lock()
	raw, ok := s.slots[slot]
	s.mu.Unlock()
	if !ok {
		return nil, nil
	}
	if s.dir != "" {
		var err error
		if raw, err = os.ReadFile(s.path(slot)); err != nil {
			return nil, fmt.Errorf("read blobs of slot %d: %w", slot, err)
		}
	}
	return decodeBlobs(s.dec, raw)
}

func decodeBlobs(dec *zstd.Decoder, raw []byte) ([]storedBlob, error) {
	plain, err := dec.DecodeAll(raw, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress blobs: %w", err)
	}
	var list []storedBlob
	if err := rlp.DecodeBytes(plain, &list); err != nil {
		return nil, fmt.Errorf("decode blobs: %w", err)
	}
	for i, b := range list {
		if len(b.Blob) != len(kzg4844.Blob{}) {
			return nil, fmt.Errorf("decode blobs: blob %d has %d bytes", i, len(b.Blob))
		}
	}
	return list, nil
}

// forget drops what is older than the retention, looking once per 1024 slots.
func (s *blobStore) forget(slot uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot < s.keep || slot-s.keep < s.low+min(1024, s.keep) {
		return nil
	}
	s.low = slot - s.keep
	for old := range s.slots {
		if old >= s.low {
			continue
		}
		if s.dir != "" {
			if err := os.Remove(s.path(old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		delete(s.slots, old)
	}
	return nil
}
