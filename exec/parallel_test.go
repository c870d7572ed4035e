package exec

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"math/rand"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// asm joins opcodes, bytes and slices of bytes to code.
func asm(parts ...any) []byte {
	var code []byte
	for _, p := range parts {
		switch p := p.(type) {
		case vm.OpCode:
			code = append(code, byte(p))
		case int:
			code = append(code, byte(p))
		case []byte:
			code = append(code, p...)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return code
}

// Contracts of the tests.
var (
	tokenAddr   = common.HexToAddress("0x70000000000000000000000000000000000000e1")
	poolAddr    = common.HexToAddress("0x70000000000000000000000000000000000000e2")
	watcherAddr = common.HexToAddress("0x70000000000000000000000000000000000000e3")
	factoryAddr = common.HexToAddress("0x70000000000000000000000000000000000000e4")
	doomedAddr  = common.HexToAddress("0x70000000000000000000000000000000000000e5")
	walletAddr  = common.HexToAddress("0x70000000000000000000000000000000000000e6")

	// transfer(to, amount): balances by address, reverts without funds, logs.
	tokenCode = func() []byte {
		body := asm(
			vm.PUSH1, 0x24, vm.CALLDATALOAD, vm.CALLER, vm.SLOAD, // amount balance
			vm.DUP2, vm.DUP2, vm.LT, vm.PUSH1, 0xff, vm.JUMPI,
			vm.DUP2, vm.SWAP1, vm.SUB, vm.CALLER, vm.SSTORE,
			vm.PUSH1, 4, vm.CALLDATALOAD, vm.DUP1, vm.SLOAD, vm.DUP3, vm.ADD, vm.SWAP1, vm.SSTORE,
			vm.PUSH1, 0, vm.MSTORE,
			vm.PUSH1, 4, vm.CALLDATALOAD, vm.CALLER, vm.PUSH4, []byte{0xdd, 0xf2, 0x52, 0xad}, vm.PUSH1, 32, vm.PUSH1, 0, vm.LOG3, vm.STOP,
		)
		at := bytes.IndexByte(body, 0xff)
		body[at] = byte(len(body))
		return append(body, asm(vm.JUMPDEST, vm.PUSH1, 0, vm.PUSH1, 0, vm.REVERT)...)
	}()
	// Adds to one slot, remembers the last caller, logs.
	poolCode = asm(
		vm.PUSH1, 0, vm.SLOAD, vm.PUSH1, 3, vm.MUL, vm.PUSH1, 7, vm.ADD, vm.DUP1, vm.PUSH1, 0, vm.SSTORE,
		vm.CALLER, vm.PUSH1, 1, vm.SSTORE, vm.PUSH1, 0, vm.PUSH1, 0, vm.LOG1, vm.STOP)
	// Stores the balances of coinbase and caller, then pays the coinbase what it got.
	watcherCode = asm(
		vm.COINBASE, vm.BALANCE, vm.PUSH1, 0, vm.SSTORE, vm.CALLER, vm.BALANCE, vm.PUSH1, 1, vm.SSTORE,
		vm.PUSH1, 0, vm.DUP1, vm.DUP1, vm.DUP1, vm.CALLVALUE, vm.COINBASE, vm.GAS, vm.CALL, vm.STOP)
	// create2 of the calldata's second word on, with the first as salt.
	factoryCode = asm(
		vm.PUSH1, 32, vm.CALLDATASIZE, vm.SUB, vm.DUP1, vm.PUSH1, 32, vm.PUSH1, 0, vm.CALLDATACOPY,
		vm.PUSH1, 0, vm.CALLDATALOAD, vm.SWAP1, vm.PUSH1, 0, vm.CALLVALUE, vm.CREATE2, vm.PUSH1, 0, vm.SSTORE, vm.STOP)
	doomedCode = asm(vm.PUSH1, 1, vm.PUSH1, 2, vm.SSTORE, vm.CALLER, vm.SELFDESTRUCT)
	// Sends what it is given on to the address in the calldata.
	walletCode = asm(vm.PUSH1, 0, vm.DUP1, vm.DUP1, vm.DUP1, vm.CALLVALUE, vm.PUSH1, 0, vm.CALLDATALOAD, vm.GAS, vm.CALL, vm.PUSH1, 0, vm.SSTORE)

	// Initcodes: store 7 and leave ten bytes of code; destroy itself at once.
	plainInit  = common.FromHex("6960003560015560076000600055600a6000f3")
	doomedInit = asm(vm.PUSH1, 5, vm.PUSH1, 1, vm.SSTORE, vm.ORIGIN, vm.SELFDESTRUCT)
)

// mix makes random transactions for a chain.
type mix struct {
	r    *rand.Rand
	g    *chain.Genesis
	keys []*ecdsa.PrivateKey
	c    *Chain // whose pending state the nonces come from
	// token tells a chain whose native currency is a token of L1.
	token bool
}

func testKeys(n int) []*ecdsa.PrivateKey {
	keys := make([]*ecdsa.PrivateKey, n)
	for i := range keys {
		keys[i], _ = crypto.ToECDSA(common.BigToHash(big.NewInt(int64(i + 1))).Bytes())
	}
	return keys
}

func newMix(seed int64, users int) *mix {
	m := &mix{r: rand.New(rand.NewSource(seed)), keys: testKeys(users), token: seed%2 == 1}
	m.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: genesisTime, Alloc: predeploys.Alloc(predeploys.Settings{})}
	m.g.Config.GasLimit = 120_000_000
	balances := make(map[common.Hash]common.Hash)
	for _, k := range m.keys {
		addr := crypto.PubkeyToAddress(k.PublicKey)
		m.g.Alloc[addr] = types.Account{Balance: big.NewInt(params.Ether)}
		balances[common.BytesToHash(addr[:])] = common.BigToHash(big.NewInt(1000))
	}
	m.g.Alloc[tokenAddr] = types.Account{Code: tokenCode, Storage: balances, Balance: new(big.Int)}
	for addr, code := range map[common.Address][]byte{
		poolAddr: poolCode, watcherAddr: watcherCode, factoryAddr: factoryCode, doomedAddr: doomedCode, walletAddr: walletCode,
	} {
		m.g.Alloc[addr] = types.Account{Code: code, Nonce: 1, Balance: new(big.Int)}
	}
	return m
}

func (m *mix) boot(t testing.TB, workers int) *Chain {
	diff, err := GenesisDiff(m.g)
	if err != nil {
		t.Fatal(err)
	}
	db, tree := state.NewDB(), state.NewTrie()
	db.Apply(diff)
	tree.Apply(diff)
	block := GenesisBlock(m.g, tree.Root(), tree.StorageRoot(chain.MessagePasserAddr))
	c := NewChain(&m.g.Config, db, tree, Position{Parent: block.Header, LastMiniHash: block.Hash()})
	c.SetWorkers(workers)
	return c
}

func (m *mix) address(i int) common.Address { return crypto.PubkeyToAddress(m.keys[i].PublicKey) }

// someone is a user, the coinbase, a vault or a stranger.
func (m *mix) someone() common.Address {
	switch m.r.Intn(10) {
	case 0:
		return chain.SequencerFeeVaultAddr
	case 1:
		return chain.BaseFeeVaultAddr
	case 2:
		return common.Address{0xee, byte(m.r.Intn(4))}
	case 3:
		return chain.L1FeeVaultAddr
	}
	return m.address(m.r.Intn(len(m.keys)))
}

func (m *mix) sign(from int, inner types.TxData) *chain.Tx {
	raw, err := types.MustSignNewTx(m.keys[from], types.LatestSignerForChainID(new(big.Int).SetUint64(m.g.Config.ChainID)), inner).MarshalBinary()
	if err != nil {
		panic(err)
	}
	tx, err := chain.DecodeTx(raw, &m.g.Config)
	if err != nil {
		panic(err)
	}
	return tx
}

func words(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, common.LeftPadBytes(p, 32)...)
	}
	return out
}

