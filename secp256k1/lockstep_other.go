//go:build !amd64 || purego

package secp256k1

import "math/rand/v2"

// There are no vector instructions for what follows.
const (
	vectors      = false
	fewest       = 0
	mostVerified = 1
)

type equation struct{}

func newEquation() *equation { panic("secp256k1: no vectors") }

func (*equation) holds([]Signature, [][64]byte, []int32, []int32, []int32, *rand.ChaCha8) bool {
	panic("secp256k1: no vectors")
}

func recoverLockstep([]Signature, []Recovered) ([]Signature, []Recovered) {
	panic("secp256k1: no vectors")
}
