package derive

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// SystemAfter is the configuration after an L1 block, given the one before it. An event
// that changes nothing is told to passed, which may be nil.
func SystemAfter(cfg *chain.Config, before chain.SystemConfig, b *L1Block, passed func(error)) chain.SystemConfig {
	for _, log := range systemLogs(b.Logs, cfg.SystemConfig) {
		after, err := before.Apply(cfg, log)
		if err != nil && passed != nil {
			passed(err)
		}
		before = after
	}
	return before
}

// systemLogs are the events of the SystemConfig contract.
func systemLogs(logs []*types.Log, contract common.Address) []*types.Log {
	var out []*types.Log
	for _, log := range logs {
		if contract != (common.Address{}) && log.Address == contract && len(log.Topics) > 0 && log.Topics[0] == chain.ConfigUpdateTopic {
			out = append(out, log)
		}
	}
	return out
}
