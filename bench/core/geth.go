package core

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	gethcore "github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/ethereum/go-ethereum/triedb/pathdb"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
)

// geth is go-ethereum as its own node executes: core.ApplyMessage over its StateDB,
// finalised after every transaction. The state lies in a path database in memory, with
// its flat layer; nothing is read from a disk.
type geth struct {
	config *params.ChainConfig
	signer types.Signer
	db     gethstate.Database
	tries  *triedb.Database
	root   common.Hash

	state  *gethstate.StateDB
	evm    *vm.EVM
	jumps  vm.JumpDestCache
	gas    *gethcore.GasPool
	tx     *chain.Tx
	txs    int
	result *gethcore.ExecutionResult
}

// Geth is go-ethereum with its own state database.
func Geth() Peer { return new(geth) }

func (p *geth) Name() string { return "geth StateDB" }

func (p *geth) Load(w *Workload) error {
	p.Close()
	p.config = osaka(w.Config.ChainID)
	p.signer = types.NewPragueSigner(p.config.ChainID)
	disk := rawdb.NewMemoryDatabase()
	p.tries = triedb.NewDatabase(disk, &triedb.Config{PathDB: pathdb.Defaults})
	p.db = gethstate.NewMPTDatabase(p.tries, gethstate.NewCodeDB(disk))
	p.jumps = gethcore.NewJumpDestCache()
	s, err := gethstate.New(types.EmptyRootHash, p.db)
	if err != nil {
		return fmt.Errorf("open an empty state: %w", err)
	}
	for addr, a := range w.Alloc {
		if a.Balance != nil {
			s.AddBalance(addr, uint256.MustFromBig(a.Balance), tracing.BalanceIncreaseGenesisBalance)
		}
		s.SetNonce(addr, a.Nonce, tracing.NonceChangeGenesis)
		s.SetCode(addr, a.Code, tracing.CodeChangeGenesis)
		for slot, value := range a.Storage {
			s.SetState(addr, slot, value)
		}
	}
	if p.root, err = s.Commit(p.config.Rules(new(big.Int), true, 0), 0); err != nil {
		return fmt.Errorf("commit the state: %w", err)
	}
	return p.tries.Commit(p.root, false)
}

func (p *geth) Reset() error {
	s, err := gethstate.New(p.root, p.db)
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	p.state, p.txs = s, 0
	return nil
}

func (p *geth) Begin(env *evm.Env) {
	p.release()
	p.evm = interpreter(env, p.state, p.config.ChainID.Uint64())
	p.evm.SetJumpDestCache(p.jumps)
	p.gas = gethcore.NewGasPool(env.GasLimit)
}

func (p *geth) Execute(tx *chain.Tx) error {
	msg, err := gethcore.TransactionToMessage(tx.Eth, p.signer, p.evm.Context.BaseFee)
	if err != nil {
		return err
	}
	p.state.SetTxContext(tx.Hash(), p.txs, uint32(p.txs+1))
	p.txs, p.tx = p.txs+1, tx
	p.result, err = gethcore.ApplyMessage(p.evm, msg.SkipGasLimitCapCheck(), p.gas)
	return err
}

func (p *geth) Settle() { p.state.Finalise(p.evm.GetRules()) }

func (p *geth) Outcome() (Outcome, error) {
	status := uint64(1)
	if p.result.Failed() {
		status = 0
	}
	logs := p.state.GetLogs(p.tx.Hash(), p.evm.Context.BlockNumber.Uint64(), common.Hash{}, p.evm.Context.Time)
	return outcome(status, p.result.UsedGas, p.result.Return(), logs)
}

func (p *geth) Root() (common.Hash, error) { return p.state.IntermediateRoot(p.evm.GetRules()), nil }

func (p *geth) release() {
	if p.evm != nil {
		p.evm.Release()
		p.evm = nil
	}
}

func (p *geth) Close() {
	p.release()
	if p.tries != nil {
		_ = p.tries.Close() // memory only
		p.tries = nil
	}
}

// osaka is go-ethereum's configuration of a chain that has had Osaka's rules since its
// first block.
func osaka(chainID uint64) *params.ChainConfig {
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
