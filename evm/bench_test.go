package evm

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// benchmarkTx measures one transaction over and over on the same state; whether it
// succeeded is checked each time.
func benchmarkTx(b *testing.B, alloc types.GenesisAlloc, to common.Address, gas uint64, data []byte) {
	key, from := testKey(b, 1)
	alloc[from] = types.Account{Balance: ether}
	view := newMemoryFrom(alloc)
	tx := signTx(b, key, &types.DynamicFeeTx{ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: gas, To: &to,
		Value: big.NewInt(5), GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(7), Data: data})
	env, m := testEnv(), NewMachine(&testCfg)
	env.L1Fees = chain.NewL1FeeSchedule(chain.L1FeeParams{BlobBaseFee: *uint256.NewInt(1), BlobBaseFeeScalar: 1_008_092})
	defer m.Close()
	var used uint64
	b.ReportAllocs()
	for b.Loop() {
		r, err := executeOn(m, view, tx, env)
		if err != nil || r.Status != 1 {
			b.Fatal(r, err)
		}
		used += r.GasUsed
	}
	b.ReportMetric(float64(used)/1e6/b.Elapsed().Seconds(), "Mgas/s")
}

func BenchmarkTransfer(b *testing.B) {
	to := common.HexToAddress("0xbeef")
	benchmarkTx(b, types.GenesisAlloc{to: {Balance: ether}}, to, 21000, nil)
}

// BenchmarkTokenTransfer does what an ERC-20 transfer does: hash two slots, read
// and write them, emit an event.
func BenchmarkTokenTransfer(b *testing.B) {
	to := common.HexToAddress("0xbeef")
	var p assembler
	for _, owner := range []vm.OpCode{vm.CALLER, vm.ADDRESS} {
		p.op(owner).push(0).op(vm.MSTORE).push(64).push(0).op(vm.KECCAK256)
		p.op(vm.DUP1).op(vm.SLOAD).push(1).op(vm.ADD).op(vm.SWAP1).op(vm.SSTORE)
	}
	p.op(vm.ADDRESS).op(vm.CALLER).push(77).push(32).push(0).op(vm.LOG3)
	benchmarkTx(b, types.GenesisAlloc{to: {Code: p.code, Nonce: 1}}, to, 200_000, make([]byte, 68))
}
