package da

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// Kind says where data is. The values 0..2 are the first byte of a batch transaction's
// calldata.
type Kind byte

// Kinds of commitments.
const (
	KindCalldata    Kind = 0x00 // the data follows
	KindAltDA       Kind = 0x01 // a length and an alt-DA commitment of the OP Stack follow
	KindCertificate Kind = 0x02 // a committee's certificate follows
	KindBlobs       Kind = 0xff // never in calldata: the transaction carries blobs
)

func (k Kind) String() string {
	switch k {
	case KindCalldata:
		return "calldata"
	case KindAltDA:
		return "alt-DA"
	case KindCertificate:
		return "committee"
	case KindBlobs:
		return "blobs"
	}
	return fmt.Sprintf("kind %#02x", byte(k))
}

// Limits of commitments on L1.
const (
	// MaxCalldataBytes bounds the data in one transaction's calldata: nodes' pools take
	// transactions of up to 128 KiB.
	MaxCalldataBytes = 120_000
	// MaxAltDABytes bounds the data under one alt-DA commitment. It is consensus: a
	// commitment to more is void.
	MaxAltDABytes = 16 << 20
	// MaxGenericBytes bounds a generic alt-DA commitment, type byte included.
	MaxGenericBytes = 4_096
	// MaxBlobsPerTx is the L1's limit since Osaka (EIP-7594).
	MaxBlobsPerTx = 6
)

// Types of alt-DA commitments in the OP Stack's specification.
const (
	altDAKeccak  = 0x00
	altDAGeneric = 0x01
)

// Commitment names data. It is one of *Calldata, *Blobs, *Keccak, *Generic and
// *Certificate, and immutable.
type Commitment interface {
	Kind() Kind
	// Bytes is the calldata of the batch transaction: the kind and what follows. Blobs
	// have none.
	Bytes() []byte
	sealed()
}

// Calldata is data that stands on L1 itself.
type Calldata struct{ Data []byte }

// Blobs is data in blobs of the batch transaction.
type Blobs struct {
	Hashes  []common.Hash  // versioned hashes (EIP-4844)
	Content []kzg4844.Blob // in the order of Hashes; nil when only the hashes are known
}

// Keccak is an alt-DA commitment of type 0: the keccak256 hash of the data.
type Keccak struct {
	Hash   common.Hash
	Length uint32 // of the data, 1..MaxAltDABytes; servers do not know it
}

// Generic is an alt-DA commitment of type 1: what the server said, checked by nobody
// here.
type Generic struct {
	Payload []byte
	Length  uint32 // of the data, 1..MaxAltDABytes; servers do not know it
}

// NewKeccak commits to data.
func NewKeccak(data []byte) *Keccak {
	return &Keccak{Hash: crypto.Keccak256Hash(data), Length: uint32(len(data))}
}

// DataLength is how many bytes the data of a commitment has, as L1 says, of a layer that is not L1.
func DataLength(c Commitment) uint32 {
	switch c := c.(type) {
	case *Keccak:
		return c.Length
	case *Generic:
		return c.Length
	case *Certificate:
		return c.Length
	}
	return 0
}

// NewBlobs commits to blobs.
func NewBlobs(blobs []kzg4844.Blob) (*Blobs, error) {
	c := &Blobs{Content: blobs}
	for i := range blobs {
		commitment, err := kzg4844.BlobToCommitment(&blobs[i])
		if err != nil {
			return nil, fmt.Errorf("commit to blob %d: %w: %w", i, ErrMalformed, err)
		}
		c.Hashes = append(c.Hashes, kzg4844.CalcBlobHashV1(sha256.New(), &commitment))
	}
	return c, nil
}

// Kind implements Commitment.
func (*Calldata) Kind() Kind { return KindCalldata }

// Kind implements Commitment.
func (*Blobs) Kind() Kind { return KindBlobs }

// Kind implements Commitment.
func (*Keccak) Kind() Kind { return KindAltDA }

// Kind implements Commitment.
func (*Generic) Kind() Kind { return KindAltDA }

func (*Calldata) sealed()    {}
func (*Blobs) sealed()       {}
func (*Keccak) sealed()      {}
func (*Generic) sealed()     {}
func (*Certificate) sealed() {}

// Bytes implements Commitment.
func (c *Calldata) Bytes() []byte { return append([]byte{byte(KindCalldata)}, c.Data...) }

// Bytes implements Commitment: there are none.
func (*Blobs) Bytes() []byte { return nil }

