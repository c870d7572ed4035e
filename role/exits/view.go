package exits

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/l1"
)

// view reads contracts at one L1 block.
type view struct {
	client *l1.Client
	turns  *turns
	number uint64
	time   uint64 // of the block, in seconds
	final  uint64 // time of the newest block that L1 will not take back, in seconds; 0: there is none
}

// newest is a view of L1's newest block.
func (r *Reader) newest(ctx context.Context) (*view, error) {
	if err := r.turns.wait(ctx, 2); err != nil {
		return nil, err
	}
	v := &view{client: r.L1, turns: &r.turns}
	final, err := r.L1.HeaderByTag(ctx, l1.Finalized)
	switch {
	case err == nil:
		v.final = final.Time
	case !errors.Is(err, l1.ErrNotFound):
		return nil, err
	}
	h, err := r.L1.HeaderByTag(ctx, l1.Latest)
	if err != nil {
		return nil, err
	}
	v.number, v.time = h.Number.Uint64(), h.Time
	return v, nil
}

// question is one call of a contract, and where its answer goes.
type question struct {
	to    common.Address
	input []byte
	take  func([]byte) error
}

// into asks a contract and puts the answer into dst.
func into[T any](to common.Address, input []byte, unpack func([]byte) (T, error), dst *T) question {
	return question{to, input, func(raw []byte) (err error) {
		*dst, err = unpack(raw)
		return err
	}}
}

// maxBatch bounds the calls of one request to L1.
const maxBatch = 100

// ask asks all questions, in as few requests as the bound allows.
func (v *view) ask(ctx context.Context, questions ...question) error {
	for len(questions) > 0 {
		n := min(len(questions), maxBatch)
		if err := v.batch(ctx, questions[:n]); err != nil {
			return fmt.Errorf("read the contracts on L1: %w", err)
		}
		questions = questions[n:]
	}
	return nil
}

func (v *view) batch(ctx context.Context, questions []question) error {
	if err := v.turns.wait(ctx, len(questions)); err != nil {
		return err
	}
	answers := make([]hexutil.Bytes, len(questions))
	elems := make([]rpc.BatchElem, len(questions))
	for i, q := range questions {
		elems[i] = rpc.BatchElem{Method: "eth_call", Args: []any{callArgs(q.to, q.input), hexutil.EncodeUint64(v.number)}, Result: &answers[i]}
	}
	if err := v.client.Eth().Client().BatchCallContext(ctx, elems); err != nil {
		return err
	}
	for i := range elems {
		if elems[i].Error != nil {
			return fmt.Errorf("call %x of %s: %w", questions[i].input[:4], questions[i].to, elems[i].Error)
		}
		if err := questions[i].take(answers[i]); err != nil {
			return fmt.Errorf("call %x of %s: %w", questions[i].input[:4], questions[i].to, err)
		}
	}
	return nil
}

// reverts tries a call and gives the data with which it reverts; nil: it does not.
func (v *view) reverts(ctx context.Context, to common.Address, input []byte) ([]byte, error) {
	if err := v.turns.wait(ctx, 1); err != nil {
		return nil, err
	}
	var answer hexutil.Bytes
	err := v.client.Eth().Client().CallContext(ctx, &answer, "eth_call", callArgs(to, input), hexutil.EncodeUint64(v.number))
	if err == nil {
		return nil, nil
	}
	var coded rpc.DataError
	if errors.As(err, &coded) {
		if text, ok := coded.ErrorData().(string); ok {
			if data, e := hexutil.Decode(text); e == nil {
				return data, nil
			}
		}
	}
	if strings.Contains(err.Error(), "revert") {
		return []byte{}, nil
	}
	return nil, err
}

func callArgs(to common.Address, input []byte) map[string]any {
	return map[string]any{"to": to, "input": hexutil.Bytes(input)}
}
