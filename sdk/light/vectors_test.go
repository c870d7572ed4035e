package light

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

var update = flag.Bool("update", false, "write testdata/vectors.json")

const vectorFile = "testdata/vectors.json"

// vectors are read by the tests of the TypeScript client, too.
type vectors struct {
	Trust    Trust          `json:"trust"`
	Lines    []lineVector   `json:"lines"`
	Checks   []checkVector  `json:"checks"`
	Evidence evidenceVector `json:"evidence"`
}

// lineVector is a sequence of mini-blocks for a Chain and what each does.
type lineVector struct {
	Name       string      `json:"name"`
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	Steps      []lineStep  `json:"steps"`
}

type lineStep struct {
	Restart   bool          `json:"restart,omitempty"` // before the mini-block
	MiniBlock object        `json:"miniBlock"`
	Added     []common.Hash `json:"added,omitempty"`
	Rewound   *[2]uint64    `json:"rewound,omitempty"`
	Gap       *[2]uint64    `json:"gap,omitempty"`
	Error     string        `json:"error,omitempty"` // a Code, or "equivocation"
}

// checkVector is one answer, or set of answers, to verify. Lies are changes of one member
// each: they must be refused or be without effect.
type checkVector struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // miniBlock, block, account or receipts
	Input object `json:"input"`
	Want  any    `json:"want"`
	Lies  []lie  `json:"lies"`
}

type lie struct {
	Path  []any  `json:"path"`
	Value any    `json:"value"`
	Error string `json:"error"` // a Code; empty: no effect
}

type evidenceVector struct {
	Leader common.Address `json:"leader"`
	A      object         `json:"a"`
	B      object         `json:"b"`
}

// TestVectors computes the vectors and compares them with the file, so that what the
// TypeScript client is tested with is what this package does.
func TestVectors(t *testing.T) {
	v := makeVectors(t)
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(held, raw) {
		t.Errorf("%s is not what the code gives: go test ./sdk/light -run TestVectors -update, and look at the difference", vectorFile)
	}
}

func makeVectors(t *testing.T) *vectors {
	v := &vectors{Trust: testTrust(), Lines: lineVectors(t), Checks: checkVectors(t)}
	w := newWorld(t)
	a := w.mini(leaderKey, w.deposit())
	w.minis = nil
	w.open.minis, w.open.gas, w.open.txs, w.open.receipts = 0, 0, nil, nil
	b := w.mini(leaderKey)
	v.Evidence = evidenceVector{crypto.PubkeyToAddress(leaderKey.PublicKey), a.json, b.json}
	return v
}

// codeOf is the vectors' name of an error.
func codeOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if errors.As(err, new(*Equivocation)) {
		return "equivocation"
	}
	f := new(Error)
	if !errors.As(err, &f) {
		t.Fatalf("%v is neither a fault nor evidence", err)
	}
	return string(f.Code)
}

// line tells a Chain of mini-blocks and notes what it does with them.
func line(t *testing.T, name string, check *Checkpoint, minis []object, want string) lineVector {
	t.Helper()
	trust := testTrust()
	trust.Checkpoint = check
	c, err := NewChain(trust, 0)
	if err != nil {
		t.Fatal(err)
	}
	v := lineVector{Name: name, Checkpoint: check}
	var short []string
	for _, m := range minis {
		s := lineStep{MiniBlock: m}
		if m == nil {
			v.Steps = append(v.Steps, lineStep{Restart: true})
			c.Restart()
			short = append(short, "restart")
			continue
		}
		parsed, err := ParseMiniBlock(text(t, m))
		var step Step
		if err == nil {
			step, err = c.Add(parsed)
		}
		s.Error = codeOf(t, err)
		for _, a := range step.Added {
			s.Added = append(s.Added, a.Header.Hash())
		}
		word := ""
		if r := step.Rewound; r != nil {
			s.Rewound = &[2]uint64{r.From, r.To}
			word = fmt.Sprintf("-%d..%d", r.From, r.To)
		}
		if g := step.Gap; g != nil {
			s.Gap = &[2]uint64{g.From, g.To}
			word += fmt.Sprintf("gap%d..%d", g.From, g.To)
		}
		word += fmt.Sprintf("+%d", len(step.Added))
		if s.Error != "" {
			word = s.Error
		}
		short, v.Steps = append(short, word), append(v.Steps, s)
	}
	if got := strings.Join(short, " "); got != want {
		t.Errorf("%s: %s, want %s", name, got, want)
	}
	return v
}

