package evm

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/talaria-l2/talaria/internal/gethevm"
)

func randomChoices(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 6144)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestDifferential runs random transactions on random states by this package, with and
// without a tracer, and by go-ethereum: results, changes and traces are the same, also
// when the gas ends anywhere on the way.
//
// TALARIA_EVMFUZZ is how long it runs on all processors, each with seeds of its own; by
// default it runs some hundred seeds. TALARIA_EVMFUZZ_CASE is a case to run again.
func TestDifferential(t *testing.T) {
	if text := os.Getenv("TALARIA_EVMFUZZ_CASE"); text != "" {
		if err := newDifferential(t, 40).check(common.FromHex(text)); err != nil {
			t.Fatal(err)
		}
		return
	}
	c := &campaign{t: t, seeds: 400, sweeps: 10}
	if testing.Short() {
		c.seeds = 100
	}
	if text := os.Getenv("TALARIA_EVMFUZZ"); text != "" {
		long, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("TALARIA_EVMFUZZ: %v", err)
		}
		c.seeds, c.sweeps = 1<<62, 40
		c.next.Store(uint64(time.Now().UnixNano()))
		c.end = time.Now().Add(long)
		c.seeds += c.next.Load()
	}
	c.run()
}

// campaign runs seeds on all processors until they or the time is used up.
type campaign struct {
	t      *testing.T
	seeds  uint64 // the first that does not run
	sweeps int
	end    time.Time // zero: no end
	next   atomic.Uint64

	mu       sync.Mutex
	cases    int
	valid    int
	failed   int
	swept    int
	failures int
}

// maxFailures is how many differences a campaign tells of before it ends.
const maxFailures = 5

func (c *campaign) run() {
	start := time.Now()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		d := newDifferential(c.t, c.sweeps)
		workers.Go(func() { c.work(d) })
	}
	workers.Wait()
	took := time.Since(start)
	c.t.Logf("%d cases in %v, %.0f per minute: %d transactions included, %d of them failed; %d runs with other gas limits",
		c.cases, took.Round(time.Millisecond), float64(c.cases)/took.Minutes(), c.valid, c.failed, c.swept)
	if c.failed < c.valid/5 || c.failed > c.valid*4/5 {
		c.t.Errorf("%d of %d transactions failed: too few or too many", c.failed, c.valid)
	}
}

func (c *campaign) work(d *differential) {
	for c.end.IsZero() || time.Now().Before(c.end) {
		seed := c.next.Add(1) - 1
		if seed >= c.seeds {
			break
		}
		choices := randomChoices(seed)
		err := d.check(choices)
		c.mu.Lock()
		c.cases++
		if err != nil {
			c.failures++
		}
		stop := c.failures >= maxFailures
		c.mu.Unlock()
		if err != nil {
			small := minimise(d, choices)
			c.t.Errorf("seed %d: %v\nTALARIA_EVMFUZZ_CASE=%x", seed, d.check(small), small)
		}
		if stop {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.valid, c.failed, c.swept = c.valid+d.valid, c.failed+d.failed, c.swept+d.swept
}

// TestEveryInstruction runs each of the 256 bytes with all that it takes from the stack,
// with an empty stack, with a full one and without gas, and checks that it has gone
// well and has failed.
func TestEveryInstruction(t *testing.T) {
	d := newDifferential(t, 6)
	for op := range 256 {
		for name, code := range map[string][]byte{
			"enough": slices.Concat([]byte{opJUMPDEST}, make0(17), []byte{byte(op)}, make([]byte, 33)),
			"full":   slices.Concat(make0(stackLimit), []byte{byte(op)}),
			"empty":  {byte(op)},
		} {
			for _, gas := range []uint64{200_000, 21_000} {
				if err := d.code(code, gas); err != nil {
					t.Errorf("%v (%#x), stack %s, gas %d: %v", vm.OpCode(op), op, name, gas, err)
				}
			}
		}
	}
	for op := range 256 {
		name := fmt.Sprintf("%v (%#x)", vm.OpCode(op), op)
		if instructions[op].defined && d.seen.good[op] == 0 {
			t.Errorf("%s never went well", name)
		}
		if d.seen.bad[op] == 0 && vm.OpCode(op) != vm.STOP {
			t.Errorf("%s never failed", name)
		}
	}
}

func make0(n int) []byte { return bytes.Repeat([]byte{opPUSH0}, n) }

// code compares a transaction to a contract of this code.
func (d *differential) code(code []byte, gas uint64) error {
	to, from := common.Address{0xc0}, d.signers[0]
	alloc := types.GenesisAlloc{from.addr: {Balance: ether}, to: {Nonce: 1, Code: code}}
	geth, err := gethevm.NewGeth(d.geth, alloc)
	if err != nil {
		return err
	}
	defer geth.Close()
	sign := func(gas uint64) *types.Transaction {
		return types.MustSignNewTx(from.key, types.NewPragueSigner(d.geth.ChainID),
			&types.LegacyTx{Gas: gas, GasPrice: d.env.BaseFee, To: &to, Value: new(big.Int)})
	}
	return d.one(0, geth, newMemoryFrom(alloc), sign, gas, false, &source{bytes: code})
}

// minimise drops choices as long as the case still fails.
func minimise(d *differential, choices []byte) []byte {
	fails := func(b []byte) bool { return d.run(b) != nil }
	for size := len(choices) / 2; size > 0; size /= 2 {
		for at := 0; at < len(choices) && size*200 > len(choices); {
			b := slices.Delete(slices.Clone(choices), at, min(at+size, len(choices)))
			if fails(b) {
				choices = b
			} else {
				at += size
			}
		}
	}
	return choices
}

// FuzzDifferential is TestDifferential with choices that the fuzzer makes.
func FuzzDifferential(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(randomChoices(seed))
	}
	d := newDifferential(f, 4)
	f.Fuzz(func(t *testing.T, choices []byte) {
		d.t = t
		if err := d.check(choices); err != nil {
			t.Fatal(err)
		}
	})
}
