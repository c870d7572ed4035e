package batch

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"math/rand"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

func hashOf(n uint64) common.Hash {
	var h common.Hash
	binary.BigEndian.PutUint64(h[:], n*0x9e3779b97f4a7c15+1)
	return h
}

// bare are the blocks without senders, as a decoder returns them.
func bare(blocks []Block) []Block {
	out := slices.Clone(blocks)
	for i := range out {
		out[i].Senders = nil
	}
	return out
}

// people sign transactions of every type.
type people struct {
	rng    *rand.Rand
	keys   []*ecdsa.PrivateKey
	nonces []uint64
}

func newPeople(rng *rand.Rand, n int) *people {
	p := &people{rng: rng, nonces: make([]uint64, n)}
	for i := range n {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		key, err := crypto.ToECDSA(crypto.Keccak256(seed[:]))
		if err != nil {
			panic(err)
		}
		p.keys = append(p.keys, key)
		if i%2 == 0 {
			p.nonces[i] = uint64(rng.Intn(1_000))
		}
	}
	return p
}

func (p *people) address(i int) common.Address { return crypto.PubkeyToAddress(p.keys[i].PublicKey) }

func (p *people) anybody() common.Address {
	if p.rng.Intn(4) == 0 {
		var a common.Address
		p.rng.Read(a[:])
		return a
	}
	return p.address(p.rng.Intn(len(p.keys)))
}

// big is a number of up to bits bits, often with few digits.
func (p *people) big(bits int) *big.Int {
	v := new(big.Int).Rand(p.rng, new(big.Int).Lsh(common.Big1, uint(p.rng.Intn(bits+1))))
	if p.rng.Intn(2) == 0 {
		round := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p.rng.Intn(30))), nil)
		v.Mul(v.Div(v, round), round)
	}
	return v
}

func (p *people) data(sender common.Address) []byte {
	var data []byte
	switch p.rng.Intn(4) {
	case 0:
		return nil
	case 1:
		data = make([]byte, p.rng.Intn(200))
		p.rng.Read(data)
		return data
	}
	data = []byte{byte(p.rng.Intn(5)), 1, 2, 3}
	for range p.rng.Intn(20) {
		word := make([]byte, 32)
		switch p.rng.Intn(8) {
		case 0:
			a := p.anybody()
			copy(word[12:], a[:])
		case 1:
			copy(word[12:], sender[:])
		case 2:
			p.big(256).FillBytes(word)
		case 3:
			binary.BigEndian.PutUint64(word[24:], 1_700_000_000+uint64(p.rng.Intn(2_000)))
		case 4:
			p.rng.Read(word[:p.rng.Intn(32)])
		case 5:
			p.rng.Read(word)
		case 6:
			copy(word, allOnes[:])
		}
		data = append(data, word...)
	}
	return data
}

func (p *people) accessList() types.AccessList {
	var list types.AccessList
	for range p.rng.Intn(3) {
		t := types.AccessTuple{Address: p.anybody(), StorageKeys: []common.Hash{}}
		for range p.rng.Intn(3) {
			t.StorageKeys = append(t.StorageKeys, hashOf(p.rng.Uint64()))
		}
		list = append(list, t)
	}
	return list
}

// sign makes a transaction and says who signed it.
func (p *people) sign() ([]byte, common.Address) {
	from := p.rng.Intn(len(p.keys))
	sender := p.address(from)
	id := big.NewInt(chain.DefaultL2ChainID)
	if p.rng.Intn(10) == 0 {
		id = big.NewInt(1)
	}
	to := p.anybody()
	target := &to
	nonce, gas, value, data := p.nonces[from], uint64(21_000+p.rng.Intn(3)*17_000), p.big(128), p.data(sender)
	if p.rng.Intn(8) == 0 {
		target = nil
	}
	tip, price := p.big(40), p.big(60)
	var signer types.Signer = types.NewPragueSigner(id)
	var fields types.TxData
	switch p.rng.Intn(6) {
	case 0:
		signer = types.HomesteadSigner{}
		fallthrough
	case 1:
		fields = &types.LegacyTx{Nonce: nonce, GasPrice: price, Gas: gas, To: target, Value: value, Data: data}
	case 2:
		fields = &types.AccessListTx{ChainID: id, Nonce: nonce, GasPrice: price, Gas: gas, To: target, Value: value, Data: data, AccessList: p.accessList()}
	case 3:
		fields = p.setCode(id, nonce, gas, to, value, data)
	default:
		fields = &types.DynamicFeeTx{ChainID: id, Nonce: nonce, GasTipCap: tip, GasFeeCap: price, Gas: gas, To: target, Value: value, Data: data, AccessList: p.accessList()}
	}
	tx, err := types.SignNewTx(p.keys[from], signer, fields)
	if err != nil {
		panic(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err)
	}
	p.nonces[from]++
	return raw, sender
}

