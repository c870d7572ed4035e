package bls

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"

	curve "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/hash_to_curve"
)

// newKey is the key with a small scalar.
func newKey(t testing.TB, scalar byte) *SecretKey {
	t.Helper()
	k, err := ParseSecretKey(append(make([]byte, 31), scalar))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignaturesOfOneMessageAddUp(t *testing.T) {
	message := []byte("statement")
	var keys []*PublicKey
	var signatures []*Signature
	for i := range byte(5) {
		k := newKey(t, i+1)
		keys, signatures = append(keys, k.Public()), append(signatures, k.Sign(message))
		if !keys[i].Verify(message, signatures[i]) {
			t.Fatalf("signature %d is refused", i)
		}
	}
	sum := AggregateSignatures(signatures)
	if !AggregateKeys(keys).Verify(message, sum) {
		t.Fatal("the sum is refused")
	}
	for name, ok := range map[string]bool{
		"another message":     AggregateKeys(keys).Verify([]byte("other"), sum),
		"a signer too few":    AggregateKeys(keys[1:]).Verify(message, sum),
		"a signer twice":      AggregateKeys(append(keys, keys[0])).Verify(message, sum),
		"a proof":             keys[0].Verify(message, newKey(t, 1).Prove(message)),
		"as a proof":          keys[0].VerifyPossession(message, signatures[0]),
		"the other's":         keys[0].Verify(message, signatures[1]),
		"keys that cancel":    AggregateKeys([]*PublicKey{keys[0], negated(keys[0])}).Verify(message, AggregateSignatures([]*Signature{signatures[0], negatedSignature(signatures[0])})),
		"the zero signature":  keys[0].Verify(message, &Signature{}),
		"with the zero key":   (&PublicKey{}).Verify(message, &Signature{}),
		"a negated signature": keys[0].Verify(message, negatedSignature(signatures[0])),
	} {
		if ok {
			t.Errorf("%s is accepted", name)
		}
	}
}

func negated(p *PublicKey) *PublicKey {
	q := new(PublicKey)
	q.point.Neg(&p.point)
	return q
}

func negatedSignature(s *Signature) *Signature {
	q := new(Signature)
	q.point.Neg(&s.point)
	return q
}

// A rogue key is made from an honest one, so that their sum is a key of the attacker's.
// It passes as a signer of both; only the proof of possession gives it away.
func TestRogueKeysCannotProvePossession(t *testing.T) {
	message := []byte("statement")
	honest, attacker := newKey(t, 7).Public(), newKey(t, 9)
	rogue := AggregateKeys([]*PublicKey{attacker.Public(), negated(honest)})
	if !AggregateKeys([]*PublicKey{honest, rogue}).Verify(message, attacker.Sign(message)) {
		t.Fatal("the attack is not the one that this test is about")
	}
	raw := rogue.Bytes()
	if rogue.VerifyPossession(raw[:], attacker.Prove(raw[:])) {
		t.Fatal("a proof of another key is accepted")
	}
}

func TestDecodingRefusesWhatIsNoPoint(t *testing.T) {
	key, signature := newKey(t, 3).Public().Bytes(), newKey(t, 3).Sign([]byte("m")).Bytes()
	if p, err := ParsePublicKey(key[:]); err != nil || p.Bytes() != key {
		t.Fatalf("key does not survive: %v", err)
	}
	if s, err := ParseSignature(signature[:]); err != nil || s.Bytes() != signature {
		t.Fatalf("signature does not survive: %v", err)
	}
	// On the curve and outside of the subgroup: cofactors are not cleared.
	var in curve.G2Affine
	in.X.A0.SetUint64(5)
	outsideG1, outsideG2 := Signature{curve.MapToCurve1(&in.X.A0)}, PublicKey{curve.MapToCurve2(&in.X)}
	hash_to_curve.G1Isogeny(&outsideG1.point.X, &outsideG1.point.Y)
	hash_to_curve.G2Isogeny(&outsideG2.point.X, &outsideG2.point.Y)
	if !outsideG1.point.IsOnCurve() || outsideG1.point.IsInSubGroup() || !outsideG2.point.IsOnCurve() || outsideG2.point.IsInSubGroup() {
		t.Fatal("the points are not what this test is about")
	}
	strayG1, strayG2 := outsideG1.Bytes(), outsideG2.Bytes()
	modulus, _ := hex.DecodeString("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab")
	for name, raw := range map[string][]byte{
		"nothing": {}, "outside of the subgroup": strayG1[:], "truncated": signature[:95], "a key": key[:], "zeros": make([]byte, 96),
		"off the curve": append(bytes.Clone(signature[:95]), signature[95]^1), "not canonical": append(bytes.Clone(modulus), signature[48:]...),
	} {
		if _, err := ParseSignature(raw); !errors.Is(err, ErrEncoding) {
			t.Errorf("signature, %s: %v", name, err)
		}
	}
	for name, raw := range map[string][]byte{
		"nothing": {}, "outside of the subgroup": strayG2[:], "truncated": key[:191], "a signature": signature[:], "zeros": make([]byte, 192),
		"off the curve": append(bytes.Clone(key[:191]), key[191]^1), "not canonical": append(bytes.Clone(modulus), key[48:]...),
	} {
		if _, err := ParsePublicKey(raw); !errors.Is(err, ErrEncoding) {
			t.Errorf("key, %s: %v", name, err)
		}
	}
	order := fr.Modulus().FillBytes(make([]byte, 32))
	for name, raw := range map[string][]byte{"nothing": {}, "zero": make([]byte, 32), "the order": order, "33 bytes": make([]byte, 33)} {
		if _, err := ParseSecretKey(raw); !errors.Is(err, ErrEncoding) {
			t.Errorf("secret, %s: %v", name, err)
		}
	}
}

func TestKeysAreDrawnFromRandomness(t *testing.T) {
	a, err := GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateKey(rand.Reader)
	if err != nil || a.Bytes() == b.Bytes() {
		t.Fatalf("two keys are equal, or %v", err)
	}
	raw := a.Bytes()
	if back, err := ParseSecretKey(raw[:]); err != nil || !back.Public().Equal(a.Public()) {
		t.Fatalf("key does not survive: %v", err)
	}
	if _, err := GenerateKey(bytes.NewReader(make([]byte, 47))); err == nil {
		t.Fatal("a key from too little randomness")
	}
}

func FuzzParse(f *testing.F) {
	key, signature := newKey(f, 3).Public().Bytes(), newKey(f, 3).Sign([]byte("m")).Bytes()
	f.Add(key[:])
	f.Add(signature[:])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := ParsePublicKey(raw); err == nil {
			if got := p.Bytes(); !bytes.Equal(got[:], raw) {
				t.Fatal("a key has two encodings")
			}
		}
		if s, err := ParseSignature(raw); err == nil {
			if got := s.Bytes(); !bytes.Equal(got[:], raw) {
				t.Fatal("a signature has two encodings")
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key, message := newKey(b, 3), make([]byte, 32)
	signature, public := key.Sign(message), key.Public()
	b.ReportAllocs()
	for b.Loop() {
		if !public.Verify(message, signature) {
			b.Fatal("refused")
		}
	}
}
