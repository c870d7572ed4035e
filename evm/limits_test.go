package evm

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

func TestCodeAboveTheLimitFailsItsCreationWithAllGas(t *testing.T) {
	limit := testCfg.MaxCodeSize
	key, from := testKey(t, 1)
	const gas = 200_000_000
	for _, test := range []struct {
		name   string
		size   uint64
		status uint64
	}{
		{"at the limit", limit, 1},
		{"above the limit", limit + 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p assembler
			p.push(test.size).push(0).op(vm.RETURN)
			view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}})
			tx := signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: gas,
				GasFeeCap: big.NewInt(2_000_000), GasTipCap: new(big.Int), Value: new(big.Int), Data: p.code})
			r, err := executeOnce(view, tx, testEnv())
			if err != nil || r.Status != test.status || (r.Status == 0) != (r.GasUsed == gas) {
				t.Fatalf("result %+v, error %v", r, err)
			}
			if want := crypto.CreateAddress(from, 0); r.ContractAddress != want {
				t.Errorf("contract at %v, want %v", r.ContractAddress, want)
			}
			view.apply(r.Diff)
			a, _ := view.Account(r.ContractAddress)
			if n := len(view.Code(a.CodeHash)); r.Status == 1 && uint64(n) != test.size {
				t.Errorf("code of %d bytes", n)
			}
		})
	}
}

func TestInitcodeAboveTheLimitIsRefused(t *testing.T) {
	key, from := testKey(t, 1)
	limit := testCfg.MaxInitCode
	creation := func(size uint64) *chain.Tx {
		return signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: 200_000_000,
			GasFeeCap: big.NewInt(2_000_000), GasTipCap: new(big.Int), Value: new(big.Int), Data: make([]byte, size)})
	}
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}})
	if r, err := executeOnce(view, creation(limit), testEnv()); err != nil || r.Status != 1 {
		t.Fatalf("at the limit: result %+v, error %v", r, err)
	}
	if _, err := executeOnce(view, creation(limit+1), testEnv()); !errors.Is(err, ErrInitCodeTooLarge) {
		t.Fatalf("above the limit: error %v", err)
	}
}

// TestLimitsHoldForContractsThatCreate creates by CREATE and CREATE2, at the limits and
// one byte above: too much code fails the creation, too much initcode its caller.
func TestLimitsHoldForContractsThatCreate(t *testing.T) {
	key, from := testKey(t, 1)
	factory := common.HexToAddress("0xfac7")
	for _, test := range []struct {
		name           string
		code, initcode uint64
		created, fails bool
	}{
		{"code at its limit", testCfg.MaxCodeSize, 100, true, false},
		{"code above its limit", testCfg.MaxCodeSize + 1, 100, false, false},
		{"initcode at its limit", 1, testCfg.MaxInitCode, true, false},
		{"initcode above its limit", 1, testCfg.MaxInitCode + 1, false, true},
	} {
		for _, op := range []vm.OpCode{vm.CREATE, vm.CREATE2} {
			t.Run(test.name+" by "+op.String(), func(t *testing.T) {
				var init, p assembler
				init.push(test.code).push(0).op(vm.RETURN)
				p.pushBytes(common.RightPadBytes(init.code, 32)).push(0).op(vm.MSTORE)
				if op == vm.CREATE2 {
					p.push(7)
				}
				p.push(test.initcode).push(0).push(0).op(op).push(0).op(vm.MSTORE).push(32).push(0).op(vm.RETURN)
				view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}, factory: {Code: p.code, Nonce: 1}})
				tx := signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: 200_000_000, To: &factory,
					GasFeeCap: big.NewInt(2_000_000), GasTipCap: new(big.Int), Value: new(big.Int)})
				r, err := executeOnce(view, tx, testEnv())
				if err != nil || (r.Status == 0) != test.fails {
					t.Fatalf("result %+v, error %v", r, err)
				}
				if test.fails {
					return
				}
				at := common.BytesToAddress(r.ReturnData)
				if (at != common.Address{}) != test.created {
					t.Fatalf("created %v", at)
				}
				view.apply(r.Diff)
				a, _ := view.Account(at)
				if n := len(view.Code(a.CodeHash)); test.created && uint64(n) != test.code {
					t.Errorf("code of %d bytes", n)
				}
			})
		}
	}
}

func TestATransactionAboveEthereumsGasCapRuns(t *testing.T) {
	key, from := testKey(t, 1)
	burner := common.HexToAddress("0xaaaa")
	var p assembler
	p.op(vm.JUMPDEST).push(0).op(vm.JUMP) // until the gas is used
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}, burner: {Code: p.code, Nonce: 1}})
	const gas = 1 << 25 // EIP-7825 allows half of it
	tx := signTx(t, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: gas, To: &burner,
		GasFeeCap: big.NewInt(2_000_000), GasTipCap: new(big.Int), Value: new(big.Int)})
	if r, err := executeOnce(view, tx, testEnv()); err != nil || r.Status != 0 || r.GasUsed != gas {
		t.Fatalf("result %+v, error %v", r, err)
	}
}

func TestABurnedBaseFeeLeavesTheState(t *testing.T) {
	key, from := testKey(t, 1)
	to := common.HexToAddress("0xbeef")
	view := newMemoryFrom(types.GenesisAlloc{from: {Balance: ether}})
	tx := signTx(t, key, &types.LegacyTx{Gas: 21000, GasPrice: big.NewInt(1_000_000), To: &to, Value: new(big.Int)})
	env := testEnv()
	env.BaseFeeRecipient = common.Address{}
	r, err := executeOnce(view, tx, env)
	if err != nil || len(r.Diff) != 1 || r.Diff[0].Address != from {
		t.Fatalf("result %+v, error %v", r, err)
	}
}
