package verify

import (
	"maps"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/fixtures"
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

// EESTBlock makes a block of a test case's transaction on its state, with the witness that the
// chain records; nil if the transaction is not valid in a block of the chain.
func EESTBlock(t *testing.T, c *fixtures.StateTest, post *fixtures.Post) (cfg *chain.Config, in *Input, delegates bool) {
	l := newLab(t, func(g *chain.Genesis) {
		maps.Copy(g.Alloc, c.Pre)
		cfg := &g.Config
		cfg.ChainID, cfg.L1ChainID, cfg.TxGasCap, cfg.MaxTxBytes = 1, 2, params.MaxTxGas, 1<<30
		cfg.MaxCodeSize, cfg.MaxInitCode = params.MaxCodeSize, params.MaxInitCodeSize
		cfg.BaseFeeScalar, cfg.BlobBaseFeeScalar, cfg.MinBaseFee = 0, 0, 0
	})
	defer l.chain.Close()
	tx, err := chain.DecodeTx(post.TxBytes, &l.g.Config)
	if err != nil || post.Exception != "" {
		return nil, nil, false
	}
	l.l1.SequenceNumber++
	if err := l.chain.Open(chain.Attributes{Timestamp: labTime + 1, PrevRandao: l.l1.PrevRandao, ParentBeacon: l.l1.ParentBeacon}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.chain.Apply(l.l1.Tx()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.chain.Apply(tx); err != nil {
		return nil, nil, false
	}
	m, _ := l.chain.Cut((labTime + 1) * 1_000_000)
	if m.Signature, err = m.Header.Sign(l.leader); err != nil {
		t.Fatal(err)
	}
	b, _, err := l.chain.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if l.chain.Witness() == nil { // all of its gas ran out: nobody is given one
		return nil, nil, false
	}
	return &l.g.Config, &Input{Genesis: l.g.L1Origin, Header: b.Header, MiniBlocks: []*chain.RawMiniBlock{m.Raw()}, Witness: l.chain.Witness()}, len(tx.Authorizations()) > 0
}

// Clone copies what a fault may change.
func Clone(in *made) *made { return clone(in) }
