package verify

import (
	"errors"
	"math/big"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// rich makes three blocks with transfers, storage that comes, changes and goes, creations,
// failures, logs, deposits, withdrawals, BLOCKHASH, and returns them.
func (l *lab) rich() []*made {
	data := func(n byte) []byte { return common.LeftPadBytes([]byte{n}, 32) }
	first := l.block(
		[]*chain.Tx{l.transfer(0, 1, 5), l.store(1, 1, 7), l.store(2, 2, 8)},
		[]*chain.Tx{l.store(0, 3, 9), l.tx(3, &types.DynamicFeeTx{Gas: 200_000, Data: common.FromHex("6960003560015560076000600055600a6000f3")})},
		nil,
	)
	l.nextOrigin()
	to := l.user(4)
	deposit := chain.NewDepositTx(&chain.Deposit{SourceHash: common.Hash{5}, From: l.user(5), To: &to, Mint: big.NewInt(77), Value: big.NewInt(70), Gas: 50_000})
	failing := chain.NewDepositTx(&chain.Deposit{SourceHash: common.Hash{6}, From: l.user(5), To: &to, Mint: big.NewInt(3), Value: new(big.Int).Lsh(common.Big1, 200), Gas: 50_000})
	second := l.block(
		[]*chain.Tx{deposit, failing, l.store(1, 1, 0), l.store(2, 2, 5)},
		[]*chain.Tx{l.store(0, 3, 0), l.store(1, 4, 1), l.call(2, historian, 100_000, data(2)...), l.call(3, historian, 100_000, data(200)...)},
		[]*chain.Tx{
			l.tx(4, &types.DynamicFeeTx{Gas: 300_000, To: &chain.MessagePasserAddr, Value: big.NewInt(5)}),
			l.tx(4, &types.DynamicFeeTx{Gas: 25_000, To: &chain.MessagePasserAddr, Value: big.NewInt(5)}),
			l.tx(0, &types.DynamicFeeTx{Gas: 100_000, Value: big.NewInt(3), Data: common.FromHex("33ff")}),
		},
	)
	l.nonces[5] += 2 // of the deposits
	third := l.block([]*chain.Tx{l.store(0, 2, 0), l.call(1, historian, 100_000, data(3)...)}, []*chain.Tx{l.transfer(0, 1, 1)})
	return []*made{first, second, third}
}

func TestBlocksOfTheChainAreRight(t *testing.T) {
	l := newLab(t)
	v := New(&l.g.Config)
	defer v.Close()
	for i, in := range l.rich() {
		res, err := v.Block(in.input())
		if err != nil {
			t.Fatalf("block %d: %v", i+1, err)
		}
		if res.Hash != in.Header.Hash() || res.GasUsed != in.Header.GasUsed || res.Unsigned {
			t.Fatalf("block %d: %+v", i+1, res)
		}
		if res.Used != res.Nodes {
			t.Fatalf("block %d: %d of %d nodes used", i+1, res.Used, res.Nodes)
		}
	}
}

func TestWhatIsNotClaimedIsNotCompared(t *testing.T) {
	l := newLab(t)
	in := clone(l.rich()[1])
	for _, m := range in.MiniBlocks {
		m.Receipts, m.Diff = nil, nil
	}
	if _, err := Block(&l.g.Config, in.input()); err != nil {
		t.Fatal(err)
	}
}

func TestEveryNodeAndCodeOfAMinimalWitnessIsNeeded(t *testing.T) {
	l := newLab(t)
	for _, in := range l.rich() {
		for i := range in.Witness.State {
			less := clone(in)
			less.Witness.State = append(less.Witness.State[:i:i], less.Witness.State[i+1:]...)
			wantFault(t, l, less, KindWitnessNode)
		}
	}
}

func TestSurplusOfAWitnessIsIgnoredAndCounted(t *testing.T) {
	l := newLab(t)
	in := clone(l.rich()[0])
	in.Witness.State = append(in.Witness.State, []byte{0xc2, 0x20, 0x01}, []byte("no node"))
	in.Witness.Codes = append(in.Witness.Codes, []byte("no code"))
	res, err := Block(&l.g.Config, in.input())
	if err != nil || res.Nodes-res.Used != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestABlockOfDepositsNeedsNoSignature(t *testing.T) {
	l := newLab(t)
	l.block()
	in := clone(l.block())
	in.MiniBlocks[0].Signature = chain.Signature{}
	res, err := Block(&l.g.Config, in.input())
	if err != nil || !res.Unsigned {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestManyRandomBlocks(t *testing.T) {
	cfg, blocks := RandomBlocks(t, 6, 40)
	v := New(cfg)
	defer v.Close()
	for _, in := range blocks {
		if _, err := v.Block(in.input()); err != nil {
			t.Fatalf("block %d: %v", in.Header.Number, err)
		}
	}
}

// random is a transaction of some kind.
func (l *lab) random(r *rand.Rand) *chain.Tx {
	from := r.Intn(len(l.keys))
	switch r.Intn(7) {
	case 0, 1:
		return l.store(from, byte(r.Intn(40)), byte(r.Intn(3)))
	case 2:
		return l.tx(from, &types.DynamicFeeTx{Gas: 200_000, Data: common.FromHex("6960003560015560076000600055600a6000f3")})
	case 3:
		return l.tx(from, &types.DynamicFeeTx{Gas: 300_000, To: &chain.MessagePasserAddr, Value: big.NewInt(5)})
	case 4:
		to := common.Address{0xaa, byte(r.Intn(256))}
		return l.tx(from, &types.DynamicFeeTx{Gas: 21_000, To: &to, Value: big.NewInt(int64(r.Intn(3)))})
	case 5:
		return l.delegate(r, from)
	default:
		return l.transfer(from, r.Intn(len(l.keys)), int64(r.Intn(1000)))
	}
}

// delegate has one of the users delegate to a contract of the lab, or to nobody any more
// (EIP-7702), and calls it.
func (l *lab) delegate(r *rand.Rand, from int) *chain.Tx {
	l.t.Helper()
	id := uint256.NewInt(l.g.Config.ChainID)
	nonce := l.nonces[from]
	l.nonces[from]++
	who := r.Intn(len(l.keys))
	auth := types.SetCodeAuthorization{ChainID: *id, Address: []common.Address{storer, historian, {}}[r.Intn(3)], Nonce: l.nonces[who]}
	if r.Intn(4) == 0 {
		auth.Nonce++ // not valid, which the transaction outlives
	} else {
		l.nonces[who]++
	}
	signed, err := types.SignSetCode(l.keys[who], auth)
	if err != nil {
		l.t.Fatal(err)
	}
	data := append(common.LeftPadBytes([]byte{byte(1 + r.Intn(5))}, 32), common.LeftPadBytes([]byte{byte(r.Intn(3))}, 32)...)
	return l.decode(types.MustSignNewTx(l.keys[from], types.NewPragueSigner(id.ToBig()), &types.SetCodeTx{
		ChainID: id, Nonce: nonce, Gas: 300_000, To: l.user(who), Data: data, GasFeeCap: uint256.NewInt(20_000_000), GasTipCap: uint256.NewInt(3),
		AuthList: []types.SetCodeAuthorization{signed},
	}))
}

func TestInputThatIsNoBlockIsNoFault(t *testing.T) {
	l := newLab(t)
	in := clone(l.rich()[1])
	in.Before = nil
	var f *Fault
	if _, err := Block(&l.g.Config, in.input()); !errors.Is(err, ErrInput) || errors.As(err, &f) {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, l *lab, in *made, kind Kind) *Fault {
	t.Helper()
	_, err := Block(&l.g.Config, in.input())
	var f *Fault
	if !errors.As(err, &f) || f.Kind != kind {
		t.Fatalf("want a fault of kind %s, got %v", kind, err)
	}
	if f.Where == "" || f.Want == f.Have {
		t.Fatalf("fault says nothing: %+v", f)
	}
	return f
}

func TestWitnessesThatTheChainRecordsSuffice(t *testing.T) {
	l := newLab(t)
	v := New(&l.g.Config)
	defer v.Close()
	r := rand.New(rand.NewSource(8))
	l.rich()
	for range 40 {
		var txs []*chain.Tx
		for range r.Intn(30) {
			txs = append(txs, l.random(r))
		}
		in := l.block(txs)
		if l.recorded == nil {
			t.Fatal("no witness")
		}
		minimal := len(in.Witness.State)
		in.Witness = l.recorded
		res, err := v.Block(in.input())
		if err != nil {
			t.Fatalf("block %d: %v", in.Header.Number, err)
		}
		// A few more may be there: what execution reads and checking does not.
		if res.Used > res.Nodes || res.Nodes > minimal+8 {
			t.Fatalf("block %d: %d nodes, of which %d were used, minimum %d", in.Header.Number, res.Nodes, res.Used, minimal)
		}
	}
}