// next makes one transaction; its nonce is right, most of the time.
func (m *mix) next() *chain.Tx {
	switch m.r.Intn(60) {
	case 0, 1, 2, 3, 4:
		return m.deposit()
	case 5: // other prices of the L1 data fee
		a := attributes(uint64(m.r.Intn(1000)))
		a.BaseFee, a.BlobBaseFee = big.NewInt(int64(m.r.Intn(5_000))), big.NewInt(int64(m.r.Intn(50)))
		a.BaseFeeScalar, a.BlobBaseFeeScalar = uint32(m.r.Intn(3)*1_000_000), uint32(m.r.Intn(2)*1_000_000)
		if m.token {
			a.GasTokenRate = chain.TokenRate{Rate: 1 + uint64(m.r.Int63n(2e9)), Until: genesisTime + uint64(m.r.Intn(2)), Then: 1 + uint64(m.r.Int63n(2e9))}
		}
		return a.Tx()
	}
	from := m.r.Intn(len(m.keys))
	if m.r.Intn(3) == 0 {
		from = 0
	}
	acc, _ := m.c.Pending().Account(m.address(from))
	id := new(big.Int).SetUint64(m.g.Config.ChainID)
	tx := &types.DynamicFeeTx{ChainID: id, Nonce: acc.Nonce, Gas: 200_000, GasFeeCap: big.NewInt(2_000_000 + int64(m.r.Intn(2))), GasTipCap: big.NewInt(int64(m.r.Intn(3)))}
	call := func(to common.Address, value int64, data []byte) {
		tx.To, tx.Value, tx.Data = &to, big.NewInt(value), data
	}
	to := m.someone()
	switch m.r.Intn(16) {
	case 0, 1:
		call(to, int64(m.r.Intn(100)), nil)
		tx.Gas = 21_000
	case 2, 3, 4:
		call(tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(to[:], []byte{byte(m.r.Intn(40))})...))
	case 5, 6:
		call(poolAddr, 0, []byte{1, 2, 3, 4})
	case 7:
		call(watcherAddr, int64(m.r.Intn(3)), nil)
	case 8:
		call(factoryAddr, 0, append(words([]byte{byte(m.r.Intn(5))}), [][]byte{plainInit, doomedInit}[m.r.Intn(2)]...))
	case 9:
		call(doomedAddr, 1, nil)
	case 10:
		call(walletAddr, int64(m.r.Intn(50)), words(to[:]))
	case 11:
		tx.Data = [][]byte{plainInit, doomedInit, {byte(vm.INVALID)}}[m.r.Intn(3)]
	case 12:
		call(tokenAddr, 0, append([]byte{0xa9, 5, 9, 0xcb}, words(to[:], []byte{0xff, 0xff})...)) // reverts
	case 13: // not valid
		call(to, 1, nil)
		switch m.r.Intn(5) {
		case 0:
			tx.Nonce++
		case 1:
			tx.Nonce--
		case 2:
			tx.Value = big.NewInt(2 * params.Ether)
		case 3:
			tx.Gas = 20_000
		case 4:
			tx.GasFeeCap = big.NewInt(1)
		}
	case 14:
		call(poolAddr, 0, []byte{1, 2, 3, 4})
		tx.Gas = uint64(21_100 + m.r.Intn(5_000)) // runs out
		if m.r.Intn(8) == 0 {
			tx.Gas = 115_000_000 // fits into an empty block only
		}
	case 15:
		return m.setCode(from, acc.Nonce)
	}
	return m.sign(from, tx)
}

