package validator

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/verify"
)

// What a batcher posts is found on L1 as it was checked, whatever L1 takes back: batches that
// come again in other blocks, batches that are lost and posted anew, and the origins of blocks,
// which the sequencer takes back then.
func TestL1MayBeTakenBackWithoutAnAlarm(t *testing.T) {
	w := newSettled(t)
	w.make(10, 2)
	v := w.watch()
	w.posted("ten blocks")

	w.l1.takeBack(3, false)
	w.make(2, 2)
	w.posted("batches again")
	w.l1.takeBack(4, true)
	w.make(2, 2)
	w.posted("batches lost")
	if s := v.Status(); s.Faults != 0 || s.Rewinds != 0 {
		t.Fatalf("%+v", s)
	}

	// L1 takes back the origin of blocks that were posted: L1 tells what is void before the
	// sequencer does.
	kept := 9
	origin := w.heads[kept].Origin.Number
	attributes := w.attributes()
	w.l1.takeBack(int(w.l1.tip()-origin), true)
	for range 3 {
		w.l1.mine()
	}
	until(t, v, "L1 that goes back", func(s Status) bool { return s.Posted.Block <= uint64(kept) })
	w.back(kept, attributes, 2)
	w.make(8, 2)
	s := w.posted("another branch")
	if s.Faults != 0 || s.Posted.Differs != 0 || s.Rewinds != 1 || s.Tainted != 0 {
		t.Fatalf("%+v, L1 %+v", s, s.Posted)
	}
}

// A batcher that posts another block than the sequencer published is an alarm, with evidence
// that holds what L1 holds and that anybody confirms.
func TestABlockThatWasPostedOtherwiseIsAnAlarmWithEvidence(t *testing.T) {
	w := newSettled(t)
	w.make(9, 2)
	const bad = 6
	w.posts = func(b *chain.Block) *chain.Block {
		if b.Number() != bad {
			return b
		}
		minis := slices.Clone(b.MiniBlocks)
		minis[1].TxCount-- // without the last transaction
		return chain.NewBlock(b.Header, b.Txs[:len(b.Txs)-1], b.Receipts[:len(b.Txs)-1], minis)
	}
	v := w.watch()
	s := until(t, v, "alarm", func(s Status) bool {
		w.l1.mine()
		return len(s.Alarms) > 0 && s.Alarms[0].Evidence != ""
	})
	a := s.Alarms[0]
	if s.Faults != 1 || a.Fault.Kind != KindL1Transactions || a.Block != bad || s.Tainted != bad || s.Posted.Differs != 1 {
		t.Fatalf("%+v, L1 %+v", s, s.Posted)
	}
	raw, err := os.ReadFile(a.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/evidence-l1.json" // also for the command that confirms it
	if *update {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	decode := func() *Evidence {
		e, err := DecodeEvidence(raw)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := decode()
	if err := e.Confirm(); err != nil {
		t.Fatal(err)
	}
	opts := &L1Options{L1: w.l1}
	if err := e.CheckL1(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	if tip := e.L1.Tip(); w.l1.at(tip.Number).ID() != tip {
		t.Fatalf("the evidence ends with L1 block %v", tip)
	}
	for name, change := range map[string]func(*Evidence){
		"a blob":           func(e *Evidence) { e.L1.blob(t)[40] ^= 1 },
		"an L1 block less": func(e *Evidence) { e.L1.Blocks = e.L1.Blocks[:len(e.L1.Blocks)-1] },
		"another header":   func(e *Evidence) { e.L1.Blocks[1].Header[60] ^= 1 },
		"another fault":    func(e *Evidence) { e.Fault.Kind = KindL1Timestamp },
		"nothing of L1":    func(e *Evidence) { e.L1 = nil },
	} {
		e := decode()
		change(e)
		if err := e.Confirm(); !errors.Is(err, ErrNotConfirmed) {
			t.Errorf("%s: %v", name, err)
		}
	}

	if raw, err = os.ReadFile(golden); err != nil {
		t.Fatal(err)
	}
	if err := decode().Confirm(); err != nil {
		t.Errorf("what was written before: %v", err)
	}

	w.l1.takeBack(int(w.l1.tip())-1, true) // the batch is gone
	for range 12 {
		w.l1.mine()
	}
	if err := e.CheckL1(t.Context(), opts); !errors.Is(err, ErrNotConfirmed) {
		t.Error("L1 does not hold the batch any more, and confirms the evidence:", err)
	}
}

// blob is one of a batch.
func (e *L1Evidence) blob(t *testing.T) []byte {
	for i := range e.Blocks {
		for _, b := range e.Blocks[i].Batches {
			if len(b.Blobs) > 0 {
				return b.Blobs[0]
			}
		}
	}
	t.Fatal("no blob")
	return nil
}

// Who signs mini-blocks changes with the block whose L1 origin has SystemConfig's event.
func TestL1NamesTheSigner(t *testing.T) {
	w := newSettled(t)
	w.make(5, 1)
	old, next := w.leader, testKey(t, 3)
	w.l1.mine(signerEvent(crypto.PubkeyToAddress(next.PublicKey)))
	event := w.l1.tip()
	w.watch()
	for w.heads[len(w.heads)-1].Origin.Number+1 < event {
		w.make(1, 1)
	}
	w.leader = next
	w.make(6, 1)
	if s := w.posted("blocks of both keys"); s.Faults+s.Undecided != 0 {
		t.Fatalf("%+v", s.Alarms)
	}
	w.leader = old
	w.make(1, 1)
	s := until(t, w.v, "alarm", func(s Status) bool { return s.Faults == 1 })
	if f := s.Alarms[0].Fault; f.Kind != verify.KindLeaderSignature || f.Want != crypto.PubkeyToAddress(next.PublicKey).Hex() {
		t.Fatalf("%+v", f)
	}
}
