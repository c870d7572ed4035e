package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/role/daoperator"
)

func daCommand() *cli.Command {
	return &cli.Command{
		Name:  "da",
		Usage: "make keys for, read, sample and audit what keeps the chain's data",
		Commands: []*cli.Command{
			{
				Name: "key", Usage: "make a BLS key and its keystore (EIP-2335)",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "out", Usage: "file of the keystore, which must not exist (required)"},
					&cli.StringFlag{Name: "password-file", Usage: "file of its password (default: TALARIA_DA_PASSWORD)", Sources: daEnv("PASSWORD_FILE")},
					&cli.StringFlag{Name: "account", Usage: "L1 account of the operator: print the call that registers it as well"},
					&cli.StringFlag{Name: "registry", Usage: "address of the OperatorRegistry on L1, with --account", Sources: daEnv("REGISTRY")},
					&cli.Uint64Flag{Name: "l1-chain-id", Value: 7410, Usage: "chain id of L1, with --account"},
					&cli.StringFlag{Name: "url", Usage: "where the operator will be reached, with --account"},
				},
				Action: runDAKey,
			},
			{
				Name: "get", Usage: "read the data of a commitment and write it to a file",
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "commitment", Usage: "as it stands in L1 calldata, in hexadecimal (required)"},
					&cli.StringFlag{Name: "out", Usage: "file (required); -: standard output"},
					&cli.StringFlag{Name: "altda-url", Usage: "alt-DA server, for commitments that begin with 0x01", Sources: daEnv("ALTDA_URL")},
				}, committeeFlags()...),
				Action: runDAGet,
			},
			daSampleCommand(), daAuditCommand(),
		},
		Action: func(context.Context, *cli.Command) error {
			return usagef("da: one of key, get, sample and audit is required")
		},
	}
}

func printJSON(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}

func runDAKey(_ context.Context, c *cli.Command) error {
	path := c.String("out")
	if path == "" {
		return usagef("--out is required")
	}
	secret, err := password(c)
	if err != nil {
		return err
	}
	key, err := bls.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	public := key.Public().Bytes()
	out := map[string]any{"keystore": path, "publicKey": hexutil.Bytes(public[:])}
	if c.String("account") != "" {
		account, err := address(c, "account")
		if err != nil {
			return err
		}
		registry, err := address(c, "registry")
		if err != nil {
			return err
		}
		if c.String("url") == "" {
			return usagef("--url is required with --account")
		}
		call, err := committee.RegisterCall(c.Uint64("l1-chain-id"), registry, account, key, c.String("url"))
		if err != nil {
			return err
		}
		out["to"], out["calldata"] = registry, hexutil.Bytes(call)
	}
	raw, err := daoperator.EncryptKey(key, secret)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write keystore: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write keystore: %w", err)
	}
	return printJSON(c.Root().Writer, out)
}

func runDAGet(ctx context.Context, c *cli.Command) error {
	raw, err := hexutil.Decode(c.String("commitment"))
	if err != nil {
		return usagef("--commitment: %w", err)
	}
	commitment, err := da.Parse(raw)
	if err != nil {
		return usagef("--commitment: %w", err)
	}
	if c.String("out") == "" {
		return usagef("--out is required")
	}
	reader := &da.Reader{Generic: true}
	switch commitment.Kind() {
	case da.KindAltDA:
		client, err := altda.NewClient(altda.ClientOptions{URL: c.String("altda-url")})
		if err != nil {
			return usagef("--altda-url: %w", err)
		}
		reader.AltDA = client
	case da.KindCertificate:
		at, err := committees(ctx, c)
		if err != nil {
			return err
		}
		defer at.close()
		reader.Committee = committee.Store{Retriever: committee.NewRetriever(committee.RetrieverOptions{Source: at.source})}
	}
	data, err := reader.Get(ctx, commitment)
	if err != nil {
		return err
	}
	if c.String("out") == "-" {
		_, err = c.Root().Writer.Write(data)
		return err
	}
	return da.WriteFile(c.String("out"), data)
}
