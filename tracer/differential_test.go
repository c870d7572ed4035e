package tracer

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/internal/gethevm"
	"github.com/talaria-l2/talaria/state"
)

// program puts code together.
type program []byte

func (p program) op(ops ...vm.OpCode) program {
	for _, op := range ops {
		p = append(p, byte(op))
	}
	return p
}

func (p program) push(data ...byte) program {
	return append(append(p, byte(vm.PUSH1)+byte(len(data)-1)), data...)
}

// call calls addr with n bytes of memory as input and drops the result.
func (p program) call(op vm.OpCode, addr common.Address, value, n byte) program {
	p = p.op(vm.PUSH0, vm.PUSH0).push(n).op(vm.PUSH0)
	if op == vm.CALL || op == vm.CALLCODE {
		p = p.push(value)
	}
	return p.push(addr[:]...).op(vm.GAS, op, vm.POP)
}

// create creates with the initcode, at most 32 bytes, and leaves the address.
func (p program) create(op vm.OpCode, initcode program) program {
	p = p.push(common.RightPadBytes(initcode, 32)...).op(vm.PUSH0, vm.MSTORE)
	if op == vm.CREATE2 {
		p = p.push(5)
	}
	return p.push(byte(len(initcode))).op(vm.PUSH0).push(1).op(op)
}

func contract(i byte) common.Address { return common.BytesToAddress([]byte{0xc0, 0xde, i}) }

// Contracts of the differential test.
var (
	store     = contract(1) // writes and reads a slot, hashes, logs, returns
	reverter  = contract(2) // logs and reverts with a reason
	burner    = contract(3) // loops for ever
	destroyer = contract(4) // destroys itself
	outer     = contract(5) // calls all others in all ways
	maker     = contract(6) // creates in all ways
	broken    = contract(7) // an instruction that is none
	deep      = contract(8) // calls itself
	wanderer  = contract(9) // jumps to nowhere
	clearer   = contract(10)
	absent    = common.HexToAddress("0xabcdef")
)

func testAlloc(users []common.Address) types.GenesisAlloc {
	// Error(string) "no"
	reason := common.FromHex("08c379a0" + "0000000000000000000000000000000000000000000000000000000000000020" + "0000000000000000000000000000000000000000000000000000000000000002" + "6e6f000000000000000000000000000000000000000000000000000000000000")
	reverts := program{}.push(1).push(1).op(vm.PUSH0, vm.LOG1)
	for i := 0; i < len(reason); i += 32 {
		reverts = reverts.push(common.RightPadBytes(reason[i:min(i+32, len(reason))], 32)...).push(byte(i)).op(vm.MSTORE)
	}
	reverts = reverts.push(byte(len(reason))).op(vm.PUSH0, vm.REVERT)
	writes := program{}.op(vm.PUSH0, vm.CALLDATALOAD).push(1).op(vm.ADD, vm.DUP1, vm.PUSH0, vm.SSTORE, vm.PUSH0, vm.SLOAD, vm.PUSH0, vm.MSTORE).
		push(32).op(vm.PUSH0, vm.KECCAK256, vm.DUP1, vm.DUP1, vm.TSTORE).push(32).op(vm.PUSH0, vm.LOG2-1).
		push(32).op(vm.PUSH0, vm.RETURN)
	all := program{}.call(vm.CALL, store, 1, 4).call(vm.DELEGATECALL, store, 0, 32).call(vm.STATICCALL, store, 0, 4).call(vm.CALLCODE, store, 1, 36).
		call(vm.CALL, reverter, 0, 4).op(vm.RETURNDATASIZE, vm.PUSH0, vm.PUSH0, vm.RETURNDATACOPY).
		call(vm.CALL, common.BytesToAddress([]byte{2}), 0, 7).call(vm.STATICCALL, common.BytesToAddress([]byte{4}), 0, 5).
		call(vm.CALL, absent, 1, 0).call(vm.CALL, contract(99), 0, 0).call(vm.DELEGATECALL, contract(98), 0, 0).
		call(vm.CALL, destroyer, 0, 0).call(vm.CALL, broken, 0, 0).call(vm.CALL, wanderer, 0, 0).
		push(bytes.Repeat([]byte{0xee}, 20)...).op(vm.BALANCE).push(contract(97).Bytes()...).op(vm.EXTCODEHASH).
		op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0).push(burner[:]...).push(0x20, 0).op(vm.CALL).
		op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0).push(bytes.Repeat([]byte{0xff}, 12)...).push(store[:]...).op(vm.GAS, vm.CALL). // more than it has
		push(32).op(vm.PUSH0, vm.RETURN)
	suicide := program{}.op(vm.CALLER, vm.SELFDESTRUCT)
	makes := program{}.create(vm.CREATE, suicide).create(vm.CREATE2, program{}.push(3).op(vm.PUSH0, vm.SSTORE).push(2).op(vm.PUSH0, vm.RETURN)).
		create(vm.CREATE2, program{}.push(3).op(vm.PUSH0, vm.SSTORE).push(2).op(vm.PUSH0, vm.RETURN)). // again: collides
		create(vm.CREATE, program{}.op(vm.PUSH0, vm.PUSH0, vm.REVERT)).create(vm.CREATE, program{}.push(0xef).op(vm.PUSH0, vm.MSTORE8).push(1).op(vm.PUSH0, vm.RETURN)).
		// A contract that destroys itself when it is called: code CALLER SELFDESTRUCT.
		create(vm.CREATE, program{}.push(0x33, 0xff).op(vm.PUSH0, vm.MSTORE).push(2).push(30).op(vm.RETURN)).
		op(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.DUP1+5, vm.GAS, vm.CALL).op(vm.EXTCODESIZE)
	code := map[common.Address]program{
		store: writes, reverter: reverts, burner: program{}.op(vm.JUMPDEST, vm.PUSH0, vm.JUMP), destroyer: program{}.push(absent[:]...).op(vm.SELFDESTRUCT),
		outer: all, maker: makes, broken: program{}.push(1).op(0x0c), deep: program{}.call(vm.CALL, deep, 0, 0), wanderer: program{}.push(9).op(vm.JUMP),
		clearer: program{}.op(vm.PUSH0, vm.PUSH0, vm.SSTORE).push(4).push(1).op(vm.SSTORE).push(1).op(vm.SLOAD),
	}
	alloc := make(types.GenesisAlloc)
	for addr, c := range code {
		alloc[addr] = types.Account{Code: c, Nonce: 1, Balance: big.NewInt(1000)}
	}
	alloc[clearer] = types.Account{Code: code[clearer], Nonce: 1, Storage: map[common.Hash]common.Hash{{}: {31: 1}, {31: 1}: {31: 2}}}
	for _, u := range users {
		alloc[u] = types.Account{Balance: new(big.Int).Mul(big.NewInt(params.Ether), big.NewInt(9))}
	}
	return alloc
}

