package secp256k1

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/keccak"
)

// Signature is one signature to recover. All numbers are big-endian.
type Signature struct {
	// Hash is what was signed; as a number it is taken modulo the group order.
	Hash [32]byte
	// R and S are the two numbers of the signature, each 1 to the group order less
	// one. A high S is accepted: EIP-2 is the caller's check.
	R, S [32]byte
	// V is the parity of the y coordinate of the point that R came from. The recovery
	// ids 2 and 3 of libsecp256k1 are refused: no Ethereum transaction carries them.
	V byte // 0 or 1
}

// Recovered says who made a signature.
type Recovered struct {
	// Address is the last 20 bytes of the Keccak-256 hash of PublicKey.
	Address common.Address
	// PublicKey is the point as X and Y, each 32 bytes, big-endian.
	PublicKey [64]byte
	// OK tells that there is a key for which the signature is valid. If not, the
	// other fields are zero.
	OK bool
}

// Recover finds out who made each signature: out[i] belongs to sigs[i] (SEC 1,
// section 4.1.6, for the one candidate that V names). There are len(sigs) results;
// out must have room for them, and what is behind them is left alone. Any number of
// signatures is allowed; many at once cost less each. It may be called from many
// goroutines.
func Recover(sigs []Signature, out []Recovered) {
	out = out[:len(sigs)]
	if vectors && len(sigs) >= fewest {
		sigs, out = recoverLockstep(sigs, out)
	}
	for i := range sigs {
		recoverOne(&sigs[i], &out[i])
	}
}

// recoverOne recovers one signature with go-ethereum: by libsecp256k1, or where there
// is no cgo by its equal in Go.
func recoverOne(sig *Signature, out *Recovered) {
	*out = Recovered{}
	if sig.V > 1 {
		return
	}
	var rsv [65]byte
	copy(rsv[:32], sig.R[:])
	copy(rsv[32:64], sig.S[:])
	rsv[64] = sig.V
	key, err := crypto.Ecrecover(sig.Hash[:], rsv[:])
	if err != nil {
		return
	}
	copy(out.PublicKey[:], key[1:])
	out.Address = addressOf(&out.PublicKey)
	out.OK = true
}

// addressOf is the address of a public key.
func addressOf(key *[64]byte) common.Address {
	hash := keccak.Sum256(key[:])
	return common.Address(hash[12:])
}
