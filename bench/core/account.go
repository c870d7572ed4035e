package core

import (
	"crypto/ecdsa"
	"encoding/binary"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// account is a sender whose nonce is counted here.
type account struct {
	key     *ecdsa.PrivateKey
	address common.Address
	nonce   uint64
}

// known holds the keys that were derived; deriving one costs as much as a signature.
var known struct {
	sync.Mutex
	list []account
}

// accounts returns the first n of an endless list, with nonce 0.
func accounts(n int) []account {
	known.Lock()
	defer known.Unlock()
	for len(known.list) < n {
		seed := binary.BigEndian.AppendUint64([]byte("talaria bench account"), uint64(len(known.list)))
		key, err := crypto.ToECDSA(crypto.Keccak256(seed))
		if err != nil {
			panic(err) // no hash of these is outside the curve's order
		}
		known.list = append(known.list, account{key: key, address: crypto.PubkeyToAddress(key.PublicKey)})
	}
	return append([]account(nil), known.list[:n]...)
}

// bystander is the n-th account of those that only make the state larger.
func bystander(n int) common.Address {
	return common.BytesToAddress(crypto.Keccak256(binary.BigEndian.AppendUint64([]byte("bystander"), uint64(n)))[12:])
}
