package node

import (
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
)

// What a transfer of ether looks like among the logs of eth_simulateV1: an ERC-20
// transfer of a token at ERC-7528's address (execution-apis).
var (
	etherAddr     = common.HexToAddress("0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee")
	transferTopic = common.HexToHash("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
)

// transferTracer collects the logs of a call with those that stand for transfers, in
// the order of execution. What a failed frame logged is taken back.
type transferTracer struct {
	found []*types.Log
	marks []int // where the logs of each frame begin
}

// Opcodes whose value is not moved (yellow paper, appendix H).
const (
	opCallCode     = 0xf2
	opDelegateCall = 0xf4
)

func (t *transferTracer) begin() { t.found, t.marks = nil, t.marks[:0] }

func (t *transferTracer) logs() []*types.Log { return t.found }

func (t *transferTracer) hooks() *tracing.Hooks {
	return &tracing.Hooks{
		OnEnter: func(_ int, op byte, from, to common.Address, _ []byte, _ uint64, value *big.Int) {
			t.marks = append(t.marks, len(t.found))
			if op == opCallCode || op == opDelegateCall || value == nil || value.Sign() == 0 {
				return
			}
			data := common.BigToHash(value)
			t.found = append(t.found, &types.Log{
				Address: etherAddr, Data: data[:],
				Topics: []common.Hash{transferTopic, common.BytesToHash(from[:]), common.BytesToHash(to[:])},
			})
		},
		OnExit: func(_ int, _ []byte, _ uint64, _ error, reverted bool) {
			last := len(t.marks) - 1
			if reverted {
				t.found = slices.Clip(t.found[:t.marks[last]])
			}
			t.marks = t.marks[:last]
		},
		OnLog: func(l *types.Log) {
			t.found = append(t.found, l)
		},
	}
}
