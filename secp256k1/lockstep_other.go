//go:build !amd64 || purego

package secp256k1

// There are no vector instructions for what follows.
const (
	vectors = false
	fewest  = 0
)

func recoverLockstep([]Signature, []Recovered) ([]Signature, []Recovered) {
	panic("secp256k1: no vectors")
}
