package evm

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/fixtures"
)

// fixturesPath is an archive of public test cases; the test is skipped without it.
func fixturesPath(t testing.TB, archive string) string {
	path := fixtures.Path("..", archive)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("test cases not found: %v; set TALARIA_FIXTURES to the directory of %s", err, archive)
	}
	return path
}

// exceptions are the errors that the test cases name.
var exceptions = map[string][]error{
	"INSUFFICIENT_ACCOUNT_FUNDS":                {ErrInsufficientFunds},
	"INTRINSIC_GAS_TOO_LOW":                     {ErrIntrinsicGas, ErrFloorDataGas},
	"INTRINSIC_GAS_BELOW_FLOOR_GAS_COST":        {ErrFloorDataGas, ErrIntrinsicGas},
	"SENDER_NOT_EOA":                            {ErrSenderNoEOA},
	"INITCODE_SIZE_EXCEEDED":                    {ErrInitCodeTooLarge},
	"NONCE_IS_MAX":                              {ErrNonceMax},
	"GAS_ALLOWANCE_EXCEEDED":                    {errBlockGas},
	"INSUFFICIENT_MAX_FEE_PER_GAS":              {ErrFeeCapTooLow},
	"INSUFFICIENT_MAX_FEE_PER_BLOB_GAS":         {ErrBlobFeeCapTooLow},
	"PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS":     {ErrTipAboveFeeCap},
	"GAS_LIMIT_EXCEEDS_MAXIMUM":                 {ErrGasAboveCap},
	"TYPE_3_TX_ZERO_BLOBS":                      {ErrNoBlobHashes},
	"TYPE_3_TX_CONTRACT_CREATION":               {ErrBlobCreate, chain.ErrTxMalformed},
	"TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH":     {ErrBlobHashVersion},
	"TYPE_3_TX_BLOB_COUNT_EXCEEDED":             {ErrTooManyBlobs, errBlockBlobs},
	"TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED": {ErrTooManyBlobs, errBlockBlobs},
	"TYPE_4_TX_CONTRACT_CREATION":               {ErrSetCodeCreate, chain.ErrTxMalformed},
	"TYPE_4_EMPTY_AUTHORIZATION_LIST":           {ErrEmptyAuthList},
	"TYPE_4_TX_PRE_FORK":                        {ErrTxType},
}

// What whoever makes a block checks before he executes a transaction.
var (
	errBlockGas   = errors.New("gas limit reached")
	errBlockBlobs = errors.New("too many blobs for a block")
)

// testForks are the forks whose cases run.
var testForks = map[string]fork{"Cancun": cancun, "Prague": prague, "Osaka": osaka}

// mainnetConfig has Ethereum's chain ID and limits under the rules of a fork.
func mainnetConfig(f fork) *chain.Config {
	cfg := chain.DefaultConfig()
	cfg.ChainID, cfg.L1ChainID = 1, 2
	cfg.TxGasCap, cfg.MaxCodeSize, cfg.MaxInitCode = params.MaxTxGas, params.MaxCodeSize, params.MaxInitCodeSize
	cfg.MaxTxBytes = 1 << 30
	if f < osaka {
		cfg.TxGasCap = math.MaxUint64
	}
	return &cfg
}

// stateTestRunner runs cases and counts them.
type stateTestRunner struct {
	t                    *testing.T
	machines             map[string]*Machine // by fork
	ran, rejected, blobs int
}

func newStateTestRunner(t *testing.T) *stateTestRunner {
	r := &stateTestRunner{t: t, machines: make(map[string]*Machine)}
	for name, f := range testForks {
		m := NewMachine(mainnetConfig(f))
		m.setFork(f)
		t.Cleanup(m.Close)
		r.machines[name] = m
	}
	return r
}

func (r *stateTestRunner) one(fork string, c *fixtures.StateTest, post *fixtures.Post) error {
	m := r.machines[fork]
	env := &Env{
		Number: uint64(c.Env.Number), Timestamp: uint64(c.Env.Timestamp), GasLimit: uint64(c.Env.GasLimit),
		BaseFee: (*big.Int)(c.Env.BaseFee), BlobBaseFee: c.BlobBaseFee(fork), Coinbase: c.Env.Coinbase, Config: m.cfg,
		BlockHash: func(n uint64) common.Hash { return crypto.Keccak256Hash([]byte(new(big.Int).SetUint64(n).String())) },
	}
	if c.Env.Random != nil {
		env.PrevRandao = common.BigToHash((*big.Int)(c.Env.Random))
	}
	view := newMemoryFrom(c.Pre)
	if m.fork == osaka { // the other rules are never compiled
		view.warmCode()
		if err := r.compare(m, view, env, post, c.MaxBlobs(fork)); err != nil {
			return fmt.Errorf("compiled: %w", err)
		}
		view = newMemoryFrom(c.Pre)
		view.coolCode()
	}
	r.ran++
	if post.Exception != "" {
		r.rejected++
	}
	if isBlobTx(post.TxBytes) {
		r.blobs++
	}
	return r.compare(m, view, env, post, c.MaxBlobs(fork))
}

