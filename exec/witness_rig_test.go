package exec

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/stateless"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/internal/gethevm"
	"github.com/talaria-l2/talaria/state"
)

// ours are the accounts that a block of this chain looks at and one of Ethereum does not.
var ours = []common.Address{chain.MessagePasserAddr, chain.MiniBlockClockAddr, chain.L1BlockAddr}

// standard makes a chain whose blocks go-ethereum can execute: without a clock, which
// changes with no transaction.
func standard(seed int64, users int) *mix {
	m := newMix(seed, users)
	delete(m.g.Alloc, chain.MiniBlockClockAddr)
	m.g.Alloc[askerAddr] = types.Account{Code: askerCode, Nonce: 1, Balance: new(big.Int)}
	m.g.Alloc[keeperAddr] = types.Account{Code: keeperCode, Nonce: 1, Balance: new(big.Int)}
	m.g.Alloc[callerAddr] = types.Account{Code: callerCode, Nonce: 1, Balance: new(big.Int)}
	m.g.Alloc[shortAddr] = types.Account{Code: shortCode, Nonce: 1, Balance: new(big.Int), Storage: map[common.Hash]common.Hash{
		{31: 1}: {31: 1}, {31: 2}: {31: 1}, {31: 3}: {31: 1}, {31: 4}: {31: 1}, {31: 5}: {31: 1}, {31: 6}: {31: 1}, {31: 7}: {31: 1}, {31: 8}: {31: 1}, {31: 9}: {31: 1},
	}}
	for _, addr := range []common.Address{params.WithdrawalQueueAddress, params.ConsolidationQueueAddress} {
		m.g.Alloc[addr] = types.Account{Code: []byte{byte(vm.STOP)}, Nonce: 1, Balance: new(big.Int)}
	}
	return m
}

var (
	askerAddr  = common.HexToAddress("0x70000000000000000000000000000000000000a1")
	keeperAddr = common.HexToAddress("0x70000000000000000000000000000000000000a2")

	// Asks for everything about the address in the calldata and for an older block's hash,
	// the second word, and drops most of it.
	askerCode = asm(
		vm.PUSH1, 0, vm.CALLDATALOAD, vm.BALANCE, vm.POP, vm.PUSH1, 0, vm.CALLDATALOAD, vm.EXTCODEHASH, vm.POP,
		vm.PUSH1, 32, vm.CALLDATALOAD, vm.BLOCKHASH, vm.POP, vm.PUSH1, 64, vm.CALLDATALOAD, vm.SLOAD, vm.POP,
		vm.PUSH1, 96, vm.CALLDATALOAD, vm.EXTCODESIZE, vm.POP, vm.STOP)
	// Calls two contracts that every block of Ethereum looks at when it ends (EIP-7002 and
	// EIP-7251), and that a block of this chain looks at only if a transaction does.
	callerAddr = common.HexToAddress("0x70000000000000000000000000000000000000a3")
	callerCode = func() (code []byte) {
		for _, addr := range []common.Address{params.WithdrawalQueueAddress, params.ConsolidationQueueAddress} {
			code = append(code, asm(vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.PUSH20, addr[:], vm.GAS, vm.STATICCALL, vm.POP)...)
		}
		return code
	}()
	// Reads the slot that the calldata names and then needs more gas for a creation than it is
	// given, all in one piece of code without a jump.
	shortAddr = common.HexToAddress("0x70000000000000000000000000000000000000a4")
	shortCode = asm(vm.PUSH0, vm.CALLDATALOAD, vm.SLOAD, vm.POP, vm.PUSH1, 32, vm.CALLDATALOAD, vm.EXTCODESIZE, vm.POP,
		vm.PUSH0, vm.PUSH0, vm.PUSH0, vm.CREATE, vm.POP, vm.STOP)
	// Stores the second word of the calldata in the slot that is the first.
	keeperCode = asm(vm.PUSH1, 32, vm.CALLDATALOAD, vm.PUSH1, 0, vm.CALLDATALOAD, vm.SSTORE, vm.STOP)
)

// extWitness is the witness as go-ethereum takes it.
func extWitness(t testing.TB, w *chain.Witness) *stateless.ExtWitness {
	t.Helper()
	if w == nil {
		t.Fatal("no witness")
	}
	enc, err := rlp.EncodeToBytes(w)
	if err != nil {
		t.Fatal(err)
	}
	ext := new(stateless.ExtWitness)
	if err := rlp.DecodeBytes(enc, ext); err != nil {
		t.Fatal(err)
	}
	return ext
}

