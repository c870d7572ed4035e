package tracer

import (
	"encoding/json"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/eth/tracers"
)

// noStop is for tracers that end with the execution.
func noStop(error) {}

// call is one entry of Otterscan's ots_traceTransaction.
type call struct {
	Type   string         `json:"type"`
	Depth  int            `json:"depth"`
	From   common.Address `json:"from"`
	To     common.Address `json:"to"`
	Value  *hexutil.Big   `json:"value"` // null where the instruction has none
	Input  hexutil.Bytes  `json:"input"`
	Output hexutil.Bytes  `json:"output"`
}

// newCalls lists calls, creations and destructions in the order in which they began.
func newCalls() *tracers.Tracer {
	list, open := []*call{}, []*call{}
	return &tracers.Tracer{
		Hooks: &tracing.Hooks{
			OnEnter: func(depth int, typ byte, from, to common.Address, input []byte, _ uint64, value *big.Int) {
				c := &call{Type: vm.OpCode(typ).String(), Depth: depth, From: from, To: to, Input: common.CopyBytes(input), Output: hexutil.Bytes{}}
				if op := vm.OpCode(typ); op != vm.DELEGATECALL && op != vm.STATICCALL {
					c.Value = (*hexutil.Big)(value)
				}
				list, open = append(list, c), append(open, c)
			},
			OnExit: func(_ int, output []byte, _ uint64, _ error, _ bool) {
				last := len(open) - 1
				open[last].Output = common.CopyBytes(output)
				open = open[:last]
			},
		},
		GetResult: func() (json.RawMessage, error) { return json.Marshal(list) },
		Stop:      noStop,
	}
}

// Types of Otterscan's internal operations.
const (
	operationTransfer = iota
	operationDestruct
	operationCreate
	operationCreate2
)

// operation is one entry of Otterscan's ots_getInternalOperations.
type operation struct {
	Type  int            `json:"type"`
	From  common.Address `json:"from"`
	To    common.Address `json:"to"`
	Value *hexutil.Big   `json:"value"`
}

// newOperations lists what happened inside of a transaction and was not taken back:
// transfers of more than nothing, creations, destructions.
func newOperations() *tracers.Tracer {
	list, marks := []operation{}, []int{}
	return &tracers.Tracer{
		Hooks: &tracing.Hooks{
			OnEnter: func(depth int, typ byte, from, to common.Address, _ []byte, _ uint64, value *big.Int) {
				marks = append(marks, len(list))
				if depth == 0 {
					return
				}
				o := operation{Type: operationTransfer, From: from, To: to, Value: (*hexutil.Big)(value)}
				switch vm.OpCode(typ) {
				case vm.CALL:
					if value == nil || value.Sign() == 0 {
						return
					}
				case vm.SELFDESTRUCT:
					o.Type = operationDestruct
				case vm.CREATE:
					o.Type = operationCreate
				case vm.CREATE2:
					o.Type = operationCreate2
				default:
					return
				}
				list = append(list, o)
			},
			OnExit: func(_ int, _ []byte, _ uint64, err error, _ bool) {
				last := len(marks) - 1
				if err != nil {
					list = list[:marks[last]]
				}
				marks = marks[:last]
			},
		},
		GetResult: func() (json.RawMessage, error) { return json.Marshal(list) },
		Stop:      noStop,
	}
}

// newOutput gives the data with which the transaction reverted.
func newOutput() *tracers.Tracer {
	data := hexutil.Bytes{}
	return &tracers.Tracer{
		Hooks: &tracing.Hooks{
			OnExit: func(depth int, output []byte, _ uint64, err error, _ bool) {
				if depth == 0 && errors.Is(err, vm.ErrExecutionReverted) {
					data = common.CopyBytes(output)
				}
			},
		},
		GetResult: func() (json.RawMessage, error) { return json.Marshal(data) },
		Stop:      noStop,
	}
}
