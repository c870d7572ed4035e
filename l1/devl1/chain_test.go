package devl1

import (
	"context"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
)

func hashes(t *testing.T, l *L1) []common.Hash {
	t.Helper()
	var out []common.Hash
	for n := range l.Head().Number.Uint64() + 1 {
		out = append(out, l.eth.BlockChain().GetHeaderByNumber(n).Hash())
	}
	return out
}

func TestARestartContinuesTheSameChain(t *testing.T) {
	dir := t.TempDir()
	var before []common.Hash
	for round := range 3 {
		l := start(t, Options{Datadir: dir})
		after := hashes(t, l)
		for i, h := range before {
			if after[i] != h {
				t.Fatalf("round %d: block %d changed", round, i)
			}
		}
		for range 3 {
			if _, err := l.Mine(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		before = hashes(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMain runs this in a child process, which is killed: it prints every block that
// it has published.
func mineForever(dir string) {
	l, err := Start(Options{Datadir: dir})
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	for {
		h, err := l.Mine(context.Background())
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString(h.Hash().Hex() + "\n")
	}
}

func TestKillLosesNoPublishedBlock(t *testing.T) {
	dir := t.TempDir()
	var published []string
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 67*(5+3*round))
		n, rerr := readFull(out, buf)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if rerr != nil {
			t.Fatalf("child wrote %q: %v", buf[:n], rerr)
		}
		published = append(published, strings.Fields(string(buf[:n]))...)
	}
	l := start(t, Options{Datadir: dir})
	have := make(map[string]bool)
	for _, h := range hashes(t, l) {
		have[h.Hex()] = true
	}
	for i, h := range published {
		if !have[h] {
			t.Errorf("published block %d of %d is gone", i, len(published))
		}
	}
	if _, err := l.Mine(t.Context()); err != nil {
		t.Error(err)
	}
}

func readFull(r interface{ Read([]byte) (int, error) }, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func TestBlocksComeByThemselvesWithGrowingTimestamps(t *testing.T) {
	l := start(t, Options{})
	c, err := ethclient.Dial(l.WSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	heads := make(chan *types.Header, 8)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sub, err := c.SubscribeNewHead(ctx, heads)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	var last *types.Header
	for range 3 {
		select {
		case h := <-heads:
			if h.MixDigest == (common.Hash{}) || h.ParentBeaconRoot == nil || *h.ParentBeaconRoot == (common.Hash{}) {
				t.Error("no randomness or no beacon root")
			}
			if last != nil && (h.Time <= last.Time || h.ParentHash != last.Hash() || h.MixDigest == last.MixDigest) {
				t.Errorf("block %v at %d after %v at %d", h.Number, h.Time, last.Number, last.Time)
			}
			if ahead := time.Until(time.Unix(int64(h.Time), 0)); ahead > 0 {
				t.Errorf("block %v is %v ahead of the clock", h.Number, ahead)
			}
			last = h
		case <-ctx.Done():
			t.Fatal("no block")
		}
	}
}

func TestOnDemandBlocksWaitRatherThanRunAhead(t *testing.T) {
	l := start(t, Options{PeriodMillis: 3_600_000})
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		h, err := l.Mine(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if ahead := int64(h.Time) - time.Now().Unix(); ahead > MaxAhead {
			t.Fatalf("block %v is %d s ahead", h.Number, ahead)
		}
	}
	if n := l.Head().Number.Uint64(); n < backlogSeconds {
		t.Errorf("only %d blocks at once", n)
	}
}

func TestInstantMiningServesASeriesOfTransactions(t *testing.T) {
	l := start(t, Options{PeriodMillis: 60_000})
	c, err := ethclient.Dial(l.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	key := Keys(1)[0]
	to := common.Address{0xaa}
	begin := time.Now()
	err = l.MineInstantly(t.Context(), func(ctx context.Context) error {
		for nonce := range uint64(5) {
			tx := types.MustSignNewTx(key, types.LatestSignerForChainID(l.ChainID()), &types.DynamicFeeTx{
				ChainID: l.ChainID(), Nonce: nonce, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2e9),
				Gas: 21_000, To: &to, Value: big.NewInt(1),
			})
			if err := c.SendTransaction(ctx, tx); err != nil {
				return err
			}
			for {
				if r, err := c.TransactionReceipt(ctx, tx.Hash()); err == nil {
					if r.Status != 1 {
						t.Errorf("transaction %d failed", nonce)
					}
					break
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("5 transactions one after the other in %v", time.Since(begin))
}

func TestBadOptionsAndDirectoriesAreToldApart(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "diary.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	running := start(t, Options{Datadir: used})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(running.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		opts Options
		want error
	}{
		"a directory with other files": {Options{Datadir: foreign}, ErrForeignDatadir},
		"a directory in use":           {Options{Datadir: used}, ErrDatadirInUse},
		"another chain's directory":    {Options{Datadir: used, ChainID: 99}, ErrForeignDatadir},
		"a taken port":                 {Options{Port: taken}, ErrPortTaken},
		"a period below a second":      {Options{PeriodMillis: 500}, nil},
		"a port out of range":          {Options{Port: 70_000}, nil},
	} {
		l, err := Start(tc.opts)
		if err == nil {
			l.Close()
			t.Errorf("%s: accepted", name)
			continue
		}
		if tc.want != nil && !errors.Is(err, tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
	if err := running.Close(); err != nil {
		t.Error(err)
	}
	if _, err := running.Mine(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("mine after close: %v", err)
	}
}

func TestOldBlobsAreForgotten(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s, err := openBlobStore(dir, 10)
		if err != nil {
			t.Fatal(err)
		}
		bundle := &engine.BlobsBundle{
			Blobs: []hexutil.Bytes{make([]byte, 131_072)}, Commitments: []hexutil.Bytes{make([]byte, 48)},
		}
		for slot := range uint64(40) {
			if err := s.put(slot, bundle); err != nil {
				t.Fatal(err)
			}
		}
		if dir != "" {
			if s, err = openBlobStore(dir, 10); err != nil {
				t.Fatal(err)
			}
		}
		if old, err := s.get(5); err != nil || len(old) != 0 {
			t.Errorf("slot 5: %d blobs, %v", len(old), err)
		}
		if kept, err := s.get(39); err != nil || len(kept) != 1 || len(kept[0].Blob) != 131_072 {
			t.Errorf("slot 39: %d blobs, %v", len(kept), err)
		}
	}
}

func FuzzDecodeBlobs(f *testing.F) {
	s, err := openBlobStore("", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(s.enc.EncodeAll([]byte{0xc0}, nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := decodeBlobs(s.dec, raw)
		if err == nil {
			for _, b := range list {
				if len(b.Blob) != 131_072 {
					t.Error("a blob of another size")
				}
			}
		}
	})
}
