package predeploys

import (
	"embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/invariant"
)

//go:embed *.hex
var code embed.FS

// embedded returns the deployed code of a contract in memory of its own. It panics on
// what is not there: the names are constants of this package.
func embedded(contract string) []byte {
	text, err := code.ReadFile(contract + ".hex")
	if err == nil {
		var raw []byte
		if raw, err = hex.DecodeString(strings.TrimSpace(string(text))); err == nil {
			return raw
		}
	}
	panic(fmt.Sprintf("code of %s: %v", contract, err))
}

// textWord is a short text from the high end of a word.
func textWord(text string) (h common.Hash) {
	invariant.Assert(len(text) <= len(h), "name and symbol of the gas token were checked to fit into a word")
	copy(h[:], text)
	return h
}
