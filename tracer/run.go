package tracer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/state"
)

// effects is what an execution did, for forms that tell of it.
type effects struct {
	output []byte
	diff   state.Diff
	before state.View // the state that diff changes
}

// observe runs an execution on vm with the tracer of c and returns what it tells. run
// must end with evm.ErrCancelled when the channel that it gets is closed. An error of
// run means that the transaction cannot be executed.
func observe(ctx context.Context, vm *evm.Machine, c *Config, at *place, run func(done <-chan struct{}) (effects, error)) (json.RawMessage, error) {
	t, err := c.tracer(at, vm.Config())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A script runs in this goroutine and must be stopped from another.
	stopped := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(stopped)
		t.Stop(context.Cause(ctx))
	})
	defer func() {
		if !release() {
			<-stopped
		}
	}()
	m := &meter{hooks: t.Hooks, limit: c.MaxBytes, parts: c.muxParts(), firstLog: at.firstLog, stop: cancel, countOps: c.Form == FormTracer && c.Tracer == "" && c.Limit == 0}
	vm.SetTracer(m.wrap(c))
	out, err := run(ctx.Done())
	vm.SetTracer(nil)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		var differs *DiffersError
		if errors.As(err, &differs) {
			return nil, err
		}
		return nil, fmt.Errorf("tracing failed: %w", err)
	}
	raw, err := t.GetResult()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause // while a script made its result
	}
	if err != nil {
		return nil, err
	}
	if c.Form == FormReplay {
		if raw, err = c.Parts.result(raw, &out); err != nil {
			return nil, err
		}
	}
	if c.MaxBytes > 0 && len(raw) > c.MaxBytes {
		return nil, &TooLargeError{c.MaxBytes}
	}
	return raw, nil
}
