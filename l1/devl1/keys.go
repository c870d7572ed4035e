package devl1

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/tyler-smith/go-bip39"
)

// Mnemonic is the public test mnemonic that every Ethereum development tool knows.
const Mnemonic = "test test test test test test test test test test test junk"

// DevAccounts of the mnemonic hold DevBalance ether each.
const (
	DevAccounts = 10
	DevBalance  = 10_000 // ether
)

// PrivateKey is a secp256k1 key.
type PrivateKey = ecdsa.PrivateKey

// Keys are the first n keys of Mnemonic, path m/44'/60'/0'/0/i (BIP-32, BIP-44).
func Keys(n int) []*PrivateKey {
	seed := bip39.NewSeed(Mnemonic, "")
	mac := hmacSHA512([]byte("Bitcoin seed"), seed)
	node := hdNode{key: [32]byte(mac[:32]), chain: [32]byte(mac[32:])}
	const hard = 1 << 31
	for _, i := range []uint32{44 | hard, 60 | hard, 0 | hard, 0} {
		node = node.child(i)
	}
	keys := make([]*PrivateKey, n)
	for i := range keys {
		k := node.child(uint32(i)).key
		keys[i] = mustKey(k)
	}
	return keys
}

// hdNode is an extended private key of BIP-32.
type hdNode struct{ key, chain [32]byte }

func (n hdNode) child(index uint32) hdNode {
	var data []byte
	if index&(1<<31) != 0 {
		data = append([]byte{0}, n.key[:]...)
	} else {
		data = crypto.CompressPubkey(&mustKey(n.key).PublicKey)
	}
	data = binary.BigEndian.AppendUint32(data, index)
	mac := hmacSHA512(n.chain[:], data)
	k := new(big.Int).SetBytes(mac[:32])
	k.Add(k, new(big.Int).SetBytes(n.key[:]))
	k.Mod(k, crypto.S256().Params().N)
	out := hdNode{chain: [32]byte(mac[32:])}
	k.FillBytes(out.key[:])
	return out
}

func hmacSHA512(key, data []byte) []byte {
	h := hmac.New(sha512.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// mustKey is for keys of the fixed mnemonic, all of which are valid.
func mustKey(k [32]byte) *PrivateKey {
	key, err := crypto.ToECDSA(k[:])
	if err != nil {
		panic(fmt.Sprintf("derive development key: %v", err))
	}
	return key
}

// Address is the account that key controls.
func Address(key *PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }
