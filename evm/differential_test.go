package evm

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

type signer struct {
	key  *ecdsa.PrivateKey
	addr common.Address
}

// osakaConfig is go-ethereum's configuration of a chain that has run Osaka's rules
// since its first block.
func osakaConfig(chainID uint64) *params.ChainConfig {
	zero, start := new(big.Int), uint64(0)
	return &params.ChainConfig{
		ChainID:        new(big.Int).SetUint64(chainID),
		HomesteadBlock: zero, EIP150Block: zero, EIP155Block: zero, EIP158Block: zero,
		ByzantiumBlock: zero, ConstantinopleBlock: zero, PetersburgBlock: zero,
		IstanbulBlock: zero, MuirGlacierBlock: zero, BerlinBlock: zero, LondonBlock: zero,
		ArrowGlacierBlock: zero, GrayGlacierBlock: zero, MergeNetsplitBlock: zero,
		TerminalTotalDifficulty: zero,
		ShanghaiTime:            &start, CancunTime: &start, PragueTime: &start, OsakaTime: &start,
		BlobScheduleConfig: params.DefaultBlobSchedule,
	}
}

// oracle is go-ethereum's own state transition on its own state.
type oracle struct {
	t     testing.TB
	db    *gethstate.StateDB
	rules params.Rules
	cfg   *params.ChainConfig
}

func newOracle(t testing.TB, cfg *params.ChainConfig, alloc types.GenesisAlloc) *oracle {
	store := gethstate.NewDatabaseForTesting()
	db, err := gethstate.New(types.EmptyRootHash, store)
	if err != nil {
		t.Fatal(err)
	}
	for addr, a := range alloc {
		db.SetCode(addr, a.Code, tracing.CodeChangeUnspecified)
		db.SetNonce(addr, a.Nonce, tracing.NonceChangeUnspecified)
		db.SetBalance(addr, uint256.MustFromBig(a.Balance), tracing.BalanceChangeUnspecified)
		for k, v := range a.Storage {
			db.SetState(addr, k, v)
		}
	}
	rules := cfg.Rules(new(big.Int), true, 0)
	root, err := db.Commit(rules, 0)
	if err != nil {
		t.Fatal(err)
	}
	if db, err = gethstate.New(root, store); err != nil {
		t.Fatal(err)
	}
	return &oracle{t: t, db: db, rules: rules, cfg: cfg}
}

func (o *oracle) apply(tx *chain.Tx, env *Env) (*core.ExecutionResult, []*types.Log, error) {
	random := env.PrevRandao
	evm := vm.NewEVM(vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, GetHash: vm.GetHashFunc(env.BlockHash),
		Coinbase: env.Coinbase, GasLimit: env.GasLimit, BlockNumber: new(big.Int).SetUint64(env.Number),
		Time: env.Timestamp, Difficulty: new(big.Int), BaseFee: env.BaseFee, BlobBaseFee: big.NewInt(1), Random: &random,
	}, o.db, o.cfg, vm.Config{})
	defer evm.Release()
	msg, err := core.TransactionToMessage(tx.Eth, types.NewPragueSigner(o.cfg.ChainID), env.BaseFee)
	if err != nil {
		return nil, nil, err
	}
	o.db.SetTxContext(tx.Hash(), 0, 0)
	snapshot := o.db.Snapshot()
	res, err := core.ApplyMessage(evm, msg, nil)
	if err != nil {
		o.db.RevertToSnapshot(snapshot)
	}
	logs := o.db.GetLogs(tx.Hash(), env.Number, common.Hash{}, 0)
	o.db.Finalise(o.rules)
	return res, logs, err
}

// equalsOracle runs a block of transactions made from choices in both, and
// compares after each one.
func equalsOracle(t *testing.T, choices []byte) (valid, failed int) {
	cfg := chain.DefaultConfig()
	cfg.TxGasCap, cfg.MaxCodeSize, cfg.MaxInitCode = params.MaxTxGas, params.MaxCodeSize, params.MaxInitCodeSize
	env := &Env{
		Number: 300, Timestamp: 1000, GasLimit: 100_000_000, BaseFee: big.NewInt(1000), PrevRandao: common.Hash{9},
		Coinbase: common.HexToAddress("0xc01bba5e"), Config: &cfg,
		BlockHash: func(n uint64) common.Hash { return common.Hash{byte(n)} },
	}
	s := &source{bytes: choices}
	var signers []signer
	var senders []common.Address
	for i := range byte(3) {
		key, addr := testKey(t, i+1)
		signers, senders = append(signers, signer{key, addr}), append(senders, addr)
	}
	w := newWorld(env.Coinbase, senders)
	alloc := w.alloc(s)
	view, o := newMemoryFrom(alloc), newOracle(t, osakaConfig(cfg.ChainID), alloc)
	m := NewMachine(&cfg)
	defer m.Close()

	for n := 0; n < 4; n++ {
		tx := w.tx(t, s, signers, view, &cfg)
		want, wantLogs, wantErr := o.apply(tx, env)
		got, err := executeOn(m, view, tx, env)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("tx %d: error %v, go-ethereum %v", n, err, wantErr)
		}
		if err != nil {
			if err.Error() != wantErr.Error() && !errors.Is(err, ErrNonceTooLow) {
				t.Fatalf("tx %d: error %q, go-ethereum %q", n, err, wantErr)
			}
			continue
		}
		valid++
		if got.Err != nil {
			failed++
		}
		if got.GasUsed != want.UsedGas || !slices.Equal(got.ReturnData, want.ReturnData) || !sameOutcome(got.Err, want.Err) {
			t.Fatalf("tx %d: gas %d, data %x, error %v; go-ethereum: %d, %x, %v",
				n, got.GasUsed, got.ReturnData, got.Err, want.UsedGas, want.ReturnData, want.Err)
		}
		if a, b := rlpHash(t, append([]*types.Log{}, got.Logs...)), rlpHash(t, append([]*types.Log{}, wantLogs...)); a != b {
			t.Fatalf("tx %d: %d logs, go-ethereum %d, or they differ", n, len(got.Logs), len(wantLogs))
		}
		view.apply(got.Diff)
		if a, b := stateRoot(t, view), o.db.IntermediateRoot(o.rules); a != b {
			t.Fatalf("tx %d: state root %v, go-ethereum %v; diff %+v", n, a, b, got.Diff)
		}
		checkForm(t, got)
	}
	return valid, failed
}

