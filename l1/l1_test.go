package l1_test

import (
	"context"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"go.uber.org/goleak"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/devl1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// One set per process, made by go-ethereum on first use.
		goleak.IgnoreTopFunction("github.com/ethereum/go-ethereum/core.(*txSenderCacher).cache"),
		// Ends up to a second after its database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"),
	)
}

// onEveryL1 runs a test against the embedded L1, over both transports, and against
// anvil.
func onEveryL1(t *testing.T, test func(t *testing.T, c *l1.Client)) {
	dial := func(t *testing.T, url string) *l1.Client {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c, err := l1.Dial(ctx, l1.Options{URL: url, Attempts: 30})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	t.Run("embedded over http", func(t *testing.T) { test(t, dial(t, startDevL1(t, "").URL())) })
	t.Run("embedded over websocket", func(t *testing.T) { test(t, dial(t, startDevL1(t, "").WSURL())) })
	t.Run("anvil", func(t *testing.T) { test(t, dial(t, startAnvil(t))) })
}

func startDevL1(t *testing.T, dir string) *devl1.L1 {
	t.Helper()
	l, err := devl1.Start(devl1.Options{Datadir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// startAnvil runs the anvil of TALARIA_ANVIL or of e2e's npm packages.
func startAnvil(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("TALARIA_ANVIL")
	if bin == "" {
		bin = filepath.Join("..", "e2e", "node_modules", ".bin", "anvil")
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skipf("no anvil: set TALARIA_ANVIL or run npm ci in e2e (%v)", err)
	}
	port := freePort(t)
	cmd := exec.Command(bin, "--hardfork", "osaka", "--port", port, "--block-time", "1", "--chain-id", "7410", "--silent")
	killGroup(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopGroup(t, cmd) })
	return "http://127.0.0.1:" + port
}

func sender(c *l1.Client, account int) *l1.Sender {
	return l1.NewSender(c, l1.NewKeySigner(devl1.Keys(account + 1)[account]), l1.SenderOptions{Poll: 20 * time.Millisecond})
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var inbox = common.HexToAddress("0xff00000000000000000000000000000000007411")

func testBlobs(n int, seed byte) []l1.Blob {
	blobs := make([]l1.Blob, n)
	for i := range blobs {
		for j := range blobs[i] {
			if j%32 != 0 { // the first byte keeps each element below the field's modulus
				blobs[i][j] = byte(j*7+i) ^ seed
			}
		}
	}
	return blobs
}

func TestBlobsComeBackAsSent(t *testing.T) {
	onEveryL1(t, func(t *testing.T, c *l1.Client) {
		ctx := testContext(t)
		s := sender(c, 0)
		sent := testBlobs(3, 0x5a)
		receipt, err := s.SendBlobs(ctx, inbox, []byte{1, 2, 3}, sent)
		if err != nil {
			t.Fatal(err)
		}
		// Somebody else's transaction to the inbox does not count.
		if _, err := sender(c, 1).SendBlobs(ctx, inbox, nil, testBlobs(1, 0x77)); err != nil {
			t.Fatal(err)
		}
		// Nor does the batcher's transaction to somebody else.
		if _, err := s.SendBlobs(ctx, common.Address{1}, nil, testBlobs(1, 0x33)); err != nil {
			t.Fatal(err)
		}
		src := l1.NewSource(c, l1.SourceConfig{Inbox: inbox})
		b, err := src.Fetch(ctx, receipt.BlockNumber.Uint64(), s.Address())
		if err != nil {
			t.Fatal(err)
		}
		if b.Hash != receipt.BlockHash || len(b.Batches) != 1 {
			t.Fatalf("block %v with %d batches, want %v with 1", b.Hash, len(b.Batches), receipt.BlockHash)
		}
		got := b.Batches[0]
		if got.Hash != receipt.TxHash || string(got.Data) != "\x01\x02\x03" || len(got.Blobs) != len(sent) {
			t.Fatalf("batch %v, data %x, %d blobs", got.Hash, got.Data, len(got.Blobs))
		}
		for i := range sent {
			if got.Blobs[i] != sent[i] {
				t.Errorf("blob %d differs", i)
			}
		}
		h, err := c.HeaderByHash(ctx, b.Hash)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Blobs(ctx, h, []common.Hash{{1, 2}}); !errors.Is(err, l1.ErrNotFound) {
			t.Errorf("unknown blob: %v", err)
		}
		byHash, err := src.FetchByHash(ctx, b.Hash, s.Address())
		if err != nil || byHash.Number != b.Number {
			t.Errorf("by hash: %v, %v", byHash, err)
		}
	})
}

// portalCode deploys a contract that emits, for every call, a TransactionDeposited
// event of its calldata and an unrelated event before it.
func portalCode() []byte {
	runtime := []byte{
		0x5f, 0x5f, 0xa0, // log0(0, 0)
		0x36, 0x5f, 0x5f, 0x37, // calldatacopy(0, 0, size)
		0x5f, 0x30, 0x33, // topics: version 0, to = this, from = caller
		0x7f, // push32 the event's topic
	}
	runtime = append(runtime, chain.DepositEventTopic[:]...)
	runtime = append(runtime, 0x36, 0x5f, 0xa4, 0x00) // log4(0, size, …)
	n := byte(len(runtime))
	create := []byte{0x60, n, 0x60, 0x0a, 0x5f, 0x39, 0x60, n, 0x5f, 0xf3}
	return append(create, runtime...)
}

func TestDepositLogsComeInOrderWithTheirIndexInTheBlock(t *testing.T) {
	onEveryL1(t, func(t *testing.T, c *l1.Client) {
		ctx := testContext(t)
		s := sender(c, 2)
		portal, _, err := s.Deploy(ctx, portalCode())
		if err != nil {
			t.Fatal(err)
		}
		var pending []*l1.Pending
		for i := range 3 {
			p, err := s.Submit(ctx, l1.Request{To: &portal, Data: []byte{byte(i)}, Gas: 100_000})
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, p)
		}
		src := l1.NewSource(c, l1.SourceConfig{Portal: portal})
		want := map[common.Hash]byte{}
		blocks := map[uint64]bool{}
		for i, p := range pending {
			r, err := p.Wait(ctx)
			if err != nil {
				t.Fatal(err)
			}
			want[r.TxHash] = byte(i)
			blocks[r.BlockNumber.Uint64()] = true
		}
		found := 0
		for n := range blocks {
			b, err := src.Fetch(ctx, n, common.Address{})
			if err != nil {
				t.Fatal(err)
			}
			for i, log := range b.Logs {
				if len(log.Data) != 1 || log.Data[0] != want[log.TxHash] || log.BlockHash != b.Hash {
					t.Errorf("block %d, deposit %d: %+v", n, i, log)
				}
				if log.Index != uint(2*i+1) {
					t.Errorf("block %d, deposit %d: log index %d, want %d", n, i, log.Index, 2*i+1)
				}
				if log.Topics[1] != common.BytesToHash(s.Address().Bytes()) {
					t.Errorf("deposit from %v", log.Topics[1])
				}
				found++
			}
		}
		if found != 3 {
			t.Errorf("%d deposits, want 3", found)
		}
	})
}

func TestReadsAndRefusals(t *testing.T) {
	onEveryL1(t, func(t *testing.T, c *l1.Client) {
		ctx := testContext(t)
		if c.ChainID().Uint64() != 7410 {
			t.Errorf("chain id %v", c.ChainID())
		}
		s := sender(c, 3)
		before, err := c.Balance(ctx, s.Address())
		if err != nil || before.Cmp(new(big.Int).Mul(big.NewInt(10_000), big.NewInt(1e18))) != 0 {
			t.Errorf("balance %v, %v", before, err)
		}
		to := common.HexToAddress("0xbeef")
		r, err := s.Send(ctx, l1.Request{To: &to, Value: big.NewInt(7)})
		if err != nil || r.Status != 1 {
			t.Fatalf("send: %v", err)
		}
		if got, err := c.Balance(ctx, to); err != nil || got.Int64() != 7 {
			t.Errorf("balance %v, %v", got, err)
		}
		if n, err := c.Nonce(ctx, s.Address()); err != nil || n != 1 {
			t.Errorf("nonce %d, %v", n, err)
		}
		if _, err := c.HeaderByNumber(ctx, 1<<40); !errors.Is(err, l1.ErrNotFound) {
			t.Errorf("header of the far future: %v", err)
		}
		if _, err := c.HeaderByHash(ctx, common.Hash{9}); !errors.Is(err, l1.ErrNotFound) {
			t.Errorf("unknown header: %v", err)
		}
		if _, err := l1.NewSource(c, l1.SourceConfig{}).Fetch(ctx, 1<<40, common.Address{}); !errors.Is(err, l1.ErrNotFound) {
			t.Errorf("block of the far future: %v", err)
		}
		for _, tag := range []l1.Tag{l1.Latest, l1.Safe, l1.Finalized} {
			if _, err := c.HeaderByTag(ctx, tag); err != nil {
				t.Errorf("tag %d: %v", tag, err)
			}
		}
		// Creation code that reverts, with gas given so that it is not estimated.
		r, err = s.Send(ctx, l1.Request{Data: []byte{0x5f, 0x5f, 0xfd}, Gas: 100_000})
		if !errors.Is(err, l1.ErrReverted) || r == nil || r.Status != 0 {
			t.Errorf("reverting creation: %v", err)
		}
		if _, _, err := s.Deploy(ctx, []byte{0x5f, 0x5f, 0xfd}); !errors.Is(err, l1.ErrReverted) {
			t.Errorf("estimate of a reverting creation: %v", err)
		}
		poor := l1.NewSender(c, l1.NewKeySigner(must(crypto.GenerateKey())), l1.SenderOptions{})
		if _, err := poor.Send(ctx, l1.Request{To: &to, Value: big.NewInt(1), Gas: 21_000}); err == nil {
			t.Error("a transaction without balance was accepted")
		}
		// The sender still works after the failures.
		if _, err := s.Send(ctx, l1.Request{To: &to, Value: big.NewInt(1)}); err != nil {
			t.Error(err)
		}
	})
}

func TestPlainAndBlobTransactionsOfOneAccountTakeTurns(t *testing.T) {
	onEveryL1(t, func(t *testing.T, c *l1.Client) {
		ctx := testContext(t)
		s := sender(c, 4)
		a, err := s.Submit(ctx, l1.Request{To: &inbox, Value: big.NewInt(1)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Submit(ctx, l1.Request{To: &inbox, Blobs: testBlobs(1, 1)})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*l1.Pending{a, b} {
			if _, err := p.Wait(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestConfirmationsAreCounted(t *testing.T) {
	c, err := l1.Dial(t.Context(), l1.Options{URL: startDevL1(t, "").URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := l1.NewSender(c, l1.NewKeySigner(devl1.Keys(1)[0]), l1.SenderOptions{Confirmations: 3, Poll: 20 * time.Millisecond})
	r, err := s.Send(testContext(t), l1.Request{To: &inbox, Value: big.NewInt(1)})
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.HeaderByTag(t.Context(), l1.Latest)
	if err != nil || head.Number.Uint64() < r.BlockNumber.Uint64()+2 {
		t.Errorf("head %v, receipt in %v: %v", head.Number, r.BlockNumber, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
