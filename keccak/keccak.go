package keccak

import (
	"encoding/binary"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Rate is the number of bytes that one permutation takes in.
const Rate = 136

// Sum256 returns the Keccak-256 hash of data.
func Sum256(data []byte) (hash common.Hash) {
	if !vectors {
		return portable(data)
	}
	var state [25]uint64
	if n := len(data) / Rate; n > 0 {
		absorb1(&state, &data[0], n)
		data = data[n*Rate:]
	}
	var last [Rate]byte
	pad(&last, copy(last[:], data))
	absorb1(&state, &last[0], 1)
	for i := range 4 {
		binary.LittleEndian.PutUint64(hash[8*i:], state[i])
	}
	return hash
}

// pad completes a block whose first n bytes are the end of a message and whose
// others are zero.
func pad(block *[Rate]byte, n int) {
	block[n] = 1
	block[Rate-1] |= 0x80
}

// A portableHash is one of go-ethereum's with room for what it returns, which would
// escape otherwise.
type portableHash struct {
	keccak crypto.KeccakState
	out    common.Hash
}

var portableHashes = sync.Pool{New: func() any {
	return &portableHash{keccak: crypto.NewKeccakState()}
}}

func portable(data []byte) common.Hash {
	h := portableHashes.Get().(*portableHash)
	defer portableHashes.Put(h)
	h.keccak.Reset()
	h.keccak.Write(data)
	h.keccak.Read(h.out[:])
	return h.out
}
