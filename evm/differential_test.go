package evm

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/gethevm"
	"github.com/talaria-l2/talaria/state"
)

type signer struct {
	key  *ecdsa.PrivateKey
	addr common.Address
}

func createdBy(addr common.Address, nonce uint64) common.Address {
	return crypto.CreateAddress(addr, nonce)
}

// differential runs transactions made from choices three ways: by this package without
// and with a tracer, and by go-ethereum. It keeps what can be used again.
type differential struct {
	t       testing.TB
	cfg     *chain.Config
	geth    *params.ChainConfig
	m       *Machine // without a tracer
	traced  *Machine
	flat    *gethevm.Flat // without a tracer
	signers []signer
	senders []common.Address
	env     *Env
	block   *gethevm.Block
	sweeps  int // gas limits tried per transaction

	// ask is the event to tell of in words, if the transaction is not negative.
	ask mismatch

	seen                 coverage
	valid, failed, swept int
}

func newDifferential(t testing.TB, sweeps int) *differential {
	cfg := chain.DefaultConfig()
	cfg.TxGasCap, cfg.MaxCodeSize, cfg.MaxInitCode = params.MaxTxGas, params.MaxCodeSize, params.MaxInitCodeSize
	d := &differential{cfg: &cfg, m: NewMachine(&cfg), traced: NewMachine(&cfg), sweeps: sweeps, ask: mismatch{tx: -1}}
	d.t, d.geth = t, gethevm.Config(cfg.ChainID, gethevm.Osaka)
	d.env = &Env{
		Number: 300, Timestamp: 1000, GasLimit: 100_000_000, BaseFee: big.NewInt(1000), PrevRandao: common.Hash{9},
		Coinbase: common.HexToAddress("0xc01bba5e"), BlobBaseFee: big.NewInt(3), Config: &cfg,
		BlockHash: func(n uint64) common.Hash { return common.Hash{byte(n)} },
	}
	d.block = &gethevm.Block{Number: d.env.Number, Time: d.env.Timestamp, GasLimit: d.env.GasLimit, BaseFee: d.env.BaseFee,
		BlobBaseFee: d.env.BlobBaseFee, Random: d.env.PrevRandao, Coinbase: d.env.Coinbase, BlockHash: d.env.BlockHash}
	d.flat = gethevm.NewFlat(d.geth)
	d.flat.Begin(d.block)
	for i := range byte(3) {
		key, addr := testKey(t, i+1)
		d.signers, d.senders = append(d.signers, signer{key, addr}), append(d.senders, addr)
	}
	t.Cleanup(func() {
		d.m.Close()
		d.traced.Close()
		d.flat.Close()
	})
	return d
}

// run makes a state and a block of transactions from choices and compares after each
// one. The error says where the first difference is.
func (d *differential) run(choices []byte) error {
	s := &source{bytes: choices}
	w := newWorld(d.env.Coinbase, d.senders)
	alloc := w.alloc(s)
	orphans := w.extremes(s, alloc)
	view := newMemoryFrom(alloc)
	if s.below(4) != 0 { // as if they had run before
		view.warmCode()
	} else {
		view.coolCode()
	}
	geth, err := gethevm.NewGeth(d.geth, alloc)
	if err != nil {
		return err
	}
	defer geth.Close()
	for n := range 3 {
		tx, gas := w.tx(s, d.signers, view, d.cfg.ChainID)
		if err := d.one(n, geth, view, tx, gas, orphans, s); err != nil {
			return fmt.Errorf("transaction %d, type %d, gas %d, to %v: %w\nstate: %s", n, tx(gas).Type(), gas, tx(gas).To(), err, describe(alloc))
		}
	}
	return nil
}