type testTx struct {
	name string
	tx   *types.Transaction
}

func testTxs(t *testing.T, keys []*ecdsa.PrivateKey, chainID uint64) []testTx {
	t.Helper()
	id := new(big.Int).SetUint64(chainID)
	nonce, out := uint64(0), []testTx(nil)
	add := func(name string, inner func(nonce uint64) types.TxData) {
		out = append(out, testTx{name, types.MustSignNewTx(keys[0], types.LatestSignerForChainID(id), inner(nonce))})
		nonce++
	}
	send := func(name string, to *common.Address, value int64, gas uint64, data []byte) {
		add(name, func(nonce uint64) types.TxData {
			return &types.DynamicFeeTx{ChainID: id, Nonce: nonce, GasTipCap: big.NewInt(2), GasFeeCap: big.NewInt(5000), Gas: gas, To: to, Value: big.NewInt(value), Data: data}
		})
	}
	word := common.LeftPadBytes([]byte{9}, 36)
	send("a transfer", &absent, 7, 21_000, nil)
	send("a transfer of nothing to nobody", &common.Address{0x77}, 0, 21_000, nil)
	send("a transfer to the coinbase", &testCoinbase, 7, 21_000, nil)
	send("a transfer to itself", addressOf(keys[0]), 7, 21_000, nil)
	add("a legacy transaction that writes and logs", func(nonce uint64) types.TxData {
		return &types.LegacyTx{Nonce: nonce, GasPrice: big.NewInt(4000), Gas: 100_000, To: &store, Value: big.NewInt(3), Data: word}
	})
	add("an access list", func(nonce uint64) types.TxData {
		return &types.AccessListTx{ChainID: id, Nonce: nonce, GasPrice: big.NewInt(4000), Gas: 200_000, To: &store, Value: new(big.Int), Data: word,
			AccessList: types.AccessList{{Address: store, StorageKeys: []common.Hash{{}}}}}
	})
	send("a revert with a reason", &reverter, 0, 100_000, word)
	send("out of gas in a loop", &burner, 0, 50_000, nil)
	send("out of gas within a write", &store, 0, 30_000, word)
	send("calls of all kinds", &outer, 2, 3_000_000, word)
	send("calls of all kinds again", &outer, 2, 3_000_000, nil)
	send("creations of all kinds", &maker, 9, 2_000_000, nil)
	send("a creation", nil, 4, 200_000, program{}.push(7).op(vm.PUSH0, vm.SSTORE).push(3).op(vm.PUSH0, vm.RETURN))
	send("a creation that reverts", nil, 4, 200_000, program{}.push(7).op(vm.PUSH0, vm.SSTORE).push(3).op(vm.PUSH0, vm.REVERT))
	send("a creation that destroys itself", nil, 4, 200_000, program{}.op(vm.ADDRESS, vm.SELFDESTRUCT))
	send("a creation without gas for its code", nil, 0, 70_000, program{}.push(0x10, 0).op(vm.PUSH0, vm.RETURN))
	send("a contract destroys itself", &destroyer, 1, 100_000, nil)
	send("an instruction that is none", &broken, 1, 100_000, nil)
	send("a jump to nowhere", &wanderer, 0, 100_000, nil)
	send("slots are cleared", &clearer, 0, 100_000, nil)
	send("calls within calls", &deep, 0, 150_000, nil)
	send("a precompiled contract", addr(2), 0, 100_000, word)
	send("a precompiled contract that fails", addr(10), 0, 100_000, word)
	add("an authorization", func(nonce uint64) types.TxData {
		auth, err := types.SignSetCode(keys[1], types.SetCodeAuthorization{ChainID: *uint256.NewInt(chainID), Address: store})
		if err != nil {
			t.Fatal(err)
		}
		wrong := auth
		wrong.Nonce = 5
		return &types.SetCodeTx{ChainID: uint256.NewInt(chainID), Nonce: nonce, GasTipCap: uint256.NewInt(2), GasFeeCap: uint256.NewInt(5000), Gas: 300_000,
			To: *addressOf(keys[1]), Value: uint256.NewInt(1), Data: word, AuthList: []types.SetCodeAuthorization{auth, wrong}}
	})
	send("a delegated account", addressOf(keys[1]), 1, 100_000, word)
	add("an authorization withdrawn", func(nonce uint64) types.TxData {
		auth, err := types.SignSetCode(keys[1], types.SetCodeAuthorization{ChainID: *uint256.NewInt(chainID), Nonce: 1})
		if err != nil {
			t.Fatal(err)
		}
		return &types.SetCodeTx{ChainID: uint256.NewInt(chainID), Nonce: nonce, GasTipCap: uint256.NewInt(2), GasFeeCap: uint256.NewInt(5000), Gas: 300_000,
			To: outer, Value: new(uint256.Int), AuthList: []types.SetCodeAuthorization{auth}}
	})
	return out
}