func witnessed(t testing.TB, cfg *chain.Config, b *chain.Block, w *chain.Witness) *gethevm.Witnessed {
	txs := make(types.Transactions, len(b.Txs))
	for i, tx := range b.Txs {
		txs[i] = tx.Eth()
	}
	return &gethevm.Witnessed{
		Config: gethevm.Config(cfg.ChainID, gethevm.Osaka), Header: b.Header, Txs: txs, Witness: extWitness(t, w), Vault: chain.BaseFeeVaultAddr,
	}
}

// checkWitness has go-ethereum execute the block with the witness, and compares what it
// looks at with what is there. proofs are the nodes on the way to what only this chain
// looks at.
func checkWitness(t testing.TB, cfg *chain.Config, b *chain.Block, w *chain.Witness, proofs map[string]bool) {
	t.Helper()
	in := witnessed(t, cfg, b, w)
	// Base fees are burned on Ethereum and paid here.
	if b.Header.BaseFee.Sign() == 0 && len(b.Txs) > 0 && *b.Txs[0].To() == callerAddr {
		root, receipts, err := in.Execute()
		if err != nil || root != b.Header.Root || receipts != b.Header.ReceiptHash {
			t.Fatalf("block %d: go-ethereum's roots are %s and %s, %v, want %s and %s", b.Number(), root, receipts, err, b.Header.Root, b.Header.ReceiptHash)
		}
	}
	root, receipts, used, err := in.Strictly()
	if err != nil || root != b.Header.Root || receipts != b.Header.ReceiptHash {
		t.Fatalf("block %d: go-ethereum's roots are %s and %s, strictly, %v, want %s and %s", b.Number(), root, receipts, err, b.Header.Root, b.Header.ReceiptHash)
	}
	theirs := make(map[string]bool)
	for _, node := range used.State {
		theirs[string(node)] = true
	}
	for _, node := range w.State {
		if !theirs[string(node)] && !proofs[string(node)] {
			t.Errorf("block %d: nobody needs the node %x", b.Number(), node)
		}
		delete(theirs, string(node))
	}
	for node := range theirs {
		t.Errorf("block %d: go-ethereum looked at the node %x, which is not there", b.Number(), node)
	}
	// go-ethereum lists also what the block itself has made.
	for _, code := range w.Codes {
		if !slices.ContainsFunc(used.Codes, func(c hexutil.Bytes) bool { return bytes.Equal(c, code) }) {
			t.Errorf("block %d: nobody needs a code of %d bytes", b.Number(), len(code))
		}
	}
	if len(used.Headers) != len(w.Headers) {
		t.Errorf("block %d: %d headers, go-ethereum looked at %d", b.Number(), len(w.Headers), len(used.Headers))
	}
	checkOrder(t, w)
}

// checkOrder checks that everything is there once and in order.
func checkOrder(t testing.TB, w *chain.Witness) {
	t.Helper()
	for _, list := range [][][]byte{w.Codes, w.State} {
		for i := 1; i < len(list); i++ {
			if bytes.Compare(list[i-1], list[i]) >= 0 {
				t.Fatal("the witness is not in order")
			}
		}
	}
	for i := 1; i < len(w.Headers); i++ {
		if w.Headers[i].ParentHash != w.Headers[i-1].Hash() {
			t.Fatal("the headers are no chain")
		}
	}
}

// proofsOf are the nodes on the way to what only this chain looks at.
func proofsOf(tr *state.Trie) map[string]bool {
	nodes := make(map[string]bool)
	for _, addr := range ours {
		var slots []common.Hash
		if addr == chain.L1BlockAddr {
			chain.ReadL1FeeParams(func(slot common.Hash) common.Hash {
				slots = append(slots, slot)
				return common.Hash{}
			})
		}
		p := tr.Prove(addr, slots)
		for _, node := range p.AccountProof {
			nodes[string(node)] = true
		}
		for _, s := range p.Storage {
			for _, node := range s.Proof {
				nodes[string(node)] = true
			}
		}
	}
	return nodes
}

// standardRig makes blocks on a standard chain, one by one and on several goroutines, and
// checks their witnesses.
type standardRig struct {
	t        *testing.T
	m        *mix
	serial   *Chain
	parallel *Chain
	baseFee  *big.Int // of the blocks; nil: EIP-1559's
}

func newStandardRig(t *testing.T, m *mix) *standardRig {
	rig := &standardRig{t: t, m: m, serial: m.boot(t, 1), parallel: m.boot(t, 4), baseFee: new(big.Int)}
	m.c = rig.serial
	for _, c := range []*Chain{rig.serial, rig.parallel} {
		c.SetWitness(true)
		t.Cleanup(c.Close)
	}
	return rig
}

