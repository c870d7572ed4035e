package node

import (
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
)

// input is a derived block on the node's newest one, one mini-block for each group.
func (w *world) input(groups ...[]*chain.Tx) *derive.BlockInput {
	w.now++
	parent := w.node.PublishedHead()
	in := &derive.BlockInput{
		Number: parent.Number.Uint64() + 1, Timestamp: w.now, Kind: derive.FromBatch, ParentHash: parent.Hash(),
		L1Attributes: chain.L1Attributes{Number: 1, Timestamp: worldTime, BaseFee: big.NewInt(7), BlobBaseFee: big.NewInt(1), SequenceNumber: w.now - worldTime},
	}
	for i, group := range groups {
		plan := derive.MiniPlan{TimestampMicros: chain.Micros(w.now*1_000_000) + chain.Micros(i), TxCount: uint64(len(group)), Epoch: 1}
		if i == 0 {
			plan.TxCount++
		}
		in.MiniBlocks = append(in.MiniBlocks, plan)
		in.Txs = append(in.Txs, group...)
	}
	return in
}

func TestADerivedBlockThatDoesNotExecuteLeavesTheNodeAsItWas(t *testing.T) {
	for _, opts := range []Options{{}, {StateCache: 1 << 20}} {
		t.Run(fmt.Sprintf("cache of %d bytes", opts.StateCache), func(t *testing.T) {
			w, other := newNodeWorldWith(t, opts), newNodeWorld(t)
			feed := w.node.Subscribe(100)
			defer feed.Close()
			for round := range byte(4) {
				// Block 1 of a round is bad in its last mini-block, behind what changed slots,
				// balances and code; the others are as they would be without it.
				bad := w.input([]*chain.Tx{w.put(0, round, 9), w.put(1, 1, 0), w.create(2)}, []*chain.Tx{w.call(2, common.Address{0xfe, round}, 1, nil), w.put(3, 2, 7)}, []*chain.Tx{w.call(0, storeAddr, 0, nil)})
				w.nonce[w.user(0)]++
				bad.Txs[len(bad.Txs)-1] = w.call(0, storeAddr, 0, nil) // a gap in its nonces
				state := w.node.state
				events := len(feed.Events())
				if _, err := w.node.Execute(bad); !errors.Is(err, ErrInvalid) {
					t.Fatalf("error %v", err)
				}
				if w.node.state != state || len(feed.Events()) != events || w.node.Exec().IsOpen() {
					t.Fatal("the state was read again, or something was published")
				}
				w.nonce = map[common.Address]uint64{}
				for user := range 4 {
					account, _ := w.node.Exec().Pending().Account(w.user(user))
					w.nonce[w.user(user)] = account.Nonce
				}
				w.now--
				good := w.input([]*chain.Tx{w.put(0, round, round+1), w.put(1, 1, round+3)}, []*chain.Tx{w.create(2)})
				want, err := other.node.Execute(good)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := w.node.Execute(good); err != nil || got != want {
					t.Fatalf("block %d is %s, want %s: %v", good.Number, got, want, err)
				}
			}
			head := w.node.PublishedHead()
			w.stop()
			w.start(opts)
			if got := w.node.PublishedHead(); got.Hash() != head.Hash() || got.Number.Uint64() != 4 {
				t.Fatalf("after a restart %d %s, before %s", got.Number, got.Hash(), head.Hash())
			}
		})
	}
}

// create makes a contract.
func (w *world) create(user int) *chain.Tx {
	return w.sign(user, &types.DynamicFeeTx{
		Gas: 200_000, GasFeeCap: big.NewInt(worldFee), GasTipCap: big.NewInt(1000), Value: new(big.Int),
		Data: common.FromHex("6960003560015560076000600055600a6000f3"),
	})
}

// What an invalid block costs a node of 200,000 accounts, and what it did when the node
// read its state again.
func BenchmarkDerivedBlockThatDoesNotExecute(b *testing.B) {
	const accounts = 200_000
	w := newNodeWorldFrom(b, Options{}, func(w *world) {
		for i := range accounts {
			w.g.Alloc[common.BigToAddress(big.NewInt(int64(i)+1<<32))] = types.Account{Balance: big.NewInt(1)}
		}
	})
	bad := w.input([]*chain.Tx{w.put(0, 1, 9)}, []*chain.Tx{w.put(1, 1, 0)}, []*chain.Tx{w.put(1, 1, 0)})
	bad.Txs[2] = bad.Txs[1]
	b.Run("discarded", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.node.Execute(bad); !errors.Is(err, ErrInvalid) {
				b.Fatal(err)
			}
		}
	})
	b.Run("read again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := w.node.Rewind(0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