func addr(b byte) *common.Address {
	a := common.BytesToAddress([]byte{b})
	return &a
}

func addressOf(key *ecdsa.PrivateKey) *common.Address {
	a := crypto.PubkeyToAddress(key.PublicKey)
	return &a
}

var testCoinbase = common.HexToAddress("0xc01bba5e")

// testConfigs are what is asked of both.
func testConfigs() map[string]*Config {
	const script = `{
		seen: [], calls: [], setup: function(c) { this.config = c; },
		step: function(log, db) {
			if (log.op.toString() == "SSTORE" || log.op.isPush()) this.seen.push([log.getPC(), log.getGas(), log.getCost(), log.getDepth(), log.getRefund(), log.stack.length(), toHex(log.contract.getAddress())]);
		},
		fault: function(log, db) { this.seen.push(["fault", log.getError(), log.getPC()]); },
		enter: function(f) { this.calls.push([f.getType(), toHex(f.getFrom()), toHex(f.getTo()), toHex(f.getInput()), f.getGas(), f.getValue() + ""]); },
		exit: function(r) { this.calls.push([r.getGasUsed(), toHex(r.getOutput()), r.getError()]); },
		result: function(ctx, db) {
			return {seen: this.seen, calls: this.calls, config: this.config, type: ctx.type, from: toHex(ctx.from), to: toHex(ctx.to), gas: ctx.gas, used: ctx.gasUsed,
				price: ctx.gasPrice + "", error: ctx.error, output: toHex(ctx.output), index: ctx.txIndex, hash: toHex(ctx.txHash), block: ctx.block,
				balance: db.getBalance(ctx.to) + "", nonce: db.getNonce(ctx.from), exists: db.exists(ctx.to), code: db.getCode(ctx.to).length};
		}}`
	named := func(name, config string) *Config { return &Config{Tracer: name, TracerConfig: json.RawMessage(config)} }
	return map[string]*Config{
		"struct logger":                  {},
		"struct logger, everything":      {EnableMemory: true, EnableReturnData: true},
		"struct logger, little":          {DisableStack: true, DisableStorage: true},
		"struct logger, limited":         {Limit: 2000},
		"callTracer":                     named("callTracer", ""),
		"callTracer with logs":           named("callTracer", `{"withLog":true}`),
		"callTracer, top only":           named("callTracer", `{"onlyTopCall":true,"withLog":true}`),
		"flatCallTracer":                 named("flatCallTracer", ""),
		"flatCallTracer, converted":      named("flatCallTracer", `{"convertParityErrors":true,"includePrecompiles":true}`),
		"prestateTracer":                 named("prestateTracer", ""),
		"prestateTracer, empty included": named("prestateTracer", `{"includeEmpty":true}`),
		"prestateTracer, diff":           named("prestateTracer", `{"diffMode":true}`),
		"prestateTracer, diff, little":   named("prestateTracer", `{"diffMode":true,"disableCode":true,"disableStorage":true}`),
		"4byteTracer":                    named("4byteTracer", ""),
		"noopTracer":                     named("noopTracer", ""),
		"muxTracer":                      named("muxTracer", `{"callTracer":{"withLog":true},"prestateTracer":{"diffMode":true},"4byteTracer":null}`),
		"erc7562Tracer":                  named("erc7562Tracer", ""),
		"keccak256PreimageTracer":        named("keccak256PreimageTracer", ""),
		"script":                         named(script, `{"a":1}`),
		"script without calls":           named(`{fault: function() {}, step: function(l) { this.n = (this.n || 0) + 1; }, result: function() { return this.n; }}`, ""),
	}
}

