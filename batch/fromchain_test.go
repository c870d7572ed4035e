package batch

import (
	"math/big"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// TestASealedBlockGivesItsSenders makes a batch of a sealed block, of which one
// transaction is signed by nobody.
func TestASealedBlockGivesItsSenders(t *testing.T) {
	attrs := chain.L1Attributes{Number: 7, Hash: hashOf(7), Timestamp: 1_699_999_990, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)}
	txs := []*chain.Tx{attrs.Tx()}
	cfg := chain.DefaultConfig()
	p := newPeople(rand.New(rand.NewSource(2)), 1)
	signed, err := chain.DecodeTx(p.call(nil), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	to := p.address(0)
	unsigned, err := chain.NewUnsignedTx(&types.LegacyTx{Nonce: 1, To: &to, Gas: 21_000, GasPrice: new(big.Int), Value: new(big.Int)}, common.Address{1})
	if err != nil {
		t.Fatal(err)
	}
	txs = append(txs, signed, unsigned)
	sealed := chain.NewBlock(&types.Header{Number: big.NewInt(3), Time: 1_700_000_000}, txs, nil,
		[]chain.MiniBlockHeader{{TimestampMicros: 1_700_000_000_000_000, TxCount: 3}})
	b, err := FromBlock(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Senders) != 2 || b.Senders[0] != p.address(0) || b.Senders[1] != (common.Address{}) {
		t.Fatalf("senders %v", b.Senders)
	}
	ch := build(t, BuilderSettings{}, []Block{b})
	_, got, err := DecodeChannel(ch.Data, 0)
	if err != nil || string(got[0].Txs[0]) != string(signed.Raw()) || string(got[0].Txs[1]) != string(unsigned.Raw()) {
		t.Fatalf("decoded differently: %v", err)
	}
}
