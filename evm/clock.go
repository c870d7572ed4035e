package evm

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// EndMiniBlock is what the end of a mini-block changes: MiniBlockClock learns the number
// of the next one, and when this one was cut. A chain without that contract has no clock.
func EndMiniBlock(view state.View, number uint64, cut chain.Micros) state.Diff {
	if state.CodeHash(view, chain.MiniBlockClockAddr) == types.EmptyCodeHash {
		return nil
	}
	return state.Diff{{Address: chain.MiniBlockClockAddr, Storage: []state.SlotDiff{{Value: clockWord(number+1, cut)}}}}
}

// clockWord is slot 0 of MiniBlockClock: the number of the mini-block that comes next in
// the last eight bytes, the time of the last cut in the eight before.
func clockWord(next uint64, cut chain.Micros) (word common.Hash) {
	binary.BigEndian.PutUint64(word[16:], uint64(cut))
	binary.BigEndian.PutUint64(word[24:], next)
	return word
}
