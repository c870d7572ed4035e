package evm

import (
	"crypto/sha256"

	"github.com/ethereum/go-ethereum/common"
)

// Gas of SHA256 and IDENTITY (yellow paper, appendix E).
const (
	gasSHA256       = 60
	gasSHA256Word   = 12
	gasIdentity     = 15
	gasIdentityWord = 3
)

var (
	sha256Addr   = common.BytesToAddress([]byte{2})
	identityAddr = common.BytesToAddress([]byte{4})
)

// precompile runs a precompiled contract; what it fails with is its own. The two that
// cost little more than the call itself are here: they write to the memory of the frame
// that a code would have run in.
func (m *Machine) precompile(c *invocation) (ret []byte, left uint64, err error) {
	words := wordCount(uint64(len(c.input)))
	source := c.source
	if m.moves != nil {
		source = m.movedPrecompile(source)
	}
	switch source {
	case identityAddr:
		cost := gasIdentity + gasIdentityWord*words
		if cost > c.gas {
			return nil, 0, ErrOutOfGas
		}
		ret = m.frameAt(c.depth).buffer(len(c.input))
		copy(ret, c.input)
		return ret, c.gas - cost, nil
	case sha256Addr:
		cost := gasSHA256 + gasSHA256Word*words
		if cost > c.gas {
			return nil, 0, ErrOutOfGas
		}
		ret = m.frameAt(c.depth).buffer(sha256.Size)
		hash := sha256.Sum256(c.input)
		copy(ret, hash[:])
		return ret, c.gas - cost, nil
	}
	p := m.precompiles[source]
	cost := p.RequiredGas(c.input)
	if cost > c.gas {
		return nil, 0, ErrOutOfGas
	}
	ret, err = p.Run(c.input)
	return ret, c.gas - cost, err
}

// buffer returns n bytes of the memory of a frame that is not running.
func (f *frame) buffer(n int) []byte {
	f.mem = f.mem[:0]
	if n > cap(f.mem) {
		f.moveMemory(n)
	}
	return f.mem[:n]
}
