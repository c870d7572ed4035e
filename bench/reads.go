package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// readPrefix starts the name of a workload that only reads.
const readPrefix = "read:"

// readMethods are the methods that can be measured.
func readMethods() []string {
	return []string{"eth_chainId", "eth_blockNumber", "eth_getBalance", "eth_call"}
}

// runReads asks the same question on every connection, one request (or batch) after
// the other, and checks every answer.
func runReads(ctx context.Context, cfg *Config, n *node) (*Report, error) {
	t := newTally()
	p, err := price(ctx, n)
	if err != nil {
		return nil, err
	}
	method := strings.TrimPrefix(cfg.Workload, readPrefix)
	params, want, err := readQuestion(ctx, cfg, n, p, method)
	if err != nil {
		return nil, err
	}
	var body []byte
	for i := range cfg.Batch {
		one := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, i, method, params)
		switch {
		case cfg.Batch == 1:
		case i == 0:
			body = append(body, '[')
		default:
			body = append(body, ',')
		}
		body = append(body, one...)
	}
	if cfg.Batch > 1 {
		body = append(body, ']')
	}
	report := newReport(cfg, t, time.Now())
	report.ChainID, report.Conns = p.chainID.Uint64(), cfg.Conns
	return report, measureReads(ctx, cfg, t, body, want, report)
}

// readQuestion is the parameters of a call and its answer, nil if that may change.
func readQuestion(ctx context.Context, cfg *Config, n *node, p *pricing, method string) (params, want []byte, err error) {
	key, err := cfg.payer()
	if err != nil {
		return nil, nil, err
	}
	pay := &payer{node: n, key: key, addr: crypto.PubkeyToAddress(key.PublicKey), p: p}
	args := []any{}
	switch method {
	case "eth_getBalance":
		args = []any{pay.addr, "latest"}
	case "eth_call":
		if pay.nonce, err = n.nonce(ctx, pay.addr); err != nil {
			return nil, nil, err
		}
		if err := pay.deploy(ctx); err != nil {
			return nil, nil, err
		}
		args = []any{map[string]any{"to": p.token, "data": hexutil.Bytes(balanceOfData(pay.addr))}, "latest"}
	}
	if params, err = json.Marshal(args); err != nil {
		return nil, nil, fmt.Errorf("encode parameters: %w", err)
	}
	var answer json.RawMessage
	if err := n.rpc.CallContext(ctx, &answer, method, args...); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", method, err)
	}
	if method == "eth_blockNumber" {
		return params, nil, nil
	}
	return params, answer, nil
}

// measureReads runs the connections.
func measureReads(ctx context.Context, cfg *Config, t *tally, body, want []byte, report *Report) error {
	var (
		mu  sync.Mutex
		all histogram
		wg  sync.WaitGroup
	)
	pid := cfg.PID
	if pid == 0 {
		pid = ownerOf(cfg.URL)
	}
	before, cpuErr := usageOf(pid)
	own := ownCPU()
	start := time.Now()
	deadline := start.Add(cfg.Duration)
	quota := (cfg.Txs + cfg.Conns*cfg.Batch - 1) / (cfg.Conns * cfg.Batch)
	for range cfg.Conns {
		w, err := dialWire(ctx, cfg.URL, cfg.Timeout)
		if err != nil {
			t.fail(err.Error(), 1)
			continue
		}
		wg.Go(func() {
			defer w.close()
			var h histogram
			for k := 0; ctx.Err() == nil && (cfg.Txs == 0 || k < quota); k++ {
				sent := time.Now()
				if cfg.Duration > 0 && sent.After(deadline) {
					break
				}
				text, err := w.exchange(ctx, body)
				took := time.Since(sent)
				if err == nil {
					err = countReads(text, want, cfg.Batch, took, &h, t)
				}
				if err != nil {
					t.fail(err.Error(), uint64(cfg.Batch))
					break
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.merge(&h)
		})
	}
	wg.Wait()
	report.Seconds = time.Since(start).Seconds()
	after, err := usageOf(pid)
	report.Latency, report.Sent, report.Confirmed, report.Included = all.latency(), all.n, all.n, 0
	report.Failed, report.Errors = t.failed, t.errors
	report.Throughput = float64(all.n) / report.Seconds
	report.Verified.Receipts, report.Verified.ChainID = 0, true
	report.Verified.Reads = all.n
	if all.n > 0 {
		report.CPU.GeneratorMicros = float64((ownCPU() - own).Microseconds()) / float64(all.n)
		if cpuErr == nil && err == nil && pid != 0 {
			report.CPU.PID, report.CPU.RSS = pid, after.rss
			report.CPU.NodeMicros = float64((after.cpu - before.cpu).Microseconds()) / float64(all.n)
		}
	}
	report.Mismatches, report.MismatchCount = t.mismatches, t.wrong
	return ctx.Err()
}

// countReads checks and counts the answers to one request.
func countReads(text, want []byte, batch int, took time.Duration, h *histogram, t *tally) error {
	count := 0
	err := scanReplies(text, func(r reply) {
		count++
		switch {
		case r.err != nil:
			f := r.fault()
			t.fail(fmt.Sprintf("%d: %s", f.Code, f.Message), 1)
		case want != nil && string(r.result) != string(want):
			t.mismatch(fmt.Sprintf("the answer was %s and is now %s", want, r.result))
		default:
			h.add(took)
		}
	})
	if err == nil && count != batch {
		t.mismatch(fmt.Sprintf("%d answers to %d questions", count, batch))
	}
	return err
}