func (r *stateTestRunner) compare(m *Machine, view *memory, env *Env, post *fixtures.Post, maxBlobs int) error {
	result, err := r.execute(m, view, post.TxBytes, env, maxBlobs)
	if post.Exception != "" {
		if !expected(err, post.Exception) {
			return fmt.Errorf("error %v, want %s", err, post.Exception)
		}
	} else if err != nil {
		return err
	}
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

func (r *stateTestRunner) execute(m *Machine, view *memory, raw []byte, env *Env, maxBlobs int) (*Result, error) {
	if isBlobTx(raw) {
		tx := new(types.Transaction)
		if err := tx.UnmarshalBinary(raw); err != nil {
			return nil, fmt.Errorf("%w: %v", chain.ErrTxMalformed, err)
		}
		if len(tx.BlobHashes()) > maxBlobs {
			return nil, errBlockBlobs
		}
		return executeBlobTx(m, view, tx, env)
	}
	tx, err := chain.DecodeTx(raw, m.cfg)
	if err != nil {
		return nil, err
	}
	if tx.Gas() > env.GasLimit {
		return nil, errBlockGas
	}
	return executeOn(m, view, tx, env)
}

func isBlobTx(raw []byte) bool { return len(raw) > 0 && raw[0] == types.BlobTxType }

// executeBlobTx executes a blob transaction, which no chain.Tx can be.
func executeBlobTx(m *Machine, view *memory, tx *types.Transaction, env *Env) (*Result, error) {
	from, err := types.Sender(types.NewPragueSigner(new(big.Int).SetUint64(m.cfg.ChainID)), tx)
	if err != nil {
		return nil, err
	}
	if tx.Gas() > env.GasLimit {
		return nil, errBlockGas
	}
	m.begin(view, env, false)
	m.msg = message{
		from: from, to: tx.To(), nonce: tx.Nonce(), gas: tx.Gas(), data: tx.Data(), accessList: tx.AccessList(),
		blobs: true, blobHashes: tx.BlobHashes(), blobFeeCap: *uint256.MustFromBig(tx.BlobGasFeeCap()),
		value: *uint256.MustFromBig(tx.Value()), feeCap: *uint256.MustFromBig(tx.GasFeeCap()), tipCap: *uint256.MustFromBig(tx.GasTipCap()),
	}
	m.msg.price = effectivePrice(&m.msg.feeCap, &m.msg.tipCap, &m.baseFee)
	if m.tracer != nil {
		m.traceStart(tx, from)
	}
	out, err := m.transition(&m.msg)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	m.result(new(chain.Tx), env, &out, r)
	return r, nil
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
	path := fixturesPath(t, fixtures.StateTestArchive)
	r := newStateTestRunner(t)
	files, byFork := 0, make(map[string]int)
	damaged, err := fixtures.StateTests(path, func(_ string, tests map[string]*fixtures.StateTest) error {
		if files++; testing.Short() && files%20 != 0 {
			return nil
		}
		for id, c := range tests {
			for fork := range testForks {
				for i := range c.Post[fork] {
					byFork[fork]++
					if err := r.one(fork, c, &c.Post[fork][i]); err != nil {
						t.Errorf("%s (%s, %d): %v", id, fork, i, err)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases ran: %v, %d of blob transactions, %d of invalid transactions; files that are not JSON: %d %v",
		r.ran, byFork, r.blobs, r.rejected, len(damaged), damaged)
	if least := 5000; r.ran < least && (!testing.Short() || r.ran < least/50) {
		t.Errorf("only %d cases ran", r.ran)
	}
	for fork := range testForks {
		if byFork[fork] == 0 {
			t.Errorf("no case of %s", fork)
		}
	}
	if r.blobs == 0 && !testing.Short() {
		t.Error("no blob transaction")
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