// one compares a transaction, then with other gas limits, then applies it.
func (d *differential) one(n int, geth *gethevm.Geth, view *memory, sign func(gas uint64) *types.Transaction, gas uint64, orphans bool, s *source) error {
	tx := sign(gas)
	got, err := executeEth(d.m, view, tx, d.env)
	ours, theirs := &events{state: !orphans, wanted: -1}, &events{state: !orphans, wanted: -1, seen: &d.seen}
	if d.ask.tx == n {
		ours.wanted, theirs.wanted = d.ask.event, d.ask.event
	}
	d.traced.SetTracer(ours.hooks())
	tracedGot, tracedErr := executeEth(d.traced, view, tx, d.env)
	if err := same(got, tracedGot, err, tracedErr); err != nil {
		return fmt.Errorf("with a tracer: %w", err)
	}
	want, wantErr := d.peer(geth, view, tx, theirs, orphans)
	if err := equal(tracedGot, tracedErr, want, wantErr); err != nil {
		return err
	}
	if tracedErr == nil && !sameCause(tracedGot.Err, want.Err) {
		return fmt.Errorf("error %v, go-ethereum %v", tracedGot.Err, want.Err)
	}
	if at := firstDifference(ours, theirs); at >= 0 && wantErr == nil {
		return &mismatch{tx: n, event: at, ours: ours.text, theirs: theirs.text}
	}
	if err == nil {
		d.valid++
		if got.Err != nil {
			d.failed++
		}
	}
	if err := d.sweep(view, sign, gas, theirs.steps, s); err != nil {
		return err
	}
	if err != nil {
		return nil
	}
	view.apply(got.Diff)
	if !orphans {
		if a, b := stateRoot(d.t, view), geth.Root(); a != b {
			return fmt.Errorf("state root %v, go-ethereum %v; diff %+v", a, b, got.Diff)
		}
	}
	return checkForm(got)
}

// peer runs a transaction by go-ethereum with a tracer, on its own state if it can.
func (d *differential) peer(geth *gethevm.Geth, view *memory, tx *types.Transaction, e *events, orphans bool) (*gethevm.Result, error) {
	block, r := *d.block, new(gethevm.Result)
	block.Hooks = e.hooks()
	if !orphans {
		geth.Begin(&block)
		return r, geth.Execute(tx, r)
	}
	flat := gethevm.NewFlat(d.geth)
	defer flat.Close()
	flat.Begin(&block)
	return r, flat.Execute(view, tx, r)
}

