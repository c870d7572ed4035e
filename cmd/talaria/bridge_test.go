package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
)

func TestAmountsAreReadAndWrittenInWholeTokens(t *testing.T) {
	for _, c := range []struct {
		text     string
		decimals uint8
		want     string // empty: refused
		back     string
	}{
		{"1.5", 18, "1500000000000000000", "1.5"},
		{"0.000000000000000001", 18, "1", "0.000000000000000001"},
		{"10", 6, "10000000", "10"},
		{"007.250", 6, "7250000", "7.25"},
		{"5", 0, "5", "5"},
		{".5", 2, "50", "0.5"},
		{"0", 18, "", ""}, {"0.0", 18, "", ""}, {"", 18, "", ""}, {".", 18, "", ""}, {"-1", 18, "", ""},
		{"1e3", 18, "", ""}, {"1.5", 0, "", ""}, {"1.1234567", 6, "", ""}, {"0x10", 18, "", ""}, {"1.2.3", 18, "", ""},
		{"1" + strings.Repeat("0", 70), 18, "", ""},
	} {
		n, err := units(c.text, c.decimals)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%q with %d decimals is read as %s", c.text, c.decimals, n)
		case c.want != "" && (err != nil || n.String() != c.want):
			t.Errorf("%q with %d decimals: %v %v, want %s", c.text, c.decimals, n, err, c.want)
		case c.want != "":
			if got := inUnits(n, c.decimals); got != c.back {
				t.Errorf("%s with %d decimals is written as %s, want %s", n, c.decimals, got, c.back)
			}
		}
	}
	if got := inUnits(new(big.Int), 18); got != "0" {
		t.Errorf("nothing is written as %s", got)
	}
}

func TestMistakesOfTheBridgeAreOneLineThatHelps(t *testing.T) {
	t.Setenv(keyVariable, "")
	dir := t.TempDir()
	bad := filepath.Join(dir, "key")
	if err := os.WriteFile(bad, []byte("what"), 0o600); err != nil {
		t.Fatal(err)
	}
	nameless := filepath.Join(dir, "genesis.json")
	if raw, err := json.Marshal(chain.Genesis{Config: chain.DefaultConfig(), Alloc: types.GenesisAlloc{}}); err != nil || os.WriteFile(nameless, raw, 0o600) != nil {
		t.Fatal("write a genesis", err)
	}
	hash := "0x" + strings.Repeat("11", 32)
	for _, c := range []struct{ args, says string }{
		{"bridge", "one of deposit"},
		{"bridge pool", "one of deposit"},
		{"bridge deposit --amount 1", "TALARIA_KEY"},
		{"bridge deposit --amount 1 --account 0 --max-l2-gas-price much", "--max-l2-gas-price \"much\""},
		{"bridge refund 0x12 --account 0", "want one hash"},
		{"bridge deposit --amount 1 --account 10", "0..9"},
		{"bridge deposit --amount 1 --account 0 --key-file " + bad, "one of them"},
		{"bridge deposit --amount 1 --key-file " + bad, "neither a keystore"},
		{"bridge deposit --amount 1 --key-file " + bad + "2", "no such file"},
		{"bridge deposit --amount 1 --to me --account 0", "want an address"},
		{"bridge deposit --amount 1 --devnet " + dir + " --account 0", "no such file"},
		{"bridge deposit --amount 1 --account 0 --genesis " + dir + "/none", "no such file"},
		{"bridge deposit --amount 1 --account 0 --genesis " + nameless, "names no contracts"},
		{"bridge deposit --amount 1 --account 0 --portal me", "want an address"},
		{"bridge deposit --amount 1 --account 0 --genesis " + nameless + " --portal 0x4200000000000000000000000000000000000010", "one of them"},
		{"bridge withdraw --amount 1 --account 0 --instant --token 0x4200000000000000000000000000000000000010", "not tokens"},
		{"bridge withdraw --amount 1 --account 0 --min-payout 1", "only with --instant"},
		{"bridge prove", "want one hash"},
		{"bridge status 0x12", "want one hash"},
		{"bridge status " + hash + " " + hash, "want one hash"},
		{"bridge deposit " + hash, "takes no argument"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), strings.Fields("talaria "+c.args), &out, &errs)
		if code != exitUsage || !strings.Contains(errs.String(), c.says) || strings.Count(errs.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("talaria %s: exit code %d, %q, want %q", c.args, code, errs.String(), c.says)
		}
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), strings.Fields("talaria bridge status "+hash+" --l2-url http://127.0.0.1:1"), &out, &errs)
	if code != exitFailure || !strings.Contains(errs.String(), "is it running there?") || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("no L2: exit code %d, %q", code, errs.String())
	}
}

func TestAKeyIsReadFromFileOrVariable(t *testing.T) {
	// Private key 1; its address is well known.
	const key, owner = "0000000000000000000000000000000000000000000000000000000000000001", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plainFile, prefixed := write("plain", key), write("prefixed", "0x"+key+"\n")
	encrypted, secret := write("keystore.json", keystoreOfOne), write("password", "secret\n")
	for name, c := range map[string]struct{ variable, args, want string }{
		"a variable":        {"0x" + key, "", owner},
		"a file":            {"", "--key-file " + plainFile, owner},
		"a file with 0x":    {"", "--key-file " + prefixed, owner},
		"a keystore":        {"", "--key-file " + encrypted + " --password-file " + secret, owner},
		"a file goes first": {"0x" + strings.Repeat("22", 32), "--key-file " + plainFile, owner},
		"a test account":    {"", "--account 0", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"},
	} {
		t.Setenv(keyVariable, c.variable)
		got := ""
		app := root(&bytes.Buffer{}, &bytes.Buffer{})
		for _, cmd := range app.Commands {
			if cmd.Name == "bridge" {
				cmd.Commands[0].Action = addressAction(&got)
			}
		}
		if err := app.Run(t.Context(), strings.Fields("talaria bridge deposit "+c.args)); err != nil || got != c.want {
			t.Errorf("%s: %s %v, want %s", name, got, err, c.want)
		}
	}
}

// keystoreOfOne is the private key 1 under the password "secret", as go-ethereum's
// keystore.EncryptKey writes it (scrypt, n 4096, p 6).
const keystoreOfOne = `{"address":"7e5f4552091a69125d5dfcb7b8c2659029395bdf","crypto":{"cipher":"aes-128-ctr","ciphertext":"abbaa23d5451df22f5484f7715c7c2306298ac24ea608ffca38d75fd99375163","cipherparams":{"iv":"660e89a0b5363e8bd3081dfa7d0c79e5"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":4096,"p":6,"r":8,"salt":"75c080003a0cfc6caf5799331d321640ee3bbdda88e516be6ac13ce9eb190cc1"},"mac":"3f865b8b6dd3d3e00a47799ede17c21c4e396d0657e8e0b7464d3c2763cb6f89"},"id":"ecd70be5-cda4-06a1-27bb-3b7443325e83","version":3}`

// addressAction says whose key the flags name.
func addressAction(to *string) cli.ActionFunc {
	return func(_ context.Context, c *cli.Command) error {
		key, err := userKey(c)
		if err == nil {
			*to = crypto.PubkeyToAddress(key.PublicKey).Hex()
		}
		return err
	}
}
