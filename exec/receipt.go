package exec

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/keccak"
)

// receiptMaker makes receipts from results, whose memory is used again, in few large
// allocations. Receipts are kept for as long as blocks are, and so are those.
type receiptMaker struct {
	receipts []chain.Receipt
	logs     []types.Log
	pointers []*types.Log
	topics   []common.Hash
	data     []byte
	price    *big.Int // of the receipt before, shared while it stays the same
	priceWas uint256.Int
	bloom    bloomCache
}

const (
	receiptChunk = 64
	dataChunk    = 8 << 10
)

// make returns the receipt of a transaction in the block of env without what depends on
// the transactions before: the cumulative gas and the positions of logs.
func (m *receiptMaker) make(tx *chain.Tx, env *evm.Env, res *evm.Result) *chain.Receipt {
	r := take(&m.receipts, 1, receiptChunk)
	*r = chain.Receipt{
		Type: tx.Type(), Status: res.Status, DepositNonce: res.DepositNonce,
		TxHash: tx.Hash(), GasUsed: res.GasUsed, EffectiveGasPrice: m.priceOf(&res.EffectiveGasPrice),
		ContractAddress: res.ContractAddress,
	}
	if !tx.IsDeposit() {
		r.L1Prices = env.L1Fees.Params()
	}
	if n := len(res.Logs); n > 0 {
		r.Logs = takeN(&m.pointers, n, 2*receiptChunk)
	}
	for i, l := range res.Logs {
		c := take(&m.logs, 1, receiptChunk)
		*c = *l
		c.TxHash = r.TxHash
		c.Topics = takeN(&m.topics, len(l.Topics), 4*receiptChunk)
		copy(c.Topics, l.Topics)
		c.Data = takeN(&m.data, len(l.Data), dataChunk)
		copy(c.Data, l.Data)
		r.Logs[i] = c
		m.bloom.add(&r.Bloom, l.Address[:])
		for k := range l.Topics {
			m.bloom.add(&r.Bloom, l.Topics[k][:])
		}
	}
	return r
}

func (m *receiptMaker) priceOf(v *uint256.Int) *big.Int {
	if m.price == nil || m.priceWas != *v {
		m.price, m.priceWas = v.ToBig(), *v
	}
	return m.price
}

// take hands out the next element of a chunk.
func take[T any](chunk *[]T, n, size int) *T { return &takeN(chunk, n, size)[0] }

// takeN hands out n elements of a chunk, or of a new one; many get one of their own.
func takeN[T any](chunk *[]T, n, size int) []T {
	if n == 0 {
		return []T{} // never nil, whatever was taken before
	}
	if n > len(*chunk) {
		if n > size/4 {
			return make([]T, n)
		}
		*chunk = make([]T, size)
	}
	s := (*chunk)[:n:n]
	*chunk = (*chunk)[n:]
	return s
}

// bloomCache remembers which bits of a bloom filter recent words set: contracts and
// topics repeat, and each costs a hash.
type bloomCache struct {
	entries [bloomPlaces]bloomEntry
}

const bloomPlaces = 1024 // power of two

type bloomEntry struct {
	word [32]byte
	size uint8 // of the word; 0 for a free place
	bits [3]uint16
}

// add sets the bits of an address or a topic (yellow paper, M3:2048).
func (c *bloomCache) add(b *types.Bloom, word []byte) {
	n := len(word)
	e := &c.entries[(uint(word[n-1])|uint(word[n-2])<<8^uint(word[n-9])<<2)%bloomPlaces]
	if int(e.size) != n || string(e.word[:n]) != string(word) {
		hash := keccak.Sum256(word)
		copy(e.word[:], word)
		e.size = uint8(n)
		for i := range e.bits {
			e.bits[i] = (uint16(hash[2*i])<<8 | uint16(hash[2*i+1])) & 2047
		}
	}
	for _, bit := range e.bits {
		b[types.BloomByteLength-1-bit/8] |= 1 << (bit % 8)
	}
}
