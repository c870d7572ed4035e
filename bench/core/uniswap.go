package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// uniswapPair is Uniswap v2's pair as its authors compiled it; `npm ci` in e2e/ puts it
// there. nil if there is none.
func uniswapPair(root string) ([]byte, error) {
	raw, err := os.ReadFile(root + "/e2e/node_modules/@uniswap/v2-core/build/UniswapV2Pair.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("uniswap: %w", err)
	}
	var artifact struct {
		EVM struct {
			DeployedBytecode struct {
				Object string `json:"object"`
			} `json:"deployedBytecode"`
		} `json:"evm"`
	}
	if err := json.Unmarshal(raw, &artifact); err != nil {
		return nil, fmt.Errorf("uniswap: %w", err)
	}
	return common.FromHex(artifact.EVM.DeployedBytecode.Object), nil
}

// uniswapSwaps is swaps with Uniswap's own pair, whose slots stand elsewhere: token0 to
// the lock in 6 to 12.
func (s *suite) uniswapSwaps(name string, code []byte, n int) *Workload {
	w := s.swaps(name, n, 1)
	for p := range n {
		own := w.Alloc[pairAddr(p)].Storage
		w.Alloc[pairAddr(p)] = types.Account{Code: code, Nonce: 1, Storage: map[common.Hash]common.Hash{
			word(0): word(1_000_000), word(6): own[word(1)], word(7): own[word(2)], word(8): own[word(3)],
			word(9): word(1), word(10): word(1), word(12): word(1),
		}}
	}
	return w
}
