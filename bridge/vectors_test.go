package bridge_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/talaria-l2/talaria/bridge"
)

var update = flag.Bool("update", false, "write contracts/test/vectors/withdrawals.json")

const vectorsFile = "../contracts/test/vectors/withdrawals.json"

// vectors are withdrawals with proofs out of go-ethereum's trie, which the Solidity tests
// have the portal check. Each is abi.encode(withdrawal, output root proof, trie nodes,
// withdrawal hash).
type vectors struct {
	Names   []string        `json:"names"`
	Vectors []hexutil.Bytes `json:"vectors"`
}

func TestVectorsOfWithdrawalProofsAreCurrent(t *testing.T) {
	var out vectors
	// From a root that is a leaf to tries of several levels.
	for _, size := range []int{1, 2, 17, 300, 5000} {
		all := make([]*bridge.Withdrawal, size)
		for i := range all {
			all[i] = madeUp(size, i)
		}
		storage := passerStorage(all)
		for _, i := range []int{0, size / 2, size - 1}[:min(size, 3)] {
			out.Names = append(out.Names, fmt.Sprintf("withdrawal %d of %d", i, size))
			out.Vectors = append(out.Vectors, vector(t, storage, all[i]))
		}
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(filepath.FromSlash(vectorsFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(filepath.FromSlash(vectorsFile))
	if err != nil || !bytes.Equal(have, text) {
		t.Fatalf("%s is not current (go test ./bridge -update writes it): %v", vectorsFile, err)
	}
}

// madeUp is a withdrawal that depends on its arguments alone.
func madeUp(size, i int) *bridge.Withdrawal {
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], uint64(size))
	binary.BigEndian.PutUint64(seed[8:], uint64(i))
	h := crypto.Keccak256(seed[:])
	nonce := new(big.Int).Lsh(big.NewInt(1), 240)
	return &bridge.Withdrawal{
		Nonce:  nonce.Add(nonce, big.NewInt(int64(i))),
		Sender: common.BytesToAddress(h[:20]), Target: common.BytesToAddress(crypto.Keccak256(h)),
		Value: new(big.Int).SetBytes(h[20:25]), GasLimit: big.NewInt(int64(50_000 + i)),
		Data: bytes.Repeat(h[:3], i%40),
	}
}

func passerStorage(all []*bridge.Withdrawal) *trie.Trie {
	storage := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for _, w := range all {
		slot := bridge.Slot(w.Hash())
		storage.MustUpdate(crypto.Keccak256(slot[:]), []byte{1}) // RLP of 1
	}
	return storage
}

// nodes keeps the nodes of a proof in the order in which they are written: from the root.
type nodes [][]byte

func (n *nodes) Put(_, value []byte) error { *n = append(*n, value); return nil }
func (n *nodes) Delete([]byte) error       { return nil }

func vector(t *testing.T, storage *trie.Trie, w *bridge.Withdrawal) []byte {
	t.Helper()
	root := storage.Hash()
	slot := bridge.Slot(w.Hash())
	var proof nodes
	if err := storage.Prove(crypto.Keccak256(slot[:]), &proof); err != nil {
		t.Fatal(err)
	}
	output := struct{ Version, StateRoot, MessagePasserStorageRoot, LatestBlockhash common.Hash }{
		StateRoot: crypto.Keccak256Hash([]byte("state"), root[:]), MessagePasserStorageRoot: root,
		LatestBlockhash: crypto.Keccak256Hash([]byte("block"), root[:]),
	}
	text, err := arguments(t).Pack(w, output, [][]byte(proof), w.Hash())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func arguments(t *testing.T) abi.Arguments {
	t.Helper()
	typ := func(name string, parts ...abi.ArgumentMarshaling) abi.Argument {
		out, err := abi.NewType(name, "", parts)
		if err != nil {
			t.Fatal(err)
		}
		return abi.Argument{Type: out}
	}
	return abi.Arguments{
		typ("tuple", []abi.ArgumentMarshaling{
			{Name: "nonce", Type: "uint256"}, {Name: "sender", Type: "address"}, {Name: "target", Type: "address"},
			{Name: "value", Type: "uint256"}, {Name: "gasLimit", Type: "uint256"}, {Name: "data", Type: "bytes"},
		}...),
		typ("tuple", []abi.ArgumentMarshaling{
			{Name: "version", Type: "bytes32"}, {Name: "stateRoot", Type: "bytes32"},
			{Name: "messagePasserStorageRoot", Type: "bytes32"}, {Name: "latestBlockhash", Type: "bytes32"},
		}...),
		typ("bytes[]"), typ("bytes32"),
	}
}
