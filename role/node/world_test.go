package node

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/store"
)

// Contracts of the world's genesis.
var (
	// storeAddr stores the second word of its input under the first, and logs.
	storeAddr = common.HexToAddress("0x5700000000000000000000000000000000000001")
	// revertAddr reverts with what it is given.
	revertAddr = common.HexToAddress("0x5700000000000000000000000000000000000002")
	// readAddr returns the balance of the address in its input, and reads slot 7.
	readAddr = common.HexToAddress("0x5700000000000000000000000000000000000003")
	// numberAddr returns BLOBBASEFEE, NUMBER, TIMESTAMP, BASEFEE and BLOCKHASH(NUMBER-1).
	numberAddr = common.HexToAddress("0x5700000000000000000000000000000000000004")

	storeCode  = common.FromHex("602035600035556000356020600060003560005260206000a100")
	revertCode = common.FromHex("366000600037366000fd")
	readCode   = common.FromHex("6007545060003560601c315f5260205ff3")
	numberCode = common.FromHex("4a5f52436020524260405248606052600143034060805260a05ff3")
)

const worldTime = 1_800_000_000

// world is a node on a chain that the test makes block by block.
type world struct {
	t     testing.TB
	dir   string
	g     *chain.Genesis
	keys  []*ecdsa.PrivateKey
	nonce map[common.Address]uint64
	node  *Node
	now   uint64 // seconds
	// ethereum: no transaction pays an L1 data fee.
	ethereum bool
}

func newNodeWorld(t testing.TB) *world { return newNodeWorldWith(t, Options{}) }

func newNodeWorldWith(t testing.TB, opts Options) *world {
	t.Helper()
	return newNodeWorldFrom(t, opts, func(*world) {})
}

// newNodeWorldFrom lets change change the genesis before the node starts.
func newNodeWorldFrom(t testing.TB, opts Options, change func(*world)) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "node"), nonce: make(map[common.Address]uint64), now: worldTime}
	w.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: worldTime, Alloc: predeploys.Alloc(predeploys.Settings{})}
	for i := range 4 {
		key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{byte(i + 1)}, 32))
		if err != nil {
			t.Fatal(err)
		}
		w.keys = append(w.keys, key)
		w.g.Alloc[w.user(i)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(100), big.NewInt(params.Ether))}
	}
	for addr, code := range map[common.Address][]byte{storeAddr: storeCode, revertAddr: revertCode, readAddr: readCode, numberAddr: numberCode} {
		w.g.Alloc[addr] = types.Account{Code: code, Nonce: 1, Balance: new(big.Int)}
	}
	change(w)
	w.start(opts)
	t.Cleanup(w.stop)
	return w
}

func (w *world) start(opts Options) {
	w.t.Helper()
	dir, err := store.OpenDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	opts.Genesis = w.g
	if w.node, err = Open(dir, opts); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if w.node == nil {
		return
	}
	if err := w.node.Close(); err != nil {
		w.t.Error(err)
	}
	w.node = nil
}

func (w *world) user(i int) common.Address { return crypto.PubkeyToAddress(w.keys[i].PublicKey) }

// sign signs what data says, which lacks only chain and nonce.
func (w *world) sign(user int, data types.TxData) *chain.Tx {
	w.t.Helper()
	id := new(big.Int).SetUint64(w.g.Config.ChainID)
	nonce := w.nonce[w.user(user)]
	w.nonce[w.user(user)]++
	switch d := data.(type) {
	case *types.LegacyTx:
		d.Nonce = nonce
	case *types.AccessListTx:
		d.ChainID, d.Nonce = id, nonce
	case *types.DynamicFeeTx:
		d.ChainID, d.Nonce = id, nonce
	case *types.SetCodeTx:
		d.ChainID, d.Nonce = uint256.MustFromBig(id), nonce
	}
	raw, err := types.MustSignNewTx(w.keys[user], types.LatestSignerForChainID(id), data).MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &w.g.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

const worldFee = 20_000_000 // wei per gas

// call is a dynamic fee transaction of a user.
func (w *world) call(user int, to common.Address, value int64, data []byte) *chain.Tx {
	w.t.Helper()
	return w.sign(user, &types.DynamicFeeTx{
		To: &to, Value: big.NewInt(value), Gas: 200_000, GasFeeCap: big.NewInt(worldFee), GasTipCap: big.NewInt(1000), Data: data,
	})
}

// put is a call of the store contract.
func (w *world) put(user int, slot, value byte) *chain.Tx {
	w.t.Helper()
	var data [64]byte
	data[31], data[63] = slot, value
	return w.call(user, storeAddr, 0, data[:])
}

func (w *world) attributes() *chain.Tx {
	n := w.node.Exec().Parent().Number.Uint64()
	a := chain.L1Attributes{
		Number: 1, Timestamp: worldTime, BaseFee: big.NewInt(1e9 + int64(n)), BlobBaseFee: big.NewInt(1), SequenceNumber: n,
	}
	if !w.ethereum {
		a.BaseFeeScalar, a.BlobBaseFeeScalar = 1368, 810_949
	}
	return a.Tx()
}

// begin opens a block with a mini-block of the L1 attributes and of each group.
func (w *world) begin(groups ...[]*chain.Tx) {
	w.t.Helper()
	w.now++
	c := w.node.Exec()
	if err := c.Open(chain.Attributes{Timestamp: w.now, PrevRandao: common.Hash{1, byte(w.now)}, ParentBeacon: common.Hash{2, byte(w.now)}}); err != nil {
		w.t.Fatal(err)
	}
	w.mini(append([]*chain.Tx{w.attributes()}, first(groups)...)...)
	for i := 1; i < len(groups); i++ {
		w.mini(groups[i]...)
	}
}

func first(groups [][]*chain.Tx) []*chain.Tx {
	if len(groups) == 0 {
		return nil
	}
	return groups[0]
}

// mini executes and publishes a mini-block.
func (w *world) mini(txs ...*chain.Tx) {
	w.t.Helper()
	c := w.node.Exec()
	if i, err := c.ApplyAll(txs); err != nil {
		w.t.Fatalf("transaction %d: %v", i, err)
	}
	m, version := c.Cut(chain.Micros(w.now * 1_000_000))
	_, _, attrs := c.OpenBlock()
	w.node.PublishMiniBlock(m, c.OpenHeader(), attrs, version)
}

// seal publishes the open block.
func (w *world) seal() *chain.Block {
	w.t.Helper()
	block, diff, err := w.node.Exec().Seal()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.node.PublishBlock(block, diff, nil); err != nil {
		w.t.Fatal(err)
	}
	w.node.PublishWitness(block, w.node.Exec().Witness())
	return block
}

// block makes a whole block.
func (w *world) block(groups ...[]*chain.Tx) *chain.Block {
	w.t.Helper()
	w.begin(groups...)
	return w.seal()
}

func (w *world) header(number uint64) *types.Header {
	w.t.Helper()
	h, err := w.node.HeaderByNumber(context.Background(), number)
	if err != nil || h == nil {
		w.t.Fatalf("header %d: %v", number, err)
	}
	return h
}
