package opinion

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	gethstate "github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/stateless"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/gethevm"
	"github.com/talaria-l2/talaria/verify"
)

// Kinds of faults that only go-ethereum finds: want is what it comes to.
const (
	KindReceipt   verify.Kind = "opinionReceipt"   // or whether a transaction is valid
	KindStateRoot verify.Kind = "opinionStateRoot" // of the block
)

// ErrBeyond says that go-ethereum does not have the rules for a block.
var ErrBeyond = errors.New("go-ethereum has lower limits than this block uses")

// peer executes one block.
type peer struct {
	cfg    *chain.Config
	in     *verify.Input
	minis  []*chain.MiniBlock // of in
	rules  params.Rules
	signer types.Signer
	db     *gethstate.StateDB
	vm     *vm.EVM
	pool   *core.GasPool
	hashes map[uint64]common.Hash
	used   chain.Gas // cumulative
	logs   uint
	err    error // of the witness
}

// Check executes a block that verify found right. A *verify.Fault says that go-ethereum
// comes to something else.
func Check(cfg *chain.Config, in *verify.Input) error {
	p := &peer{cfg: cfg, in: in, hashes: make(map[uint64]common.Hash)}
	for i, raw := range in.MiniBlocks {
		m, err := raw.Decode()
		if err != nil {
			return fmt.Errorf("mini-block %d of block %d: %w", i, in.Header.Number, err)
		}
		p.minis = append(p.minis, m)
	}
	if p.beyond() {
		return ErrBeyond
	}
	if err := p.open(); err != nil {
		return err
	}
	defer p.vm.Release()
	for i, m := range p.minis {
		for k, tx := range m.Txs {
			if err := p.execute(m, k, tx); err != nil {
				return err
			}
		}
		p.tick(&p.minis[i].Header)
	}
	root := p.db.IntermediateRoot(p.rules)
	if err := errors.Join(p.db.Error(), p.err); err != nil {
		return fmt.Errorf("go-ethereum with the witness of block %d: %w", in.Header.Number, err)
	}
	if root != in.Header.Root {
		return &verify.Fault{Kind: KindStateRoot, Where: fmt.Sprintf("block %d", in.Header.Number), Want: root.Hex(), Have: in.Header.Root.Hex()}
	}
	return nil
}

// beyond reports whether a block has code or initcode above Ethereum's limits, as far as
// transactions and the witness show.
func (p *peer) beyond() bool {
	for _, code := range p.in.Witness.Codes {
		if len(code) > params.MaxCodeSize {
			return true
		}
	}
	for _, m := range p.minis {
		if len(m.Diff) > params.MaxCodeSize && len(m.Txs) < 4 { // perhaps a code
			return true
		}
		for _, tx := range m.Txs {
			if tx.To() == nil && len(tx.Data()) > params.MaxCodeSize {
				return true
			}
		}
	}
	return false
}

// open prepares the state and makes the system calls.
func (p *peer) open() error {
	h, w := p.in.Header, p.in.Witness
	ext := &stateless.ExtWitness{Headers: w.Headers}
	for _, b := range w.Codes {
		ext.Codes = append(ext.Codes, hexutil.Bytes(b))
	}
	for _, b := range w.State {
		ext.State = append(ext.State, hexutil.Bytes(b))
	}
	witness := new(stateless.Witness)
	if err := witness.FromExtWitness(ext); err != nil {
		return fmt.Errorf("go-ethereum reads the witness of block %d: %w", h.Number, err)
	}
	for _, ancestor := range w.Headers {
		p.hashes[ancestor.Number.Uint64()] = ancestor.Hash()
	}
	disk := witness.MakeHashDB()
	root := w.Headers[len(w.Headers)-1].Root
	var err error
	if p.db, err = gethstate.New(root, gethstate.NewDatabase(triedb.NewDatabase(disk, triedb.HashDefaults), gethstate.NewCodeDB(disk))); err != nil {
		return fmt.Errorf("go-ethereum opens the state before block %d: %w", h.Number, err)
	}
	config := gethevm.Config(p.cfg.ChainID, gethevm.Osaka)
	p.rules = config.Rules(h.Number, true, h.Time)
	p.signer = types.NewPragueSigner(config.ChainID)
	random := h.MixDigest
	p.vm = vm.NewEVM(vm.BlockContext{
		CanTransfer: core.CanTransfer, Transfer: core.Transfer, GetHash: p.blockHash, Coinbase: h.Coinbase, GasLimit: h.GasLimit,
		BlockNumber: h.Number, Time: h.Time, Difficulty: new(big.Int), BaseFee: h.BaseFee, BlobBaseFee: big.NewInt(params.BlobTxMinBlobGasprice), Random: &random,
	}, untipped{p.db}, config, vm.Config{})
	p.pool = core.NewGasPool(h.GasLimit)
	core.ProcessBeaconBlockRoot(*h.ParentBeaconRoot, p.vm, nil)
	core.ProcessParentBlockHash(h.ParentHash, p.vm, nil)
	return nil
}

// untipped is go-ethereum's state that does not look at who is paid nothing: a witness of
// deposits alone lacks the coinbase.
type untipped struct{ *gethstate.StateDB }

// AddBalance implements vm.StateDB.
func (s untipped) AddBalance(addr common.Address, amount *uint256.Int, reason tracing.BalanceChangeReason) uint256.Int {
	if amount.IsZero() && reason == tracing.BalanceIncreaseRewardTransactionFee {
		return uint256.Int{}
	}
	return s.StateDB.AddBalance(addr, amount, reason)
}

func (p *peer) blockHash(number uint64) common.Hash {
	hash, ok := p.hashes[number]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("no header of block %d", number)
	}
	return hash
}

