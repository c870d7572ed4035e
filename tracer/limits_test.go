package tracer

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
)

var feeder = contract(20) // calls for ever, with much calldata

// burn is a deposit that spends gas at an address: it needs no key.
func burn(to common.Address, gas uint64) *chain.Tx {
	return chain.NewDepositTx(&chain.Deposit{From: common.Address{1}, To: &to, Gas: gas, Mint: new(big.Int), Value: new(big.Int)})
}

func newLimitsReplay(t *testing.T, txs ...*chain.Tx) *Replay {
	t.Helper()
	cfg := chain.DefaultConfig()
	m := evm.NewMachine(&cfg)
	t.Cleanup(m.Close)
	alloc := testAlloc(nil)
	// JUMPDEST; CALL of absent with 64 KiB of memory; POP; JUMP 0.
	loop := program{}.op(vm.JUMPDEST, vm.PUSH0, vm.PUSH0).push(1, 0, 0).op(vm.PUSH0, vm.PUSH0).push(absent[:]...).op(vm.PUSH0, vm.CALL, vm.POP, vm.PUSH0, vm.JUMP)
	alloc[feeder] = types.Account{Code: loop, Nonce: 1}
	b := &Block{Hash: common.Hash{1}, Txs: txs, Env: &evm.Env{Number: 5, Timestamp: 9, GasLimit: cfg.GasLimit, BaseFee: big.NewInt(7), Config: &cfg}}
	return NewReplay(m, viewOf(alloc), b)
}

func TestTracesAreBounded(t *testing.T) {
	const gas = 300_000_000
	for _, c := range []struct {
		name   string
		to     common.Address
		config Config
	}{
		{"a struct log of a loop", burner, Config{}},
		{"a struct log with memory", feeder, Config{EnableMemory: true}},
		{"calls with much calldata", feeder, Config{Tracer: "callTracer"}},
		{"flat calls with much calldata", feeder, Config{Tracer: "flatCallTracer"}},
		{"calls within a mux", feeder, Config{Tracer: "muxTracer", TracerConfig: json.RawMessage(`{"callTracer":{},"noopTracer":{}}`)}},
		{"a replay", feeder, Config{Form: FormReplay, Parts: Parts{Trace: true}}},
		{"Otterscan's calls", feeder, Config{Form: FormCalls}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newLimitsReplay(t, burn(c.to, gas), burn(store, 100_000))
			c.config.MaxBytes = 1 << 20
			_, err := r.Trace(context.Background(), &c.config)
			var large *TooLargeError
			if !errors.As(err, &large) || large.Limit != 1<<20 || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
				t.Fatalf("error %v", err)
			}
			// The machine is good for the next one.
			raw, err := Call(context.Background(), r.vm, r.State(), &evm.CallMsg{To: &store, Gas: 100_000}, r.block.Env, &Config{Tracer: "callTracer"}, nil)
			if err != nil || !strings.Contains(string(raw), `"output"`) {
				t.Errorf("after it: %s, %v", raw, err)
			}
		})
	}
}

