package evm

import (
	"bytes"
	"math/bits"

	"github.com/ethereum/go-ethereum/core/types"
)

// Gas of a transaction before its first instruction. Sources: yellow paper G_tx…,
// EIP-2028 (calldata), EIP-2930 (access list), EIP-3860 (initcode), EIP-7702
// (authorizations), EIP-7623 (floor).
const (
	gasTx             = 21_000
	gasCreate         = 32_000
	gasZeroByte       = 4
	gasNonZeroByte    = 16
	gasInitCodeWord   = 2
	gasAccessAddress  = 2_400
	gasAccessSlot     = 1_900
	gasAuthorization  = 25_000
	gasAuthExisting   = 12_500 // what an authorization costs if its authority exists
	gasFloorToken     = 10
	tokensNonZeroByte = 4

	refundQuotient = 5 // EIP-3529
)

// gasCounter adds up gas and remembers an overflow of 64 bits.
type gasCounter struct {
	gas      uint64
	overflow bool
}

func (c *gasCounter) add(count, each uint64) {
	hi, lo := bits.Mul64(count, each)
	sum, carry := bits.Add64(c.gas, lo, 0)
	c.gas = sum
	c.overflow = c.overflow || hi != 0 || carry != 0
}

// intrinsicGas returns the gas that m costs before execution and the least that it
// costs in the end.
func intrinsicGas(m *message) (intrinsic, floor uint64, err error) {
	size := uint64(len(m.data))
	zeros := uint64(bytes.Count(m.data, []byte{0}))

	var g gasCounter
	g.add(1, gasTx)
	g.add(zeros, gasZeroByte)
	g.add(size-zeros, gasNonZeroByte)
	if m.to == nil {
		g.add(1, gasCreate)
		g.add((size+31)/32, gasInitCodeWord)
	}
	g.add(uint64(len(m.accessList)), gasAccessAddress)
	g.add(storageKeys(m.accessList), gasAccessSlot)
	g.add(uint64(len(m.auths)), gasAuthorization)

	var f gasCounter
	f.add(1, gasTx)
	f.add(zeros, gasFloorToken)
	f.add(size-zeros, tokensNonZeroByte*gasFloorToken)

	if g.overflow || f.overflow {
		return 0, 0, ErrGasOverflow
	}
	return g.gas, f.gas, nil
}

func storageKeys(list types.AccessList) uint64 {
	var n uint64
	for i := range list {
		n += uint64(len(list[i].StorageKeys))
	}
	return n
}
