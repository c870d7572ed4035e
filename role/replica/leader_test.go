package replica

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"log/slog"
	"math/big"
	"math/rand"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
)

// memoryFeed is a feed in memory.
type memoryFeed struct {
	feed.Source // of what is not read

	mu      sync.Mutex
	minis   [][]byte
	numbers []uint64
	first   int // of minis that is still held
	blocks  [][]byte
	heights []uint64
	changed chan struct{}
	down    bool // nothing comes
	// fault may change what a reader gets: nothing, or several messages. It is called with
	// how often the message was read.
	fault func(number uint64, times int, m *feed.MiniBlock) []*feed.MiniBlock
	read  map[uint64]int
}

func newMemoryFeed() *memoryFeed {
	return &memoryFeed{changed: make(chan struct{}), read: make(map[uint64]int)}
}

func (f *memoryFeed) signal() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *memoryFeed) addMini(m *feed.MiniBlock) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.minis, f.numbers = append(f.minis, m.Encode()), append(f.numbers, m.Header.Number)
	f.signal()
}

func (f *memoryFeed) addBlock(b *feed.Block) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocks, f.heights = append(f.blocks, b.Encode()), append(f.heights, b.Header.Number.Uint64())
	f.signal()
}

// forget makes everything up to now gone.
func (f *memoryFeed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first = len(f.minis)
}

func (f *memoryFeed) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
	f.signal()
}

// start is where reading from a number begins: with the newest of that number.
func start(numbers []uint64, first int, from uint64) (at int, err error) {
	if len(numbers) == 0 || from > numbers[len(numbers)-1] {
		return len(numbers), nil
	}
	for at = len(numbers) - 1; at >= first; at-- {
		if numbers[at] == from {
			return at, nil
		}
	}
	return 0, feed.ErrGone
}

