package e2e

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// postings counts what L1 holds of a chain: certificates, alt-DA commitments, and batches
// that it holds itself.
func postings(t *testing.T, l1 loneL1, at Contracts) (certified, altDA, own int) {
	t.Helper()
	client := dialEth(t, l1.url)
	logs, err := client.FilterLogs(t.Context(), ethereum.FilterQuery{
		FromBlock: new(big.Int), Addresses: []common.Address{at.CertificateVerifier},
		Topics: [][]common.Hash{{crypto.Keccak256Hash([]byte("BatchCertified(bytes32,address,bytes)"))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	head, err := client.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range head + 1 {
		b, err := client.BlockByNumber(t.Context(), new(big.Int).SetUint64(n))
		if err != nil {
			t.Fatal(err)
		}
		for _, tx := range b.Transactions() {
			switch to := tx.To(); {
			case to == nil || *to != at.BatchInbox:
			case tx.Type() != types.BlobTxType && len(tx.Data()) > 0 && tx.Data()[0] == 1:
				altDA++
			default:
				own++
			}
		}
	}
	return len(logs), altDA, own
}

// safeAt waits until L1 holds block number of the chain at url.
func safeAt(t *testing.T, p *process, url string, number uint64) {
	t.Helper()
	client := dialEth(t, url)
	eventually(t, 2*time.Minute, fmt.Sprintf("L1 holds block %d", number), func() error {
		h, err := client.HeaderByNumber(t.Context(), big.NewInt(int64(rpc.SafeBlockNumber)))
		if err == nil && h.Number.Uint64() < number {
			err = fmt.Errorf("safe is %v: %s", h.Number, p.stderr)
		}
		return err
	})
}

// grown waits for some more blocks on L1, and returns the newest.
func grown(t *testing.T, d *devnet, by uint64) uint64 {
	t.Helper()
	last, err := dialEth(t, d.L2.HTTPURL).BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	safeAt(t, d.process, d.L2.HTTPURL, last+by)
	return last + by
}

// metric reads a metric, named with its labels, at the URL of all of them.
func metric(t *testing.T, url, name string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// startOperator runs an operator of a devnet's committee in a process of its own, with its
// directory, its key and its address.
func startOperator(t *testing.T, d *devnet, l1 loneL1, i int) *process {
	t.Helper()
	home := filepath.Join(d.Datadir, "da", fmt.Sprintf("operator-%d", i))
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
	return startRoleWith(t, []string{"TALARIA_DA_KEY=" + read("key")}, new(struct{}), "da-operator", "--datadir", home, "--listen", read("address"), "--l1-url", l1.url, "--genesis", d.Genesis)
}

// equalChains compares two nodes up to a block.
func equalChains(t *testing.T, got *follower, want []common.Hash) {
	t.Helper()
	have := chainOf(t, got.HTTPURL, uint64(len(want)-1))
	for n := range want {
		if have[n] != want[n] {
			t.Fatalf("block %d: sequencer %s, follower %s: %s", n, want[n], have[n], got.stderr)
		}
	}
}

func reached(t *testing.T, f *follower, number uint64) {
	t.Helper()
	client := dialEth(t, f.HTTPURL)
	eventually(t, 2*time.Minute, fmt.Sprintf("the follower reaches block %d", number), func() error {
		at, err := client.BlockNumber(t.Context())
		if err == nil && at < number {
			err = fmt.Errorf("it is at %d: %s", at, f.stderr)
		}
		return err
	})
}

// TestAnyHalfOfTheCommitteeHasTheChain: the sequencer is gone, L1 holds certificates and no
// data, and a follower derives the chain from any four of eight operators. With three it
// waits, and goes on when there is a fourth.
func TestAnyHalfOfTheCommitteeHasTheChain(t *testing.T) {
	t.Parallel()
	l1 := startL1(t)
	d := startDevnet(t, t.TempDir(), "--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--da", "committee", "--batch-ms", "1000", "--da-fallback", "1h")
	if d.DA != "committee" {
		t.Errorf("it says that its batches are with %q", d.DA)
	}
	load := newMixedLoad(t, d, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := load.run(ctx, d.L2.HTTPURL, 2_000); err != nil {
		t.Fatal(err)
	}
	if n := load.acked.Load(); n < 2_000 {
		t.Fatalf("%d transactions are acknowledged: %s", n, d.stderr)
	}
	last := grown(t, d, 10)
	want := chainOf(t, d.L2.HTTPURL, last)
	d.kill()
	certified, _, own := postings(t, l1, d.Contracts)
	t.Logf("%d blocks in %d certificates", last, certified)
	if certified == 0 || own != 0 {
		t.Fatalf("L1 holds %d certificates, and %d batches itself", certified, own)
	}

	operators := map[int]*process{}
	run := func(these ...int) {
		t.Helper()
		for i, p := range operators {
			if !slices.Contains(these, i) {
				p.kill()
				delete(operators, i)
			}
		}
		for _, i := range these {
			if operators[i] == nil {
				operators[i] = startOperator(t, d, l1, i)
			}
		}
	}
	for _, half := range [][]int{{0, 1, 2, 3}, {4, 5, 6, 7}, {0, 2, 5, 7}} {
		run(half...)
		f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis)
		reached(t, f, last)
		equalChains(t, f, want)
		load.check(t, f.HTTPURL)
		f.kill()
	}
	run(0, 2, 5)
	f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis)
	eventually(t, time.Minute, "the follower says that it waits for operators", func() error {
		if text := f.stderr.String(); !strings.Contains(text, "operators gave 48 of the 64 cells") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	if at, err := dialEth(t, f.HTTPURL).BlockNumber(t.Context()); err != nil || at >= last {
		t.Fatalf("it is at block %d of %d, %v, with less than half of the operators", at, last, err)
	}
	run(0, 2, 5, 6)
	reached(t, f, last)
	equalChains(t, f, want)
}

// TestBatchesGoToL1WhileTheCommitteeFails: three of four operators must sign. With one gone
// they do, with two gone batches go to L1, and with all back to the committee again.
// A follower that begins afterwards, while half is gone, derives it all. The operator that
// has lost its data is found.
func TestBatchesGoToL1WhileTheCommitteeFails(t *testing.T) {
	t.Parallel()
	l1 := startL1(t)
	dir := t.TempDir()
	start := func(operators string) *devnet {
		return startDevnet(t, dir, "--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--batch-ms", "1000",
			"--da", "committee", "--da-operators", operators, "--da-fallback", "2s", "--da-audit", "1s")
	}
	d := start("4") // makes and admits them
	grown(t, d, 2)
	if err := d.interrupt(); err != nil {
		t.Fatal(err)
	}
	operators := make([]*process, 4)
	for i := range operators {
		operators[i] = startOperator(t, d, l1, i)
	}
	d = start("0")
	certifies := func(what string) {
		t.Helper()
		before, _, ownBefore := postings(t, l1, d.Contracts)
		grown(t, d, 4)
		if after, _, own := postings(t, l1, d.Contracts); after == before || own != ownBefore {
			t.Fatalf("%s: %d certificates more, %d batches more on L1: %s", what, after-before, own-ownBefore, d.stderr)
		}
		if failing := metric(t, d.Metrics, "talaria_da_layer_failing"); failing != "0" {
			t.Errorf("%s: talaria_da_layer_failing is %q", what, failing)
		}
	}
	certifies("with all operators")
	operators[1].kill()
	certifies("with three of four")

	operators[2].kill()
	grown(t, d, 6)
	_, _, own := postings(t, l1, d.Contracts)
	if failing := metric(t, d.Metrics, "talaria_da_layer_failing"); own == 0 || failing != "1" || metric(t, d.Metrics, `talaria_batches_total{data="l1"}`) == "0" {
		t.Fatalf("with two of four: %d batches on L1, talaria_da_layer_failing is %q: %s", own, failing, d.stderr)
	}
	if !strings.Contains(d.stderr.String(), "the data layer fails: batches go to L1 themselves") {
		t.Errorf("the log does not say so: %s", d.stderr)
	}
	operators[1], operators[2] = startOperator(t, d, l1, 1), startOperator(t, d, l1, 2)
	eventually(t, 2*time.Minute, "the committee is used again", func() error {
		if failing := metric(t, d.Metrics, "talaria_da_layer_failing"); failing != "0" {
			return fmt.Errorf("talaria_da_layer_failing is %q: %s", failing, d.stderr)
		}
		return nil
	})
	certifies("with all operators again")

	// One loses what it kept.
	lost := filepath.Join(d.Datadir, "da", "operator-3", "chunks")
	if err := os.RemoveAll(lost); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the audit finds who has lost data", func() error {
		if text := d.stderr.String(); !strings.Contains(text, "an operator has lost data that it signed for") {
			return fmt.Errorf("the log says %q", text)
		}
		if healthy := metric(t, d.Metrics, `talaria_da_operator_healthy{operator="3"}`); healthy != "0" {
			return fmt.Errorf("talaria_da_operator_healthy of operator 3 is %q", healthy)
		}
		return nil
	})
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	code, _ := exitOf(t, "da", "audit", "--json", "--samples", "1", "--l1-url", l1.url, "--genesis", d.Genesis)
	if code == 0 {
		t.Error("talaria da audit finds nothing")
	}
	_, _ = exitOf(t, "da", "audit", "--repair", "--samples", "2", "--l1-url", l1.url, "--genesis", d.Genesis)
	runTool(t, time.Minute, bin, "da", "audit", "--samples", "2", "--l1-url", l1.url, "--genesis", d.Genesis)
	runTool(t, time.Minute, bin, "da", "sample", "--samples", "8", "--l1-url", l1.url, "--genesis", d.Genesis)

	operators[0].kill()
	operators[1].kill()
	last := grown(t, d, 4)
	f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis)
	reached(t, f, last)
	equalChains(t, f, chainOf(t, d.L2.HTTPURL, last))
}

// TestBatchesGoToL1WhileTheAltDAServerFails: and to the server again when it is back,
// without a gap for the follower.
func TestBatchesGoToL1WhileTheAltDAServerFails(t *testing.T) {
	t.Parallel()
	for name, generic := range map[string]bool{"keccak256 commitments": false, "generic commitments": true} {
		t.Run(name, func(t *testing.T) {
			l1 := startL1(t)
			data, listen := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", freePort(t))
			serve := func() *process {
				t.Helper()
				args := []string{"da-server", "--datadir", data, "--listen", listen}
				if generic {
					args = append(args, "--generic")
				}
				return startRole(t, new(struct{}), args...)
			}
			server := serve()
			args := []string{"--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--batch-ms", "1000", "--da", "altda:http://" + listen, "--da-fallback", "2s"}
			if generic {
				args = append(args, "--da-generic")
			}
			d := startDevnet(t, t.TempDir(), args...)
			f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis, "--altda-url", "http://"+listen)
			reached(t, f, grown(t, d, 3))
			if _, altDA, own := postings(t, l1, d.Contracts); altDA == 0 || own != 0 {
				t.Fatalf("L1 holds %d commitments and %d batches itself: %s", altDA, own, d.stderr)
			}
			server.kill()
			reached(t, f, grown(t, d, 6))
			_, before, own := postings(t, l1, d.Contracts)
			if own == 0 || metric(t, d.Metrics, "talaria_da_layer_failing") != "1" {
				t.Fatalf("without the server: %d batches on L1: %s", own, d.stderr)
			}
			server = serve()
			eventually(t, 2*time.Minute, "the server is used again", func() error {
				if _, altDA, _ := postings(t, l1, d.Contracts); altDA == before {
					return fmt.Errorf("%d commitments still: %s", before, d.stderr)
				}
				return nil
			})
			last := grown(t, d, 3)
			reached(t, f, last)
			equalChains(t, f, chainOf(t, d.L2.HTTPURL, last))
			// One that begins afterwards reads all of it, too.
			late := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis, "--altda-url", "http://"+listen)
			reached(t, late, last)
			equalChains(t, late, chainOf(t, d.L2.HTTPURL, last))
		})
	}
}

// TestAChainChangesItsLayer: with each start, and a follower from genesis reads what every
// layer had.
func TestAChainChangesItsLayer(t *testing.T) {
	t.Parallel()
	l1 := startL1(t)
	dir, data := t.TempDir(), t.TempDir()
	var server struct{ URL string }
	startRole(t, &server, "da-server", "--datadir", data, "--listen", "127.0.0.1:0")
	var d *devnet
	var certified, altDA, own int // postings so far
	var want []common.Hash
	for _, step := range []struct {
		args                  []string
		layer                 string
		certified, altDA, own bool // what there is more of
	}{
		{nil, "blob", false, false, true},
		{[]string{"--da", "committee", "--da-operators", "3"}, "committee", true, false, false},
		{nil, "committee", true, false, false}, // as it was
		{[]string{"--da", "altda:" + server.URL}, "altda:" + server.URL, false, true, false},
		{nil, "altda:" + server.URL, false, true, false},
		{[]string{"--da", "calldata"}, "calldata", false, false, true},
	} {
		d = startDevnet(t, dir, append([]string{"--l1-url", l1.url, "--l1-beacon-url", l1.beacon, "--batch-ms", "1000", "--da-fallback", "1h"}, step.args...)...)
		if d.DA != step.layer {
			t.Fatalf("with %v batches are with %q, want %q", step.args, d.DA, step.layer)
		}
		last := grown(t, d, 3)
		want = chainOf(t, d.L2.HTTPURL, last)
		if err := d.interrupt(); err != nil {
			t.Fatal(err)
		}
		c, a, o := postings(t, l1, d.Contracts)
		if (c > certified) != step.certified || (a > altDA) != step.altDA || (o > own) != step.own {
			t.Errorf("with %v L1 holds %d certificates, %d commitments and %d batches more", step.args, c-certified, a-altDA, o-own)
		}
		certified, altDA, own = c, a, o
	}
	for i := range 2 { // of three: more than half
		startOperator(t, d, l1, i)
	}
	f := startReplica(t, t.TempDir(), l1.url, l1.beacon, d.Genesis, "--altda-url", server.URL)
	reached(t, f, uint64(len(want)-1))
	equalChains(t, f, want)
}
