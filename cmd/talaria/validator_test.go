package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// evidence is a wrong block, as a validator wrote it down.
const evidence = "../../role/validator/testdata/evidence.json"

func command(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), append([]string{"talaria"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestASecondCommandConfirmsEvidence(t *testing.T) {
	code, out, errs := command("validator", "check", "--geth", evidence)
	if code != 0 || !strings.Contains(out, "confirmed: block 3 ") || !strings.Contains(out, "receiptStatus") || !strings.Contains(out, "go-ethereum: opinionReceipt") {
		t.Fatalf("%d %q %q", code, out, errs)
	}
}

func TestASecondCommandConfirmsEvidenceAboutL1(t *testing.T) {
	file := "../../role/validator/testdata/evidence-l1.json"
	code, out, errs := command("validator", "check", file)
	if code != 0 || !strings.Contains(out, "confirmed: block 6 ") || !strings.Contains(out, "l1Transactions") || !strings.Contains(out, "if L1 has block ") {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	if code, out, errs = command("validator", "check", "--l1-url", "http://127.0.0.1:1", file); code != exitFailure || out != "" {
		t.Fatalf("an L1 that is not there: %d %q %q", code, out, errs)
	}
}

func TestEvidenceThatSaysMoreThanItShowsIsNotConfirmed(t *testing.T) {
	raw, err := os.ReadFile(evidence)
	if err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(string) string{
		"another kind": func(s string) string { return strings.Replace(s, `"receiptStatus"`, `"stateRoot"`, 1) },
		"another place": func(s string) string {
			return strings.Replace(s, `"block 3, transaction 1"`, `"block 3, transaction 2"`, 1)
		},
		"another leader": func(s string) string { return strings.Replace(s, `"leader": "0x7e5f`, `"leader": "0x7e5e`, 1) },
		"another block":  func(s string) string { return strings.Replace(s, `"number": 3`, `"number": 4`, 1) },
		"no evidence":    func(string) string { return "{}" },
	} {
		forged := forge(string(raw))
		if forged == string(raw) {
			t.Fatalf("%s: nothing was changed", name)
		}
		file := filepath.Join(t.TempDir(), "forged.json")
		if err := os.WriteFile(file, []byte(forged), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, _ := command("validator", "check", file); code != exitFailure || out != "" {
			t.Errorf("%s: %d %q", name, code, out)
		}
	}
	if code, _, _ := command("validator", "check"); code != exitUsage {
		t.Errorf("no file: %d", code)
	}
	if code, _, errs := command("validator", "--feed-url", "nats://127.0.0.1:1", "--datadir", t.TempDir()); code != exitUsage || !strings.Contains(errs, "--genesis is required") {
		t.Errorf("no genesis: %d %q", code, errs)
	}
}

func TestTheBLSKeyIsInAFileOrTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := strings.Repeat("0", 63) + "1"
	t.Setenv("TALARIA_BLS_KEY", "")
	if k, err := blsKey(""); k != nil || err != nil {
		t.Fatal(k, err)
	}
	write("0x" + one + "\n")
	if k, err := blsKey(file); err != nil || k.Bytes()[31] != 1 {
		t.Fatal(err)
	}
	for _, text := range []string{"", "zz", one + "00", strings.Repeat("0", 64)} {
		write(text)
		if _, err := blsKey(file); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
	t.Setenv("TALARIA_BLS_KEY", one)
	if k, err := blsKey(""); err != nil || k == nil {
		t.Fatal(err)
	}
}