func (f *memoryFeed) MiniBlocks(ctx context.Context, from uint64, each func(*feed.MiniBlock) error) error {
	f.mu.Lock()
	at, err := start(f.numbers, f.first, from)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.play(ctx, &f.minis, at, func(raw []byte) error {
		m, err := feed.DecodeMiniBlock(raw)
		if err != nil {
			return err
		}
		list := []*feed.MiniBlock{m}
		if f.fault != nil {
			f.mu.Lock()
			f.read[m.Header.Number]++
			list = f.fault(m.Header.Number, f.read[m.Header.Number], m)
			f.mu.Unlock()
		}
		for _, m := range list {
			if err := each(m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *memoryFeed) Blocks(ctx context.Context, from uint64, each func(*feed.Block) error) error {
	f.mu.Lock()
	at, err := start(f.heights, 0, from)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.play(ctx, &f.blocks, at, func(raw []byte) error {
		b, err := feed.DecodeBlock(raw)
		if err != nil {
			return err
		}
		return each(b)
	})
}

// play gives what the list, which grows, has from a place on, and waits for more.
func (f *memoryFeed) play(ctx context.Context, list *[][]byte, at int, each func(raw []byte) error) error {
	for {
		f.mu.Lock()
		var raw []byte
		if at < len(*list) && !f.down {
			raw = (*list)[at]
			at++
		}
		changed := f.changed
		f.mu.Unlock()
		if raw == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
				continue
			}
		}
		if err := each(raw); err != nil {
			return err
		}
	}
}

// leader makes a chain by chance, signs and publishes it.
type leader struct {
	t      testing.TB
	r      *rand.Rand
	g      *chain.Genesis
	key    *ecdsa.PrivateKey
	users  []*ecdsa.PrivateKey
	node   *node.Node
	feed   *memoryFeed
	epoch  uint64
	now    uint64
	origin uint64
	txs    []common.Hash
	seen   map[common.Address]bool
	silent bool // nothing is said of sealed blocks
}

var (
	storeAddr  = common.HexToAddress("0x70000000000000000000000000000000000000f1")
	doomedAddr = common.HexToAddress("0x70000000000000000000000000000000000000f2")
	makerAddr  = common.HexToAddress("0x70000000000000000000000000000000000000f3")

	storeCode  = common.FromHex("602035600035556000356000526020600060206000a100") // writes and logs
	doomedCode = common.FromHex("600160025533ff")                                 // writes and destroys itself
	// create2 with the calldata's first word as salt, of what destroys itself at once.
	makerCode = common.FromHex("66600560015532ff6000526000356007601960003402f500")

	plainInit  = common.FromHex("6960003560015560076000600055600a6000f3")
	doomedInit = common.FromHex("600560015532ff")
)

func newLeader(t testing.TB, seed int64) *leader {
	l := &leader{t: t, r: rand.New(rand.NewSource(seed)), feed: newMemoryFeed(), now: 1_700_000_000, seen: make(map[common.Address]bool)}
	l.key, _ = crypto.ToECDSA(crypto.Keccak256([]byte("leader")))
	l.g = &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: l.now, Alloc: predeploys.Alloc(predeploys.Settings{})}
	l.g.Config.Sequencer = crypto.PubkeyToAddress(l.key.PublicKey)
	l.g.Config.Batcher, l.g.Config.Portal = batchOwner, portal
	for i := range byte(6) {
		key, _ := crypto.ToECDSA(crypto.Keccak256([]byte{i, 77}))
		l.users = append(l.users, key)
		l.g.Alloc[l.user(int(i))] = types.Account{Balance: new(big.Int).Mul(big.NewInt(100), big.NewInt(params.Ether))}
	}
	for addr, code := range map[common.Address][]byte{storeAddr: storeCode, doomedAddr: doomedCode, makerAddr: makerCode} {
		l.g.Alloc[addr] = types.Account{Code: code, Nonce: 1, Balance: new(big.Int)}
		l.seen[addr] = true
	}
	l.node = openNodeAt(t.(*testing.T), filepath.Join(t.TempDir(), "leader"), l.g)
	t.Cleanup(func() {
		if err := l.node.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *leader) user(i int) common.Address { return crypto.PubkeyToAddress(l.users[i].PublicKey) }

// sign makes a transaction of a user with the next nonce but after.
func (l *leader) sign(user int, after uint64, to *common.Address, value int64, data []byte) *chain.Tx {
	acc, _ := l.node.Exec().Pending().Account(l.user(user))
	id := new(big.Int).SetUint64(l.g.Config.ChainID)
	raw, err := types.MustSignNewTx(l.users[user], types.NewPragueSigner(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: acc.Nonce + after, Gas: 300_000, To: to, Value: big.NewInt(value), Data: data, GasFeeCap: big.NewInt(1e9), GasTipCap: big.NewInt(int64(l.r.Intn(5))),
	}).MarshalBinary()
	if err != nil {
		l.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, &l.g.Config)
	if err != nil {
		l.t.Fatal(err)
	}
	return tx
}

// random is a transaction of a user that has sent none in this mini-block.
func (l *leader) random(user int) *chain.Tx {
	word := func(v int) []byte { return common.LeftPadBytes([]byte{byte(v)}, 32) }
	to := l.user(l.r.Intn(len(l.users)))
	switch l.r.Intn(9) {
	case 0:
		return l.sign(user, 0, nil, 0, plainInit)
	case 1:
		return l.sign(user, 0, nil, 3, doomedInit)
	case 2:
		return l.sign(user, 0, &doomedAddr, 5, nil)
	case 3, 4:
		return l.sign(user, 0, &storeAddr, 0, append(word(l.r.Intn(4)), word(l.r.Intn(3))...))
	case 5:
		return l.sign(user, 0, &makerAddr, 0, word(l.r.Intn(4)))
	case 6:
		passer := chain.MessagePasserAddr
		return l.sign(user, 0, &passer, 7, nil)
	case 7:
		d := &chain.Deposit{SourceHash: common.BigToHash(big.NewInt(l.r.Int63())), From: common.Address{0xdd, byte(l.r.Intn(3))}, Mint: big.NewInt(int64(l.r.Intn(1000))), Value: big.NewInt(int64(l.r.Intn(10))), Gas: 200_000}
		if d.To = &to; l.r.Intn(3) == 0 {
			d.To, d.Data = nil, plainInit
		}
		l.seen[d.From] = true
		return chain.NewDepositTx(d)
	}
	return l.sign(user, 0, &to, int64(l.r.Intn(1000)), nil)
}

// open begins a block with the L1 attributes.
func (l *leader) open() {
	l.t.Helper()
	l.now += uint64(1 + l.r.Intn(3))
	l.origin++
	a := chain.Attributes{Timestamp: l.now, PrevRandao: common.Hash{byte(l.r.Intn(256))}, ParentBeacon: common.Hash{byte(l.r.Intn(256))}}
	if err := l.node.Exec().Open(a); err != nil {
		l.t.Fatal(err)
	}
	attrs := chain.L1Attributes{Number: l.origin, Hash: common.Hash{byte(l.origin)}, Timestamp: l.now, BaseFee: big.NewInt(int64(1e9 + l.r.Intn(1000))), BlobBaseFee: big.NewInt(1), BaseFeeScalar: 1368, BlobBaseFeeScalar: 810_949}
	l.mini(attrs.Tx())
}

// mini publishes a mini-block of the transactions.
func (l *leader) mini(txs ...*chain.Tx) *chain.MiniBlock {
	l.t.Helper()
	c := l.node.Exec()
	if i, err := c.ApplyAll(txs); err != nil {
		l.t.Fatalf("transaction %d: %v", i, err)
	}
	c.SetEpoch(l.epoch)
	_, _, a := c.OpenBlock()
	m, version := c.Cut(chain.Micros(l.now*1_000_000 + c.NextMini()))
	l.publish(m, a, version, true)
	return m
}

func (l *leader) publish(m *chain.MiniBlock, a chain.Attributes, version uint64, sign bool) {
	l.t.Helper()
	if sign {
		var err error
		if m.Signature, err = m.Header.Sign(l.key); err != nil {
			l.t.Fatal(err)
		}
	}
	l.node.PublishMiniBlock(m, l.node.Exec().OpenHeader(), a, version)
	for i, tx := range m.Txs {
		l.txs = append(l.txs, tx.Hash())
		l.seen[tx.From()] = true
		l.seen[m.Receipts[i].ContractAddress] = true
	}
	l.feed.addMini(&feed.MiniBlock{MiniBlock: m, Attributes: a})
}

// seal publishes the open block.
func (l *leader) seal() *chain.Block {
	l.t.Helper()
	block, diff, err := l.node.Exec().Seal()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.node.PublishBlock(block, diff, nil); err != nil {
		l.t.Fatal(err)
	}
	if !l.silent {
		l.feed.addBlock(&feed.Block{Header: block.Header, LastMiniBlock: block.MiniBlocks[len(block.MiniBlocks)-1].Number})
	}
	return block
}

// work makes some mini-blocks.
func (l *leader) work(minis int) {
	l.t.Helper()
	for range minis {
		if !l.node.Exec().IsOpen() {
			l.open()
			continue
		}
		if l.r.Intn(4) == 0 {
			l.seal()
			l.open()
			continue
		}
		var txs []*chain.Tx
		for _, user := range l.r.Perm(len(l.users))[:l.r.Intn(len(l.users))] {
			txs = append(txs, l.random(user))
		}
		l.mini(txs...)
	}
}

// rewind takes some blocks back.
func (l *leader) rewind() {
	l.t.Helper()
	head := l.node.PublishedHead().Number.Uint64()
	if err := l.node.Rewind(head - min(head, uint64(l.r.Intn(4)))); err != nil {
		l.t.Fatal(err)
	}
	l.epoch++
	l.now = l.node.PublishedHead().Time
}

// serve answers JSON-RPC over a node.
func serve(t testing.TB, b *node.Backend) (url string) {
	t.Helper()
	s := rpc.New(b, rpc.Options{Logger: slog.New(slog.DiscardHandler)})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func bigOne() *uint256.Int { return uint256.NewInt(1) }

func big7() *big.Int { return big.NewInt(7) }