// execute executes number k of a mini-block and compares its receipt.
func (p *peer) execute(m *chain.MiniBlock, k int, tx *chain.Tx) error {
	p.db.SetTxContext(tx.Hash(), int(m.Header.FirstTxIndex)+k, uint32(m.Header.FirstTxIndex)+uint32(k)+1)
	r := &chain.Receipt{Type: tx.Type()}
	var gas uint64
	var err error
	if tx.IsDeposit() {
		gas, err = p.deposit(tx.Deposit, r)
	} else {
		gas, err = p.signed(tx, r)
	}
	where := fmt.Sprintf("block %d, transaction %d", p.in.Header.Number, m.Header.FirstTxIndex+uint64(k))
	if err != nil {
		return &verify.Fault{Kind: KindReceipt, Where: where, Want: err.Error(), Have: "a valid transaction"}
	}
	p.used += gas
	r.CumulativeGasUsed = p.used
	r.Logs = p.db.GetLogs(tx.Hash(), p.in.Header.Number.Uint64(), common.Hash{}, p.in.Header.Time)
	r.Bloom = types.CreateBloom(&types.Receipt{Logs: r.Logs})
	p.db.Finalise(p.rules)
	if k < len(m.Receipts) {
		want, have := r.MarshalBinary(), m.Receipts[k].MarshalBinary()
		if string(want) != string(have) {
			return &verify.Fault{Kind: KindReceipt, Where: where, Want: fmt.Sprintf("%#x", want), Have: fmt.Sprintf("%#x", have)}
		}
	}
	return nil
}

// signed executes a user's transaction.
func (p *peer) signed(tx *chain.Tx, r *chain.Receipt) (uint64, error) {
	eth := new(types.Transaction)
	if err := eth.UnmarshalBinary(tx.Raw()); err != nil {
		return 0, err
	}
	msg, err := core.TransactionToMessage(eth, p.signer, p.in.Header.BaseFee)
	if err != nil {
		return 0, err
	}
	if msg.GasLimit > p.cfg.TxGasCap {
		return 0, fmt.Errorf("%d gas, at most %d", msg.GasLimit, p.cfg.TxGasCap)
	}
	prices := chain.ReadL1FeeParams(func(slot common.Hash) common.Hash {
		if slot == chain.GasTokenRateSlot && p.cfg.GasToken.IsZero() {
			return common.Hash{}
		}
		return p.db.GetState(chain.L1BlockAddr, slot)
	})
	length := uint32(0) // of the least size, below which nobody asks
	if n := chain.FastLZLength(tx.Raw()); n > 0 {
		length = n
	}
	fee := prices.Fee(length)
	if p.db.GetBalance(msg.From).Lt(&fee) {
		return 0, errors.New("the sender cannot pay the L1 data fee")
	}
	p.db.SubBalance(msg.From, &fee, tracing.BalanceDecreaseGasBuy)
	out, err := core.ApplyMessage(p.vm, msg.SkipGasLimitCapCheck(), p.pool)
	if err != nil {
		return 0, err
	}
	if !out.Failed() {
		r.Status = 1
	}
	// Who is paid nothing is not looked at.
	if base := uint256.MustFromBig(p.in.Header.BaseFee); !base.IsZero() {
		p.db.AddBalance(chain.BaseFeeVaultAddr, base.Mul(base, uint256.NewInt(out.UsedGas)), tracing.BalanceIncreaseRewardTransactionFee)
	}
	if !fee.IsZero() {
		p.db.AddBalance(chain.L1FeeVaultAddr, &fee, tracing.BalanceIncreaseRewardTransactionFee)
	}
	return out.UsedGas, nil
}

// deposit executes a deposit (OP Stack specification, "Deposits", as of Regolith).
func (p *peer) deposit(d *chain.Deposit, r *chain.Receipt) (uint64, error) {
	if d.Mint.Sign() > 0 {
		p.db.AddBalance(d.From, uint256.MustFromBig(d.Mint), tracing.BalanceChangeUnspecified)
	}
	r.DepositNonce = p.db.GetNonce(d.From)
	minted := p.db.Snapshot()
	value, tooMuch := uint256.FromBig(d.Value)
	msg := (&core.Message{
		From: d.From, To: d.To, GasLimit: d.Gas, Value: value, Data: d.Data, Nonce: r.DepositNonce,
		GasPrice: new(uint256.Int), GasFeeCap: new(uint256.Int), GasTipCap: new(uint256.Int), BlobGasFeeCap: new(uint256.Int),
	}).SkipNonceCheck().SkipEOACheck().SkipGasLimitCapCheck()
	p.vm.Config.NoBaseFee = true
	defer func() { p.vm.Config.NoBaseFee = false }()
	if !tooMuch {
		out, err := core.ApplyMessage(p.vm, msg, p.pool)
		if err == nil {
			if !out.Failed() {
				r.Status = 1
			}
			return out.UsedGas, nil
		}
	}
	// It could not begin: only its mint stays, and the nonce goes up.
	p.db.RevertToSnapshot(minted)
	p.db.SetNonce(d.From, r.DepositNonce+1, tracing.NonceChangeUnspecified)
	return d.Gas, nil
}

// tick sets the clock of mini-blocks at the end of one.
func (p *peer) tick(h *chain.MiniBlockHeader) {
	// The hash, since nothing in the block need run the code: then the witness lacks it.
	if hash := p.db.GetCodeHash(chain.MiniBlockClockAddr); hash == types.EmptyCodeHash || hash == (common.Hash{}) {
		return
	}
	var word common.Hash
	binary.BigEndian.PutUint64(word[16:], uint64(h.TimestampMicros))
	binary.BigEndian.PutUint64(word[24:], h.Number+1)
	p.db.SetState(chain.MiniBlockClockAddr, common.Hash{}, word)
	p.db.Finalise(p.rules)
}