// block makes a block of what next returns until it returns nil, after a call of callerAddr
// where there is something.
func (rig *standardRig) block(next func() *chain.Tx) (*chain.Block, *chain.Witness) {
	t, c := rig.t, rig.serial
	t.Helper()
	proofs := proofsOf(c.trie)
	for _, c := range []*Chain{c, rig.parallel} {
		if err := c.Open(chain.Attributes{Timestamp: c.Parent().Time + 1, PrevRandao: common.Hash{9}, ParentBeacon: common.Hash{8}, BaseFee: rig.baseFee}); err != nil {
			t.Fatal(err)
		}
	}
	for tx := next(); tx != nil; tx = next() {
		if c.MiniTxs() == 0 {
			from := len(rig.m.keys) - 1
			acc, _ := c.Pending().Account(rig.m.address(from))
			if _, err := c.Apply((&sender{m: rig.m, from: from, nonce: acc.Nonce}).tx(&callerAddr, 0, nil)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = c.Apply(tx) // what is refused is not part of the block
	}
	c.Cut(1)
	b, _, err := c.Seal()
	if err != nil {
		t.Fatal(err)
	}
	w := c.Witness()
	checkWitness(t, &rig.m.g.Config, b, w, proofs)

	p := rig.parallel
	p.serial = 0
	if n := p.ApplyBatch(b.Txs, func(i int, r *chain.Receipt, err error) bool {
		if err != nil {
			t.Errorf("transaction %d: %v", i, err)
		}
		return true
	}); n != len(b.Txs) {
		t.Fatalf("%d of %d transactions in parallel", n, len(b.Txs))
	}
	p.Cut(1)
	if _, _, err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	checkSame(t, w, p.Witness())
	return b, w
}

// checkSame compares witnesses.
func checkSame(t testing.TB, want, got *chain.Witness) {
	t.Helper()
	a, err := rlp.EncodeToBytes(want)
	if err != nil {
		t.Fatal(err)
	}
	if got == nil {
		t.Fatal("no witness")
	}
	b, err := rlp.EncodeToBytes(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Fatalf("witnesses differ: %d and %d headers, %d and %d codes, %d and %d nodes",
			len(want.Headers), len(got.Headers), len(want.Codes), len(got.Codes), len(want.State), len(got.State))
	}
}

// list returns the transactions one by one.
func list(txs ...*chain.Tx) func() *chain.Tx {
	return func() *chain.Tx {
		if len(txs) == 0 {
			return nil
		}
		tx := txs[0]
		txs = txs[1:]
		return tx
	}
}

// sender makes transactions of one user.
type sender struct {
	m     *mix
	from  int
	nonce uint64
}

func (s *sender) tx(to *common.Address, value int64, data []byte) *chain.Tx {
	s.nonce++
	return s.m.sign(s.from, &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(s.m.g.Config.ChainID), Nonce: s.nonce - 1, Gas: 400_000, To: to, Value: big.NewInt(value), Data: data,
		GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(1),
	})
}

// keep stores a value in a slot of the keeper.
func (s *sender) keep(slot, value int) *chain.Tx {
	return s.tx(&keeperAddr, 0, words([]byte{byte(slot >> 8), byte(slot)}, []byte{byte(value)}))
}

func (s *sender) ask(addr common.Address, block uint64, slot int, coded common.Address) *chain.Tx {
	return s.tx(&askerAddr, 0, words(addr[:], new(big.Int).SetUint64(block).Bytes(), []byte{byte(slot)}, coded[:]))
}

func (s *sender) delegate(authority int, nonce uint64, to common.Address) *chain.Tx {
	auth, err := types.SignSetCode(s.m.keys[authority], types.SetCodeAuthorization{ChainID: *uint256.NewInt(s.m.g.Config.ChainID), Nonce: nonce, Address: to})
	if err != nil {
		panic(err)
	}
	s.nonce++
	return s.m.sign(s.from, &types.SetCodeTx{
		ChainID: uint256.NewInt(s.m.g.Config.ChainID), Nonce: s.nonce - 1, Gas: 400_000, GasFeeCap: uint256.NewInt(3_000_000), GasTipCap: uint256.NewInt(1),
		To: s.m.address(authority), AuthList: []types.SetCodeAuthorization{auth},
	})
}

// create2Addr is where the factory puts the initcode.
func create2Addr(salt byte, init []byte) common.Address {
	return crypto.CreateAddress2(factoryAddr, common.Hash{31: salt}, crypto.Keccak256(init))
}
