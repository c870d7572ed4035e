package core

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
)

// Group is a kind of workload; ratios are averaged within one.
type Group string

// Groups, in the order in which they are reported.
const (
	Transfers     Group = "transfers"
	Tokens        Group = "ERC-20 and swaps"
	Compute       Group = "compute"
	Keccak        Group = "keccak"
	Storage       Group = "storage"
	Deployments   Group = "deployments"
	Large         Group = "512 KB contracts"
	GasBenchmarks Group = "gas benchmarks"
)

// Groups lists every group in order.
func Groups() []Group {
	return []Group{Transfers, Tokens, Compute, Keccak, Storage, Deployments, Large, GasBenchmarks}
}

// Block is what is executed in one environment, in order.
type Block struct {
	Env *evm.Env
	Txs []*chain.Tx
}

// Workload is work with a known result.
type Workload struct {
	Name   string
	Group  Group
	Config *chain.Config
	Alloc  types.GenesisAlloc // the state before
	Blocks []Block
	// Check says what is wrong with the outcomes of all transactions in order; nil
	// leaves it to the comparison of the peers.
	Check func([]Outcome) error
	// Call is the transaction as a call, for peers that can only be asked over
	// JSON-RPC; nil when they cannot do the work.
	Call *Call
}

// Call is a call of a contract of the workload's state.
type Call struct {
	From, To common.Address
	Data     []byte
	Gas      uint64 // limit
}

// Outcome is what one transaction did, as far as peers must agree.
type Outcome struct {
	Status  uint64 // 1 success, 0 failure
	GasUsed uint64
	Return  common.Hash // keccak256 of the return data of a successful call, else zero
	Logs    common.Hash // keccak256 of the logs' consensus encoding
}

// Txs is the number of transactions in all blocks.
func (w *Workload) Txs() int {
	n := 0
	for i := range w.Blocks {
		n += len(w.Blocks[i].Txs)
	}
	return n
}

// succeed wants success from every transaction.
func succeed(out []Outcome) error {
	for i := range out {
		if out[i].Status != 1 {
			return fmt.Errorf("transaction %d failed", i)
		}
	}
	return nil
}

// returns wants success from every transaction, and the word from the last.
func returns(w common.Hash) func([]Outcome) error {
	return func(out []Outcome) error {
		if err := succeed(out); err != nil {
			return err
		}
		if out[len(out)-1].Return != crypto.Keccak256Hash(w[:]) {
			return fmt.Errorf("the last transaction does not return %v", w)
		}
		return nil
	}
}

// compare says where two peers differ.
func compare(a, b []Outcome) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d and %d transactions", len(a), len(b))
	}
	for i := range a {
		switch {
		case a[i].Status != b[i].Status:
			return fmt.Errorf("transaction %d: status %d and %d", i, a[i].Status, b[i].Status)
		case a[i].GasUsed != b[i].GasUsed:
			return fmt.Errorf("transaction %d: gas used %d and %d", i, a[i].GasUsed, b[i].GasUsed)
		case a[i].Return != b[i].Return:
			return fmt.Errorf("transaction %d: return data differ", i)
		case a[i].Logs != b[i].Logs:
			return fmt.Errorf("transaction %d: logs differ", i)
		}
	}
	return nil
}

// suite makes workloads on the chain of one configuration.
type suite struct {
	cfg *chain.Config
	// Of the workloads that a chain sees most:
	txs        int // transactions of one block
	bystanders int // further accounts, and as many token holders
}

func newSuite() *suite {
	cfg := chain.DefaultConfig()
	return &suite{cfg: &cfg, txs: 2_000, bystanders: 50_000}
}

// env is the environment of every block of the suite: fees are paid to a coinbase,
// the base fee is burnt and nothing is paid for data on L1, as on Ethereum, because all
// peers can do that.
func (s *suite) env() *evm.Env {
	return &evm.Env{
		Number: 1000, Timestamp: 1_800_000_000, GasLimit: s.cfg.GasLimit,
		BaseFee: big.NewInt(1_000_000), PrevRandao: common.Hash{1, 2, 3},
		Coinbase: common.HexToAddress("0x00000000000000000000000000000000c01ba5e0"),
		L1Fees:   new(chain.L1FeeSchedule), Config: s.cfg,
	}
}

// ether is 10^18 wei.
var ether = big.NewInt(1e18)

// transaction signs one by the n-th account.
func (s *suite) transaction(from *account, to *common.Address, gas uint64, value int64, data []byte) *chain.Tx {
	signed, err := types.SignNewTx(from.key, types.NewPragueSigner(new(big.Int).SetUint64(s.cfg.ChainID)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(s.cfg.ChainID), Nonce: from.nonce, Gas: gas, To: to,
		GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(1_000), Value: big.NewInt(value), Data: data,
	})
	if err != nil {
		panic(err) // of our own making
	}
	from.nonce++
	return s.decode(signed)
}

func (s *suite) decode(signed *types.Transaction) *chain.Tx {
	raw, err := signed.MarshalBinary()
	if err != nil {
		panic(err)
	}
	tx, err := chain.DecodeTx(raw, s.cfg)
	if err != nil {
		panic(err)
	}
	return tx
}

// single is one call of a contract, by one sender, with the gas that the chain allows.
func (s *suite) single(name string, group Group, code, data []byte, storage map[common.Hash]common.Hash) *Workload {
	sender := accounts(1)[0]
	w := &Workload{
		Name: name, Group: group, Config: s.cfg,
		Alloc: types.GenesisAlloc{
			sender.address: {Balance: ether},
			programAddr:    {Code: code, Nonce: 1, Storage: storage},
		},
		Check: succeed,
		Call:  &Call{From: sender.address, To: programAddr, Data: data, Gas: s.cfg.TxGasCap},
	}
	w.Blocks = []Block{{s.env(), []*chain.Tx{s.transaction(&sender, &programAddr, s.cfg.TxGasCap, 0, data)}}}
	return w
}

// programAddr holds the program of a workload with one contract.
var programAddr = common.HexToAddress("0x0000000000000000000000000000000000c0de01")

// word is v as 32 bytes.
func word(v uint64) common.Hash { return common.Hash(uint256.NewInt(v).Bytes32()) }

func addressWord(a common.Address) common.Hash { return common.BytesToHash(a[:]) }

// calldata is a selector and words.
func calldata(selector []byte, words ...common.Hash) []byte {
	return append(bytes.Clone(selector), bytes.Join(slicesOf(words), nil)...)
}

func slicesOf(words []common.Hash) [][]byte {
	out := make([][]byte, len(words))
	for i := range words {
		out[i] = words[i][:]
	}
	return out
}