func TestTracesEqualGoEthereums(t *testing.T) {
	cfg := chain.DefaultConfig()
	cfg.TxGasCap, cfg.MaxCodeSize, cfg.MaxInitCode = params.MaxTxGas, params.MaxCodeSize, params.MaxInitCodeSize
	var keys []*ecdsa.PrivateKey
	var users []common.Address
	for i := range byte(2) {
		key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{i + 1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		keys, users = append(keys, key), append(users, crypto.PubkeyToAddress(key.PublicKey))
	}
	alloc, txs := testAlloc(users), testTxs(t, keys, cfg.ChainID)
	block := testBlock(t, &cfg, txs)
	geth := gethevm.Config(cfg.ChainID, gethevm.Osaka)
	m := evm.NewMachine(&cfg)
	defer m.Close()
	for name, c := range testConfigs() {
		t.Run(name, func(t *testing.T) {
			g, err := gethevm.NewGeth(geth, alloc)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			r := NewReplay(m, viewOf(alloc), block)
			limited := *c
			limited.MaxBytes, limited.Scripts = 8<<20, true
			for i := range txs {
				got, err := r.Trace(context.Background(), &limited)
				if err != nil {
					t.Fatalf("%s: %v", txs[i].name, err)
				}
				want := gethTrace(t, g, c, &cfg, block, i)
				if !bytes.Equal(got, want) {
					t.Errorf("%s:\nours        %s\ngo-ethereum %s", txs[i].name, near(got, want), near(want, got))
				}
			}
		})
	}
}

// near is the part of a where it begins to differ from b.
func near(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("…%s (byte %d of %d)", a[max(0, i-200):min(len(a), i+200)], i, len(a))
}

func testBlock(t *testing.T, cfg *chain.Config, txs []testTx) *Block {
	t.Helper()
	b := &Block{Hash: common.Hash{0xb1}, ParentHash: common.Hash{0xb0}, Env: &evm.Env{
		Number: 300, Timestamp: 1000, GasLimit: 100_000_000, BaseFee: big.NewInt(1000), PrevRandao: common.Hash{9}, Coinbase: testCoinbase, Config: cfg,
		BlockHash: func(n uint64) common.Hash { return common.Hash{byte(n)} },
	}}
	for i := range txs {
		raw, err := txs[i].tx.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		tx, err := chain.DecodeTx(raw, cfg)
		if err != nil {
			t.Fatal(err)
		}
		b.Txs = append(b.Txs, tx)
	}
	return b
}

func viewOf(alloc types.GenesisAlloc) state.View {
	db := state.NewDB()
	for addr, a := range alloc {
		acc := state.EmptyAccount
		acc.Nonce = a.Nonce
		if a.Balance != nil {
			acc.Balance.SetFromBig(a.Balance)
		}
		if len(a.Code) > 0 {
			acc.CodeHash = db.LoadCode(a.Code)
		}
		db.LoadAccount(addr, acc)
		for slot, value := range a.Storage {
			db.LoadSlot(addr, slot, value)
		}
	}
	return db.Head()
}

// gethTrace is what go-ethereum tells of transaction i, which it executes.
func gethTrace(t *testing.T, g *gethevm.Geth, c *Config, cfg *chain.Config, b *Block, i int) []byte {
	t.Helper()
	scripts := *c
	scripts.Scripts = true
	tracer, err := scripts.tracer(&place{Context: contextOf(b, i)}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Trace(&gethevm.Block{
		Number: b.Env.Number, Time: b.Env.Timestamp, GasLimit: b.Env.GasLimit, BaseFee: b.Env.BaseFee, Random: b.Env.PrevRandao,
		Coinbase: b.Env.Coinbase, BlockHash: b.Env.BlockHash, Hooks: tracer.Hooks,
	}, b.Hash, i, b.Txs[i].Eth())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tracer.GetResult()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
