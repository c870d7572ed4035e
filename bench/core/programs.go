package core

import (
	_ "embed" // programs.json
	"encoding/json"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// programsJSON is the bytecode of solidity/*.sol, see programs.mjs.
//
//go:generate node programs.mjs
//go:embed programs.json
var programsJSON []byte

// bytecode is one compiled contract.
type bytecode struct {
	Create  hexutil.Bytes `json:"create"`
	Runtime hexutil.Bytes `json:"runtime"`
}

var programs = sync.OnceValue(func() map[string]bytecode {
	var all map[string]bytecode
	if err := json.Unmarshal(programsJSON, &all); err != nil {
		panic(fmt.Sprintf("bench/core/programs.json: %v", err))
	}
	return all
})

// program is a contract of solidity/ by name.
func program(name string) bytecode {
	p, ok := programs()[name]
	if !ok {
		panic("bench/core/programs.json has no " + name)
	}
	return p
}

// selector is that of a function's signature.
func selector(signature string) []byte { return crypto.Keccak256([]byte(signature))[:4] }
