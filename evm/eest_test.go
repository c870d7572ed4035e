package evm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethmath "github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// fixturesPath is an archive of public test cases: $TALARIA_FIXTURES, by default
// beside the repository.
func fixturesPath(t *testing.T, name string) string {
	dir := os.Getenv("TALARIA_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "fixtures")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("test cases not found: %v; set TALARIA_FIXTURES to the directory of %s", err, name)
	}
	return path
}

// eachFixture calls f with every JSON file of a .tar.gz archive.
func eachFixture(t *testing.T, path string, f func(name string, content []byte)) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(header.Name, ".json") {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		f(header.Name, content)
	}
}

// stateTest is one case of the execution-spec-tests' state test format.
type stateTest struct {
	Env struct {
		Coinbase  common.Address           `json:"currentCoinbase"`
		GasLimit  ethmath.HexOrDecimal64   `json:"currentGasLimit"`
		Number    ethmath.HexOrDecimal64   `json:"currentNumber"`
		Timestamp ethmath.HexOrDecimal64   `json:"currentTimestamp"`
		Random    *ethmath.HexOrDecimal256 `json:"currentRandom"`
		BaseFee   *ethmath.HexOrDecimal256 `json:"currentBaseFee"`
	} `json:"env"`
	Pre  types.GenesisAlloc         `json:"pre"`
	Post map[string][]stateTestPost `json:"post"`
}

type stateTestPost struct {
	Hash      common.Hash   `json:"hash"`
	Logs      common.Hash   `json:"logs"`
	TxBytes   hexutil.Bytes `json:"txbytes"`
	Exception string        `json:"expectException"`
}

// exceptions are the errors that the test cases name.
var exceptions = map[string][]error{
	"INSUFFICIENT_ACCOUNT_FUNDS":            {ErrInsufficientFunds},
	"INTRINSIC_GAS_TOO_LOW":                 {ErrIntrinsicGas, ErrFloorDataGas},
	"INTRINSIC_GAS_BELOW_FLOOR_GAS_COST":    {ErrFloorDataGas, ErrIntrinsicGas},
	"SENDER_NOT_EOA":                        {ErrSenderNoEOA},
	"INITCODE_SIZE_EXCEEDED":                {ErrInitCodeTooLarge},
	"NONCE_IS_MAX":                          {ErrNonceMax},
	"GAS_ALLOWANCE_EXCEEDED":                {errBlockGas},
	"INSUFFICIENT_MAX_FEE_PER_GAS":          {ErrFeeCapTooLow},
	"PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS": {ErrTipAboveFeeCap},
	"GAS_LIMIT_EXCEEDS_MAXIMUM":             {ErrGasAboveCap},
	"TYPE_4_TX_CONTRACT_CREATION":           {ErrSetCodeCreate, chain.ErrTxMalformed},
	"TYPE_4_EMPTY_AUTHORIZATION_LIST":       {ErrEmptyAuthList},
}

var errBlockGas = errors.New("gas limit reached")

// stateTestRunner runs cases and counts them.
type stateTestRunner struct {
	t                              *testing.T
	machines                       map[string]*Machine // by fork
	cfg                            chain.Config
	ran, rejected, blobs, pointers int
}

func newStateTestRunner(t *testing.T) *stateTestRunner {
	r := &stateTestRunner{t: t, machines: make(map[string]*Machine), cfg: chain.DefaultConfig()}
	r.cfg.ChainID, r.cfg.L1ChainID = 1, 2
	r.cfg.TxGasCap, r.cfg.MaxCodeSize, r.cfg.MaxInitCode = params.MaxTxGas, params.MaxCodeSize, params.MaxInitCodeSize
	r.cfg.MaxTxBytes = 1 << 30
	r.machines["Osaka"] = NewMachine(&r.cfg)

	// Cases that only the fork before has run under its rules, without a cap.
	before := r.cfg
	before.TxGasCap = math.MaxUint64
	m := NewMachine(&before)
	m.setFork(prague)
	r.machines["Prague"] = m
	t.Cleanup(func() {
		for _, m := range r.machines {
			m.Close()
		}
	})
	return r
}

func (r *stateTestRunner) file(name string, content []byte) map[string]stateTest {
	if bytes.HasPrefix(content, []byte("version https://git-lfs")) {
		r.pointers++
		return nil
	}
	var cases map[string]stateTest
	if err := json.Unmarshal(content, &cases); err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	return cases
}

func (r *stateTestRunner) run(name, fork string, c *stateTest) {
	for i := range c.Post[fork] {
		post := &c.Post[fork][i]
		if len(post.TxBytes) > 0 && post.TxBytes[0] == types.BlobTxType {
			r.blobs++
			continue
		}
		if err := r.one(r.machines[fork], c, post); err != nil {
			r.t.Errorf("%s (%s, %d): %v", name, fork, i, err)
		}
	}
}

