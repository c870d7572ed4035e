package bls

import (
	"errors"
	"fmt"
	"io"
	"math/big"

	curve "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// Domain separation tags of the ciphersuite.
const (
	SignatureTag  = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
	PossessionTag = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
)

// Sizes of encodings in bytes.
const (
	SecretBytes    = 32
	PublicKeyBytes = 192
	SignatureBytes = 96
)

// ErrEncoding is wrapped by every error of decoding a key or a signature.
var ErrEncoding = errors.New("not an encoded key or signature")

// SecretKey signs.
type SecretKey struct{ scalar fr.Element }

// PublicKey is a point of G2 in the subgroup, not at infinity.
type PublicKey struct{ point curve.G2Affine }

// Signature is a point of G1 in the subgroup, not at infinity.
type Signature struct{ point curve.G1Affine }

// GenerateKey draws a key from a source of randomness.
func GenerateKey(random io.Reader) (*SecretKey, error) {
	for {
		var seed [48]byte // 384 bits: the reduction is as good as uniform
		if _, err := io.ReadFull(random, seed[:]); err != nil {
			return nil, fmt.Errorf("generate BLS key: %w", err)
		}
		k := new(SecretKey)
		k.scalar.SetBytes(seed[:])
		if !k.scalar.IsZero() {
			return k, nil
		}
	}
}

// ParseSecretKey reads a scalar, big-endian, below the group's order and not zero.
func ParseSecretKey(raw []byte) (*SecretKey, error) {
	k := new(SecretKey)
	if len(raw) != SecretBytes || k.scalar.SetBytesCanonical(raw) != nil || k.scalar.IsZero() {
		return nil, fmt.Errorf("parse BLS secret key: %w", ErrEncoding)
	}
	return k, nil
}

// Bytes is the scalar, big-endian.
func (k *SecretKey) Bytes() [SecretBytes]byte { return k.scalar.Bytes() }

// Public is the key that verifies.
func (k *SecretKey) Public() *PublicKey {
	p := new(PublicKey)
	p.point.ScalarMultiplicationBase(k.scalar.BigInt(new(big.Int)))
	return p
}

// Sign signs a message.
func (k *SecretKey) Sign(message []byte) *Signature { return k.sign(message, SignatureTag) }

// Prove proves possession of the key to whoever verifies the same message; it binds the
// proof to an owner.
func (k *SecretKey) Prove(message []byte) *Signature { return k.sign(message, PossessionTag) }

func (k *SecretKey) sign(message []byte, tag string) *Signature {
	h := hash(message, tag)
	s := new(Signature)
	s.point.ScalarMultiplication(&h, k.scalar.BigInt(new(big.Int)))
	return s
}

// hash maps a message to G1. Hashing fails only for tags above 255 bytes.
func hash(message []byte, tag string) curve.G1Affine {
	h, err := curve.HashToG1(message, []byte(tag))
	if err != nil {
		panic(err)
	}
	return h
}

// Verify reports whether the signature of a message was made with the key.
func (p *PublicKey) Verify(message []byte, s *Signature) bool {
	return p.verify(message, s, SignatureTag)
}

// VerifyPossession reports whether a proof was made with the key.
func (p *PublicKey) VerifyPossession(message []byte, proof *Signature) bool {
	return p.verify(message, proof, PossessionTag)
}

func (p *PublicKey) verify(message []byte, s *Signature, tag string) bool {
	if p.point.IsInfinity() || s.point.IsInfinity() {
		return false
	}
	_, _, _, g2 := curve.Generators()
	g2.Neg(&g2)
	ok, err := curve.PairingCheck([]curve.G1Affine{s.point, hash(message, tag)}, []curve.G2Affine{g2, p.point})
	return err == nil && ok
}

// Equal reports whether two keys are the same.
func (p *PublicKey) Equal(q *PublicKey) bool { return p.point.Equal(&q.point) }

// AggregateKeys adds keys that have all proved possession.
func AggregateKeys(keys []*PublicKey) *PublicKey {
	var sum curve.G2Jac
	for _, k := range keys {
		sum.AddMixed(&k.point)
	}
	out := new(PublicKey)
	out.point.FromJacobian(&sum)
	return out
}

// AggregateSignatures adds signatures of one message.
func AggregateSignatures(signatures []*Signature) *Signature {
	var sum curve.G1Jac
	for _, s := range signatures {
		sum.AddMixed(&s.point)
	}
	out := new(Signature)
	out.point.FromJacobian(&sum)
	return out
}

// Bytes encodes the key.
func (p *PublicKey) Bytes() (out [PublicKeyBytes]byte) {
	for i, e := range []*fp.Element{&p.point.X.A0, &p.point.X.A1, &p.point.Y.A0, &p.point.Y.A1} {
		b := e.Bytes()
		copy(out[i*fp.Bytes:], b[:])
	}
	return out
}

// ParsePublicKey decodes a key.
func ParsePublicKey(raw []byte) (*PublicKey, error) {
	p := new(PublicKey)
	if !coordinates(raw, &p.point.X.A0, &p.point.X.A1, &p.point.Y.A0, &p.point.Y.A1) ||
		p.point.IsInfinity() || !p.point.IsOnCurve() || !p.point.IsInSubGroup() {
		return nil, fmt.Errorf("parse BLS public key: %w", ErrEncoding)
	}
	return p, nil
}

// Bytes encodes the signature.
func (s *Signature) Bytes() (out [SignatureBytes]byte) {
	x, y := s.point.X.Bytes(), s.point.Y.Bytes()
	copy(out[:], x[:])
	copy(out[fp.Bytes:], y[:])
	return out
}

// ParseSignature decodes a signature.
func ParseSignature(raw []byte) (*Signature, error) {
	s := new(Signature)
	if !coordinates(raw, &s.point.X, &s.point.Y) ||
		s.point.IsInfinity() || !s.point.IsOnCurve() || !s.point.IsInSubGroup() {
		return nil, fmt.Errorf("parse BLS signature: %w", ErrEncoding)
	}
	return s, nil
}

// coordinates reads field elements below the modulus that fill raw exactly.
func coordinates(raw []byte, into ...*fp.Element) bool {
	if len(raw) != len(into)*fp.Bytes {
		return false
	}
	for i, e := range into {
		if e.SetBytesCanonical(raw[i*fp.Bytes:(i+1)*fp.Bytes]) != nil {
			return false
		}
	}
	return true
}
