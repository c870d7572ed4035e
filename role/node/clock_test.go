package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/rpc"
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

func newClockWorld(t *testing.T) *world {
	return newNodeWorldFrom(t, Options{}, func(w *world) {
		w.g.Alloc[witnessAddr] = types.Account{Code: witnessCode, Nonce: 1, Balance: new(big.Int)}
	})
}

// clockLog is what the witness logs in a mini-block.
func clockLog(number uint64, micros chain.Micros) []byte {
	return common.FromHex(word(number) + word(uint64(micros)))
}

// produce executes a derived block as a sequencer does, publishes it and gives the
// payloads of its log records.
func (w *world) produce(in *derive.BlockInput, sealed bool) (records [][]byte) {
	w.t.Helper()
	c, a := w.node.Exec(), chain.Attributes{Timestamp: in.Timestamp, PrevRandao: in.L1Attributes.PrevRandao, ParentBeacon: in.L1Attributes.ParentBeacon, Params: in.Params}
	if err := c.Open(a); err != nil {
		w.t.Fatal(err)
	}
	txs := in.AllTxs()
	for _, plan := range in.MiniBlocks {
		done := c.ApplyBatch(txs[:plan.TxCount], func(i int, _ *chain.Receipt, err error) bool {
			if err != nil {
				w.t.Errorf("transaction %d: %v", i, err)
			}
			return err == nil
		})
		if done != int(plan.TxCount) {
			w.t.FailNow()
		}
		txs = txs[plan.TxCount:]
		c.SetEpoch(plan.Epoch)
		m, version := c.Cut(plan.TimestampMicros)
		records = append(records, EncodeMiniBlock(m, a))
		w.node.PublishMiniBlock(m, c.OpenHeader(), a, version)
	}
	if sealed {
		records = append(records, EncodeSeal(w.seal()))
	}
	return records
}

// witnesses are blocks of mini-blocks with calls of the witness; one mini-block is empty,
// and one is cut after the time of the next block.
func (w *world) witnesses(late chain.Micros) *derive.BlockInput {
	group := func(size int) (txs []*chain.Tx) {
		for i := range size {
			txs = append(txs, w.call(i%4, witnessAddr, 0, nil))
		}
		return txs
	}
	in := w.input(group(2), group(12), nil, nil, group(3))
	in.Params = w.g.Config.BlockParams()
	last := &in.MiniBlocks[len(in.MiniBlocks)-1]
	last.TimestampMicros += late
	return in
}

// The clock shows every transaction the same, wherever it is executed: in the block that
// is made, derived, read from the log or traced.
func TestTheClockIsTheSameWhereverABlockIsExecuted(t *testing.T) {
	w, replica, recovered := newClockWorld(t), newClockWorld(t), newClockWorld(t)
	ctx := context.Background()
	last, number := chain.Micros(0), uint64(0)
	for n := range 3 {
		in := w.witnesses(chain.Micros(n%2) * 1_500_000)
		if n > 0 { // not before the cut before
			for i := range in.MiniBlocks {
				in.MiniBlocks[i].TimestampMicros = max(in.MiniBlocks[i].TimestampMicros, last+chain.Micros(i))
			}
		}
		kinds := []byte{RecordMiniBlock, RecordMiniBlock, RecordMiniBlock, RecordMiniBlock, RecordMiniBlock, RecordSeal}
		for i, record := range w.produce(in, true) {
			if err := recovered.node.Replay(kinds[i], record); err != nil {
				t.Fatal(err)
			}
		}
		hash := w.node.PublishedHead().Hash()
		if got, err := replica.node.Execute(in); err != nil || got != hash {
			t.Fatalf("block %d derived is %s, made %s: %v", in.Number, got, hash, err)
		}
		if got := recovered.node.PublishedHead().Hash(); got != hash {
			t.Fatalf("block %d recovered is %s, made %s", in.Number, got, hash)
		}
		b, err := w.node.BlockByNumber(ctx, in.Number)
		if err != nil {
			t.Fatal(err)
		}
		checkWitnesses(t, w, b, last)
		last = b.MiniBlocks[len(b.MiniBlocks)-1].TimestampMicros
		number += uint64(len(b.MiniBlocks))
	}
	head := w.node.PublishedHead()
	if chain.Micros(head.Time*1_000_000) > last {
		t.Fatal("the last cut should be the newest time")
	}

	ask := func(w *world, block string) string {
		c := w.serve(rpc.Options{})
		return result[string](c, "eth_call", `[{"to":"`+chain.MiniBlockClockAddr.Hex()+`","data":"`+hexutil.Encode(crypto.Keccak256([]byte("number()"))[:4])+`"},"`+block+`"]`)[2:] +
			result[string](c, "eth_call", `[{"to":"`+chain.MiniBlockClockAddr.Hex()+`","data":"`+hexutil.Encode(crypto.Keccak256([]byte("timestampMicros()"))[:4])+`"},"`+block+`"]`)[2:]
	}
	want := word(number) + word(uint64(last))
	w.stop()
	w.start(Options{})
	for _, w := range []*world{w, replica, recovered} {
		if got := ask(w, "latest"); got != want {
			t.Errorf("a call sees %s, want %s", got, want)
		}
	}
	in := w.witnesses(0)
	for i := range in.MiniBlocks {
		in.MiniBlocks[i].TimestampMicros += 5_000_000
	}
	w.produce(in, true)
	if got, err := replica.node.Execute(in); err != nil || got != w.node.PublishedHead().Hash() {
		t.Errorf("after a restart block %d derived is %s, made %s: %v", in.Number, got, w.node.PublishedHead().Hash(), err)
	}
	if got := ask(w, hexutil.EncodeUint64(in.Number-1)); got != want {
		t.Errorf("a call on the block before sees %s, want %s", got, want)
	}
}

