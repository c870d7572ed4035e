package tracer

import (
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/tracers"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/state"
)

// Parts are what a trace_replay… call asks for.
type Parts struct{ Trace, StateDiff, VMTrace bool }

// convertErrors makes flatCallTracer word errors as OpenEthereum does.
const convertErrors = `{"convertParityErrors":true}`

var errVMTrace = errors.New("vmTrace is not offered: use debug_traceTransaction, whose struct logs hold the same")

// newReplayTracer gathers what Parts.result cannot tell from an execution's effects.
func newReplayTracer(p Parts, at *place, rules *params.ChainConfig) (*tracers.Tracer, error) {
	if p.VMTrace {
		return nil, errVMTrace
	}
	if !p.Trace {
		return &tracers.Tracer{
			Hooks:     &tracing.Hooks{},
			GetResult: func() (json.RawMessage, error) { return json.RawMessage("[]"), nil },
			Stop:      noStop,
		}, nil
	}
	return tracers.DefaultDirectory.New("flatCallTracer", &at.Context, json.RawMessage(convertErrors), rules)
}

// trace is one entry of a replay: what flatCallTracer gives without its place.
type trace struct {
	Action       json.RawMessage `json:"action"`
	Error        string          `json:"error,omitempty"`
	Result       json.RawMessage `json:"result,omitempty"`
	Subtraces    int             `json:"subtraces"`
	TraceAddress []int           `json:"traceAddress"`
	Type         string          `json:"type"`
}

// result is OpenEthereum's object, without transactionHash.
func (p Parts) result(flat json.RawMessage, out *effects) (json.RawMessage, error) {
	var r struct {
		Output    hexutil.Bytes                 `json:"output"`
		StateDiff map[common.Address]*stateDiff `json:"stateDiff"`
		Trace     []trace                       `json:"trace"`
		VMTrace   *struct{}                     `json:"vmTrace"`
	}
	r.Output = out.output
	if r.Output == nil {
		r.Output = hexutil.Bytes{}
	}
	if err := json.Unmarshal(flat, &r.Trace); err != nil {
		return nil, err
	}
	if p.StateDiff {
		r.StateDiff = stateDiffs(out.before, out.diff)
	}
	return json.Marshal(&r)
}

// stateDiff is what OpenEthereum says of a changed account.
type stateDiff struct {
	Balance json.RawMessage                 `json:"balance"`
	Code    json.RawMessage                 `json:"code"`
	Nonce   json.RawMessage                 `json:"nonce"`
	Storage map[common.Hash]json.RawMessage `json:"storage"`
}

func stateDiffs(before state.View, diff state.Diff) map[common.Address]*stateDiff {
	out := make(map[common.Address]*stateDiff, len(diff))
	for i := range diff {
		d := &diff[i]
		was, existed := before.Account(d.Address)
		is := was
		if d.Nonce != nil {
			is.Nonce = *d.Nonce
		}
		if d.Balance != nil {
			is.Balance = *d.Balance
		}
		codeBefore := before.Code(was.CodeHash)
		code := codeBefore
		if d.CodeChanged {
			is.CodeHash, code = types.EmptyCodeHash, d.Code
			if len(code) > 0 {
				is.CodeHash = d.NewCodeHash()
			}
		}
		c := change{born: !existed, died: is.IsEmpty()}
		s := &stateDiff{
			Balance: c.of(quantity(&was.Balance), quantity(&is.Balance)),
			Nonce:   c.of(hexutil.EncodeUint64(was.Nonce), hexutil.EncodeUint64(is.Nonce)),
			Code:    c.of(hexutil.Encode(codeBefore), hexutil.Encode(code)),
			Storage: make(map[common.Hash]json.RawMessage, len(d.Storage)),
		}
		for _, slot := range d.Storage {
			value := before.Storage(d.Address, slot.Slot)
			s.Storage[slot.Slot] = c.of(value.Hex(), slot.Value.Hex())
		}
		out[d.Address] = s
	}
	return out
}

// quantity is wei in hexadecimal digits.
func quantity(v *uint256.Int) string { return v.Hex() }

// change says whether an account came or went.
type change struct{ born, died bool }

// of is a value's change: "=", or an object of "+", "-" or "*".
func (c change) of(from, to string) json.RawMessage {
	switch {
	case c.born:
		return json.RawMessage(`{"+":"` + to + `"}`)
	case c.died:
		return json.RawMessage(`{"-":"` + from + `"}`)
	case from == to:
		return json.RawMessage(`"="`)
	}
	return json.RawMessage(`{"*":{"from":"` + from + `","to":"` + to + `"}}`)
}
