package node

import (
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
)

// SetL1Status says how far L1 is, and how far it is read.
func (n *Node) SetL1Status(s rpc.L1Status) { n.l1.Store(&s) }

// L1Status implements rpc.Rollup.
func (n *Node) L1Status() (rpc.L1Status, bool) {
	s := n.l1.Load()
	if s == nil {
		return rpc.L1Status{}, false
	}
	return *s, true
}

// GenesisOrigin implements rpc.Rollup.
func (n *Node) GenesisOrigin() chain.L1Origin { return n.Genesis.L1Origin }