func (m *mix) setCode(from int, nonce uint64) *chain.Tx {
	authority := m.r.Intn(len(m.keys))
	acc, _ := m.c.Pending().Account(m.address(authority))
	auth := types.SetCodeAuthorization{
		ChainID: *uint256.NewInt(m.g.Config.ChainID), Nonce: acc.Nonce,
		Address: []common.Address{poolAddr, tokenAddr, watcherAddr, {}}[m.r.Intn(4)],
	}
	if authority == from {
		auth.Nonce++
	}
	auth, err := types.SignSetCode(m.keys[authority], auth)
	if err != nil {
		panic(err)
	}
	return m.sign(from, &types.SetCodeTx{
		ChainID: uint256.NewInt(m.g.Config.ChainID), Nonce: nonce, Gas: 200_000, GasFeeCap: uint256.NewInt(3_000_000), GasTipCap: uint256.NewInt(1),
		To: m.address(authority), AuthList: []types.SetCodeAuthorization{auth},
	})
}

func (m *mix) deposit() *chain.Tx {
	d := &chain.Deposit{SourceHash: common.Hash{byte(m.r.Intn(256)), byte(m.r.Intn(256))}, From: m.someone(), Mint: big.NewInt(int64(m.r.Intn(3))), Value: new(big.Int), Gas: 100_000}
	to := []common.Address{poolAddr, tokenAddr, watcherAddr, m.someone()}[m.r.Intn(4)]
	d.To = &to
	switch m.r.Intn(4) {
	case 0:
		d.Value = big.NewInt(int64(m.r.Intn(4)))
	case 1:
		d.Value = big.NewInt(params.Ether)
	case 2:
		d.To, d.Data = nil, plainInit
	}
	return chain.NewDepositTx(d)
}

type outcome struct {
	receipt *chain.Receipt
	err     string
}

// step is one batch of transactions and whether a cut, and the end of the block, follow.
type step struct {
	txs      []*chain.Tx
	cut, end bool
	want     []outcome
	mini     *chain.MiniBlock
	block    *chain.Block
	witness  *chain.Witness
}

func openNext(t testing.TB, c *Chain) {
	if err := c.Open(chain.Attributes{Timestamp: c.Parent().Time + 1, PrevRandao: common.Hash{9}, ParentBeacon: common.Hash{8}}); err != nil {
		t.Fatal(err)
	}
}

