package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v3"
)

// accountFlags say where the key of a role's account is. variable is the environment's
// name for the key itself, without TALARIA_.
func accountFlags(variable, what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "key-file", Usage: "encrypted keystore (Web3 Secret Storage, as geth, cast and `talaria key` write it) of " + what + " (default: 64 hex digits in TALARIA_" + variable + ")", Sources: cli.EnvVars("TALARIA_" + variable + "_FILE")},
		&cli.StringFlag{Name: "password-file", Usage: "file of the keystore's password (default: TALARIA_PASSWORD)", Sources: cli.EnvVars("TALARIA_PASSWORD_FILE")},
	}
}

// accountKey reads the key that accountFlags name.
func accountKey(c *cli.Command, variable string) (*ecdsa.PrivateKey, error) {
	path := c.String("key-file")
	if path == "" {
		digits := os.Getenv("TALARIA_" + variable)
		if digits == "" {
			return nil, usagef("--key-file, or 64 hex digits in TALARIA_%s, is required", variable)
		}
		key, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(digits), "0x"))
		if err != nil {
			return nil, usagef("TALARIA_%s: want a private key of 64 hex digits", variable) // never what it holds
		}
		return key, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read keystore: %w", err)
	}
	secret, err := keystorePassword(c)
	if err != nil {
		return nil, err
	}
	key, err := keystore.DecryptKey(raw, secret)
	switch {
	case errors.Is(err, keystore.ErrDecrypt):
		return nil, fmt.Errorf("%s: the password is another", path)
	case err != nil:
		return nil, fmt.Errorf("%s: not an encrypted keystore: %w", path, err)
	}
	return key.PrivateKey, nil
}

// keystorePassword reads a password from the file of --password-file or the environment.
func keystorePassword(c *cli.Command) (string, error) {
	path := c.String("password-file")
	if path == "" {
		secret, ok := os.LookupEnv("TALARIA_PASSWORD")
		if !ok {
			return "", usagef("--password-file or TALARIA_PASSWORD is required with a keystore")
		}
		return secret, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

func keyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "make an account's key and write its encrypted keystore; with 64 hex digits in TALARIA_KEY, of that key",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "file of the keystore, which must not exist (required)"},
			&cli.StringFlag{Name: "password-file", Usage: "file of its password (default: TALARIA_PASSWORD)", Sources: cli.EnvVars("TALARIA_PASSWORD_FILE")},
		},
		Action: runKey,
	}
}

func runKey(_ context.Context, c *cli.Command) error {
	path := c.String("out")
	if path == "" {
		return usagef("--out is required")
	}
	secret, err := keystorePassword(c)
	if err != nil {
		return err
	}
	key, err := crypto.GenerateKey()
	if digits := os.Getenv("TALARIA_KEY"); digits != "" && err == nil {
		if key, err = crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(digits), "0x")); err != nil {
			return usagef("TALARIA_KEY: want a private key of 64 hex digits")
		}
	}
	if err != nil {
		return err
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 9562, version 4
	address := crypto.PubkeyToAddress(key.PublicKey)
	raw, err := keystore.EncryptKey(&keystore.Key{Id: id, Address: address, PrivateKey: key}, secret, keystore.StandardScryptN, keystore.StandardScryptP)
	if err != nil {
		return fmt.Errorf("encrypt key: %w", err)
	}
	if err := writeNew(path, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write keystore: %w", err)
	}
	return printJSON(c.Root().Writer, map[string]any{"keystore": path, "address": address})
}

// writeNew writes a file that must not exist.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// addressFlag reads a flag that may be left out: otherwise it is the other address.
func addressFlag(c *cli.Command, name string, otherwise common.Address) (common.Address, error) {
	if c.String(name) == "" {
		return otherwise, nil
	}
	return address(c, name)
}
