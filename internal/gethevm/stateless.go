package gethevm

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus"
	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/stateless"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"
)

// Witnessed is a block to be executed with nothing but a witness.
type Witnessed struct {
	Config  *params.ChainConfig
	Header  *types.Header
	Txs     types.Transactions
	Witness *stateless.ExtWitness
	// Vault receives base fees in Strictly; zero burns them as Ethereum does.
	Vault common.Address
}

// block is the block without the roots that execution is to find.
func (w *Witnessed) block() (*types.Block, *stateless.Witness, error) {
	header := types.CopyHeader(w.Header)
	header.Root, header.ReceiptHash = common.Hash{}, common.Hash{}
	witness := new(stateless.Witness)
	if err := witness.FromExtWitness(w.Witness); err != nil {
		return nil, nil, err
	}
	return types.NewBlockWithHeader(header).WithBody(types.Body{Transactions: w.Txs}), witness, nil
}

// fee is what the vault gets of a transaction.
func (w *Witnessed) fee(gas uint64) *uint256.Int {
	fee := new(big.Int).SetUint64(gas)
	return uint256.MustFromBig(fee.Mul(fee, w.Header.BaseFee))
}

// Execute is core.ExecuteStateless: it returns the roots of state and receipts. It burns
// base fees, and takes accounts that the witness leaves out for absent ones.
func (w *Witnessed) Execute() (root, receipts common.Hash, err error) {
	block, witness, err := w.block()
	if err != nil {
		return root, receipts, err
	}
	return core.ExecuteStateless(context.Background(), w.Config, vm.Config{}, block, witness)
}

// Strictly is Execute, with go-ethereum's parts, that fails if anything is missing in the
// witness. Also it returns the witness that go-ethereum makes of this execution. It leaves
// out the contracts of EIP-7002 and EIP-7251, which this chain does not have.
func (w *Witnessed) Strictly() (root, receipts common.Hash, used *stateless.ExtWitness, err error) {
	block, witness, err := w.block()
	if err != nil {
		return root, receipts, nil, err
	}
	ancestors := &headers{config: w.Config, byHash: make(map[common.Hash]*types.Header)}
	for _, h := range witness.Headers {
		ancestors.byHash[h.Hash()] = h
	}
	header := block.Header()
	parent := ancestors.GetHeader(header.ParentHash, header.Number.Uint64()-1)
	if parent == nil {
		return root, receipts, nil, errors.New("the witness has no parent header")
	}
	kept, err := stateless.NewWitness(header, ancestors, false)
	if err != nil {
		return root, receipts, nil, err
	}
	disk := witness.MakeHashDB()
	db, err := gethstate.New(parent.Root, gethstate.NewDatabase(triedb.NewDatabase(disk, triedb.HashDefaults), gethstate.NewCodeDB(disk)))
	if err != nil {
		return root, receipts, nil, err
	}
	db.StartPrefetcher("strictly", kept)
	defer db.StopPrefetcher()
	ctx := context.Background()
	evm := vm.NewEVM(core.NewEVMBlockContext(header, ancestors, nil), db, w.Config, vm.Config{})
	defer evm.Release()
	core.PreExecution(ctx, header.ParentBeaconRoot, parent, w.Config, evm, header.Number, header.Time)
	pool, signer := core.NewGasPool(header.GasLimit), types.MakeSigner(w.Config, header.Number, header.Time)
	list := make(types.Receipts, len(w.Txs))
	for i, tx := range w.Txs {
		msg, err := core.TransactionToMessage(tx, signer, header.BaseFee)
		if err != nil {
			return root, receipts, nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		db.SetTxContext(tx.Hash(), i, uint32(i+1))
		if list[i], _, err = core.ApplyTransactionWithEVM(ctx, msg, pool, db, header.Number, header.Hash(), header.Time, tx, evm); err != nil {
			return root, receipts, nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		if w.Vault != (common.Address{}) && header.BaseFee.Sign() > 0 {
			db.AddBalance(w.Vault, w.fee(list[i].GasUsed), tracing.BalanceIncreaseRewardTransactionFee)
		}
	}
	root = db.IntermediateRoot(w.Config.Rules(header.Number, true, header.Time))
	if err := errors.Join(db.Error(), ancestors.missing); err != nil {
		return root, receipts, nil, err
	}
	return root, types.DeriveSha(list, trie.NewStackTrie(nil)), kept.ToExtWitness(), nil
}

// headers are the ancestors that a witness holds.
type headers struct {
	config  *params.ChainConfig
	byHash  map[common.Hash]*types.Header
	missing error
}

var _ core.ChainContext = (*headers)(nil)

func (h *headers) Config() *params.ChainConfig  { return h.config }
func (h *headers) Engine() consensus.Engine     { return beacon.New(ethash.NewFaker()) }
func (h *headers) CurrentHeader() *types.Header { return nil }

func (h *headers) GetHeader(hash common.Hash, number uint64) *types.Header {
	found := h.byHash[hash]
	if found == nil && h.missing == nil {
		h.missing = fmt.Errorf("the witness has no header of block %d", number)
	}
	return found
}

func (h *headers) GetHeaderByHash(hash common.Hash) *types.Header { return h.byHash[hash] }
func (h *headers) GetHeaderByNumber(uint64) *types.Header         { return nil }
