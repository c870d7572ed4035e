package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/da/committee"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/role/daoperator"
)

func daCommand() *cli.Command {
	certificates := []cli.Flag{
		&cli.StringFlag{Name: "certificates", Usage: "certificates in hexadecimal, with commas between (default: those that the verifier on L1 announced)"},
		&cli.Uint64Flag{Name: "from-block", Usage: "first L1 block to look for certificates"},
		&cli.Uint64Flag{Name: "to-block", Usage: "last L1 block to look for certificates; 0: the newest"},
	}
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
			{
				Name: "sample", Usage: "ask for random cells, and say how sure it is that data can be had",
				Flags: slices.Concat([]cli.Flag{
					&cli.IntFlag{Name: "samples", Value: 20, Usage: "cells of each blob, 1..128"},
				}, certificates, committeeFlags()),
				Action: runDASample,
			},
			{
				Name: "audit", Usage: "ask each signer for random cells of its own; one line of JSON for each that is not right",
				Flags: slices.Concat([]cli.Flag{
					&cli.IntFlag{Name: "samples", Value: 4, Usage: "cells of each operator and certificate, 1..8192"},
					&cli.BoolFlag{Name: "all", Usage: "a line for each that is right, too"},
					&cli.BoolFlag{Name: "repair", Usage: "give operators back what they have lost"},
				}, certificates, committeeFlags()),
				Action: runDAAudit,
			},
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
		source, client, err := committees(ctx, c)
		if err != nil {
			return err
		}
		if client != nil {
			defer client.Close()
		}
		reader.Committee = committee.Store{Retriever: committee.NewRetriever(committee.RetrieverOptions{Source: source})}
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

// certified are the certificates that the flags name.
func certified(ctx context.Context, c *cli.Command, client *l1.Client) ([]*da.Certificate, error) {
	var out []*da.Certificate
	if text := c.String("certificates"); text != "" {
		for part := range strings.SplitSeq(text, ",") {
			raw, err := hexutil.Decode(strings.TrimSpace(part))
			if err != nil {
				return nil, usagef("--certificates: %w", err)
			}
			cert, err := da.ParseCertificate(raw)
			if err != nil {
				return nil, usagef("--certificates: %w", err)
			}
			out = append(out, cert)
		}
		return out, nil
	}
	if client == nil {
		return nil, usagef("--certificates is required with --committee")
	}
	verifier, err := address(c, "verifier")
	if err != nil {
		return nil, err
	}
	query := ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(c.Uint64("from-block")), Addresses: []common.Address{verifier}, Topics: [][]common.Hash{{da.CertifiedTopic()}},
	}
	if to := c.Uint64("to-block"); to != 0 {
		query.ToBlock = new(big.Int).SetUint64(to)
	}
	logs, err := client.Eth().FilterLogs(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read certificates from L1: %w", err)
	}
	for i := range logs {
		cert, _, err := da.CertifiedFromLog(&logs[i])
		if err != nil {
			return nil, fmt.Errorf("L1 block %d: %w", logs[i].BlockNumber, err)
		}
		out = append(out, cert)
	}
	return out, nil
}

func runDASample(ctx context.Context, c *cli.Command) error {
	if n := c.Int("samples"); n < 1 || n > committee.CellsPerBlob {
		return usagef("--samples %d: allowed is 1..%d", n, committee.CellsPerBlob)
	}
	source, client, err := committees(ctx, c)
	if err != nil {
		return err
	}
	if client != nil {
		defer client.Close()
	}
	list, err := certified(ctx, c, client)
	if err != nil {
		return err
	}
	sampler := committee.NewSampler(committee.SamplerOptions{Source: source, Random: rand.Reader})
	missing := 0
	for _, cert := range list {
		result, err := sampler.Sample(ctx, cert, c.Int("samples"))
		if err != nil {
			return err
		}
		if !result.Available {
			missing++
		}
		if err := printJSON(c.Root().Writer, result); err != nil {
			return err
		}
	}
	if missing > 0 {
		return fmt.Errorf("samples of %d of %d certificates could not be had", missing, len(list))
	}
	return nil
}

func runDAAudit(ctx context.Context, c *cli.Command) error {
	if n := c.Int("samples"); n < 1 || n > 8_192 {
		return usagef("--samples %d: allowed is 1..8192", n)
	}
	source, client, err := committees(ctx, c)
	if err != nil {
		return err
	}
	if client != nil {
		defer client.Close()
	}
	list, err := certified(ctx, c, client)
	if err != nil {
		return err
	}
	sampler := committee.NewSampler(committee.SamplerOptions{Source: source, Random: rand.Reader})
	retriever := committee.NewRetriever(committee.RetrieverOptions{Source: source})
	asked, bad := 0, 0
	for _, cert := range list {
		findings, err := sampler.Audit(ctx, cert, c.Int("samples"))
		if err != nil {
			return err
		}
		var lost []int
		for i := range findings {
			f := &findings[i]
			asked++
			if !f.Healthy() {
				bad++
			}
			if f.Result == committee.ResultMissing && !slices.Contains(lost, f.Operator) {
				lost = append(lost, f.Operator)
			}
			if f.Result != committee.ResultOK || c.Bool("all") {
				if err := printJSON(c.Root().Writer, f); err != nil {
					return err
				}
			}
		}
		if c.Bool("repair") && len(lost) > 0 {
			if err := retriever.Repair(ctx, cert, lost); err != nil {
				return err
			}
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d questions about %d certificates were not answered rightly", bad, asked, len(list))
	}
	return nil
}