// Bytes implements Commitment.
func (c *Keccak) Bytes() []byte { return altDABytes(c.Length, c.AltDA()) }

// Bytes implements Commitment.
func (c *Generic) Bytes() []byte { return altDABytes(c.Length, c.AltDA()) }

func altDABytes(length uint32, commitment []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{byte(KindAltDA)}, length), commitment...)
}

// AltDA is the commitment as alt-DA servers know it: its type and its payload.
func (c *Keccak) AltDA() []byte { return append([]byte{altDAKeccak}, c.Hash[:]...) }

// AltDA is the commitment as alt-DA servers know it: its type and its payload.
func (c *Generic) AltDA() []byte { return append([]byte{altDAGeneric}, c.Payload...) }

// Verify returns ErrMismatch unless data is what the commitment names, and ErrMalformed if
// it is, but of another length than L1 says: whoever has it finds so.
func (c *Keccak) Verify(data []byte) error {
	if got := crypto.Keccak256Hash(data); got != c.Hash {
		return fmt.Errorf("%w: %d bytes hash to %v, not to %v", ErrMismatch, len(data), got, c.Hash)
	}
	if len(data) != int(c.Length) {
		return fmt.Errorf("%w: it says %d bytes, and its data has %d", ErrMalformed, c.Length, len(data))
	}
	return nil
}

// Parse reads the calldata of a batch transaction that carries no blobs. Its errors wrap
// ErrMalformed. The result does not alias raw.
func Parse(raw []byte) (Commitment, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("parse commitment: %w: empty", ErrMalformed)
	}
	body := bytes.Clone(raw[1:])
	switch kind := Kind(raw[0]); kind {
	case KindCalldata:
		if len(body) == 0 {
			return nil, fmt.Errorf("parse commitment: %w: no data", ErrMalformed)
		}
		return &Calldata{Data: body}, nil
	case KindAltDA:
		return parseAltDA(body)
	case KindCertificate:
		c, err := ParseCertificate(raw)
		if err != nil {
			return nil, err
		}
		return c, nil
	default:
		return nil, fmt.Errorf("parse commitment: %w: version %#02x is not known", ErrMalformed, raw[0])
	}
}

// nothing is the keccak256 hash of no data, which no server keeps.
var nothing = crypto.Keccak256Hash(nil)

// parseAltDA reads what stands on L1: a length and a commitment.
func parseAltDA(body []byte) (Commitment, error) {
	if len(body) < 4 {
		return nil, fmt.Errorf("parse commitment: %w: %d bytes", ErrMalformed, 1+len(body))
	}
	length := binary.BigEndian.Uint32(body)
	c, err := ParseAltDA(body[4:])
	if err != nil {
		return nil, err
	}
	if length == 0 || length > MaxAltDABytes {
		return nil, fmt.Errorf("parse commitment: %w: to %d bytes, allowed 1..%d", ErrMalformed, length, MaxAltDABytes)
	}
	switch c := c.(type) {
	case *Keccak:
		if c.Hash == nothing {
			return nil, fmt.Errorf("parse commitment: %w: to nothing", ErrMalformed)
		}
		c.Length = length
	case *Generic:
		c.Length = length
	}
	return c, nil
}

// ParseAltDA reads a commitment as alt-DA servers write it, without a length: *Keccak or
// *Generic. Its errors wrap ErrMalformed.
func ParseAltDA(raw []byte) (Commitment, error) {
	switch {
	case len(raw) < 2:
		return nil, fmt.Errorf("parse alt-DA commitment: %w: %d bytes", ErrMalformed, len(raw))
	case raw[0] == altDAKeccak && len(raw) == 1+common.HashLength:
		return &Keccak{Hash: common.Hash(raw[1:])}, nil
	case raw[0] == altDAKeccak:
		return nil, fmt.Errorf("parse alt-DA commitment: %w: keccak256 of %d bytes", ErrMalformed, len(raw)-1)
	case raw[0] == altDAGeneric && len(raw) <= MaxGenericBytes:
		return &Generic{Payload: bytes.Clone(raw[1:])}, nil
	case raw[0] == altDAGeneric:
		return nil, fmt.Errorf("parse alt-DA commitment: %w: %d bytes, limit %d", ErrMalformed, len(raw), MaxGenericBytes)
	}
	return nil, fmt.Errorf("parse alt-DA commitment: %w: type %#02x is not known", ErrMalformed, raw[0])
}
