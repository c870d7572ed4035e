package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
)

// talaria runs a command to its end.
func talaria(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"talaria"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// serve runs a command until the test ends or stop is called, and returns what it says
// when it is ready.
func serve(t *testing.T, args ...string) (ready map[string]any, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"talaria"}, args...), w, &errs)
		w.Close()
	}()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &ready) != nil {
		cancel()
		t.Fatalf("%s: says %q, %v, exit code %d: %s", args[0], line, err, <-ended, errs.String())
	}
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("%s: exit code %d: %s", args[0], code, errs.String())
		}
	}
	t.Cleanup(stop)
	return ready, stop
}

func TestAnOperatorFromTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, raw []byte) {
		if err := os.WriteFile(file(name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("password", []byte("secret\n"))
	code, out, errs := talaria(t, "da", "key", "--out", file("key.json"), "--password-file", file("password"),
		"--account", "0x00000000000000000000000000000000000000aa", "--registry", "0x00000000000000000000000000000000000000bb", "--url", "http://here")
	var made struct {
		PublicKey, Calldata hexutil.Bytes
	}
	if err := json.Unmarshal([]byte(out), &made); code != 0 || err != nil || len(made.Calldata) < 4+192+96 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	if code, _, _ := talaria(t, "da", "key", "--out", file("key.json"), "--password-file", file("password")); code != exitFailure {
		t.Fatalf("a keystore was overwritten: exit code %d", code)
	}
	key, err := bls.ParsePublicKey(made.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	members := &committee.Committee{Epoch: 1, Operators: []committee.Operator{{Key: key, Weight: 1, URL: "http://127.0.0.1:1"}}}
	save := func() {
		raw, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		write("committee.json", raw)
	}
	save()
	ready, stop := serve(t, "da-operator", "--datadir", file("data"), "--listen", "127.0.0.1:0", "--key-file", file("key.json"),
		"--password-file", file("password"), "--committee", file("committee.json"), "--json")
	members.Operators[0].URL = ready["url"].(string)
	save()

	disperser := committee.NewDisperser(committee.DisperserOptions{Source: committee.Fixed{Only: members}, Timeout: time.Minute})
	cert, err := disperser.Put(t.Context(), []byte("the data"))
	disperser.Close()
	if err != nil {
		t.Fatal(err)
	}
	certificate := hexutil.Encode(cert.Bytes())
	if code, out, errs := talaria(t, "da", "get", "--commitment", certificate, "--committee", file("committee.json"), "--out", "-"); code != 0 || out != "the data" {
		t.Fatalf("get: exit code %d: %q %s", code, out, errs)
	}
	if code, out, errs := talaria(t, "da", "sample", "--certificates", certificate, "--committee", file("committee.json"), "--samples", "3", "--json"); code != 0 || !strings.Contains(out, `"available":true`) {
		t.Fatalf("sample: exit code %d: %s%s", code, out, errs)
	}
	if code, out, errs := talaria(t, "da", "audit", "--certificates", certificate, "--committee", file("committee.json"), "--json", "--all"); code != 0 || strings.Count(out, `"result":"ok"`) != 4 {
		t.Fatalf("audit: exit code %d: %s%s", code, out, errs)
	}
	if code, out, errs := talaria(t, "da", "audit", "--certificates", certificate, "--committee", file("committee.json")); code != 0 || !strings.Contains(out, "4 of 4 answers are right\n") {
		t.Fatalf("audit in words: exit code %d: %s%s", code, out, errs)
	}
	if code, out, errs := talaria(t, "da", "sample", "--certificates", certificate, "--committee", file("committee.json")); code != 0 || !strings.Contains(out, " available: 32 of 32 cells had") {
		t.Fatalf("sample in words: exit code %d: %s%s", code, out, errs)
	}
	stop()
	if code, out, _ := talaria(t, "da", "audit", "--certificates", certificate, "--committee", file("committee.json")); code != exitFailure || !strings.Contains(out, "0 of 4 answers are right, 4 unreachable\n") {
		t.Fatalf("audit in words of who is gone: exit code %d: %s", code, out)
	}
	code, out, _ = talaria(t, "da", "audit", "--json", "--certificates", certificate, "--committee", file("committee.json"), "--samples", "1")
	if code != exitFailure || !strings.Contains(out, `"result":"unreachable"`) {
		t.Fatalf("audit of who is gone: exit code %d: %s", code, out)
	}
}

func TestAnAltDAServerFromTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	ready, stop := serve(t, "da-server", "--datadir", dir, "--listen", "127.0.0.1:0", "--json")
	url := ready["url"].(string)
	client, err := altda.NewClient(altda.ClientOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	commitment, err := client.Put(t.Context(), []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	name := hexutil.Encode(commitment.Bytes())
	if code, out, errs := talaria(t, "da", "get", "--commitment", name, "--altda-url", url, "--out", "-"); code != 0 || out != "kept" {
		t.Fatalf("get: exit code %d: %q %s", code, out, errs)
	}
	missing := hexutil.Encode(da.NewKeccak([]byte("missing")).Bytes())
	if code, _, errs := talaria(t, "da", "get", "--commitment", missing, "--altda-url", url, "--out", "-"); code != exitFailure || !strings.Contains(errs, "not found") {
		t.Fatalf("get what is missing: exit code %d: %s", code, errs)
	}
	stop()
}

func TestMistakesOfDACommandsAreUsageErrors(t *testing.T) {
	t.Setenv("TALARIA_DA_KEY", "")
	dir := t.TempDir()
	for _, args := range [][]string{
		{"da"},
		{"da", "put"},
		{"da", "get", "extra"},
		{"da", "get", "--commitment", "0x05", "--out", "-"},
		{"da", "get", "--commitment", "0x0001"},
		{"da", "get", "--commitment", "0x0100" + strings.Repeat("00", 32), "--out", "-"},
		{"da", "get", "--nonsense"},
		{"da", "sample", "--samples", "0"},
		{"da", "sample", "--l1-url", "http://127.0.0.1:1", "--registry", "here"},
		{"da", "audit", "--samples", "9000"},
		{"da", "audit"},
		{"da", "key"},
		{"da-operator"},
		{"da-operator", "--datadir", dir},
		{"da-operator", "--datadir", dir, "--dispersers", "nobody"},
		{"da-operator", "--datadir", dir, "--max-rate", "0"},
		{"da-operator", "--datadir", dir, "--retention", "-1h"},
		{"da", "audit", "--l1-url", "http://127.0.0.1:1", "--verifier", "here"},
		{"da", "audit", "--certificates", "0x02", "--committee", filepath.Join(dir, "none"), "--verifier", "0x00000000000000000000000000000000000000aa"},
		{"devnet", "--da", "tape"},
		{"devnet", "--da", "altda:ftp://here"},
		{"devnet", "--da", "committee", "--da-operators", "121"},
		{"devnet", "--da", "blob", "--da-generic"},
		{"devnet", "--da-fallback", "0s"},
		{"devnet", "--da-audit", "1ms"},
		{"devnet", "--dev", "--da", "committee"},
		{"da-operator", "--datadir", dir, "--max-per-address", "0"},
		{"da-server"},
		{"da-server", "--datadir", dir, "--max-body", "0"},
	} {
		if code, _, errs := talaria(t, args...); code != exitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
	}
}
