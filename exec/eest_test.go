package exec

import (
	"fmt"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/fixtures"
)

// withStorageAlone are cases of accounts that have storage and neither nonce nor code, where
// go-ethereum lets contracts be made (EIP-7610 forbids it).
var withStorageAlone = []string{"eip7610_create_collision", "create2collisionStorageParis", "dynamicAccountOverwriteEmpty_Paris"}

// eestMix is a chain on the state of a test case, with Ethereum's limits.
func eestMix(c *fixtures.StateTest) *mix {
	m := &mix{keys: testKeys(1), g: &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: genesisTime, Alloc: maps.Clone(c.Pre)}}
	cfg := &m.g.Config
	cfg.ChainID, cfg.L1ChainID, cfg.TxGasCap, cfg.MaxTxBytes = 1, 2, params.MaxTxGas, 1<<30
	cfg.MaxCodeSize, cfg.MaxInitCode = params.MaxCodeSize, params.MaxInitCodeSize
	m.g.Alloc[m.address(0)] = types.Account{Balance: big.NewInt(params.Ether)}
	m.g.Alloc[callerAddr] = types.Account{Code: callerCode, Nonce: 1, Balance: new(big.Int)}
	for _, addr := range []common.Address{params.WithdrawalQueueAddress, params.ConsolidationQueueAddress} {
		m.g.Alloc[addr] = types.Account{Code: []byte{byte(vm.STOP)}, Nonce: 1, Balance: new(big.Int)}
	}
	return m
}

// eestBlock has go-ethereum execute the test case's transaction, in a block of this chain,
// by its witness. It is false if the transaction is not valid in such a block.
func eestBlock(t *testing.T, c *fixtures.StateTest, post *fixtures.Post) bool {
	m := eestMix(c)
	tx, err := chain.DecodeTx(post.TxBytes, &m.g.Config)
	if err != nil {
		return false
	}
	ch := m.boot(t, 1)
	defer ch.Close()
	ch.SetWitness(true)
	proofs := proofsOf(ch.trie)
	if err := ch.Open(chain.Attributes{Timestamp: genesisTime + 1, PrevRandao: common.Hash{9}, ParentBeacon: common.Hash{8}, BaseFee: new(big.Int)}); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Apply((&sender{m: m}).tx(&callerAddr, 0, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Apply(tx); err != nil {
		return false
	}
	ch.Cut(1)
	b, _, err := ch.Seal()
	if err != nil {
		t.Fatal(err)
	}
	checkWitness(t, &m.g.Config, b, ch.Witness(), proofs)
	return true
}

// Each public state test of Osaka as a block: go-ethereum executes it by our witness.
func TestGoEthereumExecutesEESTByTheirWitness(t *testing.T) {
	path := fixtures.Path("..", fixtures.StateTestArchive)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("test cases not found: %v; set TALARIA_FIXTURES to the directory of %s", err, fixtures.StateTestArchive)
	}
	files, ran, refused := 0, 0, 0
	_, err := fixtures.StateTests(path, func(_ string, tests map[string]*fixtures.StateTest) error {
		if files++; testing.Short() && files%20 != 0 {
			return nil
		}
		for id, c := range tests {
			if slices.ContainsFunc(withStorageAlone, func(name string) bool { return strings.Contains(id, name) }) {
				continue
			}
			for i := range c.Post["Osaka"] {
				post := &c.Post["Osaka"][i]
				if post.Exception != "" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d", id, i), func(t *testing.T) {
					if eestBlock(t, c, post) {
						ran++
					} else {
						refused++
					}
				})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases, %d of transactions that no block of this chain takes", ran, refused)
	if least := 1000; ran < least && (!testing.Short() || ran < least/50) {
		t.Errorf("only %d cases ran", ran)
	}
}
