package main

import "github.com/urfave/cli/v3"

// Limits of --state-cache. Less than the first makes a node read all the time; more
// than the second no machine has.
const (
	minStateCache = 16 << 20
	maxStateCache = 1 << 44
)

func stateCacheFlag() cli.Flag {
	return &cli.Uint64Flag{
		Name: "state-cache", Value: 0,
		Usage:   "bytes of memory for accounts and slots, 16777216.. (16 MiB); what does not fit is read from the data directory; 0: all are in memory, which is fastest",
		Sources: cli.EnvVars("TALARIA_STATE_CACHE"),
	}
}

// stateCache reads the flag.
func stateCache(c *cli.Command) (uint64, error) {
	size := c.Uint64("state-cache")
	if size != 0 && size < minStateCache || size > maxStateCache {
		return 0, usagef("--state-cache %d: allowed are 0 and %d..%d", size, minStateCache, uint64(maxStateCache))
	}
	return size, nil
}
