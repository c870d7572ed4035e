//go:build !amd64 || purego

package keccak

// There are no vector instructions for what follows.
const vectors = false

func absorb1(*[25]uint64, *byte, int) { panic("keccak: no vectors") }

func absorb8(*[25][8]uint64, *[8]*byte) { panic("keccak: no vectors") }
