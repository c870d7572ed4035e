package replica

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/role/snapshots"
	"github.com/talaria-l2/talaria/store"
)

// joining is what a process of its own tells of a join.
type joining struct {
	Load, Open time.Duration
	CPU        time.Duration // of both
	MaxRSS     int64         // bytes
	Base       uint64
}

// TestJoiner is the process that joins, when TestAChainOfManyAccountsIsJoined starts it.
func TestJoiner(t *testing.T) {
	url := os.Getenv("TALARIA_JOIN_URL")
	if url == "" {
		t.Skip("a part of TestAChainOfManyAccountsIsJoined")
	}
	raw, err := os.ReadFile(os.Getenv("TALARIA_JOIN_GENESIS"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := chain.DecodeGenesis(raw)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := store.OpenDir(os.Getenv("TALARIA_JOIN_DIR"))
	if err != nil {
		t.Fatal(err)
	}
	var out joining
	began := time.Now()
	if err := snapshots.Load(t.Context(), dir, snapshots.LoadOptions{URL: url, Genesis: g, Log: quiet()}); err != nil {
		t.Fatal(err)
	}
	out.Load, began = time.Since(began), time.Now()
	n, err := node.Open(dir, node.Options{Genesis: g, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	out.Open, out.Base = time.Since(began), n.Base()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	out.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	out.MaxRSS = usage.Maxrss << 10
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err = json.Marshal(&out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("TALARIA_JOIN_OUT"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// someone is the account with a number, somewhere in the order of addresses.
func someone(i int) common.Address {
	return common.Address(crypto.Keccak256(big.NewInt(int64(i)).Bytes())[:common.AddressLength])
}

// crowd gives so many accounts a balance, by deposits that nobody has to sign.
func (l *leader) crowd(accounts int) {
	const perMini, perBlock = 20_000, 100_000
	for done := 0; done < accounts; {
		l.open()
		for range perBlock / perMini {
			var txs []*chain.Tx
			for ; len(txs) < perMini && done < accounts; done += 2 { // who sends and who receives
				from, to := someone(done), someone(done+1)
				txs = append(txs, chain.NewDepositTx(&chain.Deposit{
					SourceHash: common.BigToHash(big.NewInt(int64(done))), From: from, To: &to, Mint: big.NewInt(1e15 + int64(done)*7919), Value: big.NewInt(1e14 + int64(done)*104_729), Gas: 21_000,
				}))
			}
			if i, err := l.node.Exec().ApplyAll(txs); err != nil {
				l.t.Fatalf("deposit %d: %v", i, err)
			}
			l.cut()
		}
		l.seal()
	}
	if err := l.node.AfterWrites(func() error { return nil }); err != nil {
		l.t.Fatal(err)
	}
}

// cut publishes what was applied, for nobody to read by the feed.
func (l *leader) cut() {
	c := l.node.Exec()
	_, _, a := c.OpenBlock()
	m, version := c.Cut(chain.Micros(l.now*1_000_000 + c.NextMini()))
	var err error
	if m.Signature, err = m.Header.Sign(l.key); err != nil {
		l.t.Fatal(err)
	}
	l.node.PublishMiniBlock(m, c.OpenHeader(), a, version)
}

// paced makes a mini-block of transfers every 10 ms until stop is closed, a block of
// a hundred of them, and returns how late each was published.
func (l *leader) paced(stop <-chan struct{}) (late []time.Duration) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return late
		case due := <-ticker.C:
			if n%100 == 0 {
				if l.node.Exec().IsOpen() {
					l.seal()
				}
				l.open()
			}
			var txs []*chain.Tx
			for range 100 {
				to := someone(l.r.Intn(40_000))
				txs = append(txs, chain.NewDepositTx(&chain.Deposit{
					SourceHash: common.BigToHash(big.NewInt(l.r.Int63())), From: l.user(0), To: &to, Mint: big.NewInt(2), Value: big.NewInt(1), Gas: 21_000,
				}))
			}
			if i, err := l.node.Exec().ApplyAll(txs); err != nil {
				l.t.Fatalf("deposit %d: %v", i, err)
			}
			l.cut()
			late = append(late, time.Since(due))
		}
	}
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[int(q*float64(len(list)-1))].Round(10 * time.Microsecond)
}

// A chain of many accounts (TALARIA_JOIN_ACCOUNTS, 50,000 if it is not set) is joined by a
// process of its own while the leader makes a mini-block of 100 transfers every 10 ms:
// with -v it tells how long it took, how much it was, and how late mini-blocks were.
func TestAChainOfManyAccountsIsJoined(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	accounts, quietly := 50_000, time.Second
	if s := os.Getenv("TALARIA_JOIN_ACCOUNTS"); s != "" {
		var err error
		if accounts, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		quietly = 10 * time.Second
	}
	l := newLeader(t, 41)
	began := time.Now()
	l.crowd(accounts)
	t.Logf("%d accounts made in %v", accounts, time.Since(began).Round(time.Millisecond))

	dir := t.TempDir()
	genesis, err := json.Marshal(l.g)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"TALARIA_JOIN_URL": serveSnapshots(t, l.node, snapshots.Options{Every: time.Hour}), "TALARIA_JOIN_GENESIS": filepath.Join(dir, "genesis.json"),
		"TALARIA_JOIN_DIR": filepath.Join(dir, "joined"), "TALARIA_JOIN_OUT": filepath.Join(dir, "out.json"),
	}
	if err := os.WriteFile(env["TALARIA_JOIN_GENESIS"], genesis, 0o644); err != nil {
		t.Fatal(err)
	}
	var late [2][]time.Duration
	run := func(phase int, until func()) {
		stop := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() { until(); close(stop) })
		late[phase] = l.paced(stop)
		wait.Wait()
	}
	run(0, func() { time.Sleep(quietly) })
	var failed error
	run(1, func() {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestJoiner$", "-test.count", "1")
		cmd.Env = os.Environ()
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			failed = fmt.Errorf("%w: %s", err, out)
		}
	})
	if failed != nil {
		t.Fatal(failed)
	}
	raw, err := os.ReadFile(env["TALARIA_JOIN_OUT"])
	if err != nil {
		t.Fatal(err)
	}
	var out joining
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if out.Base == 0 {
		t.Error("nothing was joined")
	}
	size := func(pattern string) (sum int64) {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			sum += info.Size()
		}
		return sum
	}
	t.Logf("joined block %d: made, loaded and checked in %v, opened in %v, %v of processor, at most %d MiB of memory; %.1f MB handed over, %.1f MB on disk",
		out.Base, out.Load.Round(time.Millisecond), out.Open.Round(time.Millisecond), out.CPU.Round(time.Millisecond), out.MaxRSS>>20,
		float64(size(filepath.Join(l.node.Dir().Path(), "snapshots", "0x*", "*")))/1e6, float64(size(filepath.Join(dir, "joined", "db", "*")))/1e6)
	for phase, name := range []string{"nobody joins", "while it is joined"} {
		t.Logf("%s: %d mini-blocks, published after p50 %v, p99 %v, max %v", name, len(late[phase]), quantile(late[phase], 0.5), quantile(late[phase], 0.99), quantile(late[phase], 1))
	}
}