func (r *stateTestRunner) one(m *Machine, c *stateTest, post *stateTestPost) error {
	env := &Env{
		Number: uint64(c.Env.Number), Timestamp: uint64(c.Env.Timestamp), GasLimit: uint64(c.Env.GasLimit),
		BaseFee: (*big.Int)(c.Env.BaseFee), Coinbase: c.Env.Coinbase, Config: m.cfg,
		BlockHash: func(n uint64) common.Hash { return crypto.Keccak256Hash([]byte(new(big.Int).SetUint64(n).String())) },
	}
	if c.Env.Random != nil {
		env.PrevRandao = common.BigToHash((*big.Int)(c.Env.Random))
	}
	view := newMemoryFrom(c.Pre)
	result, err := r.execute(m, view, post.TxBytes, env)
	if post.Exception != "" {
		r.rejected++
		if !expected(err, post.Exception) {
			return fmt.Errorf("error %v, want %s", err, post.Exception)
		}
	} else if err != nil {
		return err
	}
	r.ran++
	logs := []*types.Log{}
	if result != nil {
		view.apply(result.Diff)
		logs = append(logs, result.Logs...)
	}
	if got := stateRoot(r.t, view); got != post.Hash {
		return fmt.Errorf("state root %v, want %v (result %+v)", got, post.Hash, result)
	}
	if got := rlpHash(r.t, logs); got != post.Logs {
		return fmt.Errorf("hash of %d logs %v, want %v", len(logs), got, post.Logs)
	}
	return nil
}

func (r *stateTestRunner) execute(m *Machine, view *memory, raw []byte, env *Env) (*Result, error) {
	tx, err := chain.DecodeTx(raw, m.cfg)
	if err != nil {
		return nil, err
	}
	if tx.Gas() > env.GasLimit { // the caller's check
		return nil, errBlockGas
	}
	return executeOn(m, view, tx, env)
}

func expected(err error, names string) bool {
	for _, name := range strings.Split(names, "|") {
		for _, want := range exceptions[strings.TrimPrefix(name, "TransactionException.")] {
			if errors.Is(err, want) {
				return true
			}
		}
	}
	return false
}

func TestEESTStateTests(t *testing.T) {
	path := fixturesPath(t, "eest-state-tests.tar.gz")
	r := newStateTestRunner(t)
	onlyPrague := make(map[string]stateTest) // until an Osaka case of the name comes
	hasOsaka := make(map[string]bool)
	files := 0
	eachFixture(t, path, func(name string, content []byte) {
		if files++; testing.Short() && files%20 != 0 {
			return
		}
		for id, c := range r.file(name, content) {
			if c.Post["Osaka"] != nil {
				hasOsaka[strings.Replace(id, "fork_Osaka", "fork_Prague", 1)] = true
				r.run(id, "Osaka", &c)
			} else if c.Post["Prague"] != nil {
				onlyPrague[id] = c
			}
		}
		// Cases of one test lie in one file.
		for id, c := range onlyPrague {
			if !hasOsaka[id] {
				r.run(id, "Prague", &c)
			}
		}
		clear(onlyPrague)
		clear(hasOsaka)
	})
	t.Logf("%d cases ran, %d of them invalid transactions; out of scope: %d blob transactions, %d files that the archive holds only as pointers",
		r.ran, r.rejected, r.blobs, r.pointers)
	if r.ran < 100 {
		t.Errorf("only %d cases ran", r.ran)
	}
}

// stateRoot is the Merkle-Patricia root of the accounts, by go-ethereum's trie.
func stateRoot(t testing.TB, m *memory) common.Hash {
	leaves := make(map[common.Hash][]byte, len(m.accounts))
	for addr, a := range m.accounts {
		slots := make(map[common.Hash][]byte)
		for slot, v := range m.storage[addr] {
			enc, err := rlp.EncodeToBytes(common.TrimLeftZeroes(v[:]))
			if err != nil {
				t.Fatal(err)
			}
			slots[crypto.Keccak256Hash(slot[:])] = enc
		}
		enc, err := rlp.EncodeToBytes(&types.StateAccount{
			Nonce: a.Nonce, Balance: new(uint256.Int).Set(&a.Balance), Root: trieRoot(slots), CodeHash: a.CodeHash[:]})
		if err != nil {
			t.Fatal(err)
		}
		leaves[crypto.Keccak256Hash(addr[:])] = enc
	}
	return trieRoot(leaves)
}

func trieRoot(leaves map[common.Hash][]byte) common.Hash {
	keys := make([]common.Hash, 0, len(leaves))
	for k := range leaves {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, common.Hash.Cmp)
	st := trie.NewStackTrie(nil)
	for _, k := range keys {
		if err := st.Update(k[:], leaves[k]); err != nil {
			panic(err)
		}
	}
	return st.Hash()
}

func rlpHash(t testing.TB, v any) common.Hash {
	enc, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return crypto.Keccak256Hash(enc)
}