// sweep ends the execution early, at or beside some of its steps.
func (d *differential) sweep(view *memory, sign func(gas uint64) *types.Transaction, gas uint64, steps []traceStep, s *source) error {
	if len(steps) == 0 {
		return nil
	}
	seed := uint64(0)
	for range 4 {
		seed = seed<<8 | uint64(s.next())
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	for range d.sweeps {
		step := steps[rng.IntN(len(steps))]
		if rng.IntN(3) == 0 {
			step = steps[rng.IntN(min(len(steps), 40))]
		}
		less := int64(step.gas) - int64(step.cost) + rng.Int64N(3) - 1
		for range step.depth - 1 { // a caller keeps 1/64
			less += (less + 62) / 63
		}
		if rng.IntN(4) == 0 {
			less += rng.Int64N(int64(step.cost) + 20)
		}
		if less <= 0 || uint64(less) >= gas {
			continue
		}
		d.swept++
		tx := sign(gas - uint64(less))
		got, err := executeEth(d.m, view, tx, d.env)
		var want gethevm.Result
		wantErr := d.flat.Execute(view, tx, &want)
		if e := equal(got, err, &want, wantErr); e != nil {
			return fmt.Errorf("with gas %d: %w", tx.Gas(), e)
		}
		if err == nil && !sameDiff(got.Diff, want.Diff) {
			return fmt.Errorf("with gas %d: diff %+v, go-ethereum %+v", tx.Gas(), got.Diff, want.Diff)
		}
	}
	return nil
}

// mismatch is the first event of a traced transaction that differs.
type mismatch struct {
	tx, event    int
	ours, theirs string
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("event %d of the trace differs\nours:        %s\ngo-ethereum: %s", m.event, m.ours, m.theirs)
}

// check is run that tells of the first event that differs.
func (d *differential) check(choices []byte) error {
	err := d.run(choices)
	var m *mismatch
	if errors.As(err, &m) {
		d.ask = *m
		err = d.run(choices)
		d.ask.tx = -1
	}
	return err
}

// same compares two results of this package.
func same(a, b *Result, errA, errB error) error {
	if errorText(errA) != errorText(errB) {
		return fmt.Errorf("error %q, and %q", errorText(errA), errorText(errB))
	}
	if errA != nil {
		return nil
	}
	if a.GasUsed != b.GasUsed || a.Status != b.Status || !slices.Equal(a.ReturnData, b.ReturnData) || !sameOutcome(a.Err, b.Err) ||
		!sameLogs(a.Logs, b.Logs) || !sameDiff(a.Diff, b.Diff) || a.ContractAddress != b.ContractAddress {
		return fmt.Errorf("result\n%+v, and\n%+v", a, b)
	}
	return nil
}

// equal compares a result with go-ethereum's, diffs apart.
func equal(got *Result, err error, want *gethevm.Result, wantErr error) error {
	if err != nil || wantErr != nil {
		if errorText(err) != errorText(wantErr) && (err == nil || wantErr == nil || !errors.Is(err, ErrNonceTooLow)) {
			return fmt.Errorf("invalid: %q, go-ethereum %q", errorText(err), errorText(wantErr))
		}
		return nil
	}
	if got.GasUsed != want.GasUsed || (got.Status == 1) != (want.Err == nil) || !slices.Equal(got.ReturnData, want.ReturnData) || !sameOutcome(got.Err, want.Err) {
		return fmt.Errorf("gas %d, data %x, error %v; go-ethereum: %d, %x, %v", got.GasUsed, got.ReturnData, got.Err, want.GasUsed, want.ReturnData, want.Err)
	}
	if !sameLogs(got.Logs, want.Logs) {
		return fmt.Errorf("logs %+v, go-ethereum %+v", got.Logs, want.Logs)
	}
	return nil
}

func sameLogs(a, b []*types.Log) bool {
	return slices.EqualFunc(a, b, func(x, y *types.Log) bool {
		return x.Address == y.Address && slices.Equal(x.Topics, y.Topics) && slices.Equal(x.Data, y.Data)
	})
}

func sameDiff(a, b state.Diff) bool {
	return slices.EqualFunc(a, b, func(x, y state.AccountDiff) bool {
		return x.Address == y.Address && reflect.DeepEqual(x.Nonce, y.Nonce) && reflect.DeepEqual(x.Balance, y.Balance) &&
			x.CodeChanged == y.CodeChanged && slices.Equal(x.Code, y.Code) && slices.Equal(x.Storage, y.Storage)
	})
}

// sameOutcome reports whether both went well, both reverted, or both halted. The cause of
// a halt is not part of it: a compiled block charges the gas of many instructions at once.
func sameOutcome(got, want error) bool {
	return (got == nil) == (want == nil) && reverted(got) == reverted(want)
}

func reverted(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), vm.ErrExecutionReverted.Error())
}

func sameCause(got, want error) bool {
	if got == nil || want == nil {
		return got == nil && want == nil
	}
	// A revert has its reason here; out of gas has its cause there.
	return strings.HasPrefix(got.Error(), want.Error()) || strings.HasPrefix(want.Error(), got.Error())
}

// checkForm checks that the diff is sorted and lists no account in vain.
func checkForm(r *Result) error {
	for i := range r.Diff {
		d := &r.Diff[i]
		if d.Nonce == nil && d.Balance == nil && !d.CodeChanged && len(d.Storage) == 0 {
			return fmt.Errorf("diff lists %v without a change", d.Address)
		}
		if i > 0 && r.Diff[i-1].Address.Cmp(d.Address) >= 0 {
			return fmt.Errorf("diff lists %v out of order", d.Address)
		}
	}
	return nil
}

