package main

import (
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/role/node"
)

// maxStateCache keeps a slip of the keyboard from asking for memory that no machine has.
const maxStateCache = 1 << 44

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
	if size != 0 && size < node.MinStateCache || size > maxStateCache {
		return 0, usagef("--state-cache %d: allowed are 0 and %d..%d", size, node.MinStateCache, uint64(maxStateCache))
	}
	return size, nil
}
