package node

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// verified is what go-ethereum's trie finds under the key by the proof alone.
func verified(t testing.TB, root common.Hash, key []byte, nodes [][]byte) []byte {
	t.Helper()
	db := memorydb.New()
	for _, node := range nodes {
		if err := db.Put(crypto.Keccak256(node), node); err != nil {
			t.Fatal(err)
		}
	}
	value, err := trie.VerifyProof(root, crypto.Keccak256(key), db)
	if err != nil {
		t.Fatalf("proof of %x against %s: %v", key, root, err)
	}
	return value
}

// checkProof verifies the proof of an account and of slots against the block's header,
// and compares it with the flat state of that block.
func (w *world) checkProof(number uint64, addr common.Address, slots ...common.Hash) {
	t, ctx := w.t, context.Background()
	t.Helper()
	p, err := w.node.Proof(ctx, addr, slots, number)
	if err != nil {
		t.Fatalf("proof of %s at %d: %v", addr, number, err)
	}
	ref := rpc.StateRef{Number: number}
	balance, err := w.node.Balance(ctx, addr, ref)
	if err != nil {
		t.Fatal(err)
	}
	nonce, err := w.node.Nonce(ctx, addr, ref)
	if err != nil {
		t.Fatal(err)
	}
	if p.Balance.Cmp(balance) != 0 || p.Nonce != nonce {
		t.Fatalf("%s at %d: proved %v and %d, state has %v and %d", addr, number, p.Balance, p.Nonce, balance, nonce)
	}
	var account types.StateAccount
	if leaf := verified(t, w.header(number).Root, addr[:], p.Nodes); leaf == nil {
		if nonce != 0 || balance.Sign() != 0 || p.CodeHash != types.EmptyCodeHash || p.StorageHash != types.EmptyRootHash {
			t.Fatalf("%s at %d: absence is proved of an account that is there", addr, number)
		}
	} else if err := rlp.DecodeBytes(leaf, &account); err != nil || account.Balance.ToBig().Cmp(balance) != 0 || account.Nonce != nonce ||
		account.Root != p.StorageHash || !bytes.Equal(account.CodeHash, p.CodeHash[:]) {
		t.Fatalf("%s at %d: leaf %+v, %v", addr, number, account, err)
	}
	for i, slot := range slots {
		want, err := w.node.Storage(ctx, addr, slot, ref)
		if err != nil {
			t.Fatal(err)
		}
		if p.Slots[i].Value != want {
			t.Fatalf("slot %s of %s at %d: proved %s, state has %s", slot, addr, number, p.Slots[i].Value, want)
		}
		if p.StorageHash == types.EmptyRootHash {
			if len(p.Slots[i].Nodes) != 0 || want != (common.Hash{}) {
				t.Fatalf("slot %s of %s at %d: %d nodes without storage", slot, addr, number, len(p.Slots[i].Nodes))
			}
			continue
		}
		var got []byte
		if leaf := verified(t, p.StorageHash, slot[:], p.Slots[i].Nodes); leaf != nil {
			if err := rlp.DecodeBytes(leaf, &got); err != nil {
				t.Fatal(err)
			}
		}
		if common.BytesToHash(got) != want {
			t.Fatalf("slot %s of %s at %d: leaf %x, state has %s", slot, addr, number, got, want)
		}
	}
}

func TestProofsVerifyAtEveryHeight(t *testing.T) {
	w := newNodeWorld(t)
	const blocks = 12
	fresh := func(i int) common.Address { return common.Address{0xf0, byte(i)} }
	for i := range blocks {
		txs := []*chain.Tx{w.put(0, byte(i%5), byte(i)), w.call(1, fresh(i), 5, nil)}
		if i%3 == 2 {
			txs = append(txs, w.put(0, byte(i%5), 0)) // written and cleared
		}
		w.block(txs)
	}
	check := func() {
		t.Helper()
		// Not in order: the trie moves both ways, over one block and over many.
		for _, number := range []uint64{blocks, 3, 4, 0, blocks - 1, 7, 6, 1} {
			w.checkProof(number, storeAddr, common.Hash{}, common.Hash{31: 1}, common.Hash{31: 2}, common.Hash{31: 3}, common.Hash{31: 99}, common.Hash{5})
			w.checkProof(number, w.user(0), common.Hash{31: 1})
			w.checkProof(number, chain.SequencerFeeVaultAddr)
			w.checkProof(number, chain.L1BlockAddr, common.Hash{}, common.Hash{31: 1})
			for _, i := range []int{0, 5, blocks} {
				w.checkProof(number, fresh(i), common.Hash{31: 1}) // there, or not there yet
			}
		}
	}
	check()
	w.stop()
	w.start(Options{})
	check()
	w.stop()
	w.start(Options{StateCache: 1 << 20})
	check()
	w.block([]*chain.Tx{w.put(0, 9, 9)})
	w.checkProof(blocks+1, storeAddr, common.Hash{31: 9})
}

func TestAProofFollowsARewind(t *testing.T) {
	w := newNodeWorld(t)
	w.block([]*chain.Tx{w.put(0, 1, 1)})
	w.block([]*chain.Tx{w.put(0, 1, 2)})
	w.checkProof(2, storeAddr, common.Hash{31: 1})
	if err := w.node.Rewind(1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.node.Proof(context.Background(), storeAddr, nil, 2); err == nil {
		t.Error("a block that is gone is proved")
	}
	w.checkProof(1, storeAddr, common.Hash{31: 1})
	w.nonce[w.user(0)] = 1
	w.block([]*chain.Tx{w.put(0, 1, 3)})
	w.checkProof(2, storeAddr, common.Hash{31: 1})
}

func TestAProofTooFarBackIsRefused(t *testing.T) {
	w := newNodeWorldWith(t, Options{ProofBlocks: 2})
	for range 4 {
		w.block()
	}
	w.checkProof(2, storeAddr)
	_, err := w.node.Proof(context.Background(), storeAddr, nil, 1)
	var coded *rpc.Error
	if !errors.As(err, &coded) || coded.Code != rpc.CodeClientLimit {
		t.Errorf("%v, want code %d", err, rpc.CodeClientLimit)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.node.Proof(ctx, storeAddr, nil, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w.checkProof(3, common.BigToAddress(big.NewInt(1)))
}
