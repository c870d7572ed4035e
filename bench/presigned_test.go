package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
)

// shedError is what a node answers that has too much to do.
type shedError struct{}

func (shedError) Error() string  { return "too busy" }
func (shedError) ErrorCode() int { return -32005 }

func TestAPresignedRunVerifiesEverything(t *testing.T) {
	cases := map[string]Config{
		"single requests":        {Txs: 30, Clients: 7, Conns: 3},
		"batches":                {Txs: 47, Clients: 5, Conns: 2, Batch: 4},
		"batches of one account": {Txs: 20, Clients: 1, Conns: 1, Batch: 6},
		"pipelined requests":     {Txs: 60, Clients: 4, Conns: 2, Pipeline: 7},
		"pipelined batches":      {Txs: 60, Clients: 4, Conns: 2, Pipeline: 3, Batch: 4},
		"open loop":              {Txs: 40, Clients: 8, Conns: 2, Batch: 5, Mode: Open, Rate: 4000},
		"legacy transactions":    {Txs: 10, Clients: 2, Conns: 1, Legacy: true},
		"a recipient in common":  {Txs: 20, Clients: 4, Conns: 2, Workload: Hot},
	}
	for name, cfg := range cases {
		t.Run(name, func(t *testing.T) {
			_, url, _ := newLedger(t)
			cfg.URL, cfg.Receipt = url, Blocks
			if cfg.Workload == "" {
				cfg.Workload = ERC20
			}
			r, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			n := uint64(cfg.Txs)
			if !r.OK() || r.Failed != 0 || r.Sent != n || r.Confirmed != n || r.Included != n || !r.Instant || r.Verified.Ordered != n || r.Verified.Receipts != n {
				t.Fatalf("report %+v", r)
			}
		})
	}
}

func TestASampleOfReceiptsLeavesTheRestToTheSums(t *testing.T) {
	for name, lie := range map[string]bool{"honest": false, "token balances that do not sum": true} {
		t.Run(name, func(t *testing.T) {
			l, url, _ := newLedger(t)
			if lie {
				l.skip = func(n int) bool { return n == 3 }
			}
			r, err := Run(t.Context(), Config{URL: url, Receipt: Blocks, Workload: ERC20, Txs: 30, Clients: 3, Conns: 2, Batch: 5, Sample: 1})
			if err != nil {
				t.Fatal(err)
			}
			v := r.Verified
			if r.OK() == lie || r.Included != 30 || v.Receipts == 0 || v.Balances != 0 || v.Ordered != 30 || v.Nonces != 3 {
				t.Fatalf("report %+v", r)
			}
		})
	}
}

