package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
)

// trickle is a user who sends a transfer now and then, whatever happens.
type trickle struct {
	*sender
	mu      sync.Mutex
	acked   []common.Hash
	refusal error // of the last one; nil: it was taken
}

// run sends to the node at url until ctx ends.
func (l *trickle) run(ctx context.Context, t *testing.T, url string) {
	client, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return
	}
	defer client.Close()
	to := common.Address{0xbe, 0xef}
	for known := false; ctx.Err() == nil; {
		if !known {
			nonce, err := client.PendingNonceAt(ctx, l.addr)
			if known = err == nil; known {
				l.nonce = nonce
			}
		}
		if known {
			tx := l.sign(t, &to, big.NewInt(1), 21_000, nil)
			err = client.SendTransaction(ctx, tx)
			l.mu.Lock()
			if l.refusal = err; err == nil {
				l.acked = append(l.acked, tx.Hash())
			}
			l.mu.Unlock()
			known = err == nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(40 * time.Millisecond):
		}
	}
}

// state is how many are acknowledged, and why the last one was not.
func (l *trickle) state() (acked int, refusal error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked), l.refusal
}

// check fails if an acknowledged transaction is not in the chain at url.
func (l *trickle) check(t *testing.T, url string) {
	t.Helper()
	client := dialEth(t, url)
	for i, hash := range l.acked {
		r, err := client.TransactionReceipt(t.Context(), hash)
		if errors.Is(err, ethereum.NotFound) {
			t.Fatalf("transaction %d of %d, %s, was acknowledged and is not there", i, len(l.acked), hash)
		}
		if err != nil || r.Status != 1 {
			t.Fatalf("%s: %+v, %v", hash, r, err)
		}
	}
}

// gate stands before an L1 and lets nobody through while it is shut.
type gate struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	shut  bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// newGate opens a gate before the server at url.
func newGate(t *testing.T, url string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, target: strings.TrimPrefix(url, "http://"), conns: map[net.Conn]bool{}}
	g.wg.Go(g.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		g.set(true)
		g.wg.Wait()
	})
	return g
}

func (g *gate) url() string { return "http://" + g.listener.Addr().String() }

// set shuts the gate, which cuts every connection, or opens it.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	for c := range g.conns {
		if shut {
			_ = c.Close()
		}
	}
}

// hold keeps a connection to be cut; false while the gate is shut.
func (g *gate) hold(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		_ = c.Close()
		return false
	}
	g.conns[c] = true
	return true
}

func (g *gate) drop(c net.Conn) {
	_ = c.Close()
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}

func (g *gate) accept() {
	for {
		in, err := g.listener.Accept()
		if err != nil {
			return
		}
		if !g.hold(in) {
			continue
		}
		g.wg.Go(func() {
			defer g.drop(in)
			out, err := net.Dial("tcp", g.target)
			if err != nil || !g.hold(out) {
				return
			}
			defer g.drop(out)
			g.wg.Go(func() {
				_, _ = io.Copy(out, in)
				_ = out.Close()
				_ = in.Close()
			})
			_, _ = io.Copy(in, out)
		})
	}
}

