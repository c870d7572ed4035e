package secp256k1

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Signature is one signature to recover; its numbers are big-endian.
type Signature struct {
	Hash, R, S [32]byte
	V          byte // parity of the y coordinate that belongs to R, 0 or 1
}

// Recovered is who made a signature.
type Recovered struct {
	Address   common.Address
	PublicKey [64]byte // x ‖ y, big-endian
	OK        bool     // false: nobody can have made it, and the other fields mean nothing
}

// Recover finds who made each of the signatures; out must be as long.
func Recover(sigs []Signature, out []Recovered) {
	for i := range sigs {
		out[i] = recoverOne(&sigs[i])
	}
}

func recoverOne(s *Signature) (r Recovered) {
	var sig [crypto.SignatureLength]byte
	copy(sig[:], s.R[:])
	copy(sig[32:], s.S[:])
	if sig[64] = s.V; s.V > 1 {
		return r
	}
	key, err := crypto.Ecrecover(s.Hash[:], sig[:])
	if err != nil {
		return r
	}
	copy(r.PublicKey[:], key[1:])
	r.Address, r.OK = common.Address(crypto.Keccak256(key[1:])[12:]), true
	return r
}