func sameOutcome(got, want error) bool {
	if got == nil || want == nil {
		return got == nil && want == nil
	}
	// A revert has its reason here; out of gas has its cause there.
	return strings.HasPrefix(got.Error(), want.Error()) || strings.HasPrefix(want.Error(), got.Error())
}

// checkForm checks that the diff is sorted and lists no account in vain.
func checkForm(t *testing.T, r *Result) {
	for i := range r.Diff {
		d := &r.Diff[i]
		if d.Nonce == nil && d.Balance == nil && !d.CodeChanged && len(d.Storage) == 0 {
			t.Fatalf("diff lists %v without a change", d.Address)
		}
		if i > 0 && r.Diff[i-1].Address.Cmp(d.Address) >= 0 {
			t.Fatalf("diff lists %v out of order", d.Address)
		}
	}
}

func (w *world) tx(t testing.TB, s *source, signers []signer, view *memory, cfg *chain.Config) *chain.Tx {
	from := signers[s.below(len(signers))]
	nonce := view.accounts[from.addr].Nonce
	switch s.below(30) {
	case 28:
		nonce++
	case 29:
		nonce--
	}
	to := new(common.Address)
	*to = w.address(s)
	gas := s.one(100_000, 1_000_000, 1_000_000, 2_000_000, 5_000_000, 5_000_000, 300_000, 200_000, 60_000, params.MaxTxGas, params.MaxTxGas)
	if s.below(25) == 24 {
		gas = s.one(21_000, 53_500, params.MaxTxGas+1)
	}
	value := new(big.Int).SetUint64(s.one(0, 0, 1, 1000))
	if s.below(40) == 39 {
		value.Mul(ether, big.NewInt(11))
	}
	tip, cap := new(big.Int).SetUint64(s.one(0, 5, 900)), new(big.Int).SetUint64(s.one(1000, 1003, 5000, 5001, 5002, 5003, 5004, 2000))
	if s.below(25) == 24 {
		cap.SetUint64(s.one(999, 800))
	}
	data := make([]byte, s.one(0, 4, 100, 1000))
	for i := range data {
		data[i] = s.next()
	}
	id := new(big.Int).SetUint64(cfg.ChainID)
	var inner types.TxData
	switch kind := s.below(8); kind {
	case 0, 1:
		inner = &types.LegacyTx{Nonce: nonce, Gas: gas, GasPrice: cap, To: to, Value: value, Data: data}
	case 2:
		inner = &types.AccessListTx{ChainID: id, Nonce: nonce, Gas: gas, GasPrice: cap, To: to, Value: value, Data: data, AccessList: w.accessList(s)}
	case 3:
		inner = &types.DynamicFeeTx{ChainID: id, Nonce: nonce, Gas: gas, GasFeeCap: cap, GasTipCap: tip, To: to, Value: value, Data: data, AccessList: w.accessList(s)}
	case 4, 5:
		inner = &types.SetCodeTx{ChainID: uint256.MustFromBig(id), Nonce: nonce, Gas: gas, GasFeeCap: uint256.MustFromBig(cap), GasTipCap: uint256.MustFromBig(tip),
			To: *to, Value: uint256.MustFromBig(value), Data: data, AuthList: w.authorizations(s, signers, cfg.ChainID)}
	default: // a creation
		inner = &types.DynamicFeeTx{ChainID: id, Nonce: nonce, Gas: gas, GasFeeCap: cap, GasTipCap: tip, Value: value, Data: w.program(s, 12)}
	}
	signed, err := types.SignNewTx(from.key, types.NewPragueSigner(id), inner)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func randomChoices(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 4096)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestRandomProgramsEqualGoEthereum(t *testing.T) {
	seeds, valid, failed := 3000, 0, 0
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		func() {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			v, f := equalsOracle(t, randomChoices(uint64(seed)))
			valid, failed = valid+v, failed+f
		}()
	}
	t.Logf("%d seeds: %d transactions included, %d of them failed", seeds, valid, failed)
}

func FuzzExecuteEqualsGoEthereum(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(randomChoices(seed))
	}
	f.Fuzz(func(t *testing.T, choices []byte) { equalsOracle(t, choices) })
}
