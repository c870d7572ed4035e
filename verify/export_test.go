package verify

import (
	"math/rand"
	"testing"

	"github.com/talaria-l2/talaria/chain"
)

// Made is a block whose mini-blocks are decoded.
type Made = made

// In is what is checked.
func (m *made) In() *Input { return m.input() }

// RichBlocks are blocks of many kinds of transactions, for tests outside of the package.
func RichBlocks(t testing.TB) (*chain.Config, []*made) {
	l := newLab(t)
	return &l.g.Config, l.rich()
}

// RandomBlocks are n blocks of random transactions.
func RandomBlocks(t testing.TB, seed int64, n int) (*chain.Config, []*made) {
	l := newLab(t)
	r := rand.New(rand.NewSource(seed))
	var out []*made
	for range n {
		minis := make([][]*chain.Tx, 1+r.Intn(4))
		for i := range minis {
			for range r.Intn(12) {
				minis[i] = append(minis[i], l.random(r))
			}
		}
		if r.Intn(3) == 0 {
			l.nextOrigin()
		}
		out = append(out, l.block(minis...))
	}
	return &l.g.Config, out
}

// RecordedBlocks are n blocks with the witnesses that the chain recorded, some of them
// without users' transactions.
func RecordedBlocks(t testing.TB, seed int64, n int) (*chain.Config, []*made) {
	l := newLab(t)
	r := rand.New(rand.NewSource(seed))
	var out []*made
	for i := range n {
		var txs []*chain.Tx
		for range i % 3 * 5 {
			txs = append(txs, l.random(r))
		}
		in := l.block(txs)
		in.Witness = l.recorded
		out = append(out, in)
	}
	return &l.g.Config, out
}

// Clone copies what a fault may change.
func Clone(in *made) *made { return clone(in) }
