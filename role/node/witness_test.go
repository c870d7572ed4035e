package node

import (
	"bytes"
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// encoded is the witness as one string.
func encoded(t *testing.T, w *chain.Witness) []byte {
	t.Helper()
	enc, err := rlp.EncodeToBytes(w)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

// A witness that was recorded is published, kept and served; one that was not is made by
// executing the block again, and is the same.
func TestWitnessesOfBlocks(t *testing.T) {
	w := newNodeWorld(t)
	ctx := context.Background()
	w.node.exec.SetWitness(true)
	events := w.node.Subscribe(100)
	defer events.Close()
	// BLOCKHASH of the block before the parent, dropped.
	looksBack := common.FromHex("600243034050600080a000")
	blocks := []*chain.Block{w.block([]*chain.Tx{w.put(0, 1, 7), w.put(0, 2, 7)})}
	asked := common.Address{0xab}
	blocks = append(blocks, w.block([]*chain.Tx{
		w.put(0, 1, 0), w.put(1, 3, 9),
		w.call(1, readAddr, 0, common.RightPadBytes(asked[:], 32)),
		w.call(1, asked, 0, nil), // looked at, no more
		w.sign(2, &types.DynamicFeeTx{Value: new(big.Int), Gas: 200_000, GasFeeCap: big.NewInt(worldFee), GasTipCap: new(big.Int), Data: looksBack}),
		w.call(2, revertAddr, 1, nil),
	}, []*chain.Tx{w.put(0, 2, 0)}))
	blocks = append(blocks, w.block())

	recorded := make(map[common.Hash]*chain.Witness)
	for sealed := uint64(0); len(recorded) < len(blocks); {
		ev := <-events.Events()
		if ev.Sealed != nil {
			sealed = ev.Sealed.Number()
		}
		if p := ev.Witness; p != nil {
			if p.Number != sealed {
				t.Errorf("witness of block %d after block %d", p.Number, sealed)
			}
			recorded[p.Hash] = p.Witness
		}
	}
	for _, b := range blocks {
		known := recorded[b.Hash()]
		kept, err := w.node.ExecutionWitness(ctx, b.Number(), b.Hash())
		if err != nil || kept != known {
			t.Errorf("block %d: the witness was not kept: %v", b.Number(), err)
		}
	}
	w.node.witnesses = witnessCache{}
	for _, b := range blocks {
		again, err := w.node.ExecutionWitness(ctx, b.Number(), b.Hash())
		if err != nil {
			t.Fatal(err)
		}
		known := recorded[b.Hash()]
		if !bytes.Equal(encoded(t, again), encoded(t, known)) {
			t.Errorf("block %d executed again: %d headers, %d codes, %d nodes; recorded were %d, %d, %d", b.Number(),
				len(again.Headers), len(again.Codes), len(again.State), len(known.Headers), len(known.Codes), len(known.State))
		}
	}
	if n := len(recorded[blocks[1].Hash()].Headers); n != 2 {
		t.Errorf("%d headers for a hash of two blocks back", n)
	}
	if _, err := w.node.ExecutionWitness(ctx, 2, common.Hash{1}); err == nil {
		t.Error("a witness of another branch")
	}

	c := w.serve(rpc.Options{})
	type answer struct{ State, Codes, Keys, Headers []hexutil.Bytes }
	b := blocks[1]
	want := recorded[b.Hash()]
	for _, ref := range []string{`["0x2"]`, `["` + b.Hash().Hex() + `"]`, `[{"blockHash":"` + b.Hash().Hex() + `"}]`} {
		got := result[answer](c, "debug_executionWitness", ref)
		if got.Keys == nil || len(got.Keys) != 0 || len(got.State) != len(want.State) || len(got.Codes) != len(want.Codes) || len(got.Headers) != 2 {
			t.Fatalf("%s: %d nodes, %d codes, %d headers, keys %v", ref, len(got.State), len(got.Codes), len(got.Headers), got.Keys)
		}
		for i := range got.State {
			if !bytes.Equal(got.State[i], want.State[i]) {
				t.Fatalf("%s: node %d differs", ref, i)
			}
		}
		if crypto.Keccak256Hash(got.Headers[1]) != b.Header.ParentHash {
			t.Errorf("%s: the last header is not the parent's", ref)
		}
	}
	for _, ref := range []string{`["0x0"]`, `["0x99"]`, `["pending"]`, `["` + common.Hash{5}.Hex() + `"]`} {
		if r := c.ask("debug_executionWitness", ref); r.Error == nil {
			t.Errorf("%s: %.80s", ref, r.Result)
		}
	}
}

func TestTheWitnessCacheIsBounded(t *testing.T) {
	var c witnessCache
	big := func(n byte, size int) *rpc.Witness {
		return &rpc.Witness{Hash: common.Hash{n}, Witness: &chain.Witness{State: [][]byte{make([]byte, size)}}}
	}
	for i := range byte(10) {
		c.add(big(i, maxWitnessBytes/5))
	}
	c.add(big(100, maxWitnessBytes))
	if len(c.list) != 4 || c.bytes > maxWitnessBytes || c.get(common.Hash{9}) == nil || c.get(common.Hash{5}) != nil || c.get(common.Hash{100}) != nil {
		t.Errorf("%d witnesses of %d bytes", len(c.list), c.bytes)
	}
}
