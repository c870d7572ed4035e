package main

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
)

// sequencingFlags are the flags of everything that sequences.
func sequencingFlags() []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return []cli.Flag{
		&cli.Uint64Flag{Name: "block-ms", Value: 1000, Usage: "block time, 100..12000", Sources: env("BLOCK_MS")},
		&cli.Uint64Flag{Name: "miniblock-ms", Value: 10, Usage: "a mini-block is cut at the latest after so long, 1..1000", Sources: env("MINIBLOCK_MS")},
		&cli.Uint64Flag{Name: "miniblock-min-ms", Value: 1, Usage: "and not before so long, 1..miniblock-ms", Sources: env("MINIBLOCK_MIN_MS")},
		&cli.Uint64Flag{Name: "queue", Value: 16_384, Usage: "transactions that wait for execution, 1..1000000; more are refused with -32005", Sources: env("QUEUE")},
		&cli.StringSliceFlag{Name: "trusted-replica", Usage: "address of a replica (its --key-file) whose word on senders is taken over raw ingest, and checked before the block is sealed; again for every further one", Sources: env("TRUSTED_REPLICA")},
		&cli.StringFlag{Name: "durability", Value: "disk", Usage: "disk: acknowledge after fdatasync; none: after write (survives a crash of the process only)", Sources: env("DURABILITY")},
		&cli.BoolFlag{Name: "witness", Value: true, Usage: "record a witness of every block while it is executed, for the feed and debug_executionWitness; =false: blocks are executed again when somebody asks", Sources: env("WITNESS")},
	}
}

// sequencing is what the flags say.
type sequencing struct {
	block, miniBlock, miniBlockMin chain.Millis
	queue                          int // transactions
	trusted                        []common.Address
	noSync                         bool
	witness                        bool
}

// readSequencing reads the flags.
func readSequencing(c *cli.Command) (s sequencing, err error) {
	if s.block, err = millisFlag(c, "block-ms", 100, 12_000); err != nil {
		return s, err
	}
	if s.miniBlock, err = millisFlag(c, "miniblock-ms", 1, 1000); err != nil {
		return s, err
	}
	if s.miniBlockMin, err = millisFlag(c, "miniblock-min-ms", 1, s.miniBlock); err != nil {
		return s, err
	}
	if n := c.Uint64("queue"); n < 1 || n > 1_000_000 {
		return s, usagef("--queue %d: allowed is 1..1000000", n)
	}
	s.queue, s.witness = int(c.Uint64("queue")), c.Bool("witness")
	for _, text := range c.StringSlice("trusted-replica") {
		if !common.IsHexAddress(text) {
			return s, usagef("--trusted-replica %q: want an address of 40 hex digits", text)
		}
		s.trusted = append(s.trusted, common.HexToAddress(text))
	}
	if len(s.trusted) > 0 && c.Int("ingest-port") < 0 {
		return s, usagef("--trusted-replica: replicas are heard over raw ingest, which --ingest-port -1 turns off")
	}
	switch c.String("durability") {
	case "disk":
	case "none":
		s.noSync = true
	default:
		return s, usagef("--durability %q: allowed are disk and none", c.String("durability"))
	}
	return s, nil
}

// millisFlag reads a number of milliseconds.
func millisFlag(c *cli.Command, name string, low, high chain.Millis) (chain.Millis, error) {
	v := chain.Millis(c.Uint64(name))
	if v < low || v > high {
		return 0, usagef("--%s %d: allowed is %d..%d", name, v, low, high)
	}
	return v, nil
}
