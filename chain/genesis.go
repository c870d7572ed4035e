package chain

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// L1Origin names the L1 block from which deposits and batches are read.
type L1Origin struct {
	Number uint64      `json:"number"`
	Hash   common.Hash `json:"hash"`
}

// Genesis is all that a node needs, besides L1, to rebuild the chain.
type Genesis struct {
	Config    Config             `json:"config"`
	Timestamp uint64             `json:"timestamp"` // seconds
	L1Origin  L1Origin           `json:"l1Origin"`  // deposits count from the block after it
	Alloc     types.GenesisAlloc `json:"alloc"`

	// L1Contracts are the chain's contracts on L1 by name, for people and tools; the node
	// itself uses those of Config.
	L1Contracts map[string]common.Address `json:"l1Contracts,omitempty"`
}

// DecodeGenesis reads and checks the JSON of a genesis file.
func DecodeGenesis(raw []byte) (*Genesis, error) {
	g := new(Genesis)
	if err := json.Unmarshal(raw, g); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if err := g.Config.Check(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if err := g.checkCurrency(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return g, nil
}