func lineVectors(t *testing.T) (out []lineVector) {
	w := newWorld(t)
	for range 3 {
		w.block([]*chain.Tx{}, []*chain.Tx{})
	}
	all := func(w *world) (list []object) {
		for _, m := range w.minis {
			list = append(list, m.json)
		}
		return list
	}
	minis := all(w)
	genesis := &Checkpoint{-1, w.blocks[0].hash}
	add := func(name, want string, check *Checkpoint, minis ...object) {
		out = append(out, line(t, name, check, minis, want))
	}
	// changed is mini-block i with another header, signed by key.
	changed := func(i int, edit func(*chain.MiniBlockHeader)) object { return resigned(t, minis[i], true, edit) }
	next := func(edit func(*chain.MiniBlockHeader)) []object {
		return []object{minis[3], minis[4], changed(5, edit)}
	}

	add("in order from genesis", "+1 +1 +1 +1 +1 +1 +1 +1 +1", genesis, minis...)
	add("in order from the middle", "+1 +1 +1", nil, minis[4:7]...)
	add("behind a checkpoint", "+1 +1", &Checkpoint{3, w.minis[3].hash}, minis[4:6]...)
	add("not behind a checkpoint", "link", &Checkpoint{3, w.minis[2].hash}, minis[4])
	add("the same again", "+1 +0 +1 +0 +0", genesis, minis[0], minis[0], minis[1], minis[0], minis[1])
	add("one is left out", "+1 gap +1", genesis, minis[0], minis[2], minis[1])
	add("older than the beginning", "+1 link", nil, minis[4], minis[2])
	add("by somebody else", "+1 signature +1", genesis, minis[0], resignedBy(t, otherKey, minis[1]), minis[1])
	add("with high s", "+1 signature", genesis, minis[0], highS(t, minis[1]))
	add("with a signature of another", "+1 signature", genesis, minis[0], withSignature(minis[1], minis[2]["signature"]))
	add("of another chain", "+1 link", genesis, minis[0], changed(1, func(h *chain.MiniBlockHeader) { h.ChainID++ }))
	add("epoch goes back", "+1 link", nil, changed(3, func(h *chain.MiniBlockHeader) { h.Epoch = 5 }), changed(4, func(h *chain.MiniBlockHeader) {
		h.ParentHash = hashOf(changed(3, func(h *chain.MiniBlockHeader) { h.Epoch = 5 }))
	}))
	add("epoch grows", "+1 +1 +1", nil, next(func(h *chain.MiniBlockHeader) { h.Epoch = 1 << 20 })...)
	add("epoch leaps", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.Epoch = 1<<20 + 1 })...)
	add("time goes back", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.TimestampMicros -= 20_000 })...)
	add("wrong index", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.Index++ })...)
	add("wrong first transaction", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.FirstTxIndex++ })...)
	add("a block is left out", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.BlockNumber += 2; h.Index = 0; h.FirstTxIndex = 0 })...)
	add("back to an older block", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.BlockNumber-- })...)
	add("a block does not begin at 0", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.BlockNumber++; h.FirstTxIndex = 0 })...)
	add("wrong number", "+1 +1 link", nil, next(func(h *chain.MiniBlockHeader) { h.Number--; h.Epoch++ })...)
	add("equivocation at the head", "+1 +1 equivocation", genesis, minis[0], minis[1], changed(1, func(h *chain.MiniBlockHeader) { h.DiffHash = common.Hash{1} }))
	add("equivocation behind the head", "+1 +1 +1 equivocation", genesis, minis[0], minis[1], minis[2], changed(1, func(h *chain.MiniBlockHeader) { h.TimestampMicros++ }))
	add("conflict without equivocation", "+1 +1 +1 link", genesis, minis[0], minis[1], resigned(t, minis[2], true, func(h *chain.MiniBlockHeader) { h.Epoch = 2 }), changed(1, func(h *chain.MiniBlockHeader) { h.Epoch = 1 }))

	out = append(out, unsignedLines(t)...)
	// The leader goes back.
	b := newWorld(t)
	for range 2 {
		b.block([]*chain.Tx{}, []*chain.Tx{})
	}
	old := all(b)
	b.back(3)
	b.block([]*chain.Tx{})
	b.block()
	again := all(b)
	seq := slices.Concat(old, again[3:])
	out = append(out,
		line(t, "the leader goes back", genesisOf(b), seq, "+1 +1 +1 +1 +1 +1 -3..5+1 +1 +1"),
		line(t, "a left branch comes again", genesisOf(b), append(slices.Clone(seq), old[3], old[4]), "+1 +1 +1 +1 +1 +1 -3..5+1 +1 +1 link link"),
		line(t, "equivocation on a left branch", genesisOf(b), append(slices.Clone(seq), resigned(t, old[4], true, func(h *chain.MiniBlockHeader) { h.DiffHash = common.Hash{1} })),
			"+1 +1 +1 +1 +1 +1 -3..5+1 +1 +1 equivocation"),
		line(t, "begun anew in the same epoch", nil, []object{old[0], old[1], nil, old[1], old[4], old[5]}, "+1 +1 restart stale gap2..3+1 +1"),
		line(t, "begun anew in a later epoch", nil, []object{old[2], old[3], old[4], nil, again[5]}, "+1 +1 +1 restart -2..4gap2..4+1"),
	)
	return out
}

