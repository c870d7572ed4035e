package exec

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// witnessAddr logs what MiniBlockClock answers to number() and timestampMicros().
var (
	witnessAddr = common.HexToAddress("0x5700000000000000000000000000000000000c10")
	witnessCode = common.FromHex(askClock("number()", "40") + askClock("timestampMicros()", "60") + "60406040a000")
)

// askClock puts the clock's answer into memory.
func askClock(signature, at string) string {
	return fmt.Sprintf("63%x5f52602060%s6004601c73%x5afa50", crypto.Keccak256([]byte(signature))[:4], at, chain.MiniBlockClockAddr)
}

// sight is what a transaction saw on the clock.
type sight struct {
	number uint64
	micros chain.Micros
}

func sightIn(t *testing.T, r *chain.Receipt) sight {
	t.Helper()
	if len(r.Logs) != 1 || len(r.Logs[0].Data) != 64 {
		t.Fatalf("receipt of a witness: %+v", r)
	}
	word := func(at int) uint64 { return new(big.Int).SetBytes(r.Logs[0].Data[at : at+32]).Uint64() }
	return sight{word(0), chain.Micros(word(32))}
}

// Whoever executes reads the same clock: the number of the mini-block, and the time of
// the last cut, or of the block if that is later.
func TestTheClockTellsTheMiniBlock(t *testing.T) {
	w := newWorld(t)
	w.g.Alloc[witnessAddr] = types.Account{Code: witnessCode, Nonce: 1, Balance: new(big.Int)}
	var groups [][]*chain.Tx
	for _, size := range []int{3, 40, 0, 1, 24} {
		group := make([]*chain.Tx, size)
		for i := range group {
			group[i] = w.tx(i%4, &types.DynamicFeeTx{Gas: 100_000, To: &witnessAddr})
		}
		groups = append(groups, group)
	}
	var first []chain.MiniBlockHeader
	for _, workers := range []int{1, 4} {
		c := w.boot()
		c.SetWorkers(workers)
		var made []chain.MiniBlockHeader
		block := func(timestamp uint64, cuts []chain.Micros) {
			if err := c.Open(chain.Attributes{Timestamp: timestamp}); err != nil {
				t.Fatal(err)
			}
			for i, group := range groups[:len(cuts)] {
				c.ApplyBatch(group, func(int, *chain.Receipt, error) bool { return true })
				m, _ := c.Cut(cuts[i])
				want := sight{number: uint64(len(made)), micros: chain.Micros(timestamp * 1_000_000)}
				if n := len(made); n > 0 {
					want.micros = max(want.micros, made[n-1].TimestampMicros)
				}
				if len(m.Txs) != len(group) {
					t.Fatalf("mini-block %d has %d transactions of %d", m.Header.Number, len(m.Txs), len(group))
				}
				for _, r := range m.Receipts {
					if got := sightIn(t, r); got != want {
						t.Errorf("%d workers, mini-block %d: the clock tells %+v, want %+v", workers, m.Header.Number, got, want)
					}
				}
				made = append(made, m.Header)
			}
			groups = groups[len(cuts):]
			if _, _, err := c.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		all := groups
		const second = chain.Micros(1_000_000)
		at := chain.Micros(genesisTime) * second
		block(genesisTime+1, []chain.Micros{at + second + 5, at + second + 5, at + 3*second}) // late
		block(genesisTime+2, []chain.Micros{at + 3*second + 1})
		block(genesisTime+9, []chain.Micros{at + 9*second})
		groups = all
		if first == nil {
			first = made
		}
		for i := range made {
			if made[i] != first[i] {
				t.Errorf("%d workers: mini-block %d differs", workers, i)
			}
		}
		c.Close()
	}
}

// A cut that is taken back is taken back from the clock.
func TestDiscardTurnsTheClockBack(t *testing.T) {
	w := newWorld(t)
	c := w.chain
	w.run(c, []*chain.Tx{attributes(1).Tx()}, nil)
	before := c.State().Latest()
	defer before.Close()
	want := before.Storage(chain.MiniBlockClockAddr, common.Hash{})
	openNext(t, c)
	c.Cut(w.now + 1)
	c.Cut(w.now + 2)
	if got := c.Pending().Storage(chain.MiniBlockClockAddr, common.Hash{}); got == want {
		t.Fatal("the clock stands still")
	}
	c.Discard(before)
	if got := c.Pending().Storage(chain.MiniBlockClockAddr, common.Hash{}); got != want {
		t.Errorf("slot %s, before %s", got, want)
	}
}

// A chain whose genesis lacks the contract has no clock: its account stays absent.
func TestWithoutTheContractThereIsNoClock(t *testing.T) {
	w := newWorld(t)
	delete(w.g.Alloc, chain.MiniBlockClockAddr)
	c := w.boot()
	w.run(c, []*chain.Tx{attributes(1).Tx()}, nil)
	if v := c.Pending(); v.HasStorage(chain.MiniBlockClockAddr) || v.Storage(chain.MiniBlockClockAddr, common.Hash{}) != (common.Hash{}) ||
		state.CodeHash(v, chain.MiniBlockClockAddr) != types.EmptyCodeHash {
		t.Error("something was written")
	}
}
