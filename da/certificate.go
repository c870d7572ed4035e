package da

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// Sizes of a committee's data.
const (
	// ElementDataBytes is the data in one field element: its first byte is zero, so that
	// it is canonical.
	ElementDataBytes = 31
	// BlobDataBytes is the data in one blob of 4,096 elements.
	BlobDataBytes = 4_096 * ElementDataBytes
	// MaxCommitteeBlobs bounds the blobs of one certificate.
	MaxCommitteeBlobs = 64
	// MaxCommitteeBytes bounds the data of one certificate.
	MaxCommitteeBytes = MaxCommitteeBlobs * BlobDataBytes
	// MaxOperators bounds a committee: its snapshot is the code of a contract
	// (EIP-170), 200 bytes an operator.
	MaxOperators = 120

	statementFixed = 8 + 8 + 4 + 2
	signatureBytes = 96
)

// Statement is what a committee's operators sign: that they hold their cells of these
// blobs.
type Statement struct {
	Epoch       uint64 // of the operator registry, which names the committee
	Expiry      uint64 // Unix seconds after which L1 takes no certificate of it
	Length      uint32 // of the data in bytes, 1..MaxCommitteeBytes
	Commitments []kzg4844.Commitment
}

// BlobCount is how many blobs hold length bytes.
func BlobCount(length uint32) int {
	return int((uint64(length) + BlobDataBytes - 1) / BlobDataBytes)
}

// Bytes encodes the statement: epoch (8 bytes), expiry (8), length (4), count (2) and 48
// bytes for each commitment, big-endian.
func (s *Statement) Bytes() []byte {
	out := make([]byte, 0, statementFixed+len(s.Commitments)*len(kzg4844.Commitment{}))
	out = binary.BigEndian.AppendUint64(out, s.Epoch)
	out = binary.BigEndian.AppendUint64(out, s.Expiry)
	out = binary.BigEndian.AppendUint32(out, s.Length)
	out = binary.BigEndian.AppendUint16(out, uint16(len(s.Commitments)))
	for i := range s.Commitments {
		out = append(out, s.Commitments[i][:]...)
	}
	return out
}

// Digest is the message that operators sign: keccak256 of the domain and the encoding.
func (s *Statement) Digest(domain common.Hash) common.Hash {
	return crypto.Keccak256Hash(domain[:], s.Bytes())
}

// ParseStatement reads a statement from the front of raw and returns the rest. Its errors
// wrap ErrMalformed.
func ParseStatement(raw []byte) (*Statement, []byte, error) {
	fail := func(format string, args ...any) (*Statement, []byte, error) {
		return nil, nil, fmt.Errorf("parse statement: %w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	if len(raw) < statementFixed {
		return fail("%d bytes", len(raw))
	}
	s := &Statement{
		Epoch: binary.BigEndian.Uint64(raw), Expiry: binary.BigEndian.Uint64(raw[8:]), Length: binary.BigEndian.Uint32(raw[16:]),
	}
	count := int(binary.BigEndian.Uint16(raw[20:]))
	raw = raw[statementFixed:]
	switch size := len(kzg4844.Commitment{}); {
	case s.Length == 0 || s.Length > MaxCommitteeBytes:
		return fail("data of %d bytes, allowed 1..%d", s.Length, MaxCommitteeBytes)
	case count != BlobCount(s.Length):
		return fail("%d commitments for %d bytes", count, s.Length)
	case len(raw) < count*size:
		return fail("%d commitments in %d bytes", count, len(raw))
	}
	s.Commitments = make([]kzg4844.Commitment, count)
	for i := range s.Commitments {
		raw = raw[copy(s.Commitments[i][:], raw):]
	}
	return s, raw, nil
}

// Domain separates the statements of one registry from those of every other, on this L1
// and on others: keccak256 of five words, the hash of "talaria.da.certificate.v1", L1
// chain id, verifier, registry and L2 chain id.
func Domain(l1ChainID uint64, verifier, registry common.Address, l2ChainID uint64) common.Hash {
	word := func(v uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), v) }
	tag := crypto.Keccak256([]byte("talaria.da.certificate.v1"))
	return crypto.Keccak256Hash(tag, word(l1ChainID), common.LeftPadBytes(verifier[:], 32), common.LeftPadBytes(registry[:], 32), word(l2ChainID))
}

// Certificate is a statement with the signatures of enough of the committee.
type Certificate struct {
	Statement
	Operators uint16 // size of the committee
	// Signers is a bitmap, ⌈Operators/8⌉ bytes: operator i is bit i mod 8, the lowest
	// first, of byte i/8.
	Signers []byte
	// Signature is the sum of the signatures, a point of G1: x and y, 48 bytes each.
	Signature [signatureBytes]byte
}

// Kind implements Commitment.
func (*Certificate) Kind() Kind { return KindCertificate }

// Bytes implements Commitment: 0x02, statement, size of the committee (2 bytes), bitmap,
// signature.
func (c *Certificate) Bytes() []byte {
	out := append([]byte{byte(KindCertificate)}, c.Statement.Bytes()...)
	out = binary.BigEndian.AppendUint16(out, c.Operators)
	out = append(out, c.Signers...)
	return append(out, c.Signature[:]...)
}

// Hash names the certificate: keccak256 of Bytes, the event's first topic.
func (c *Certificate) Hash() common.Hash { return crypto.Keccak256Hash(c.Bytes()) }

// Signed reports whether operator i is among the signers.
func (c *Certificate) Signed(i int) bool {
	return i >= 0 && i < int(c.Operators) && c.Signers[i/8]&(1<<(i%8)) != 0
}

// SignerCount is how many operators signed.
func (c *Certificate) SignerCount() int {
	n := 0
	for _, b := range c.Signers {
		n += bits.OnesCount8(b)
	}
	return n
}

// ParseCertificate reads what Bytes writes and nothing else. Its errors wrap
// ErrMalformed. Whether the signature is right is not looked at: L1 does.
func ParseCertificate(raw []byte) (*Certificate, error) {
	fail := func(format string, args ...any) (*Certificate, error) {
		return nil, fmt.Errorf("parse certificate: %w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	if len(raw) == 0 || Kind(raw[0]) != KindCertificate {
		return fail("does not begin with %#02x", byte(KindCertificate))
	}
	s, rest, err := ParseStatement(raw[1:])
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	c := &Certificate{Statement: *s}
	if len(rest) < 2 {
		return fail("ends before the bitmap")
	}
	c.Operators = binary.BigEndian.Uint16(rest)
	rest = rest[2:]
	size := (int(c.Operators) + 7) / 8
	switch {
	case c.Operators == 0 || c.Operators > MaxOperators:
		return fail("committee of %d, allowed 1..%d", c.Operators, MaxOperators)
	case len(rest) != size+signatureBytes:
		return fail("%d bytes of bitmap and signature, want %d", len(rest), size+signatureBytes)
	case c.Operators%8 != 0 && rest[size-1]>>(c.Operators%8) != 0:
		return fail("signers outside of the committee")
	}
	c.Signers = append([]byte(nil), rest[:size]...)
	copy(c.Signature[:], rest[size:])
	return c, nil
}