func genesisOf(w *world) *Checkpoint { return &Checkpoint{-1, w.blocks[0].hash} }

// unsignedLines are about mini-blocks that L1 forced in.
func unsignedLines(t *testing.T) []lineVector {
	w := newWorld(t)
	w.block()
	w.mini(nil, w.deposit())
	w.seal(w.minis[1].hash)
	w.mini(nil, w.deposit())
	w.seal(w.minis[2].hash)
	w.block([]*chain.Tx{})
	var minis []object
	for _, m := range w.minis {
		minis = append(minis, m.json)
	}
	forged := resigned(t, minis[1], false, func(h *chain.MiniBlockHeader) { h.DiffHash = common.Hash{1} })
	// A signed one is replaced: the leader goes back behind what L1 forced in.
	b := newWorld(t)
	b.block()
	b.block([]*chain.Tx{})
	left := []object{b.minis[0].json, b.minis[1].json, b.minis[2].json}
	b.back(1)
	b.epoch = 0
	b.mini(nil)
	b.seal(b.minis[1].hash)
	b.epoch = 1
	b.block()
	return []lineVector{
		line(t, "nobody signed", genesisOf(w), minis, "+1 +0 +0 +3 +1"),
		line(t, "nobody signed and nobody vouches", genesisOf(w), []object{minis[0], forged, minis[2]}, "+1 +0 link"),
		line(t, "nobody signed the first", nil, []object{minis[1], minis[2], minis[3]}, "+0 +0 +1"),
		line(t, "another one vouches", genesisOf(w), []object{minis[0], forged, minis[1], minis[2], minis[3]}, "+1 +0 +0 +0 +3"),
		line(t, "L1 forces a block in", genesisOf(b), append(left, b.minis[1].json, b.minis[2].json), "+1 +1 +1 +0 -1..2+2"),
	}
}

// resigned is a mini-block with another header, signed by the leader or by nobody.
func resigned(t testing.TB, m object, sign bool, edit func(*chain.MiniBlockHeader)) object {
	t.Helper()
	h := headerOf(t, m)
	edit(&h)
	out := object{}
	for k, v := range m {
		out[k] = v
	}
	var sig chain.Signature
	if sign {
		var err error
		if sig, err = h.Sign(leaderKey); err != nil {
			t.Fatal(err)
		}
	}
	n := func(v uint64) hexutil.Uint64 { return hexutil.Uint64(v) }
	for k, v := range (object{
		"chainId": n(h.ChainID), "epoch": n(h.Epoch), "number": n(h.Number), "parentHash": h.ParentHash, "blockNumber": n(h.BlockNumber), "index": n(h.Index),
		"timestampMicros": n(uint64(h.TimestampMicros)), "firstTxIndex": n(h.FirstTxIndex), "diffHash": h.DiffHash, "hash": h.Hash(), "signature": hexutil.Bytes(sig[:]),
	}) {
		out[k] = v
	}
	return out
}