// postedOnL1 decodes every batch on L1 as nobody else does, and returns how often it holds
// each L2 block, and how many transactions with blobs and with calldata there are.
func postedOnL1(t *testing.T, l1URL, genesisPath string) (blocks map[uint64]int, blobs, calldata int) {
	t.Helper()
	raw, err := os.ReadFile(genesisPath)
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := chain.DecodeGenesis(raw)
	if err != nil {
		t.Fatal(err)
	}
	client, err := l1.Dial(t.Context(), l1.Options{URL: l1URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	source := l1.NewSource(client, l1.SourceOf(&genesis.Config))
	head, err := client.HeaderByTag(t.Context(), l1.Latest)
	if err != nil {
		t.Fatal(err)
	}
	blocks = map[uint64]int{}
	for n := genesis.L1Origin.Number + 1; n <= head.Number.Uint64(); n++ {
		b, err := source.Fetch(t.Context(), n, genesis.Config.Batcher)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Batches {
			tx := &b.Batches[i]
			if len(tx.Blobs) > 0 {
				blobs++
			} else {
				calldata++
			}
			for _, number := range blocksOf(t, tx) {
				blocks[number]++
			}
		}
	}
	return blocks, blobs, calldata
}

// blocksOf are the L2 blocks in a batch transaction, which holds one whole channel.
func blocksOf(t *testing.T, tx *l1.BatchTx) (numbers []uint64) {
	t.Helper()
	var frames []batch.Frame
	for i := range tx.Blobs {
		list, err := batch.DecodeBlob((*batch.Blob)(&tx.Blobs[i]))
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, list...)
	}
	if len(tx.Blobs) == 0 {
		list, err := batch.DecodeCalldata(tx.Data)
		if err != nil {
			t.Fatal(err)
		}
		frames = list
	}
	var data []byte
	for _, f := range frames {
		data = append(data, f.Data...)
	}
	_, list, err := batch.DecodeChannel(data, 0)
	if err != nil {
		t.Fatalf("L1 transaction %s: %v", tx.Hash, err)
	}
	for _, b := range list {
		numbers = append(numbers, b.Number)
	}
	return numbers
}

// onceOnL1 waits until L1 holds the chain up to a block, and fails unless it holds each
// block exactly once.
func onceOnL1(t *testing.T, d *devnet, l1URL string, last uint64) (blobs, calldata int) {
	t.Helper()
	onL1(t, d, last)
	posted, blobs, calldata := postedOnL1(t, l1URL, d.Genesis)
	for n := uint64(1); n <= last; n++ {
		if posted[n] != 1 {
			t.Errorf("block %d is on L1 %d times", n, posted[n])
		}
	}
	t.Logf("%d blocks in %d transactions with blobs and %d with calldata", last, blobs, calldata)
	return blobs, calldata
}

// openBlock is the number of the block that is open: what is acknowledged is in it at the
// latest.
func openBlock(t *testing.T, d *devnet) uint64 {
	t.Helper()
	n, err := dialEth(t, d.L2.HTTPURL).BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n + 1
}

// sameChain fails unless a new follower derives the chain of the node at url, up to a block.
func sameChain(t *testing.T, d *devnet, l1 loneL1, last uint64) *follower {
	t.Helper()
	f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis)
	awaitBlock(t, f, last)
	got, want := chainOf(t, f.HTTPURL, last), chainOf(t, d.L2.HTTPURL, last)
	for n := range want {
		if got[n] != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s", n, want[n], got[n])
		}
	}
	return f
}

// startDearBlobs starts anvil with blob gas at 3.6 gwei, against which that of other gas is
// the caller's. The price falls by an eighth with every block that has transactions and no
// blobs, down to what EIP-7918 reserves: a sixteenth of that of gas.
func startDearBlobs(t *testing.T, args ...string) loneL1 {
	t.Helper()
	genesis := fmt.Sprintf(`{"config":{"chainId":7410},"timestamp":"%#x","gasLimit":"0x1c9c380","difficulty":"0x0","alloc":{},"excessBlobGas":"0x6910e98"}`, time.Now().Unix())
	path := filepath.Join(t.TempDir(), "l1.json")
	if err := os.WriteFile(path, []byte(genesis), 0o644); err != nil {
		t.Fatal(err)
	}
	a := startAnvil(t, append([]string{"--init", path, "--chain-id", "7410", "--hardfork", "osaka"}, args...)...)
	return loneL1{a.url, a.url}
}

// callL1 asks anvil for something that an L1 in the world does by itself.
func callL1(t *testing.T, url, method string, params ...any) {
	t.Helper()
	client, err := rpc.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.CallContext(ctx, nil, method, params...); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", method, err))
	}
}