func TestTracesEndWithTheirContext(t *testing.T) {
	reason := errors.New("time is up")
	for name, c := range map[string]*Config{
		"an execution":                  {Tracer: "noopTracer"},
		"a script that makes a result":  {Tracer: `{fault: function() {}, result: function() { for (;;) {} }}`, Scripts: true},
		"a script that looks at a step": {Tracer: `{fault: function() {}, step: function() { for (;;) {} }, result: function() {}}`, Scripts: true},
	} {
		t.Run(name, func(t *testing.T) {
			to := burner
			if strings.Contains(c.Tracer, "result") {
				to = store
			}
			ctx, cancel := context.WithTimeoutCause(context.Background(), 30*time.Millisecond, reason)
			defer cancel()
			if _, err := newLimitsReplay(t, burn(to, 20_000_000_000)).Trace(ctx, c); !errors.Is(err, reason) {
				t.Errorf("error %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if err := newLimitsReplay(t, burn(store, 100_000)).SkipTo(ctx, 1); !errors.Is(err, reason) {
		t.Errorf("skipping: %v", err)
	}
}

// TestAMuxMultipliesNothing: each tracer of a mux keeps a copy of what it is told.
func TestAMuxMultipliesNothing(t *testing.T) {
	nested := json.RawMessage(`{"muxTracer":{"muxTracer":{"callTracer":{}},"callTracer":{}},"callTracer":{}}`)
	if _, err := newLimitsReplay(t, burn(store, 100_000)).Trace(context.Background(), &Config{Tracer: "muxTracer", TracerConfig: nested}); !errors.Is(err, errNestedMux) {
		t.Errorf("nested: %v", err)
	}
	mux := func(parts string, limit int) (int, error) {
		raw, err := newLimitsReplay(t, burn(feeder, 45_000)).Trace(context.Background(), &Config{Tracer: "muxTracer", TracerConfig: json.RawMessage(parts), MaxBytes: limit})
		return len(raw), err
	}
	size, err := mux(`{"callTracer":{}}`, 64<<20)
	if err != nil || size < 1<<20 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	if _, err := mux(`{"callTracer":{}}`, size+size/2); err != nil {
		t.Errorf("one tracer: %v", err)
	}
	var large *TooLargeError
	if _, err := mux(`{"callTracer":{},"noopTracer":{}}`, size+size/2); !errors.As(err, &large) {
		t.Errorf("two tracers: %v", err)
	}
}

func TestScriptsMustBeAllowed(t *testing.T) {
	const script = `{fault: function() {}, result: function() { return 5; }}`
	inMux := json.RawMessage(`{"callTracer":{},"` + script + `":{}}`)
	for _, c := range []struct {
		name   string
		config Config
		want   error
	}{
		{"not allowed", Config{Tracer: script}, errScripts},
		{"not allowed in a mux", Config{Tracer: "muxTracer", TracerConfig: inMux}, errScripts},
		{"allowed", Config{Tracer: script, Scripts: true}, nil},
		{"allowed in a mux", Config{Tracer: "muxTracer", TracerConfig: inMux, Scripts: true}, nil},
		{"too long", Config{Tracer: script + strings.Repeat(" ", maxScript), Scripts: true}, errScriptSize},
	} {
		if _, err := newLimitsReplay(t, burn(store, 100_000)).Trace(context.Background(), &c.config); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAReplayThatDiffersIsNoAnswer(t *testing.T) {
	for name, change := range map[string]func(r *chain.Receipt){
		"gas":    func(r *chain.Receipt) { r.GasUsed++ },
		"status": func(r *chain.Receipt) { r.Status = 0 },
		"logs":   func(r *chain.Receipt) { r.Logs = nil },
	} {
		r := newLimitsReplay(t, burn(store, 100_000))
		res, err := r.step(nil)
		if err != nil {
			t.Fatal(err)
		}
		receipt := &chain.Receipt{GasUsed: res.GasUsed, Status: res.Status, Logs: res.Logs}
		r = newLimitsReplay(t, burn(store, 100_000))
		r.block.Receipts = []*chain.Receipt{receipt}
		if _, err := r.Trace(context.Background(), &Config{}); err != nil {
			t.Fatalf("without a change of %s: %v", name, err)
		}
		change(receipt)
		r = newLimitsReplay(t, burn(store, 100_000))
		r.block.Receipts = []*chain.Receipt{receipt}
		var differs *DiffersError
		if _, err := r.Trace(context.Background(), &Config{}); !errors.As(err, &differs) {
			t.Errorf("with other %s: %v", name, err)
		}
	}
}

func TestADepositThatCouldNotBeginIsAFailedCall(t *testing.T) {
	poor := func(to *common.Address) *chain.Tx {
		return chain.NewDepositTx(&chain.Deposit{From: common.Address{1}, To: to, Gas: 100_000, Mint: big.NewInt(3), Value: big.NewInt(9)})
	}
	for _, c := range []struct {
		name   string
		to     *common.Address
		config Config
		want   []string
	}{
		{"a call", &store, Config{Tracer: "callTracer"}, []string{`"type":"CALL"`, `"error":"insufficient funds`, `"gasUsed":"0x186a0"`, `"value":"0x9"`}},
		{"a creation", nil, Config{Tracer: "callTracer"}, []string{`"type":"CREATE"`, `"error":"insufficient funds`}},
		{"flat", &store, Config{Tracer: "flatCallTracer"}, []string{`"subtraces":0`, `"error":"insufficient funds`}},
		{"the struct log", &store, Config{}, []string{`"gas":100000,"failed":true`, `"structLogs":[]`}},
		{"the state before", &store, Config{Tracer: "prestateTracer", TracerConfig: json.RawMessage(`{"diffMode":true}`)}, []string{`"balance":"0x3"`}},
		{"a replay", &store, Config{Form: FormReplay, Parts: Parts{Trace: true, StateDiff: true}}, []string{`"balance":{"+":"0x3"}`, `"error":"insufficient funds`}},
		{"Otterscan's calls", &store, Config{Form: FormCalls}, []string{`"depth":0`}},
	} {
		raw, err := newLimitsReplay(t, poor(c.to)).Trace(context.Background(), &c.config)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s: %s, want %s in it", c.name, raw, want)
			}
		}
	}
}