func headerOf(t testing.TB, m object) chain.MiniBlockHeader {
	t.Helper()
	var s Signed
	if err := s.UnmarshalJSON(text(t, m)); err != nil {
		t.Fatal(err)
	}
	h := s.Header
	return chain.MiniBlockHeader{
		ChainID: h.ChainID, Epoch: h.Epoch, Number: h.Number, ParentHash: h.ParentHash, BlockNumber: h.BlockNumber, Index: h.Index,
		TimestampMicros: chain.Micros(h.TimestampMicros), FirstTxIndex: h.FirstTxIndex, TxCount: h.TxCount, GasUsed: chain.Gas(h.GasUsed),
		TxsHash: h.TxsHash, ReceiptsHash: h.ReceiptsHash, DiffHash: h.DiffHash,
	}
}

func hashOf(m object) common.Hash { return m["hash"].(common.Hash) }

func withSignature(m object, sig any) object {
	out := object{}
	for k, v := range m {
		out[k] = v
	}
	out["signature"] = sig
	return out
}

// checkVectors are answers of every kind with lies about every member.
func checkVectors(t *testing.T) []checkVector {
	w := newWorld(t)
	types := []byte{types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType, types.SetCodeTxType}
	var txs []*chain.Tx
	for i, typ := range types {
		txs = append(txs, w.pay(typ, uint64(i)))
	}
	w.block(txs)
	w.mini(leaderKey, w.deposit())
	b, voucher := w.blocks[1], w.minis[2]
	slots := []common.Hash{{31: 1}, {31: 2}, {31: 3}}
	account := func(addr common.Address, slots ...common.Hash) object {
		return object{"root": b.header.Root, "address": addr, "slots": slots, "answer": b.proof(t, addr, slots...)}
	}
	header := object{}
	for k, v := range b.json {
		if k != "transactions" {
			header[k] = v
		}
	}
	list := []checkVector{
		{Name: "a mini-block with a transaction of every type", Kind: "miniBlock", Input: object{"answer": w.minis[1].json}},
		{Name: "a mini-block with a deposit", Kind: "miniBlock", Input: object{"answer": w.minis[0].json}},
		{Name: "a block", Kind: "block", Input: object{"voucher": voucher.json, "diff": hexutil.Bytes(voucher.diff), "header": header}},
		{Name: "the receipts of a block", Kind: "receipts", Input: object{"header": header, "receipts": b.receipts, "block": object{"transactions": b.json["transactions"]}}},
		{Name: "an account with slots", Kind: "account", Input: account(coin, slots...)},
		{Name: "an account without storage", Kind: "account", Input: account(rich, slots[0])},
		{Name: "an account that does not exist", Kind: "account", Input: account(common.Address{7}, slots[0])},
	}
	for i := range list {
		c := &list[i]
		c.Input = asObject(t, c.Input)
		want, err := c.run(c.Input)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		c.Want = want
		leaves(c.Input, nil, nil, func(path []any, of object, value any) {
			if c.trusted(path) || value == nil && path[len(path)-1] != "to" {
				return
			}
			l := lie{Path: slices.Clone(path), Value: lieAbout(value)}
			got, err := c.run(edited(c.Input, path, l.Value).(object))
			l.Error = codeOf(t, err)
			if err == nil && string(text(t, got)) != string(text(t, want)) {
				t.Errorf("%s: a lie about %v goes through", c.Name, path)
			}
			if free := err == nil; free != uncovered(path, of) {
				t.Errorf("%s: lie about %v: %v", c.Name, path, err)
			}
			c.Lies = append(c.Lies, l)
		})
	}
	return list
}

// trusted says that the member is not the node's: the verifier brings it.
func (c *checkVector) trusted(path []any) bool {
	switch path[0] {
	case "root", "address", "slots", "voucher":
		return true
	case "header":
		return c.Kind == "receipts"
	}
	return false
}

// uncovered reports members of an answer that no hash covers, so that they are not taken
// over. of is the object with the member.
func uncovered(path []any, of object) bool {
	name, _ := path[len(path)-1].(string)
	is := func(names ...string) bool { return slices.Contains(names, name) }
	switch {
	case of["sourceHash"] != nil:
		return is("nonce", "gasPrice", "v", "r", "s")
	case of["input"] != nil:
		return is("from") || of["type"] == "0x0" && is("chainId")
	case of["cumulativeGasUsed"] != nil:
		return is("transactionHash", "gasUsed", "from", "finality", "depositReceiptVersion")
	case of["stateRoot"] != nil:
		return is("hash", "miniBlockCount")
	case of["txsHash"] != nil:
		return is("signature") // Chain checks it
	}
	return is("removed", "key")
}