// call is a signed call of the first of them with the calldata.
func (p *people) call(data []byte) []byte {
	to := p.address(0)
	tx, err := types.SignNewTx(p.keys[0], types.NewPragueSigner(big.NewInt(chain.DefaultL2ChainID)), &types.DynamicFeeTx{
		ChainID: big.NewInt(chain.DefaultL2ChainID), Gas: 100_000_000, To: &to, Data: data})
	if err != nil {
		panic(err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return raw
}

func sortGaps(gaps []gap) {
	slices.SortFunc(gaps, func(a, b gap) int { return int(a.at) - int(b.at) })
}

func (p *people) setCode(id *big.Int, nonce, gas uint64, to common.Address, value *big.Int, data []byte) *types.SetCodeTx {
	tx := &types.SetCodeTx{
		ChainID: uint256.MustFromBig(id), Nonce: nonce, GasTipCap: uint256.MustFromBig(p.big(40)), GasFeeCap: uint256.MustFromBig(p.big(256)),
		Gas: gas, To: to, Value: uint256.MustFromBig(value), Data: data, AccessList: p.accessList(),
	}
	for range p.rng.Intn(3) {
		who := p.rng.Intn(len(p.keys))
		auth, err := types.SignSetCode(p.keys[who], types.SetCodeAuthorization{
			ChainID: *uint256.NewInt(uint64(p.rng.Intn(2) * chain.DefaultL2ChainID)), Address: p.anybody(), Nonce: p.nonces[who]})
		if err != nil {
			panic(err)
		}
		tx.AuthList = append(tx.AuthList, auth)
	}
	return tx
}

// randomBlocks makes n consecutive blocks from the seed. Half of the transactions are
// noise, the other half are signed.
func randomBlocks(seed int64, first uint64, n, maxTxs, maxTxBytes int) []Block {
	rng := rand.New(rand.NewSource(seed))
	p := newPeople(rng, 20)
	origin, epoch := uint64(100+rng.Intn(50)), uint64(rng.Intn(3))
	now := chain.Micros(1_700_000_000_000_000)
	blocks := make([]Block, n)
	for i := range blocks {
		if rng.Intn(3) == 0 {
			origin += uint64(1 + rng.Intn(2))
		}
		now += chain.Micros(rng.Intn(1_500_000))
		b := Block{Number: first + uint64(i), Timestamp: now.Seconds(), Origin: chain.L1Origin{Number: origin, Hash: hashOf(origin)}}
		for range rng.Intn(maxTxs + 1) {
			tx, sender := []byte(nil), common.Address{}
			if rng.Intn(2) == 0 {
				tx, sender = p.sign()
			} else {
				tx = make([]byte, 1+rng.Intn(maxTxBytes))
				rng.Read(tx)
				tx[0] = 0x02
			}
			b.Txs, b.Senders = append(b.Txs, tx), append(b.Senders, sender)
		}
		left := uint64(len(b.Txs))
		b.MiniBlocks = []MiniBlock{{Timestamp: now, TxCount: 1 + uint64(rng.Intn(3)), Epoch: epoch}}
		for left > 0 {
			now += chain.Micros(rng.Intn(12_000))
			if rng.Intn(8) == 0 {
				epoch += uint64(1 + rng.Intn(3))
			}
			take := uint64(rng.Intn(int(left) + 1))
			b.MiniBlocks = append(b.MiniBlocks, MiniBlock{Timestamp: now, TxCount: take, Epoch: epoch})
			left -= take
		}
		blocks[i] = b
	}
	return blocks
}

// signedBlocks are blocks of signed transactions only, of so many people.
func signedBlocks(seed int64, n, txs, who int) []Block {
	blocks := randomBlocks(seed, 1, n, 0, 1)
	p := newPeople(rand.New(rand.NewSource(seed)), who)
	for i := range blocks {
		b := &blocks[i]
		for range txs {
			tx, sender := p.sign()
			b.Txs, b.Senders = append(b.Txs, tx), append(b.Senders, sender)
		}
		b.MiniBlocks = append(b.MiniBlocks, MiniBlock{Timestamp: b.MiniBlocks[0].Timestamp, TxCount: uint64(txs), Epoch: b.MiniBlocks[0].Epoch})
	}
	return blocks
}

func TestEveryTypeIsTakenApart(t *testing.T) {
	p := newPeople(rand.New(rand.NewSource(5)), 10)
	var seen [shapes]int
	for range 2_000 {
		raw, _ := p.sign()
		var r record
		if !r.parse(raw) {
			t.Fatalf("not taken apart: %x", raw)
		}
		if got := new(assembly).append(nil, &r); string(got) != string(raw) {
			t.Fatalf("put together differently:\n%x\n%x", got, raw)
		}
		seen[r.shape]++
	}
	for s := shapeOldLegacy; s < shapes; s++ {
		if seen[s] == 0 {
			t.Errorf("no transaction of shape %d among them", s)
		}
	}
}
