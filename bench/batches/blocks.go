package main

import (
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// workload makes one kind of transaction.
type workload struct {
	name string
	make func(w *world, from *account) call
}

// call is what distinguishes transactions of a workload.
type call struct {
	to    common.Address
	value *big.Int
	gas   uint64
	data  []byte
}

// workloads in the order of the report.
var workloads = []workload{
	{"transfers within 1,000 accounts", func(w *world, _ *account) call {
		return call{w.anybody().address, w.amount(18), 21_000, nil}
	}},
	{"transfers, half to fresh addresses", func(w *world, _ *account) call {
		to := w.anybody().address
		if w.rng.Intn(2) == 0 {
			w.rng.Read(to[:])
		}
		return call{to, w.amount(18), 21_000, nil}
	}},
	{"ERC-20 transfers of 5 tokens", func(w *world, _ *account) call { return w.erc20() }},
	{"swaps of 5 tokens", func(w *world, from *account) call { return w.swap(from) }},
	{"40 % transfers, 40 % ERC-20, 20 % swaps", func(w *world, from *account) call {
		switch n := w.rng.Intn(5); {
		case n < 2:
			return call{w.anybody().address, w.amount(18), 21_000, nil}
		case n < 4:
			return w.erc20()
		}
		return w.swap(from)
	}},
}

type account struct {
	key     *ecdsa.PrivateKey
	address common.Address
	nonce   uint64
	tip     int64 // what its wallet offers, in wei per gas
	legacy  bool
}

// world is what transactions are drawn from. The same seed makes the same world.
type world struct {
	rng      *rand.Rand
	accounts []*account
	tokens   []common.Address
	router   common.Address
	time     uint64
	baseFee  int64
}

// newWorld makes accounts. With spread, their nonces begin anywhere up to 3,000, few
// high and many low; else all at 0.
func newWorld(accounts int, spread bool) (*world, error) {
	w := &world{rng: rand.New(rand.NewSource(1)), baseFee: 1_000_000}
	for i := range accounts {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		key, err := crypto.ToECDSA(crypto.Keccak256(seed[:]))
		if err != nil {
			return nil, err
		}
		a := &account{key: key, address: crypto.PubkeyToAddress(key.PublicKey), legacy: w.rng.Intn(10) == 0}
		a.tip = []int64{0, 1_000, 100_000, 1_000_000, 1_500_000, 2_000_000}[w.rng.Intn(6)]
		if spread {
			f := w.rng.Float64()
			a.nonce = uint64(3_000 * f * f * f)
		}
		w.accounts = append(w.accounts, a)
	}
	for range 5 {
		var token common.Address
		w.rng.Read(token[:])
		w.tokens = append(w.tokens, token)
	}
	w.rng.Read(w.router[:])
	return w, nil
}

func (w *world) anybody() *account { return w.accounts[w.rng.Intn(len(w.accounts))] }

// amount is what people send of a token with so many decimals: 60 of 100 times one to
// three digits, else an amount to the last decimal.
func (w *world) amount(decimals int) *big.Int {
	v := big.NewInt(w.rng.Int63n(999) + 1)
	zeros := decimals - w.rng.Intn(4)
	v.Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(zeros)), nil))
	if w.rng.Intn(10) < 6 {
		return v
	}
	return v.Add(big.NewInt(1), v.Rand(w.rng, v))
}

// tokenAt draws a token, the first more often than the last, with its decimals.
func (w *world) tokenAt() (common.Address, int) {
	i := min(w.rng.Intn(5), w.rng.Intn(5))
	return w.tokens[i], []int{6, 18, 6, 18, 18}[i]
}

func word(b []byte) []byte { return common.LeftPadBytes(b, 32) }

func (w *world) erc20() call {
	token, decimals := w.tokenAt()
	data := append([]byte{0xa9, 0x05, 0x9c, 0xbb}, word(w.anybody().address[:])...)
	data = append(data, word(w.amount(decimals).Bytes())...)
	return call{token, new(big.Int), []uint64{34_706, 51_806, 60_000, 65_000}[w.rng.Intn(4)], data}
}

// swap is Uniswap V2's swapExactTokensForTokens by a router.
func (w *world) swap(from *account) call {
	a, decimals := w.tokenAt()
	b, decimalsOut := w.tokenAt()
	for b == a {
		b, decimalsOut = w.tokenAt()
	}
	least := w.amount(decimalsOut)
	least.Sub(least, new(big.Int).Div(new(big.Int).Mul(least, big.NewInt(w.rng.Int63n(1_000_000))), big.NewInt(100_000_000)))
	deadline := new(big.Int).SetUint64(w.time + 1_200 - uint64(w.rng.Intn(15)))
	data := []byte{0x38, 0xed, 0x17, 0x39}
	for _, b := range [][]byte{
		w.amount(decimals).Bytes(), least.Bytes(), {0xa0}, from.address[:], deadline.Bytes(),
		{2}, a[:], b[:],
	} {
		data = append(data, word(b)...)
	}
	return call{w.router, new(big.Int), 105_000 + uint64(w.rng.Intn(25_000)), data}
}

// blocks makes blocks one second apart, with a mini-block every 10 ms.
func (w *world) blocks(l workload, blocks, txs int) ([]batch.Block, error) {
	signer := types.NewPragueSigner(big.NewInt(chain.DefaultL2ChainID))
	out := make([]batch.Block, blocks)
	for i := range out {
		w.time = 1_770_000_000 + uint64(i)
		at := chain.Micros(w.time) * 1_000_000
		b := &out[i]
		b.Number, b.Timestamp = uint64(1_000_001+i), w.time
		b.Origin = chain.L1Origin{Number: uint64(100 + i/12)}
		binary.BigEndian.PutUint64(b.Origin.Hash[:], (1+b.Origin.Number)*0x9e3779b97f4a7c15)
		b.MiniBlocks = []batch.MiniBlock{{Timestamp: at + 40, TxCount: 1}}
		for m, left := 1, txs; m <= 98; m++ {
			n := min(left, (txs+97)/98)
			left -= n
			b.MiniBlocks = append(b.MiniBlocks, batch.MiniBlock{Timestamp: at + chain.Micros(m*10_000+w.rng.Intn(200)), TxCount: uint64(n)})
		}
		w.baseFee += w.baseFee * (w.rng.Int63n(401) - 200) / 100_000
		for range txs {
			from := w.anybody()
			c := l.make(w, from)
			tx, err := types.SignNewTx(from.key, signer, w.fields(from, c))
			if err != nil {
				return nil, err
			}
			from.nonce++
			raw, err := tx.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("encode transaction: %w", err)
			}
			b.Txs, b.Senders = append(b.Txs, raw), append(b.Senders, from.address)
		}
	}
	return out, nil
}

// fields are those of a transaction as a wallet fills them in: twice the base fee and
// the tip at most.
func (w *world) fields(from *account, c call) types.TxData {
	price := big.NewInt(2*w.baseFee + from.tip)
	if from.legacy {
		return &types.LegacyTx{Nonce: from.nonce, GasPrice: price, Gas: c.gas, To: &c.to, Value: c.value, Data: c.data}
	}
	return &types.DynamicFeeTx{
		ChainID: big.NewInt(chain.DefaultL2ChainID), Nonce: from.nonce,
		GasTipCap: big.NewInt(from.tip), GasFeeCap: price,
		Gas: c.gas, To: &c.to, Value: c.value, Data: c.data,
	}
}
