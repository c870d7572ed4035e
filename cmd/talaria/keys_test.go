package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"
)

// readsKey runs accountKey behind its flags.
func readsKey(t *testing.T, args ...string) (addr common.Address, err error) {
	t.Helper()
	c := &cli.Command{
		Flags: accountFlags("TEST_KEY", "a test"),
		Action: func(_ context.Context, c *cli.Command) error {
			key, err := accountKey(c, "TEST_KEY")
			if err == nil {
				addr = crypto.PubkeyToAddress(key.PublicKey)
			}
			return err
		},
	}
	err = c.Run(t.Context(), append([]string{"test"}, args...))
	return addr, err
}

func TestAKeystoreOpensWithItsPasswordOnly(t *testing.T) {
	const digits, account = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	dir := t.TempDir()
	file, right, wrong := filepath.Join(dir, "key.json"), filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	for path, text := range map[string]string{right: "correct horse\n", wrong: "battery"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TALARIA_KEY", "0x"+digits)
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"talaria", "key", "--out", file, "--password-file", right}, &out, &problems); code != 0 {
		t.Fatal(problems.String())
	}
	var said struct{ Address common.Address }
	if err := json.Unmarshal(out.Bytes(), &said); err != nil || said.Address != common.HexToAddress(account) {
		t.Errorf("it says %s: %v", out.String(), err)
	}
	raw, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(raw), digits) {
		t.Errorf("the keystore holds the key itself: %v", err)
	}
	if code := run(t.Context(), []string{"talaria", "key", "--out", file, "--password-file", right}, &out, &problems); code == 0 {
		t.Error("an existing keystore was overwritten")
	}
	if got, err := readsKey(t, "--key-file", file, "--password-file", right); err != nil || got != said.Address {
		t.Errorf("account %s: %v", got, err)
	}
	if _, err := readsKey(t, "--key-file", file, "--password-file", wrong); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := readsKey(t, "--key-file", right, "--password-file", right); err == nil {
		t.Error("a file that is no keystore was read")
	}
	if _, err := readsKey(t); err == nil {
		t.Error("a key from nowhere")
	}
	t.Setenv("TALARIA_TEST_KEY", digits)
	if got, err := readsKey(t); err != nil || got != said.Address {
		t.Errorf("account %s from the environment: %v", got, err)
	}
}