// script makes n transactions in steps and what a chain gives that executes them one
// after the other.
func (m *mix) script(t testing.TB, n int) []step {
	m.c = m.boot(t, 1)
	m.c.SetWitness(true)
	openNext(t, m.c)
	var steps []step
	for n > 0 {
		s := step{cut: m.r.Intn(2) == 0, end: m.r.Intn(4) == 0}
		for range min(n, 1+m.r.Intn(300)) {
			n--
			tx := m.next()
			if len(s.txs) > 0 && m.r.Intn(20) == 0 {
				tx = s.txs[m.r.Intn(len(s.txs))] // again
			}
			r, err := m.c.Apply(tx)
			s.txs = append(s.txs, tx)
			s.want = append(s.want, outcomeOf(r, err))
		}
		s.finish(t, m.c, func(b *chain.MiniBlock) { s.mini = b }, func(b *chain.Block) { s.block, s.witness = b, m.c.Witness() })
		steps = append(steps, s)
	}
	return steps
}

func outcomeOf(r *chain.Receipt, err error) outcome {
	if err != nil {
		return outcome{nil, err.Error()}
	}
	return outcome{r, ""}
}

func (s *step) finish(t testing.TB, c *Chain, cut func(*chain.MiniBlock), seal func(*chain.Block)) {
	if s.cut || s.end {
		b, _ := c.Cut(chain.Micros(c.NextMini()))
		cut(b)
	}
	if s.end {
		b, _, err := c.Seal()
		if err != nil {
			t.Fatal(err)
		}
		seal(b)
		openNext(t, c)
	}
}

// perturb makes goroutines yield at random points.
func perturb(seed int64) func(event) {
	var n atomic.Uint64
	return func(event) {
		x := (n.Add(1) + uint64(seed)) * 0x9e3779b97f4a7c15
		for range x >> 58 & 7 * (x >> 40 & 1) {
			runtime.Gosched()
		}
	}
}

// replay executes the steps in batches and compares everything.
func (m *mix) replay(t testing.TB, steps []step, workers int, seed int64) Stats {
	c := m.boot(t, workers)
	c.batch.observe = perturb(seed)
	c.batch.stealAfter = 1 << uint(uint64(seed)%11)
	c.SetWitness(true)
	openNext(t, c)
	for k := range steps {
		s := &steps[k]
		next := 0
		for next < len(s.txs) {
			// Now and then the caller stops in the middle.
			stop := len(s.txs)
			if seed%3 == 0 {
				stop = min(stop, next+1+int(uint64(seed)*uint64(k+next+1)%100))
			}
			from := next
			c.serial = 0 // never for long without a batch
			n := c.ApplyBatch(s.txs[from:], func(i int, r *chain.Receipt, err error) bool {
				if i+from != next {
					t.Errorf("step %d: outcome %d after %d", k, i+from, next-1)
				}
				if got := outcomeOf(r, err); !reflect.DeepEqual(got, s.want[next]) {
					t.Errorf("workers %d, step %d, transaction %d:\n%+v\nwant\n%+v", workers, k, next, got, s.want[next])
				}
				next++
				return next < stop
			})
			if n != next-from {
				t.Fatalf("step %d: %d outcomes, ApplyBatch says %d", k, next-from, n)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
		s.finish(t, c, func(b *chain.MiniBlock) {
			if !bytes.Equal(b.Diff, s.mini.Diff) || b.Header != s.mini.Header {
				t.Fatalf("workers %d, step %d: mini-block differs", workers, k)
			}
		}, func(b *chain.Block) {
			if b.Hash() != s.block.Hash() || b.Header.Root != s.block.Header.Root {
				t.Fatalf("workers %d, step %d: block differs", workers, k)
			}
			checkSame(t, s.witness, c.Witness())
		})
	}
	c.Close()
	return c.Stats()
}

func TestParallelEqualsSerial(t *testing.T) {
	seeds := 24
	if testing.Short() {
		seeds = 4
	}
	var all Stats
	for seed := range int64(seeds) {
		m := newMix(seed, 4+int(seed)%30)
		steps := m.script(t, 900)
		for _, workers := range []int{1, 2, 3, 4, 8} {
			s := m.replay(t, steps, workers, seed*31+int64(workers))
			all.Transactions += s.Transactions
			all.Aborts += s.Aborts
			all.Stolen += s.Stolen
			all.Serial += s.Serial
		}
	}
	// How much falls back to serial execution depends on the machine.
	if all.Aborts == 0 || all.Stolen == 0 || all.Transactions == 0 {
		t.Errorf("the mix leaves out what is to be tested: %+v", all)
	}
	t.Logf("%+v", all)
}

func FuzzParallelEqualsSerial(f *testing.F) {
	f.Add(int64(1), uint8(2), uint16(200))
	f.Fuzz(func(t *testing.T, seed int64, workers uint8, n uint16) {
		m := newMix(seed, 2+int(uint64(seed)%20))
		steps := m.script(t, 1+int(n)%600)
		m.replay(t, steps, 1+int(workers)%8, seed)
	})
}
