package exec

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"math/rand"
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

// Each case is a few blocks; go-ethereum must reach the root of each with its witness,
// with every node and code of it and with none of them less.
func TestGoEthereumExecutesBlocksByTheirWitness(t *testing.T) {
	fresh, absent := common.HexToAddress("0xf1e5"), common.HexToAddress("0xabcdef")
	precompile := common.BytesToAddress([]byte{4})
	for name, blocks := range map[string][]func(*sender) []*chain.Tx{
		"an empty block": {func(s *sender) []*chain.Tx { return nil }},
		"transfers": {func(s *sender) []*chain.Tx {
			other := s.m.address(1)
			return []*chain.Tx{s.tx(&fresh, 5, nil), s.tx(&other, 7, nil), s.tx(&absent, 0, nil), s.tx(&precompile, 1, []byte{1})}
		}},
		"a transfer without a tip": {func(s *sender) []*chain.Tx {
			s.nonce++
			return []*chain.Tx{s.m.sign(s.from, &types.DynamicFeeTx{
				ChainID: new(big.Int).SetUint64(s.m.g.Config.ChainID), Gas: 21_000, To: &fresh, Value: big.NewInt(1), GasFeeCap: big.NewInt(3_000_000), GasTipCap: new(big.Int),
			})}
		}},
		"contracts": {
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.tx(nil, 3, plainInit), s.tx(&factoryAddr, 0, append(words([]byte{7}), plainInit...)), s.tx(nil, 0, []byte{byte(vm.INVALID)})}
			},
			func(s *sender) []*chain.Tx { // there is one already
				made := create2Addr(7, plainInit)
				return []*chain.Tx{s.tx(&factoryAddr, 0, append(words([]byte{7}), plainInit...)), s.tx(&made, 0, nil), s.ask(made, 0, 0, made)}
			},
		},
		"a token": {func(s *sender) []*chain.Tx {
			to := s.m.address(2)
			return []*chain.Tx{
				s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(to[:], []byte{9})...)),
				s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(fresh[:], []byte{9})...)),
				s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(to[:], []byte{0xff, 0xff})...)), // reverts
			}
		}},
		"self-destruction where there was a balance": {
			func(s *sender) []*chain.Tx {
				doomed := create2Addr(1, doomedInit)
				return []*chain.Tx{s.tx(&doomed, 1, nil)}
			},
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.tx(&factoryAddr, 0, append(words([]byte{1}), doomedInit...)), s.tx(nil, 2, doomedInit), s.tx(&doomedAddr, 1, nil)}
			},
		},
		"slots are deleted": {
			func(s *sender) (txs []*chain.Tx) {
				for i := range 12 {
					txs = append(txs, s.keep(i, 1))
				}
				return txs
			},
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.keep(3, 0), s.keep(4, 0), s.keep(40, 1)} },
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.keep(40, 0), s.keep(41, 1), s.keep(41, 0)} },
			func(s *sender) (txs []*chain.Tx) {
				for i := range 11 {
					txs = append(txs, s.keep(i, 0))
				}
				return txs
			},
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.keep(11, 0)} },
		},
		"delegations": {
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.delegate(1, 0, poolAddr)} },
			func(s *sender) []*chain.Tx {
				to := s.m.address(1)
				return []*chain.Tx{s.tx(&to, 1, []byte{1}), s.ask(to, 0, 0, to), s.delegate(1, 1, watcherAddr), s.tx(&to, 1, nil)}
			},
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.delegate(1, 2, common.Address{}), s.delegate(2, 0, s.m.address(1)), s.delegate(2, 5, poolAddr)}
			},
		},
		"block hashes": {
			nil, nil, nil,
			func(s *sender) []*chain.Tx { return []*chain.Tx{s.ask(absent, 2, 0, absent)} },
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.ask(absent, 4, 0, absent), s.ask(absent, 0, 0, absent)}
			},
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.ask(absent, 6, 0, absent), s.ask(absent, 99, 0, absent)}
			},
		},
		"looks without use": {
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.ask(tokenAddr, 0, 1, poolAddr), s.ask(absent, 0, 2, walletAddr)}
			},
			func(s *sender) []*chain.Tx { // compiled by now
				return []*chain.Tx{s.ask(tokenAddr, 0, 3, poolAddr), s.ask(fresh, 0, 4, walletAddr), s.ask(s.m.address(2), 1, 4, s.m.address(3))}
			},
		},
		"the contracts of the system": {
			func(s *sender) []*chain.Tx {
				return []*chain.Tx{s.tx(&params.HistoryStorageAddress, 0, words([]byte{0}))}
			},
			func(s *sender) []*chain.Tx {
				now := new(big.Int).SetUint64(genesisTime + 1)
				return []*chain.Tx{s.tx(&params.HistoryStorageAddress, 0, words([]byte{0})), s.tx(&params.BeaconRootsAddress, 0, words(now.Bytes()))}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := standard(2, 12)
			rig := newStandardRig(t, m)
			s := &sender{m: m}
			for _, txs := range blocks {
				proofs := proofsOf(rig.serial.trie)
				next := list()
				if txs != nil {
					next = list(txs(s)...)
				}
				b, w := rig.block(next)
				checkMinimal(t, &m.g.Config, b, w, proofs)
			}
		})
	}
}

