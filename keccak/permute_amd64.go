//go:build amd64 && !purego

package keccak

import "golang.org/x/sys/cpu"

// vectors tells that the processor and the system have AVX-512 (F and VL).
var vectors = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL

// absorb1 adds n > 0 blocks to the state one after another, with a permutation
// after each.
//
//go:noescape
func absorb1(state *[25]uint64, blocks *byte, n int)

// absorb8 adds a block each to eight states and permutes them. Word i of state j is
// state[i][j].
//
//go:noescape
func absorb8(state *[25][8]uint64, blocks *[8]*byte)
