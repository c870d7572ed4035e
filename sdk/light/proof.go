package light

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
)

// Account is an account of a state whose root was checked. One that does not exist has
// the values of an empty one.
type Account struct {
	Address     common.Address
	Exists      bool
	Nonce       uint64
	Balance     *big.Int // wei
	CodeHash    common.Hash
	StorageRoot common.Hash
	Storage     map[common.Hash]common.Hash // of the slots that were asked for
}

type proofJSON struct {
	Proof   []hexutil.Bytes `json:"accountProof"`
	Storage []struct {
		Key   string          `json:"key"`
		Proof []hexutil.Bytes `json:"proof"`
		Value *hexutil.Big    `json:"value"`
	} `json:"storageProof"`
	Address     *common.Address `json:"address"`
	Balance     *hexutil.Big    `json:"balance"`
	Nonce       *hexutil.Uint64 `json:"nonce"`
	CodeHash    *common.Hash    `json:"codeHash"`
	StorageHash *common.Hash    `json:"storageHash"`
}

// VerifyAccount checks the answer of eth_getProof for the address and slots, in their
// order, against a state root. What the answer says in words must be what it proves.
func VerifyAccount(root common.Hash, addr common.Address, slots []common.Hash, answer []byte) (*Account, error) {
	var j proofJSON
	if err := json.Unmarshal(answer, &j); err != nil {
		return nil, fault(CodeEncoding, "proof of %s: %v", addr, err)
	}
	if j.Address == nil || j.Balance == nil || j.Nonce == nil || j.CodeHash == nil || j.StorageHash == nil {
		return nil, fault(CodeEncoding, "proof of %s lacks members", addr)
	}
	leaf, err := proven(root, addr[:], j.Proof)
	if err != nil {
		return nil, fault(CodeProof, "account %s: %v", addr, err)
	}
	a := &Account{
		Address: addr, Balance: new(big.Int), CodeHash: types.EmptyCodeHash, StorageRoot: types.EmptyRootHash,
		Storage: make(map[common.Hash]common.Hash, len(slots)),
	}
	if leaf != nil {
		var acc struct {
			Nonce   uint64
			Balance *big.Int
			Root    common.Hash
			Code    common.Hash
		}
		if err := rlp.DecodeBytes(leaf, &acc); err != nil {
			return nil, fault(CodeProof, "account %s: %v", addr, err)
		}
		a.Exists, a.Nonce, a.Balance, a.StorageRoot, a.CodeHash = true, acc.Nonce, acc.Balance, acc.Root, acc.Code
	}
	if *j.Address != addr || j.Balance.ToInt().Cmp(a.Balance) != 0 || uint64(*j.Nonce) != a.Nonce || *j.CodeHash != a.CodeHash || *j.StorageHash != a.StorageRoot {
		return nil, fault(CodeProof, "account %s: the node says other values than it proves", addr)
	}
	if len(j.Storage) != len(slots) {
		return nil, fault(CodeProof, "account %s: %d slots are proven, %d were asked for", addr, len(j.Storage), len(slots))
	}
	for i, slot := range slots {
		p := &j.Storage[i]
		value, err := provenSlot(a.StorageRoot, slot, p.Proof)
		if err != nil {
			return nil, fault(CodeProof, "account %s, slot %s: %v", addr, slot, err)
		}
		if p.Value == nil || p.Value.ToInt().Cmp(value.Big()) != 0 {
			return nil, fault(CodeProof, "account %s, slot %s: the node says another value than it proves", addr, slot)
		}
		a.Storage[slot] = value
	}
	return a, nil
}

// provenSlot is the value of the slot, zero if its absence is proven.
func provenSlot(root, slot common.Hash, nodes []hexutil.Bytes) (value common.Hash, err error) {
	leaf, err := proven(root, slot[:], nodes)
	if err != nil || leaf == nil {
		return value, err
	}
	var content []byte
	if err := rlp.DecodeBytes(leaf, &content); err != nil {
		return value, err
	}
	return common.BytesToHash(content), nil
}

// proven is the value at the hash of the key in the trie with the root, nil if its
// absence is proven. The empty trie needs no nodes.
func proven(root common.Hash, key []byte, nodes []hexutil.Bytes) ([]byte, error) {
	if root == types.EmptyRootHash {
		return nil, nil
	}
	return trie.VerifyProof(root, crypto.Keccak256(key), newNodeSet(nodes))
}

// nodeSet finds nodes of a proof by their hash; it is an ethdb.KeyValueReader.
type nodeSet map[common.Hash][]byte

func newNodeSet(nodes []hexutil.Bytes) nodeSet {
	set := make(nodeSet, len(nodes))
	for _, n := range nodes {
		set[crypto.Keccak256Hash(n)] = n
	}
	return set
}

// Has reports whether a node has the hash.
func (s nodeSet) Has(key []byte) (bool, error) {
	_, ok := s[common.BytesToHash(key)]
	return ok, nil
}

// Get is the node with the hash, nil if there is none.
func (s nodeSet) Get(key []byte) ([]byte, error) { return s[common.BytesToHash(key)], nil }

// VerifyCode checks code against the account's code hash.
func VerifyCode(a *Account, code []byte) error {
	if crypto.Keccak256Hash(code) != a.CodeHash {
		return fault(CodeProof, "code of %s has not the account's code hash", a.Address)
	}
	return nil
}