// checkMinimal leaves out one node after the other, and one code: go-ethereum must fail.
func checkMinimal(t *testing.T, cfg *chain.Config, b *chain.Block, w *chain.Witness, proofs map[string]bool) {
	t.Helper()
	fails := func(less *chain.Witness) bool {
		root, _, _, err := witnessed(t, cfg, b, less).Strictly()
		return err != nil || root != b.Header.Root
	}
	for i, node := range w.State {
		less := &chain.Witness{Headers: w.Headers, Codes: w.Codes, State: slices.Delete(slices.Clone(w.State), i, i+1)}
		if !fails(less) && !proofs[string(node)] {
			t.Errorf("block %d: go-ethereum does without node %d of %d: %x", b.Number(), i, len(w.State), node)
		}
	}
	for i := range w.Codes {
		less := &chain.Witness{Headers: w.Headers, State: w.State, Codes: slices.Delete(slices.Clone(w.Codes), i, i+1)}
		if !fails(less) {
			t.Errorf("block %d: go-ethereum does without code %d of %d", b.Number(), i, len(w.Codes))
		}
	}
}

// Random transactions among many accounts, with blocks so large that several goroutines
// make the witness.
func TestGoEthereumExecutesRandomBlocksByTheirWitness(t *testing.T) {
	seeds := int64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			m := standard(seed*2, 6+int(seed)*7)
			r := rand.New(rand.NewSource(seed))
			for i := range 3000 {
				m.g.Alloc[stranger(i)] = types.Account{Balance: big.NewInt(1)}
			}
			balances := m.g.Alloc[tokenAddr].Storage
			for i := range 2000 {
				addr := stranger(i)
				balances[common.BytesToHash(addr[:])] = common.Hash{31: 9}
			}
			rig := newStandardRig(t, m)
			if seed%2 == 1 {
				rig.baseFee = nil
			}
			for _, size := range []int{1, 40, 1500, 300} {
				left := size
				rig.block(func() *chain.Tx {
					for left--; left >= 0; {
						if tx := m.standardTx(r); tx != nil {
							return tx
						}
					}
					return nil
				})
			}
		})
	}
}

// standardTx is a random transaction that is no deposit and below Ethereum's gas cap.
func (m *mix) standardTx(r *rand.Rand) *chain.Tx {
	from := r.Intn(len(m.keys))
	acc, _ := m.c.Pending().Account(m.address(from))
	s := &sender{m: m, from: from, nonce: acc.Nonce}
	someone := stranger(r.Intn(3500))
	switch r.Intn(8) {
	case 0:
		return s.tx(&someone, 1, nil)
	case 1:
		return s.ask(someone, uint64(r.Intn(6)), r.Intn(20), m.someone())
	case 2:
		return s.keep(r.Intn(600), r.Intn(2))
	case 3:
		return s.tx(&tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(someone[:], []byte{byte(r.Intn(3))})...))
	case 4:
		doomed := create2Addr(byte(r.Intn(200)), doomedInit)
		return s.tx(&doomed, int64(r.Intn(2)), nil)
	case 5:
		return s.tx(&factoryAddr, 0, append(words([]byte{byte(r.Intn(200))}), doomedInit...))
	}
	if tx := m.next(); !tx.IsDeposit() && tx.Gas() <= params.MaxTxGas {
		return tx
	}
	return nil
}

