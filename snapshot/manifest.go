package snapshot

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/state"
)

// ErrMalformed is wrapped when an encoding is not one of this format.
var ErrMalformed = errors.New("malformed")

// Version of the format.
const Version = 1

// Limits.
const (
	MaxManifestBytes = 64 << 20 // the diff that confirms the block is most of it
	MaxPieces        = 1 << 20
	// MaxStateBytes bounds a piece that holds state, compressed or not, MaxItems how many
	// accounts, codes and slots are in it: decoding one takes less than 64 MiB.
	MaxStateBytes = 8 << 20
	MaxItems      = 1 << 17
	PieceBytes    = 2 << 20 // of a piece of the state, about
	// MaxBlockBytes bounds the encodings of all pieces that hold the block, and MaxTxs how
	// many transactions are in one: a mini-block is not divided.
	MaxBlockBytes = 256 << 20
	MaxTxs        = 1 << 20
	// Ancestors is how many headers before that of the block there are, if it has so many:
	// with the block's own they are what BLOCKHASH reads.
	Ancestors = 255
)

// Manifest says what a snapshot is of, and what it consists of.
type Manifest struct {
	Version uint64 // of the format
	ChainID uint64
	Header  *types.Header // of the block whose state it is
	// What confirms the block: header, signature and diff of the first mini-block of the
	// next one.
	Confirmation chain.MiniBlockHeader
	Signature    chain.Signature
	Diff         []byte

	Accounts, Codes, Slots uint64 // in all pieces
	// Pieces are those of the state, then those of the block: Block of them.
	Block  uint64
	Pieces []Piece
}

// Piece is a part of a snapshot.
type Piece struct {
	Hash common.Hash // keccak256 of its bytes
	Size uint64      // of its bytes, which are compressed
	Raw  uint64      // bytes of its encoding
}

// Bytes is the size of all pieces, compressed.
func (m *Manifest) Bytes() (sum uint64) {
	for i := range m.Pieces {
		sum += m.Pieces[i].Size
	}
	return sum
}

// Encode is the RLP list of the fields.
func (m *Manifest) Encode() []byte {
	out, err := rlp.EncodeToBytes(m)
	if err != nil {
		panic(fmt.Sprintf("encode manifest: %v", err)) // own value: cannot fail
	}
	return out
}

// DecodeManifest reads what Encode makes, and checks limits only.
func DecodeManifest(raw []byte) (*Manifest, error) {
	m := new(Manifest)
	if len(raw) > MaxManifestBytes {
		return nil, fmt.Errorf("manifest: %w: %d bytes, limit %d", ErrMalformed, len(raw), MaxManifestBytes)
	}
	if err := rlp.DecodeBytes(raw, m); err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", ErrMalformed, err)
	}
	switch {
	case m.Version != Version:
		return nil, fmt.Errorf("manifest: %w: version %d, this program knows %d", ErrMalformed, m.Version, Version)
	case m.Header.Number == nil || !m.Header.Number.IsUint64() || m.Header.Number.Sign() == 0:
		return nil, fmt.Errorf("manifest: %w: block %v", ErrMalformed, m.Header.Number)
	case m.Block == 0 || m.Block > uint64(len(m.Pieces)):
		return nil, fmt.Errorf("manifest: %w: %d of %d pieces hold the block", ErrMalformed, m.Block, len(m.Pieces))
	case len(m.Pieces) > MaxPieces:
		return nil, fmt.Errorf("manifest: %w: %d pieces, at most %d are allowed", ErrMalformed, len(m.Pieces), MaxPieces)
	}
	left := uint64(MaxBlockBytes) // of the block
	for i, p := range m.Pieces {
		limit := uint64(MaxStateBytes)
		if m.HoldsBlock(i) {
			limit = left
		}
		if p.Size == 0 || p.Size > limit || p.Raw == 0 || p.Raw > limit {
			return nil, fmt.Errorf("manifest: %w: piece %d of %d bytes, %d compressed: at most %d are allowed", ErrMalformed, i, p.Raw, p.Size, limit)
		}
		if m.HoldsBlock(i) {
			left -= p.Raw
		}
	}
	return m, nil
}

// HoldsBlock tells whether a piece holds headers and mini-blocks, else it holds state.
func (m *Manifest) HoldsBlock(piece int) bool { return uint64(piece) >= uint64(len(m.Pieces))-m.Block }

// Number is that of the block.
func (m *Manifest) Number() uint64 { return m.Header.Number.Uint64() }

// historyLength is the length of the ring of block hashes (EIP-2935).
const historyLength = 8191

// Check checks that the leader, signer, vouches for the block: the first mini-block of the
// next one, which it signed, holds the block's hash as that of its parent.
func (m *Manifest) Check(chainID uint64, signer common.Address) error {
	fail := func(err error) error { return fmt.Errorf("block %d of the snapshot: %w", m.Number(), err) }
	c := &m.Confirmation
	extra, err := chain.DecodeExtra(m.Header.Extra)
	switch {
	case m.ChainID != chainID || c.ChainID != chainID:
		return fail(fmt.Errorf("it is of chain %d, this is %d", m.ChainID, chainID))
	case err != nil:
		return fail(err)
	case c.BlockNumber != m.Number()+1 || c.Index != 0:
		return fail(fmt.Errorf("what confirms it is mini-block %d of block %d, not the first of the next", c.Index, c.BlockNumber))
	case c.ParentHash != extra.LastMiniBlock:
		return fail(errors.New("what confirms it follows another mini-block than its last"))
	case keccak.Sum256(m.Diff) != c.DiffHash:
		return fail(errors.New("the diff that confirms it is not the one that was signed"))
	}
	by, err := c.Signer(m.Signature)
	if err == nil && by != signer {
		err = fmt.Errorf("signed by %s, the leader is %s", by, signer)
	}
	if err != nil {
		return fail(fmt.Errorf("what confirms it: %w", err))
	}
	list, err := state.DecodeAccessList(m.Diff)
	if err != nil {
		return fail(err)
	}
	slot := common.Hash(uint256.NewInt(m.Number() % historyLength).Bytes32())
	if got, _ := list.StorageAfter(params.HistoryStorageAddress, slot, 0); got != m.Header.Hash() {
		return fail(fmt.Errorf("its hash is %s, the leader signed %s", m.Header.Hash(), got))
	}
	return nil
}
