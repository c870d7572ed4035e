package validator

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/verify"
)

var update = flag.Bool("update", false, "write testdata")

func TestAValidatorChecksWhatIsPublished(t *testing.T) {
	w := newWorld(t)
	w.publish(10, 3)
	opts := w.options()
	v := w.start(opts)
	until(t, v, "tenth block", func(s Status) bool { return s.Checked == 10 })
	w.publish(3, 2)
	s := until(t, v, "thirteenth block", func(s Status) bool { return s.Checked == 13 })
	if s.Faults+s.Undecided != 0 || s.Blocks != 13 || s.Txs != 13+10*3+3*2 || s.Hash != w.headers[13].Hash() || s.Tainted != 0 {
		t.Fatalf("%+v", s)
	}
	v.Close()

	w.publish(2, 1)
	v = w.start(opts)
	if s = until(t, v, "fifteenth block", func(s Status) bool { return s.Checked == 15 }); s.From != 14 || s.Blocks != 2 {
		t.Fatalf("began again at %d and checked %d blocks", s.From, s.Blocks)
	}
}

func TestAValidatorNeedsLittleRoom(t *testing.T) {
	w := newWorld(t)
	w.publish(30, 20)
	opts := w.options()
	opts.BudgetBytes, opts.Workers = 1, 3
	v := w.start(opts)
	until(t, v, "thirtieth block", func(s Status) bool { return s.Checked == 30 && s.Faults == 0 })
	if s := v.Status(); s.Waiting != 0 {
		t.Fatalf("%d bytes are left of what was checked", s.Waiting)
	}
}

func TestAValidatorBeginsWhereItIsTold(t *testing.T) {
	w := newWorld(t)
	w.publish(6, 1)
	opts := w.options()
	opts.From = 4
	v := w.start(opts)
	if s := until(t, v, "sixth block", func(s Status) bool { return s.Checked == 6 }); s.Blocks != 3 || s.Faults != 0 {
		t.Fatalf("%+v", s)
	}
}

// lie changes the last mini-block of a block, in the leader's name.
func (w *world) lie(b *feed.Block, m *feed.MiniBlock) {
	m.Receipts[0].Status ^= 1
	m.Header.ReceiptsHash = chain.ReceiptsHash(m.Receipts)
	var err error
	if m.Signature, err = m.Header.Sign(w.leader); err != nil {
		w.t.Fatal(err)
	}
	extra, err := chain.DecodeExtra(b.Header.Extra)
	if err != nil {
		w.t.Fatal(err)
	}
	extra.LastMiniBlock = m.Header.Hash()
	b.Header = types.CopyHeader(b.Header)
	b.Header.Extra = extra.Encode()
}

