package bench

import (
	_ "embed" // token.hex
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// tokenHex is the creation bytecode of token.sol.
//
//go:generate node token.mjs
//go:embed token.hex
var tokenHex string

// tokenCode is the creation bytecode of the ERC-20.
func tokenCode() []byte { return common.FromHex(strings.TrimSpace(tokenHex)) }

// transferData encodes transfer(to, value).
func transferData(to common.Address, value *big.Int) []byte {
	data := make([]byte, 0, 4+64)
	data = append(data, crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]...)
	data = append(data, common.LeftPadBytes(to[:], 32)...)
	return append(data, common.LeftPadBytes(value.Bytes(), 32)...)
}

// balanceOfData encodes balanceOf(owner).
func balanceOfData(owner common.Address) []byte {
	data := append([]byte{}, crypto.Keccak256([]byte("balanceOf(address)"))[:4]...)
	return append(data, common.LeftPadBytes(owner[:], 32)...)
}

// isTransfer says whether l is token's event of value moving between the two.
func isTransfer(l receiptLog, token, from, to common.Address, value *big.Int) bool {
	return l.Address == token && len(l.Topics) == 3 &&
		l.Topics[0] == crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")) &&
		l.Topics[1] == common.BytesToHash(from[:]) && l.Topics[2] == common.BytesToHash(to[:]) &&
		new(big.Int).SetBytes(l.Data).Cmp(value) == 0
}