// checkWitnesses holds the logs of a block, and of all that executes it again, against
// its mini-blocks. last is the time of the cut before it.
func checkWitnesses(t *testing.T, w *world, b *chain.Block, last chain.Micros) {
	t.Helper()
	ctx := context.Background()
	traced, err := w.node.TraceBlock(ctx, b.Number(), tracedWith("callTracer", `{"withLog":true}`))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := w.node.TraceRawBlock(ctx, b.Header, b.Txs, tracedWith("callTracer", `{"withLog":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.MiniBlocks {
		h := &b.MiniBlocks[i]
		want := clockLog(h.Number, max(last, chain.Micros(b.Header.Time*1_000_000)))
		last = h.TimestampMicros
		for at := h.FirstTxIndex; at < h.FirstTxIndex+h.TxCount; at++ {
			if b.Txs[at].IsDeposit() {
				continue
			}
			if logs := b.Receipts[at].Logs; len(logs) != 1 || !bytes.Equal(logs[0].Data, want) {
				t.Errorf("mini-block %d, transaction %d: %+v, want %x", h.Number, at, b.Receipts[at], want)
			}
			one, err := w.node.TraceTx(ctx, b.Txs[at].Hash(), tracedWith("callTracer", `{"withLog":true}`))
			if err != nil {
				t.Fatal(err)
			}
			for name, trace := range map[string]json.RawMessage{"block": traced[at].Result, "raw block": raw[at].Result, "transaction": one} {
				if !strings.Contains(string(trace), hexutil.Encode(want)) {
					t.Errorf("trace of a %s, mini-block %d, transaction %d: %s, want %x", name, h.Number, at, trace, want)
				}
			}
		}
		diff, err := w.node.diffAgain(ctx, &rpc.MiniBlock{MiniBlock: &chain.MiniBlock{Header: *h}, BlockHash: b.Hash()})
		if err != nil {
			t.Fatal(err)
		}
		list, err := state.DecodeAccessList(diff)
		if err != nil {
			t.Fatal(err)
		}
		if d := list.Final(); !hasClock(d, h) {
			t.Errorf("diff of mini-block %d: %+v", h.Number, d)
		}
	}
	list, err := w.node.BlockAccesses(ctx, b.Number())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.Address != chain.MiniBlockClockAddr {
			continue
		}
		// One for each mini-block; the empty ones end with the step before them.
		enc, err := rlp.EncodeToBytes(a.Storage)
		if err != nil || len(a.Storage) != 1 || len(a.Storage[0].Changes) != 3 {
			t.Errorf("clock in the block's access list %x, %v", enc, err)
			continue
		}
		for i, mini := range []int{0, 3, 4} {
			h := &b.MiniBlocks[mini]
			if c := a.Storage[0].Changes[i]; uint64(c.Index) != h.FirstTxIndex+h.TxCount || c.Value.Cmp(clockSlot(h).Big()) != 0 {
				t.Errorf("change %d of the clock %+v, mini-block %+v", i, c, h)
			}
		}
		return
	}
	t.Error("the block's access list lacks the clock")
}

// clockSlot is what the clock's slot holds after a mini-block.
func clockSlot(h *chain.MiniBlockHeader) common.Hash {
	slot := new(big.Int).Lsh(new(big.Int).SetUint64(uint64(h.TimestampMicros)), 64)
	return common.BigToHash(slot.Add(slot, new(big.Int).SetUint64(h.Number+1)))
}

func hasClock(d state.Diff, h *chain.MiniBlockHeader) bool {
	for i := range d {
		if d[i].Address == chain.MiniBlockClockAddr {
			return len(d[i].Storage) == 1 && d[i].Storage[0].Value == clockSlot(h)
		}
	}
	return false
}

// While a block is open, calls and traces see its newest mini-block.
func TestTheClockOfAnOpenBlock(t *testing.T) {
	w := newClockWorld(t)
	in := w.witnesses(700)
	w.produce(in, false)
	ctx := context.Background()
	open := w.node.Pending()
	checkOpen := func(at uint64, want []byte) {
		t.Helper()
		call := &rpc.CallRequest{Msg: rpc.CallMsg{From: w.user(0), To: &witnessAddr, Value: new(big.Int)}}
		out, err := w.node.TraceCalls(ctx, rpc.TracePoint{State: rpc.StateRef{Newest: true}, BeforeTx: &at}, []*rpc.CallRequest{call}, []*rpc.TraceOptions{tracedWith("callTracer", `{"withLog":true}`)})
		if err != nil || !strings.Contains(string(out[0]), hexutil.Encode(want)) {
			t.Errorf("call before transaction %d: %s, %v, want %x", at, out, err, want)
		}
	}
	minis := open.MiniBlocks
	checkOpen(1, clockLog(0, chain.Micros(in.Timestamp*1_000_000)))
	checkOpen(minis[4].FirstTxIndex, clockLog(4, minis[3].TimestampMicros))
	c := w.serve(rpc.Options{})
	got := result[[]simBlock](c, "eth_simulateV1", `[{"blockStateCalls":[{"calls":[{"to":"`+witnessAddr.Hex()+`"}]}]},"pending"]`)
	if logs := got[0].Calls[0].Logs; len(logs) != 1 || !bytes.Equal(logs[0].Data, clockLog(5, minis[4].TimestampMicros)) {
		t.Errorf("simulated at pending: %+v", got)
	}
}