// Compiled code stops before a segment that the gas does not suffice for; what the gas
// suffices for is in the witness all the same.
func TestAWitnessHoldsWhatATransactionLookedAtBeforeItsGasEnded(t *testing.T) {
	m := standard(2, 12)
	rig := newStandardRig(t, m)
	s := &sender{m: m}
	short := func(slot byte, gas uint64) *chain.Tx {
		s.nonce++
		return s.m.sign(s.from, &types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(m.g.Config.ChainID), Nonce: s.nonce - 1, Gas: gas, To: &shortAddr, Value: new(big.Int),
			Data: words([]byte{slot}, stranger(int(slot)).Bytes()), GasFeeCap: big.NewInt(3_000_000), GasTipCap: big.NewInt(1),
		})
	}
	for range 4 { // now it is compiled
		rig.block(list(short(0, 200_000)))
	}
	for slot, gas := range []uint64{0, 22_000, 23_500, 24_000, 26_000, 27_000, 30_000, 50_000, 58_000, 58_500} {
		if gas > 0 {
			rig.block(list(short(byte(slot), gas)))
		}
	}
	openNext(t, rig.serial)
	rig.serial.rec.budget.Store(0)
	if _, err := rig.serial.Apply(short(0, 57_950)); err != nil {
		t.Fatal(err)
	}
	rig.serial.Cut(1)
	if _, _, err := rig.serial.Seal(); err != nil || rig.serial.Witness() != nil {
		t.Errorf("%v, a witness of a block of which it is not known what it looked at: %v", err, rig.serial.Witness() != nil)
	}
}

// Without the wish there is no witness, and the wish counts from the next block on.
func TestAWitnessIsMadeOnlyWhereItIsWanted(t *testing.T) {
	m := standard(2, 4)
	c := m.boot(t, 1)
	defer c.Close()
	s := &sender{m: m}
	seal := func() *chain.Witness {
		t.Helper()
		if _, err := c.Apply(s.keep(1, 1)); err != nil {
			t.Fatal(err)
		}
		c.Cut(1)
		if _, _, err := c.Seal(); err != nil {
			t.Fatal(err)
		}
		return c.Witness()
	}
	openNext(t, c)
	c.SetWitness(true)
	if seal() != nil {
		t.Error("a witness of a block that was open before")
	}
	openNext(t, c)
	c.SetWitness(false)
	if seal() == nil {
		t.Error("no witness")
	}
	openNext(t, c)
	if seal() != nil {
		t.Error("a witness that nobody wanted")
	}
}

// A chain that continues knows the older headers only if it is told them.
func TestAWitnessHoldsHeadersFromBeforeTheStart(t *testing.T) {
	m := standard(2, 4)
	first := m.boot(t, 1)
	defer first.Close()
	headers, hashes := make(map[uint64]*types.Header), make(map[uint64]common.Hash)
	for range 4 {
		h := first.Parent()
		headers[h.Number.Uint64()], hashes[h.Number.Uint64()] = h, h.Hash()
		openNext(t, first)
		first.Cut(1)
		if _, _, err := first.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	for name, known := range map[string]map[uint64]*types.Header{"told": headers, "not told": nil} {
		c := NewChain(&m.g.Config, first.db, first.trie, Position{
			Parent: first.Parent(), Ancestors: hashes, Headers: maps.Clone(known), NextMini: first.NextMini(), LastMiniHash: first.lastMiniHash})
		c.SetWitness(true)
		openNext(t, c)
		if _, err := c.Apply((&sender{m: m}).ask(common.Address{1}, 2, 0, common.Address{2})); err != nil {
			t.Fatal(err)
		}
		if c.sealWitness(nil); (c.Witness() != nil) != (known != nil) {
			t.Errorf("%s: witness %v", name, c.Witness())
		} else if known != nil && (len(c.Witness().Headers) != 3 || c.Witness().Headers[0].Number.Uint64() != 2) {
			t.Errorf("%d headers", len(c.Witness().Headers))
		}
		c.Close()
	}
}

// What is adopted is not executed: there is nothing to record.
func TestABlockWithAnAdoptedMiniBlockHasNoWitness(t *testing.T) {
	m := standard(2, 4)
	leader, follower := m.boot(t, 1), m.boot(t, 1)
	defer leader.Close()
	defer follower.Close()
	follower.SetWitness(true)
	s := &sender{m: m}
	openNext(t, leader)
	if _, err := leader.Apply(s.keep(1, 1)); err != nil {
		t.Fatal(err)
	}
	first, _ := leader.Cut(genesisTime*1_000_000 + 2_000_000)
	_, _, a := leader.OpenBlock()
	openNext(t, follower)
	if i, err := follower.ApplyAll(first.Txs); err != nil {
		t.Fatal(i, err)
	}
	follower.Cut(first.Header.TimestampMicros)
	if _, err := leader.Apply(s.keep(2, 1)); err != nil {
		t.Fatal(err)
	}
	second, _ := leader.Cut(first.Header.TimestampMicros + 1)
	if _, err := follower.Adopt(second, a); err != nil {
		t.Fatal(err)
	}
	if _, _, err := follower.Seal(); err != nil {
		t.Fatal(err)
	}
	if follower.Witness() != nil {
		t.Error("a witness of a block of which half was executed")
	}
}