func describe(alloc types.GenesisAlloc) string {
	raw, err := json.Marshal(alloc)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// tx returns a transaction that can be signed with any gas limit, and its first one.
func (w *world) tx(s *source, signers []signer, view *memory, chainID uint64) (sign func(gas uint64) *types.Transaction, gas uint64) {
	from := signers[s.below(len(signers))]
	nonce := view.accounts[from.addr].Nonce
	switch s.below(60) {
	case 58:
		nonce++
	case 59:
		nonce--
	}
	to := w.address(s)
	if s.below(3) != 0 {
		to = w.contracts[s.below(worldContracts)]
	}
	gas = s.one(60_000, 100_000, 200_000, 300_000, 300_000, 1_000_000, 1_000_000, 1_000_000, 2_000_000, 3_000_000)
	if s.below(40) == 39 {
		gas = s.one(21_000, 53_500, params.MaxTxGas, params.MaxTxGas+1)
	}
	value := new(big.Int).SetUint64(s.one(0, 0, 1, 1000))
	if s.below(60) == 59 {
		value.Mul(ether, big.NewInt(11))
	}
	tip, feeCap := new(big.Int).SetUint64(s.one(0, 5, 900)), new(big.Int).SetUint64(s.one(1000, 1003, 5000, 5001, 5002, 5003, 5004, 2000))
	if s.below(50) == 49 {
		feeCap.SetUint64(s.one(999, 800))
	}
	data := make([]byte, s.one(0, 4, 100, 1000))
	for i := range data {
		data[i] = s.next()
	}
	id := new(big.Int).SetUint64(chainID)
	var build func(gas uint64) types.TxData
	switch s.below(9) {
	case 0, 1:
		build = func(gas uint64) types.TxData {
			return &types.LegacyTx{Nonce: nonce, Gas: gas, GasPrice: feeCap, To: &to, Value: value, Data: data}
		}
	case 2:
		list := w.accessList(s)
		build = func(gas uint64) types.TxData {
			return &types.AccessListTx{ChainID: id, Nonce: nonce, Gas: gas, GasPrice: feeCap, To: &to, Value: value, Data: data, AccessList: list}
		}
	case 3:
		list := w.accessList(s)
		build = func(gas uint64) types.TxData {
			return &types.DynamicFeeTx{ChainID: id, Nonce: nonce, Gas: gas, GasFeeCap: feeCap, GasTipCap: tip, To: &to, Value: value, Data: data, AccessList: list}
		}
	case 4, 5:
		auths := w.authorizations(s, signers, chainID)
		build = func(gas uint64) types.TxData {
			return &types.SetCodeTx{ChainID: uint256.MustFromBig(id), Nonce: nonce, Gas: gas, GasFeeCap: uint256.MustFromBig(feeCap),
				GasTipCap: uint256.MustFromBig(tip), To: to, Value: uint256.MustFromBig(value), Data: data, AuthList: auths}
		}
	case 6:
		hashes := make([]common.Hash, s.one(1, 1, 2, 6, 6, 0, 7))
		for i := range hashes {
			hashes[i] = common.Hash{1, s.next()}
		}
		if s.below(16) == 15 && len(hashes) > 0 {
			hashes[0][0] = 2
		}
		blobCap := uint256.NewInt(s.one(3, 5, 3, 100, 3, 3, 2))
		build = func(gas uint64) types.TxData {
			return &types.BlobTx{ChainID: uint256.MustFromBig(id), Nonce: nonce, Gas: gas, GasFeeCap: uint256.MustFromBig(feeCap), GasTipCap: uint256.MustFromBig(tip),
				To: to, Value: uint256.MustFromBig(value), Data: data, BlobHashes: hashes, BlobFeeCap: blobCap}
		}
	default: // a creation
		code := w.program(s, 12)
		build = func(gas uint64) types.TxData {
			return &types.DynamicFeeTx{ChainID: id, Nonce: nonce, Gas: gas, GasFeeCap: feeCap, GasTipCap: tip, Value: value, Data: code}
		}
	}
	latest := types.NewPragueSigner(id)
	return func(gas uint64) *types.Transaction { return types.MustSignNewTx(from.key, latest, build(gas)) }, gas
}