func TestAPresignedRunCatchesALyingNode(t *testing.T) {
	third := func(n int) bool { return n == 3 }
	cases := map[string]struct {
		fault func(*ledger)
		want  string
	}{
		"balances that do not sum":       {func(l *ledger) { l.drift = 1 }, "the included transactions say"},
		"token balances that do not sum": {func(l *ledger) { l.skip = third }, "token balance"},
		"a transaction that is lost":     {func(l *ledger) { l.lose = func(n int) bool { return n == 19 } }, "is in no block"},
		"a transaction in two blocks":    {func(l *ledger) { l.repeat = third }, "and again in block"},
		"transactions out of order":      {func(l *ledger) { l.swap = true }, "out of order"},
		"a log that is not streamed":     {func(l *ledger) { l.dropLog = third }, "1 of 20 never came"},
		"a head that is not streamed":    {func(l *ledger) { l.dropHead = func(n uint64) bool { return n == 5 } }, "stream of heads"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, url, ws := newLedger(t)
			c.fault(l)
			r, err := Run(t.Context(), Config{URL: url, Receipt: Blocks, Workload: ERC20, Txs: 20, Clients: 1, Conns: 1, Streams: ws, Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if r.OK() || !strings.Contains(strings.Join(r.Mismatches, "\n"), c.want) {
				t.Fatalf("mismatches %q, want %q", r.Mismatches, c.want)
			}
		})
	}
}

func TestWhatIsShedIsSentAgainInOrder(t *testing.T) {
	l, url, ws := newLedger(t)
	l.refuse = func(int, *types.Transaction) error {
		if l.attempts++; l.attempts%3 == 0 {
			return shedError{}
		}
		return nil
	}
	r, err := Run(t.Context(), Config{URL: url, Receipt: Blocks, Workload: ERC20, Txs: 40, Clients: 20, Conns: 2, Batch: 5, Streams: ws})
	if err != nil {
		t.Fatal(err)
	}
	// -32000 is what follows in one batch behind a nonce that was shed.
	if !r.OK() || r.Failed != 0 || r.Included != 40 || r.Shed < 13 || r.ShedCodes["-32005"]+r.ShedCodes["-32000"] != r.Shed || r.Attempts != 40+r.Shed {
		t.Fatalf("report %+v", r)
	}
	if s := r.Verified.Streams; s.Logs != 40 || s.Heads < 40 {
		t.Fatalf("streams %+v", s)
	}
}

func TestAFailureIsNotShed(t *testing.T) {
	l, url, _ := newLedger(t)
	l.refuse = func(n int, _ *types.Transaction) error {
		if n == 2 {
			return errors.New("bad luck 7")
		}
		return nil
	}
	r, err := Run(t.Context(), Config{URL: url, Receipt: Blocks, Workload: ERC20, Txs: 10, Clients: 1, Conns: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Failed != 1 || r.Errors["bad luck N"] != 1 || r.Included != 2 || r.Shed != 0 {
		t.Fatalf("report %+v", r)
	}
}

func TestReadsAreCheckedAndCounted(t *testing.T) {
	for _, method := range []string{"eth_chainId", "eth_blockNumber", "eth_getBalance"} {
		_, url, ws := newLedger(t)
		for _, at := range []string{url, ws} {
			r, err := Run(t.Context(), Config{URL: at, Workload: "read:" + method, Txs: 40, Conns: 2, Batch: 2})
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK() || r.Verified.Reads != 40 || r.Failed != 0 {
				t.Fatalf("%s: report %+v", method, r)
			}
		}
	}
}

func TestResponsesAreScanned(t *testing.T) {
	good := map[string]string{
		`{"jsonrpc":"2.0","id":7,"result":"0x1"}`:                                          `7 "0x1" `,
		` [ {"id":1,"result":{"a":[1,"}"]}} , {"error":{"code":-1,"message":"x"},"id":2}]`: `1 {"a":[1,"}"]}  2  {"code":-1,"message":"x"}`,
		`{"result":null,"error":null,"id":0}`:                                              `0 null `,
		`{"id":3,"result":"a\"b"}`:                                                         `3 "a\"b" `,
		`[]`:                                                                               ``,
	}
	for text, want := range good {
		var got []string
		if err := scanReplies([]byte(text), func(r reply) {
			got = append(got, strings.Join([]string{string(rune('0' + r.id)), string(r.result), string(r.err)}, " "))
		}); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{``, `{`, `[`, `[{"id":1,"result":1}`, `{"id":1}`, `{"id":1,"result"`, `[{"id":1,"result":1}{}]`, `"`, `{"a}`} {
		if err := scanReplies([]byte(text), func(reply) {}); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func FuzzScanReplies(f *testing.F) {
	f.Add([]byte(`[{"id":1,"result":{"a":[1,"}"]}},{"error":{"code":-1},"id":2}]`))
	f.Fuzz(func(_ *testing.T, text []byte) { _ = scanReplies(text, func(r reply) { _ = r.fault() }) })
}

func TestHistogramRanksAreClose(t *testing.T) {
	var a, b histogram
	for i := 1; i <= 100_000; i++ {
		h := &a
		if i%2 == 0 {
			h = &b
		}
		h.add(time.Duration(i) * time.Microsecond)
	}
	a.merge(&b)
	for percent, want := range map[float64]float64{50: 50, 90: 90, 99: 99, 99.9: 99.9, 100: 100} {
		if got := millis(a.at(percent)); got < want || got > want*1.016 {
			t.Errorf("p%g is %g, want %g", percent, got, want)
		}
	}
	if a.n != 100_000 || a.max != 100*time.Millisecond || a.min != time.Microsecond {
		t.Errorf("n %d, max %s, min %s", a.n, a.max, a.min)
	}
}
