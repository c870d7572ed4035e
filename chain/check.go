package chain

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/secp256k1"
)

// Checker finds out behind execution whether transactions whose senders somebody vouched
// for (DecodeVouched) are signed by them. It holds up to 8 MB of memory and nothing else,
// and is for one goroutine.
type Checker struct {
	cfg        *Config
	batch      keccak.Batch
	order      []int // of the transactions, by sender
	hashes     []common.Hash
	signatures []secp256k1.Signature
	which      []int
	senders    []common.Address
	recovered  []secp256k1.Recovered
	plain      []plain
	hinted     hinted
}

// NewChecker makes a checker for the chain of cfg.
func NewChecker(cfg *Config) *Checker { return &Checker{cfg: cfg} }

// checkedTogether signatures make one equation (ADR 0014).
const checkedTogether = 256

// Check appends to wrong the indices of transactions that are not validly signed by their
// From. Many at once cost less each, of few senders still less: they are sorted by sender,
// and signatures of senders that were seen before are verified together.
func (c *Checker) Check(txs []*Tx, wrong []int) []int {
	c.order = c.order[:0]
	for i := range txs {
		c.order = append(c.order, i)
	}
	slices.SortFunc(c.order, func(a, b int) int { return bytes.Compare(txs[a].from[:], txs[b].from[:]) })
	for rest := c.order; len(rest) > 0; {
		n := min(len(rest), checkedTogether)
		wrong = c.checkSome(txs, rest[:n], wrong)
		rest = rest[n:]
	}
	return wrong
}

func (c *Checker) checkSome(txs []*Tx, which, wrong []int) []int {
	c.plain, c.which, c.senders, c.signatures = c.plain[:0], c.which[:0], c.senders[:0], c.signatures[:0]
	var scratch Tx
	for _, i := range which {
		tx := txs[i]
		var p plain
		if !scratch.readPlain(tx.raw, &p) || p.protected && p.chainID != c.cfg.ChainID {
			if again, err := DecodeTx(tx.raw, c.cfg); err != nil || again.from != tx.from {
				wrong = append(wrong, i)
			}
			continue
		}
		p.addSigned(scratch.typ, &c.batch)
		c.plain, c.which, c.senders = append(c.plain, p), append(c.which, i), append(c.senders, tx.from)
	}
	c.hashes = c.batch.Sum(c.hashes[:0])
	places := make([]int, len(c.plain))
	for k := range c.plain {
		s := c.plain[k].signature
		s.Hash = c.hashes[k]
		c.signatures, places[k] = append(c.signatures, s), k
	}
	if n := len(c.signatures); cap(c.recovered) < n {
		c.recovered = make([]secp256k1.Recovered, n, 2*n)
	}
	c.recovered = c.recovered[:len(c.signatures)]
	c.hinted.recover(c.signatures, places, c.senders, c.recovered)
	for k, i := range c.which {
		if r := &c.recovered[k]; !r.OK || r.Address != c.senders[k] {
			wrong = append(wrong, i)
		}
	}
	return wrong
}