func TestAFaultIsAnAlarmWithEvidence(t *testing.T) {
	w := newWorld(t)
	w.publish(2, 2)
	b, minis, witness := w.block(2)
	w.lie(b, minis[1])
	witness.Hash = b.Header.Hash()
	w.feed.add(minis[0])
	w.feed.add(minis[1])
	w.feed.add(b)
	w.feed.add(witness)
	opts := w.options()
	opts.StopOnFault, opts.Key = true, testBLS(t, 1)
	v := w.start(opts)
	<-v.Failed()
	var fault *verify.Fault
	if err := v.Failure(); !errors.As(err, &fault) || fault.Kind != verify.KindReceiptStatus {
		t.Fatal(err)
	}
	s := v.Status()
	if s.Faults != 1 || len(s.Alarms) != 1 || s.Tainted != 3 || s.Attested != 2 {
		t.Fatalf("%+v", s)
	}
	raw, err := os.ReadFile(s.Alarms[0].Evidence)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/evidence.json" // also for the command that confirms it
	if *update {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Evidence stays what it is, whatever the chain's genesis is today.
	written, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var e *Evidence
	for _, file := range [][]byte{written, raw} {
		if e, err = DecodeEvidence(file); err != nil {
			t.Fatal(err)
		}
		if err := e.Confirm(); err != nil {
			t.Fatal(err)
		}
	}
	if place, err := loadPlace(filepath.Join(opts.Dir, "checked.json")); err != nil || place.Number != 2 {
		t.Fatalf("a wrong block counts as checked: %+v, %v", place, err)
	}

	e.Fault.Have = "something else"
	if err := e.Confirm(); !errors.Is(err, ErrNotConfirmed) {
		t.Fatalf("a fault that is not there: %v", err)
	}
}

func TestEvidenceAboutARightBlockIsNotConfirmed(t *testing.T) {
	w := newWorld(t)
	w.publish(1, 1)
	b, minis, witness := w.block(1)
	in := &verify.Input{Header: b.Header, Witness: witness.Witness, MiniBlocks: []*chain.RawMiniBlock{minis[0].Raw(), minis[1].Raw()}}
	before, err := feed.DecodeMiniBlock(w.feed.all[0][1].raw)
	if err != nil {
		t.Fatal(err)
	}
	in.Before = &before.Header
	e, err := NewEvidence(&w.g.Config, in, raws(t, minis), &verify.Fault{Kind: verify.KindStateRoot, Where: "block 2", Want: "a", Have: "b"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if e, err = DecodeEvidence(raw); err != nil {
		t.Fatal(err)
	}
	if err := e.Confirm(); !errors.Is(err, ErrNotConfirmed) {
		t.Fatal(err)
	}
	if e.SecondOpinion() != "receipts and state root of block 2 are right" {
		t.Fatal(e.SecondOpinion())
	}
}

// nodeOf answers from what a world made.
type nodeOf struct {
	Node
	witnesses map[uint64]*chain.Witness
	asked     chan uint64
}

func (n *nodeOf) Witness(_ context.Context, number uint64) (*chain.Witness, error) {
	n.asked <- number
	return n.witnesses[number], nil
}

func TestAWitnessThatDoesNotSufficeIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	b, minis, witness := w.block(2)
	less := *witness.Witness
	less.State = less.State[1:]
	for _, m := range minis {
		w.feed.add(m)
	}
	w.feed.add(b)
	w.feed.add(&feed.Witness{Number: 1, Hash: witness.Hash, Witness: &less})

	alone := w.start(w.options())
	if s := until(t, alone, "verdict", func(s Status) bool { return s.Undecided == 1 }); s.Faults != 0 || !s.Alarms[0].Fault.Kind.Undecided() {
		t.Fatalf("%+v", s)
	}
	opts := w.options()
	n := &nodeOf{witnesses: map[uint64]*chain.Witness{1: witness.Witness}, asked: make(chan uint64, 8)}
	opts.Node = n
	v := w.start(opts)
	if s := until(t, v, "first block", func(s Status) bool { return s.Checked == 1 }); s.Undecided+s.Faults != 0 || <-n.asked != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestTheChainMayBeTakenBack(t *testing.T) {
	w := newWorld(t)
	w.publish(3, 1)
	other := newWorld(t) // the same chain up to block 2, then another branch
	other.publish(2, 1)
	other.feed = w.feed
	v := w.start(w.options())
	until(t, v, "third block", func(s Status) bool { return s.Checked == 3 })
	other.chain.SetEpoch(1)
	other.now += 5_000_000
	other.publish(3, 2)
	s := until(t, v, "fifth block", func(s Status) bool { return s.Checked == 5 })
	if s.Rewinds != 1 || s.Faults+s.Undecided != 0 || s.Hash != other.headers[5].Hash() {
		t.Fatalf("%+v", s)
	}
}

func testBLS(t *testing.T, n byte) *bls.SecretKey {
	key, err := bls.ParseSecretKey(common.LeftPadBytes([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAttestationsAreSignedOncePerHeightAndCounted(t *testing.T) {
	w := newWorld(t)
	w.publish(4, 1)
	first, second := w.options(), w.options()
	first.Key, second.Key = testBLS(t, 1), testBLS(t, 2)
	v1, v2 := w.start(first), w.start(second)
	for _, v := range []*Validator{v1, v2} {
		until(t, v, "two keys", func(s Status) bool {
			voted := v.Attestations(4)
			return s.Attested == 4 && len(voted) == 1 && voted[0].Keys == 2 && voted[0].Checked
		})
	}
	if n := w.feed.count(3); n != 8 {
		t.Fatalf("%d attestations", n)
	}
	v1.Close()
	// The place is lost, the guard is not.
	if err := os.Remove(filepath.Join(first.Dir, "checked.json")); err != nil {
		t.Fatal(err)
	}
	v1 = w.start(first)
	until(t, v1, "fourth block", func(s Status) bool { return s.Checked == 4 })
	if n := w.feed.count(3); n != 8 {
		t.Fatalf("%d attestations: some height was signed twice", n)
	}

	answer := httptest.NewRecorder()
	v1.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/attestations?block=4", nil))
	var voted []Voted
	if err := json.Unmarshal(answer.Body.Bytes(), &voted); err != nil || answer.Code != 200 {
		t.Fatalf("%d %s, %v", answer.Code, answer.Body, err)
	}
}

func TestForgedAttestationsDoNotCount(t *testing.T) {
	key := testBLS(t, 3)
	hash := keccak.Sum256([]byte("block"))
	votes := newVotes(7)
	good := &feed.Attestation{Number: 9, Hash: hash, Key: key.Public().Bytes(), Signature: key.Sign(AttestationMessage(7, 9, hash)).Bytes()}
	for name, forge := range map[string]func(*feed.Attestation){
		"another height":    func(a *feed.Attestation) { a.Number++ },
		"another block":     func(a *feed.Attestation) { a.Hash[0]++ },
		"another key":       func(a *feed.Attestation) { a.Key = testBLS(t, 4).Public().Bytes() },
		"no key":            func(a *feed.Attestation) { a.Key = [192]byte{} },
		"another chain":     func(a *feed.Attestation) { a.Signature = key.Sign(AttestationMessage(8, 9, hash)).Bytes() },
		"far from the head": func(a *feed.Attestation) { *a = feed.Attestation{Number: 1 << 40, Key: a.Key} },
	} {
		a := *good
		forge(&a)
		if votes.receive(&a, 9); len(votes.heights) != 0 {
			t.Fatal(name)
		}
	}
	votes.receive(good, 9)
	votes.receive(good, 9)
	if keys := votes.heights[9][hash]; len(keys) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
}

// input is a block as derivation would give it.
func input(b *feed.Block, minis []*feed.MiniBlock, l1 chain.L1Attributes) *derive.BlockInput {
	in := &derive.BlockInput{Number: b.Header.Number.Uint64(), Timestamp: b.Header.Time, Kind: derive.FromBatch, L1Attributes: l1, Params: chain.ParamsOf(&chain.Config{}, b.Header)}
	for i, m := range minis {
		in.MiniBlocks = append(in.MiniBlocks, derive.MiniPlan{TimestampMicros: m.Header.TimestampMicros, TxCount: m.Header.TxCount, Epoch: m.Header.Epoch})
		for k, tx := range m.Txs {
			if i+k > 0 {
				in.Txs = append(in.Txs, tx)
			}
		}
	}
	return in
}

func TestBlocksAreComparedWithL1(t *testing.T) {
	w := newWorld(t)
	b, minis, witness := w.block(2)
	for _, m := range minis {
		w.feed.add(m)
	}
	w.feed.add(b)
	w.feed.add(witness)
	opts := w.options()
	v := w.start(opts)
	until(t, v, "first block", func(s Status) bool { return s.Checked == 1 })
	p, err := newPosted(v, &L1Options{L1: newSettlement()}, filepath.Join(opts.Dir, "derivation.json"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if hash, err := p.Execute(ctx, input(b, minis, w.l1)); err != nil || hash != b.Header.Hash() {
		t.Fatal(hash, err)
	}
	for kind, change := range map[verify.Kind]func(*derive.BlockInput){
		KindL1Timestamp:    func(in *derive.BlockInput) { in.Timestamp++ },
		KindL1Transactions: func(in *derive.BlockInput) { in.Txs = in.Txs[1:] },
		KindL1Randomness:   func(in *derive.BlockInput) { in.L1Attributes.PrevRandao = common.Hash{9} },
		KindL1Params:       func(in *derive.BlockInput) { in.Params.GasLimit++ },
		KindL1MiniBlocks:   func(in *derive.BlockInput) { in.MiniBlocks[1].TimestampMicros++ },
	} {
		in := input(b, minis, w.l1)
		change(in)
		if f := planOf(inputOf(t, b, minis)).compare(planFrom(in), 1); f == nil || f.Kind != kind {
			t.Fatalf("%s: %v", kind, f)
		}
	}
	v.mu.Lock()
	own := v.checked[1]
	own.origin = chain.L1Origin{} // which this L1 does not have
	v.checked[1] = own
	v.mu.Unlock()
	in := input(b, minis, w.l1)
	in.Txs = in.Txs[1:]
	waiting := make(chan error, 1)
	go func() { _, err := p.Execute(ctx, in); waiting <- err }()
	if s := until(t, v, "alarm", func(s Status) bool { return s.Faults == 1 }); s.Alarms[0].Fault.Kind != KindL1Transactions || s.Tainted != 1 {
		t.Fatalf("%+v", s)
	}
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// raws are mini-blocks as a validator reads them.
func raws(t *testing.T, minis []*feed.MiniBlock) (out []*feed.RawMiniBlock) {
	for _, m := range minis {
		raw, err := feed.DecodeRawMiniBlock(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw)
	}
	return out
}

func inputOf(t *testing.T, b *feed.Block, minis []*feed.MiniBlock) *verify.Input {
	in := &verify.Input{Header: b.Header}
	for _, m := range raws(t, minis) {
		in.MiniBlocks = append(in.MiniBlocks, &m.RawMiniBlock)
	}
	return in
}

func TestABlockInPlaceOfABatchsIsBelieved(t *testing.T) {
	w := newWorld(t)
	w.publish(1, 0) // deposits only, if in one mini-block
	v := w.start(w.options())
	until(t, v, "first block", func(s Status) bool { return s.Checked == 1 })
	p, err := newPosted(v, &L1Options{}, filepath.Join(t.TempDir(), "derivation.json"))
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	own := v.checked[1]
	own.plan.depositsOnly = true
	v.checked[1] = own
	v.mu.Unlock()
	in := &derive.BlockInput{Number: 1, Timestamp: w.headers[1].Time, Kind: derive.FromBatch, L1Attributes: w.l1, Txs: []*chain.Tx{w.transfer()}}
	if _, err := p.Execute(context.Background(), in); !errors.Is(err, node.ErrInvalid) || p.status().Believed != 1 {
		t.Fatal(err)
	}
}

func TestASecondOpinionIsAsked(t *testing.T) {
	w := newWorld(t)
	w.publish(3, 4)
	opts := w.options()
	opts.SecondOpinion = true
	v := w.start(opts)
	s := until(t, v, "third block", func(s Status) bool { return s.Checked == 3 })
	if s.Opinion.Asked != 3 || s.Opinion.Failed+s.Opinion.Beyond+s.Faults != 0 {
		t.Fatalf("%+v %+v", s, s.Opinion)
	}
}

func TestMiniBlocksThatTheFeedHasNoMoreComeFromANode(t *testing.T) {
	w := newWorld(t)
	w.publish(5, 1)
	var all []*feed.RawMiniBlock
	for _, e := range w.feed.all[0] {
		m, err := feed.DecodeRawMiniBlock(e.raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	w.feed.oldest = 6
	opts := w.options()
	opts.Node = &miniBlocksOf{all: all}
	v := w.start(opts)
	if s := until(t, v, "fifth block", func(s Status) bool { return s.Checked == 5 }); s.Faults+s.Undecided != 0 {
		t.Fatalf("%+v", s)
	}
}

type miniBlocksOf struct {
	Node
	all []*feed.RawMiniBlock
}

func (n *miniBlocksOf) MiniBlocks(_ context.Context, from uint64, _ int) ([]*feed.RawMiniBlock, error) {
	return n.all[from : from+2], nil
}
