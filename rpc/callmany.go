package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// BundleCaller runs bundles of calls on one another.
type BundleCaller interface {
	// CallMany runs bundles, each call on what the ones before left. An outcome is
	// Call's; a call that is not possible has an Err.
	CallMany(ctx context.Context, req *CallManyRequest) ([][]*CallResult, error)
}

// CallManyRequest is eth_callMany.
type CallManyRequest struct {
	State     StateRef
	Bundles   []CallBundle
	Overrides map[common.Address]AccountOverride // on the state before the first
	MaxBytes  int                                // of what the calls return, as JSON; 0: no bound
}

// CallBundle is a list of calls in one block.
type CallBundle struct {
	Calls []*CallRequest // of which only Msg and GasCap count
	Block BlockOverride
}

// callMany is eth_callMany as Erigon has it, at the end of a block.
func (s *Server) callMany(c *call, a *args) (rawJSON, error) {
	var in []struct {
		Transactions  []callArgs `json:"transactions"`
		BlockOverride blockArgs  `json:"blockOverride"`
	}
	var at struct {
		BlockNumber      *jsonText `json:"blockNumber"`
		TransactionIndex *int      `json:"transactionIndex"`
	}
	var accounts map[common.Address]accountArgs
	a.object(0, &in, false)
	a.object(1, &at, true)
	a.object(2, &accounts, true)
	millis := readOr(a, 3, 0, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	ref := blockRef{tag: tagLatest}
	var err error
	if at.BlockNumber != nil {
		if ref, err = decodeBlockRef(*at.BlockNumber); err != nil {
			return nil, Errorf(CodeInvalidParams, "invalid argument 1: blockNumber: %v", err)
		}
	}
	if at.TransactionIndex != nil && *at.TransactionIndex != -1 {
		return nil, Errorf(CodeInvalidParams, "invalid argument 1: transactionIndex: only -1, the end of the block, is served: use debug_traceCallMany for places inside a block")
	}
	req, total := &CallManyRequest{MaxBytes: s.opts.MaxResponseBytes}, 0
	for i := range in {
		bundle := CallBundle{Block: in[i].BlockOverride.override()}
		for k := range in[i].Transactions {
			m, err := in[i].Transactions[k].message(s.backend.Config().ChainID)
			if err != nil {
				return nil, err
			}
			bundle.Calls = append(bundle.Calls, &CallRequest{Msg: m, GasCap: s.opts.CallGasCap})
		}
		if total += len(bundle.Calls); total > maxSimulatedCalls {
			return nil, Errorf(CodeClientLimit, "too many calls: more than %d", maxSimulatedCalls)
		}
		req.Bundles = append(req.Bundles, bundle)
	}
	if total == 0 {
		return nil, Errorf(CodeInvalidParams, "empty bundles")
	}
	if req.Overrides, err = overrides(accounts); err != nil {
		return nil, err
	}
	if req.State, err = s.stateRef(c.ctx, ref); err != nil {
		return nil, err
	}
	ctx := c.ctx
	if millis > 0 && millis < 1<<31 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(millis)*time.Millisecond)
		defer cancel()
	}
	results, err := s.backend.CallMany(ctx, req)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, Errorf(CodeTimeout, "execution timed out: ask for fewer calls at once")
	}
	if err != nil {
		return nil, err
	}
	return s.bundlesJSON(results)
}

func (s *Server) bundlesJSON(results [][]*CallResult) (rawJSON, error) {
	w := newWriter(1024)
	w.open('[')
	for _, bundle := range results {
		w.open('[')
		for _, r := range bundle {
			w.open('{')
			switch {
			case r.Reverted:
				w.key("error").text(RevertError(r.ReturnData).Message)
				w.key("data").hex(r.ReturnData)
			case r.Err != nil:
				w.key("error").text(r.Err.Error())
			default:
				w.key("value").hex(r.ReturnData)
			}
			w.shut('}')
			if len(w.b) > s.opts.MaxResponseBytes {
				return nil, s.tooLarge()
			}
		}
		w.shut(']')
	}
	w.shut(']')
	return w.b, nil
}

// jsonText is a member's JSON as it is.
type jsonText []byte

// UnmarshalJSON implements json.Unmarshaler.
func (j *jsonText) UnmarshalJSON(raw []byte) error {
	*j = append((*j)[:0], raw...)
	return nil
}
