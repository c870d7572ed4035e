package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/da"
	"github.com/talaria-l2/talaria/da/altda"
	"github.com/talaria-l2/talaria/role/devnet"
)

// layerFlags say where a devnet's batches are.
func layerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "da", Usage: "where the data of batches are: blob (L1's blobs, or calldata while that is cheaper), calldata, committee, or altda:URL of a server (default: where the chain has them; of a new chain blob)", Sources: cli.EnvVars("TALARIA_DA")},
		&cli.IntFlag{Name: "da-operators", Usage: "with a committee: how many operators run here and are its members, 0..120; 0: the registry on L1 says who is (default: as many as the last time, at first 8)", HideDefault: true, Sources: daEnv("OPERATORS")},
		&cli.BoolFlag{Name: "da-generic", Usage: "of a new chain: alt-DA servers make commitments (type 1), which nothing checks, instead of keccak256", Sources: daEnv("GENERIC")},
		&cli.DurationFlag{Name: "da-fallback", Value: 30 * time.Second, Usage: "how long the committee or the server may fail before batches go to L1 itself, 1s..1h", Sources: daEnv("FALLBACK")},
		&cli.DurationFlag{Name: "da-audit", Value: 30 * time.Second, Usage: "with a committee: how often its operators are asked for what they signed for, 100ms..24h; 0: never", Sources: daEnv("AUDIT")},
	}
}

// dataLayer reads the flags.
func dataLayer(c *cli.Command) (devnet.DataLayer, error) {
	o := devnet.DataLayer{
		Generic: c.Bool("da-generic"), Operators: c.Int("da-operators"),
		FallBack: chain.Millis(c.Duration("da-fallback").Milliseconds()), Audit: chain.Millis(c.Duration("da-audit").Milliseconds()),
	}
	if !c.IsSet("da-operators") {
		o.Operators = devnet.SameOperators
	}
	fail := func(format string, args ...any) (devnet.DataLayer, error) { return o, usagef(format, args...) }
	if n := c.Int("da-operators"); n < 0 || n > da.MaxOperators {
		return fail("--da-operators %d: allowed is 0..%d", n, da.MaxOperators)
	}
	if d := c.Duration("da-fallback"); d < time.Second || d > time.Hour {
		return fail("--da-fallback %v: allowed is 1s..1h", d)
	}
	if d := c.Duration("da-audit"); d != 0 && (d < 100*time.Millisecond || d > 24*time.Hour) {
		return fail("--da-audit %v: allowed is 100ms..24h, and 0", d)
	}
	text := c.String("da")
	if c.Bool("dev") && text != "" && text != "blob" {
		return fail("--da %s: nothing of a development chain (--dev) is posted", text)
	}
	url, server := strings.CutPrefix(text, "altda:")
	switch {
	case text == "":
		o.Keep = true
	case text == "blob":
	case text == "calldata":
		o.Calldata = true
	case text == "committee":
		o.Mode = chain.DACommittee
	case server:
		if _, err := altda.NewClient(altda.ClientOptions{URL: url}); err != nil {
			return fail("--da altda:URL: %w", err)
		}
		o.Mode, o.URL = chain.DAAlt, url
	default:
		return fail("--da %q: allowed are blob, calldata, committee and altda:URL", text)
	}
	if o.Generic && o.Mode != chain.DAAlt && !o.Keep {
		return fail("--da-generic: only with --da altda:URL")
	}
	return o, nil
}
