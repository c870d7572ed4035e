package verify

import (
	"bytes"
	"crypto/ecdsa"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/state"
)

const labTime = 1_800_000_000

// lab is a chain that makes blocks with package exec, and reference witnesses from the
// whole trie.
type lab struct {
	t      testing.TB
	g      *chain.Genesis
	leader *ecdsa.PrivateKey
	keys   []*ecdsa.PrivateKey
	nonces []uint64
	chain  *exec.Chain
	trie   *state.Trie
	now    chain.Micros
	last   *chain.MiniBlockHeader
	l1     chain.L1Attributes
	heads  []*types.Header                         // from genesis on
	slots  map[common.Address]map[common.Hash]bool // that were ever written
	// recorded is the witness that the chain itself made of the last block.
	recorded *chain.Witness
}

// Contracts of the lab.
var (
	// storer stores word 1 of its data in the slot that word 0 names, and logs it.
	storer = common.HexToAddress("0x5708e")
	// historian stores the hash of the block so many before as word 0 of its data says.
	historian = common.HexToAddress("0x41570")
)

func newLab(t testing.TB, settings ...func(*chain.Genesis)) *lab {
	l := &lab{t: t, now: labTime * 1_000_000, slots: make(map[common.Address]map[common.Hash]bool)}
	l.leader = labKey(t, 200)
	l.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: labTime, Alloc: predeploys.Alloc(predeploys.Settings{}), L1Origin: chain.L1Origin{Number: 100, Hash: common.Hash{100}}}
	l.g.Config.Sequencer = crypto.PubkeyToAddress(l.leader.PublicKey)
	l.g.Config.Batcher = common.Address{0xba}
	l.g.Config.BaseFeeScalar, l.g.Config.BlobBaseFeeScalar = 1_000, 2_000
	for i := range 6 {
		key := labKey(t, byte(i+1))
		l.keys = append(l.keys, key)
		l.g.Alloc[crypto.PubkeyToAddress(key.PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
	}
	l.nonces = make([]uint64, len(l.keys))
	l.g.Alloc[storer] = types.Account{Code: common.FromHex("60203560003555602035600052600760003560206000a200"), Balance: new(big.Int)}
	l.g.Alloc[historian] = types.Account{Code: common.FromHex("60003543034060055500"), Balance: new(big.Int)}
	for _, set := range settings {
		set(l.g)
	}
	diff, err := exec.GenesisDiff(l.g)
	if err != nil {
		t.Fatal(err)
	}
	l.note(diff)
	db := state.NewDB()
	l.trie = state.NewTrie()
	db.Apply(diff)
	l.trie.Apply(diff)
	block := exec.GenesisBlock(l.g, l.trie.Root(), l.trie.StorageRoot(chain.MessagePasserAddr))
	if l.g.Config.MinBaseFee == 0 { // gas is free, as in public test cases
		block.Header.BaseFee = new(big.Int)
	}
	l.heads = append(l.heads, block.Header)
	l.chain = exec.NewChain(&l.g.Config, db, l.trie, exec.Position{Parent: block.Header, LastMiniHash: block.Header.Hash()})
	l.chain.SetWitness(true)
	t.Cleanup(l.chain.Close)
	l.l1 = chain.L1Attributes{
		Number: l.g.L1Origin.Number, Hash: l.g.L1Origin.Hash, Timestamp: labTime - 1, BaseFee: big.NewInt(7_000_000_000), BlobBaseFee: big.NewInt(1),
		Batcher: l.g.Config.Batcher, BaseFeeScalar: l.g.Config.BaseFeeScalar, BlobBaseFeeScalar: l.g.Config.BlobBaseFeeScalar,
		PrevRandao: common.Hash{1}, ParentBeacon: common.Hash{2},
	}
	return l
}

func labKey(t testing.TB, n byte) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (l *lab) note(diff state.Diff) {
	for _, a := range diff {
		if l.slots[a.Address] == nil {
			l.slots[a.Address] = make(map[common.Hash]bool)
		}
		for _, s := range a.Storage {
			l.slots[a.Address][s.Slot] = true
		}
	}
}

func (l *lab) user(i int) common.Address { return crypto.PubkeyToAddress(l.keys[i].PublicKey) }

// tx signs a transaction; its nonce, fees and chain id are filled in.
func (l *lab) tx(from int, inner *types.DynamicFeeTx) *chain.Tx {
	l.t.Helper()
	inner.ChainID = new(big.Int).SetUint64(l.g.Config.ChainID)
	inner.Nonce = l.nonces[from]
	l.nonces[from]++
	if inner.GasFeeCap == nil {
		inner.GasFeeCap, inner.GasTipCap = big.NewInt(20_000_000), big.NewInt(3)
	}
	return l.decode(types.MustSignNewTx(l.keys[from], types.LatestSignerForChainID(inner.ChainID), inner))
}

func (l *lab) decode(tx *types.Transaction) *chain.Tx {
	l.t.Helper()
	raw, err := tx.MarshalBinary()
	if err != nil {
		l.t.Fatal(err)
	}
	decoded, err := chain.DecodeTx(raw, &l.g.Config)
	if err != nil {
		l.t.Fatal(err)
	}
	return decoded
}

func (l *lab) transfer(from, to int, value int64) *chain.Tx {
	addr := l.user(to)
	return l.tx(from, &types.DynamicFeeTx{Gas: 21_000, To: &addr, Value: big.NewInt(value)})
}

func (l *lab) store(from int, slot, value byte) *chain.Tx {
	data := append(common.LeftPadBytes([]byte{slot}, 32), common.LeftPadBytes([]byte{value}, 32)...)
	return l.tx(from, &types.DynamicFeeTx{Gas: 100_000, To: &storer, Data: data})
}

func (l *lab) call(from int, to common.Address, gas uint64, data ...byte) *chain.Tx {
	return l.tx(from, &types.DynamicFeeTx{Gas: gas, To: &to, Data: data})
}

// nextOrigin makes the next block take the next L1 origin.
func (l *lab) nextOrigin() {
	l.l1.Number++
	l.l1.Hash = common.Hash{byte(l.l1.Number), 7}
	l.l1.Timestamp += 6
	l.l1.PrevRandao, l.l1.ParentBeacon = common.Hash{1, byte(l.l1.Number)}, common.Hash{2, byte(l.l1.Number)}
	l.l1.BaseFee = new(big.Int).Add(l.l1.BaseFee, common.Big1)
	l.l1.SequenceNumber = ^uint64(0)
}

// made is a block with its mini-blocks decoded, for tests to change.
type made struct {
	Input
	MiniBlocks []*chain.MiniBlock
}

// input encodes the mini-blocks. Receipts of every other one are as the feed has them.
func (m *made) input() *Input {
	in := m.Input
	in.MiniBlocks = nil
	for i, mini := range m.MiniBlocks {
		raw := mini.Raw()
		if raw.Receipts != nil && i%2 == 1 {
			raw.Receipts = nil
			for _, r := range mini.Receipts {
				if r.Bloom != chain.LogsBloom(r.Logs) {
					raw.Receipts = append(raw.Receipts, r.MarshalBinary())
				} else {
					raw.Receipts = append(raw.Receipts, r.AppendStored(nil))
				}
			}
		}
		in.MiniBlocks = append(in.MiniBlocks, raw)
	}
	return &in
}

// block makes a block of mini-blocks of transactions, behind the L1-attributes deposit.
func (l *lab) block(minis ...[]*chain.Tx) *made {
	l.t.Helper()
	l.l1.SequenceNumber++
	parent := l.chain.Parent()
	in := &made{Input: Input{Before: l.last, Genesis: l.g.L1Origin}}
	if err := l.chain.Open(chain.Attributes{Timestamp: max(parent.Time+1, l.l1.Timestamp), PrevRandao: l.l1.PrevRandao, ParentBeacon: l.l1.ParentBeacon}); err != nil {
		l.t.Fatal(err)
	}
	if len(minis) == 0 {
		minis = [][]*chain.Tx{nil}
	}
	minis[0] = append([]*chain.Tx{l.l1.Tx()}, minis[0]...)
	for _, txs := range minis {
		if i, err := l.chain.ApplyAll(txs); err != nil {
			l.t.Fatalf("transaction %d: %v", i, err)
		}
		l.now = max(l.now+10_000, chain.Micros(l.chain.OpenHeader().Time)*1_000_000)
		m, _ := l.chain.Cut(l.now)
		var err error
		if m.Signature, err = m.Header.Sign(l.leader); err != nil {
			l.t.Fatal(err)
		}
		in.MiniBlocks = append(in.MiniBlocks, m)
		l.last = &m.Header
	}
	in.Witness = l.everything()
	block, diff, err := l.chain.Seal()
	if err != nil {
		l.t.Fatal(err)
	}
	in.Header = block.Header
	l.recorded = l.chain.Witness()
	l.heads = append(l.heads, block.Header)
	l.note(diff)
	l.prune(in)
	return in
}

// everything is a witness of the whole state before the block.
func (l *lab) everything() *chain.Witness {
	nodes := make(map[common.Hash][]byte)
	add := func(proof [][]byte) {
		for _, n := range proof {
			nodes[keccak.Sum256(n)] = n
		}
	}
	w := &chain.Witness{Headers: l.heads[max(0, len(l.heads)-256):]}
	for addr, slots := range l.slots {
		var keys []common.Hash
		for s := range slots {
			keys = append(keys, s)
		}
		p := l.trie.Prove(addr, keys)
		add(p.AccountProof)
		for _, s := range p.Storage {
			add(s.Proof)
		}
		if code := l.chain.State().Head().Code(p.Account.CodeHash); len(code) > 0 {
			w.Codes = append(w.Codes, code)
		}
	}
	for _, n := range nodes {
		w.State = append(w.State, n)
	}
	return w
}

// prune leaves in the witness what the verifier looks at.
func (l *lab) prune(in *made) {
	l.t.Helper()
	w := &work{v: New(&l.g.Config), in: in.input()}
	defer w.v.Close()
	for _, step := range []func() *Fault{w.checkHeader, w.checkMiniBlocks, w.decode, w.prepare, w.checkL1, w.execute, w.checkRoots} {
		if f := step(); f != nil {
			l.t.Fatal(f)
		}
	}
	var used [][]byte
	for i, n := range in.Witness.State {
		if w.world.nodes.used[i] {
			used = append(used, n)
		}
	}
	slices.SortFunc(used, bytes.Compare)
	slices.SortFunc(in.Witness.Codes, bytes.Compare)
	in.Witness.State = used
	in.Witness.Codes = slices.CompactFunc(in.Witness.Codes, bytes.Equal)
}
