package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/l1/devl1"
	"github.com/talaria-l2/talaria/role/devnet"
)

func l1Command() *cli.Command {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_" + name) }
	return &cli.Command{
		Name:  "l1",
		Usage: "run the devnet's L1 alone, for `talaria devnet --l1-url`",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "directory of the L1 (default: memory)", Sources: env("L1_DATADIR")},
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address to listen on", Sources: env("HOST")},
			&cli.IntFlag{Name: "port", Value: 8645, Usage: "JSON-RPC and beacon API; 0: any free port", Sources: env("L1_PORT")},
			&cli.Uint64Flag{Name: "l1-block-ms", Value: 1000, Usage: "block time, 1000..3600000", Sources: env("L1_BLOCK_MS")},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON when ready", Sources: env("JSON")},
			logFlag(),
		},
		Action: runL1,
	}
}

// l1QuorumFlag is how many of several L1 endpoints must agree.
func l1QuorumFlag() cli.Flag {
	return &cli.IntFlag{Name: "l1-quorum", Usage: "how many endpoints of --l1-url must agree on an L1 block before it is used (default: more than half)", HideDefault: true, Sources: cli.EnvVars("TALARIA_L1_QUORUM")}
}

// l1Quorum reads --l1-quorum; 0: more than half.
func l1Quorum(c *cli.Command) (int, error) {
	n, urls := c.Int("l1-quorum"), max(1, len(c.StringSlice("l1-url")))
	if c.IsSet("l1-quorum") && (n < 1 || n > urls) {
		return 0, usagef("--l1-quorum %d: allowed is 1..%d, the number of --l1-url", n, urls)
	}
	if beacons := len(c.StringSlice("l1-beacon-url")); beacons > urls {
		return 0, usagef("--l1-beacon-url: %d of them for %d --l1-url", beacons, urls)
	}
	return n, nil
}

func runL1(ctx context.Context, c *cli.Command) error {
	number, err := port(c, "port")
	if err != nil {
		return err
	}
	period := c.Uint64("l1-block-ms")
	if period < 1000 || period > 3_600_000 {
		return usagef("--l1-block-ms %d: allowed is 1000..3600000", period)
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	l1, err := devl1.Start(devl1.Options{Datadir: c.String("datadir"), Host: c.String("host"), Port: number, PeriodMillis: period, Logger: log})
	if err != nil {
		return err
	}
	info := devnet.L1Info{HTTPURL: l1.URL(), BeaconURL: l1.URL(), ChainID: l1.ChainID().Uint64()}
	if err := announceL1(c, info); err != nil {
		return err
	}
	<-ctx.Done()
	return l1.Close()
}

func announceL1(c *cli.Command, info devnet.L1Info) error {
	out := c.Root().Writer
	if !c.Bool("json") {
		_, err := fmt.Fprintf(out, "Talaria L1 is ready: %s (chain %d); Ctrl-C stops it\n", info.HTTPURL, info.ChainID)
		return err
	}
	line, err := json.Marshal(map[string]any{"l1": info})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}
