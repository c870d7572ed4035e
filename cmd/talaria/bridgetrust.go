package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/role/devnet"
	"github.com/talaria-l2/talaria/sdk/bridging"
)

// bridgeLayers are the URLs of both layers, and whose word is taken for the contracts, as
// the flags say.
func bridgeLayers(c *cli.Command) (l1URL, l2URL string, trust bridging.Trust, err error) {
	l1URL, l2URL = "http://127.0.0.1:8645", "http://127.0.0.1:8545"
	if path := c.String("devnet"); path != "" {
		info, err := readDevnet(path)
		if err != nil {
			return "", "", trust, usagef("--devnet: %w", err)
		}
		l1URL, l2URL = info.L1.HTTPURL, info.L2.HTTPURL
		trust = bridging.Trust{Contracts: info.Contracts, L1ChainID: info.L1.ChainID, L2ChainID: info.L2.ChainID}
	}
	if v := c.String("l1-url"); v != "" {
		l1URL = v
	}
	if v := c.String("l2-url"); v != "" {
		l2URL = v
	}
	portal, err := optionalAddress(c, "portal")
	if err != nil {
		return "", "", trust, err
	}
	path := c.String("genesis")
	switch {
	case path != "" && portal != (common.Address{}):
		return "", "", trust, usagef("--genesis and --portal: one of them")
	case portal != (common.Address{}):
		trust = bridging.Trust{Portal: portal}
	case path != "":
		g, err := readGenesis(path)
		if err != nil {
			return "", "", trust, usagef("--genesis: %w", err)
		}
		if len(g.L1Contracts) == 0 {
			return "", "", trust, usagef("--genesis %s: it names no contracts on L1", path)
		}
		trust = bridging.Trust{Contracts: g.L1Contracts, L1ChainID: g.Config.L1ChainID, L2ChainID: g.Config.ChainID}
	}
	trust.Node = c.Bool("trust-node")
	return l1URL, l2URL, trust, nil
}

// readDevnet reads devnet.json, which may be named by its directory.
func readDevnet(path string) (*devnet.Info, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, "devnet.json")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info := new(devnet.Info)
	return info, json.Unmarshal(raw, info)
}
