package sequencer

import "github.com/talaria-l2/talaria/derive"

// Origins hands out L1 blocks in order, from the one after the chain's last origin.
type Origins interface {
	// Peek is the next L1 block, nil when L1 has none yet; it does not block.
	Peek() *derive.L1Block
	// Pop drops what Peek returned.
	Pop()
	// Backlog is the number of L1 blocks that wait.
	Backlog() int
}
