package e2e

import (
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"context"
)

// oneLine fails unless text is one line that contains all of want.
func oneLine(t *testing.T, text string, want ...string) {
	t.Helper()
	if strings.Contains(text, "\n") || text == "" {
		t.Errorf("must be told in one line: %q", text)
	}
	for _, w := range want {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

func TestBadFlagsExitWithTwo(t *testing.T) {
	cases := map[string]struct {
		args []string
		want []string
	}{
		"an unknown command":            {[]string{"devnot"}, []string{"devnot"}},
		"an unknown flag":               {[]string{"devnet", "--no-such-flag"}, []string{"no-such-flag"}},
		"a port out of range":           {[]string{"devnet", "--port", "70000"}, []string{"port", "65535"}},
		"a port that is a word":         {[]string{"devnet", "--port", "http"}, []string{"port"}},
		"a block time too short":        {[]string{"devnet", "--block-ms", "1"}, []string{"block-ms", "100"}},
		"an argument too many":          {[]string{"devnet", "please"}, []string{"please"}},
		"a bench workload":              {[]string{"bench", "--workload", "swaps"}, []string{"workload", "transfer"}},
		"a replica without L1":          {[]string{"replica", "--datadir", t.TempDir()}, []string{"l1-url"}},
		"a proposer without a key":      {[]string{"proposer", "--datadir", t.TempDir(), "--l1-url", "http://127.0.0.1:1"}, []string{"key-file", "TALARIA_PROPOSER_KEY"}},
		"a sequencer without a datadir": {[]string{"sequencer", "--l1-url", "http://127.0.0.1:1"}, []string{"datadir"}},
		"a sequencer without a key":     {[]string{"sequencer", "--datadir", t.TempDir(), "--l1-url", "http://127.0.0.1:1"}, []string{"key-file", "TALARIA_SEQUENCER_KEY"}},
		"a batcher without a node":      {[]string{"batcher", "--genesis", "genesis.json", "--l1-url", "http://127.0.0.1:1"}, []string{"node-url"}},
		"a chain without a sequencer":   {[]string{"genesis", "--l1-url", "http://127.0.0.1:1"}, []string{"key-file", "TALARIA_DEPLOYER_KEY"}},
		"witnesses of what is not run":  {[]string{"replica", "--datadir", t.TempDir(), "--feed-url", "nats://127.0.0.1:1", "--witness"}, []string{"--mode diff", "executes nothing"}},
		"replicas without a feed":       {[]string{"devnet", "--replicas", "1", "--feed-port", "-1"}, []string{"replicas", "feed"}},
		"validators of edits":           {[]string{"devnet", "--dev", "--validators", "1"}, []string{"validators", "--dev"}},
		"too many replicas":             {[]string{"devnet", "--replicas", "9"}, []string{"replicas", "0..8"}},
		"a proposer in a hurry":         {[]string{"proposer", "--claim-interval", "1ms"}, []string{"claim-interval", "1s"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, stderr := exitOf(t, c.args...)
			if code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			oneLine(t, stderr, c.want...)
		})
	}
}

func TestVersion(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if out := runTool(t, startTimeout, bin, "version"); !strings.HasPrefix(out, "talaria ") {
		t.Errorf("version: %q", out)
	}
}

// refused starts a devnet that must not start and returns its one line.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	all := append([]string{"devnet", "--l1-port", "0", "--web-port", "0", "--metrics-port", "0", "--ingest-port", "0", "--feed-port", "0"}, args...)
	code, stderr := exitOf(t, all...)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	return stderr
}

func TestATakenPortIsToldInOneLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	oneLine(t, refused(t, "--datadir", t.TempDir(), "--port", port), port, "--port")
}

func TestAnUnusableDatadirIsToldInOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), []byte("somebody's only copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{"a file": file, "below a file": filepath.Join(file, "below"), "somebody else's": foreign}
	if os.Geteuid() != 0 { // root may write everywhere
		closed := filepath.Join(t.TempDir(), "closed")
		if err := os.Mkdir(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		cases["unwritable"] = closed
	}
	for name, dir := range cases {
		t.Run(name, func(t *testing.T) {
			oneLine(t, refused(t, "--datadir", dir, "--port", "0"), dir)
		})
	}
	if entries, err := os.ReadDir(foreign); err != nil || len(entries) != 1 {
		t.Errorf("the foreign directory was changed: %v %v", entries, err)
	}
}

func TestADatadirInUseIsToldInOneLine(t *testing.T) {
	dir := sharedDevnet(t).Datadir
	oneLine(t, refused(t, "--datadir", dir, "--port", "0"), dir)
}

// crashed is a data directory whose node was killed after some load, with what was sealed.
func crashed(t *testing.T) (dir string, load *mixedLoad) {
	t.Helper()
	dir = t.TempDir()
	d := startDevnet(t, dir)
	load = newMixedLoad(t, d, 4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := load.run(ctx, d.L2.HTTPURL, 400); err != nil {
		t.Fatal(err)
	}
	d.kill()
	return dir, load
}

// segments are the files of the L2's write-ahead log that hold records, in order.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, ".wal") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var used []string
	for _, f := range files {
		if first, last := extent(t, f); last > first+200 {
			used = append(used, f)
		}
	}
	if len(used) == 0 {
		t.Fatalf("no write-ahead log with records below %s (files: %v)", dir, files)
	}
	return used
}

// extent is where a preallocated file's first and last bytes other than zero are.
func extent(t *testing.T, path string) (first, last int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first = max(slices.IndexFunc(raw, func(b byte) bool { return b != 0 }), 0)
	for last = len(raw) - 1; last > first && raw[last] == 0; last-- {
	}
	return first, last
}

// flip inverts n bytes of a file from offset at.
func flip(t *testing.T, path string, at, n int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := at; i < at+n && i < len(raw); i++ {
		raw[i] ^= 0xff
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestATornLogTailIsCutBack: damage in the last record is what a crash leaves; the
// node continues from the record before.
func TestATornLogTailIsCutBack(t *testing.T) {
	dir, load := crashed(t)
	files := segments(t, dir)
	final := files[len(files)-1]
	_, last := extent(t, final)
	flip(t, final, last-4, 3)
	d := startDevnet(t, dir)
	if told := d.stderr.String(); !strings.Contains(told, "cut a torn tail back to the last whole record") {
		t.Errorf("the cut is not told: %q", told)
	}
	// The last record may have held acknowledged transactions: this damage is of a
	// kind that no crash makes. All sealed blocks but perhaps the last are there.
	var newest uint64
	for n := range load.blocks {
		newest = max(newest, n)
	}
	delete(load.blocks, newest)
	clear(load.acks)
	load.check(t, d.L2.HTTPURL)
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// TestADamagedLogMiddleIsRefused: a later whole record proves that the damaged one
// had been durable, so continuing would lose what was acknowledged.
func TestADamagedLogMiddleIsRefused(t *testing.T) {
	dir, _ := crashed(t)
	files := segments(t, dir)
	file := files[len(files)-1]
	first, last := extent(t, file)
	flip(t, file, (first+last)/2, 64)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	oneLine(t, refused(t, "--datadir", dir, "--port", "0"), filepath.Base(file), "offset")
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, after) {
		t.Error("the refused log was changed")
	}
}

// TestAReplicaOnAnotherL1IsToldInOneLine: the genesis of one chain beside the L1 of another.
func TestAReplicaOnAnotherL1IsToldInOneLine(t *testing.T) {
	raw, err := json.Marshal(map[string]any{"config": map[string]any{
		"chainId": 7411, "l1ChainId": 1, "gasLimit": 100_000_000, "txGasCap": 1_000_000, "maxCodeSize": 1, "maxInitCode": 1, "maxTxBytes": 1024,
		"baseFeeDenominator": 1, "baseFeeElasticity": 1, "inclusionWindow": 10,
	}, "alloc": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stderr := exitOf(t, "replica", "--l1-url", sharedDevnet(t).L1.HTTPURL, "--genesis", path, "--datadir", t.TempDir(), "--port", "0")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	oneLine(t, stderr, "chain id 7410", "settles on 1")
}
