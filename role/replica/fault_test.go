package replica

import (
	"context"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/state"
)

// lie makes the newest mini-block of the feed another one, which the leader signs.
func (l *leader) lie(change func(m *feed.MiniBlock)) common.Hash {
	l.t.Helper()
	f := l.feed
	f.mu.Lock()
	m, err := feed.DecodeMiniBlock(f.minis[len(f.minis)-1])
	f.minis, f.numbers = f.minis[:len(f.minis)-1], f.numbers[:len(f.numbers)-1]
	f.mu.Unlock()
	if err != nil {
		l.t.Fatal(err)
	}
	change(m)
	m.Header.TxsHash, m.Header.ReceiptsHash, m.Header.DiffHash = chain.TxsHash(m.Txs), chain.ReceiptsHash(m.Receipts), keccak.Sum256(m.Diff)
	if m.Signature, err = m.Header.Sign(l.key); err != nil {
		l.t.Fatal(err)
	}
	f.addMini(m)
	return m.Header.Hash()
}

// hold keeps what is published from readers until the function that is returned is called.
func (l *leader) hold() (release func()) {
	l.feed.setDown(true)
	return func() { l.feed.setDown(false) }
}

// What the leader signs and is wrong stops a replica, with evidence, before anybody sees
// it: at once if it executes, or if the mini-block contradicts itself; at the end of the
// block if only the root tells.
func TestALeaderThatLiesIsCaught(t *testing.T) {
	edit := func(m *feed.MiniBlock, f func(*state.AccessList)) {
		list, err := state.DecodeAccessList(m.Diff)
		if err != nil {
			panic(err)
		}
		f(list)
		m.Diff = list.Encode()
	}
	steps := func(m *feed.MiniBlock) uint32 { return uint32(len(m.Txs)) }
	one := uint64(1)
	for name, c := range map[string]struct {
		change func(m *feed.MiniBlock)
		atEnd  bool // in mode diff the replica learns of it with the block
	}{
		"balance": {func(m *feed.MiniBlock) {
			edit(m, func(a *state.AccessList) { a.AddBalance(steps(m), common.Address{0xff}, *bigOne()) })
		}, true},
		"storage": {func(m *feed.MiniBlock) {
			edit(m, func(a *state.AccessList) {
				a.Add(steps(m), state.Diff{{Address: common.Address{0xff}, Storage: []state.SlotDiff{{Slot: common.Hash{1}, Value: common.Hash{1}}}}})
			})
		}, true},
		"code": {func(m *feed.MiniBlock) {
			edit(m, func(a *state.AccessList) {
				a.Add(steps(m), state.Diff{{Address: common.Address{0xff}, Code: []byte{1}, CodeChanged: true}})
			})
		}, true},
		"nonce": {func(m *feed.MiniBlock) {
			edit(m, func(a *state.AccessList) {
				a.Add(steps(m), state.Diff{{Address: common.Address{0xff}, Nonce: &one}})
			})
		}, true},
		"status": {func(m *feed.MiniBlock) { m.Receipts[0].Status ^= 1 }, true},
		"log": {func(m *feed.MiniBlock) {
			m.Receipts[0].Logs = append(m.Receipts[0].Logs, &types.Log{Address: common.Address{1}})
			m.Receipts[0].Bloom = chain.LogsBloom(m.Receipts[0].Logs)
		}, true},
		"timestamp":         {func(m *feed.MiniBlock) { m.Header.TimestampMicros++ }, false},
		"gas":               {func(m *feed.MiniBlock) { m.Header.GasUsed-- }, false},
		"index":             {func(m *feed.MiniBlock) { m.Header.Index++ }, false},
		"block":             {func(m *feed.MiniBlock) { m.Header.BlockNumber++ }, false},
		"first transaction": {func(m *feed.MiniBlock) { m.Header.FirstTxIndex++ }, false},
		"dropped transaction": {func(m *feed.MiniBlock) {
			m.Txs, m.Receipts, m.Header.TxCount = m.Txs[1:], m.Receipts[1:], m.Header.TxCount-1
		}, false},
	} {
		for mode, execute := range modes {
			t.Run(name+", "+mode, func(t *testing.T) {
				l := newLeader(t, 3)
				f := l.followAt(t.TempDir(), LiveOptions{Execute: execute})
				l.work(10)
				f.reaches(l)
				release := l.hold()
				if !l.node.Exec().IsOpen() {
					l.open()
				}
				m := l.mini(l.sign(0, 0, &storeAddr, 0, make([]byte, 64)), l.sign(1, 0, &makerAddr, 0, nil))
				last := l.lie(c.change)
				if c.atEnd && !execute { // the block ends with the lie, and has the root of the truth
					l.silent = true
					h := types.CopyHeader(l.seal().Header)
					extra, err := chain.DecodeExtra(h.Extra)
					if err != nil {
						t.Fatal(err)
					}
					extra.LastMiniBlock = last
					h.Extra = extra.Encode()
					l.feed.addBlock(&feed.Block{Header: h, LastMiniBlock: m.Header.Number})
					l.open() // which vouches for the hash
					l.lie(func(m *feed.MiniBlock) { m.Header.ParentHash = last })
				}
				release()
				d := f.fails()
				if !execute && c.atEnd {
					if raw, err := os.ReadFile(d.File); d.Kind != "mini-block" || err != nil || !strings.Contains(string(raw), `"parent"`) {
						t.Errorf("found as %s: %v, %v", d.Kind, d, err)
					}
					return
				}
				if got, err := f.node.MiniBlockByNumber(t.Context(), m.Header.Number); got != nil || err != nil {
					t.Errorf("mini-block %d was published: %v", m.Header.Number, err)
				}
				if !strings.Contains(d.Error(), "evidence-") {
					t.Errorf("no evidence: %v", d)
				}
			})
		}
	}
}

// Two signed mini-blocks of one number and epoch are evidence, also if the second one only
// shows in what follows it.
func TestEquivocationIsCaught(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		l := newLeader(t, 3)
		f := l.followAt(t.TempDir(), LiveOptions{})
		l.open()
		l.mini(l.sign(0, 0, &storeAddr, 0, make([]byte, 64)))
		f.reaches(l)
		l.work(0)
		release := l.hold()
		if err := l.node.Rewind(0); err != nil {
			t.Fatal(err)
		}
		l.now = l.node.PublishedHead().Time
		l.open() // with another time, in the same epoch
		l.mini()
		if hidden {
			l.feed.mu.Lock()
			n := len(l.feed.minis)
			l.feed.minis, l.feed.numbers = append(l.feed.minis[:n-2], l.feed.minis[n-1]), append(l.feed.numbers[:n-2], l.feed.numbers[n-1])
			l.feed.mu.Unlock()
		}
		release()
		if d := f.fails(); d.Kind != "equivocation" {
			t.Errorf("found as %s: %v", d.Kind, d)
		}
	}
}

// What the feed says of a sealed block nobody has signed. If it is wrong, whatever of the
// header differs, and whether the block ends there or not, the replica goes on with what
// the leader signs.
func TestAWrongWordOfABlockIsNotBelieved(t *testing.T) {
	for name, change := range map[string]func(h *types.Header){
		"root":     func(h *types.Header) { h.Root[0]++ },
		"receipts": func(h *types.Header) { h.ReceiptHash[0]++ },
		"bloom":    func(h *types.Header) { h.Bloom[0]++ },
		"gas":      func(h *types.Header) { h.GasUsed++ },
		"fee":      func(h *types.Header) { h.BaseFee = big.NewInt(1) },
		"early":    nil,
	} {
		for mode, execute := range modes {
			t.Run(name+", "+mode, func(t *testing.T) {
				l := newLeader(t, 3)
				f := l.followAt(t.TempDir(), LiveOptions{Execute: execute})
				l.work(8)
				if !l.node.Exec().IsOpen() {
					l.open()
				}
				l.silent = true
				if change == nil {
					m := l.mini()
					h := types.CopyHeader(l.node.Exec().OpenHeader())
					h.Extra = (&chain.Extra{LastMiniBlock: m.Header.Hash()}).Encode()
					l.feed.addBlock(&feed.Block{Header: h, LastMiniBlock: m.Header.Number})
					f.reaches(l)
					l.mini(l.sign(0, 0, &storeAddr, 0, make([]byte, 64)))
					l.seal()
				} else {
					b := l.seal()
					h := types.CopyHeader(b.Header)
					change(h)
					l.feed.addBlock(&feed.Block{Header: h, LastMiniBlock: b.MiniBlocks[len(b.MiniBlocks)-1].Number})
				}
				l.silent = false
				l.work(8)
				f.agrees(l)
			})
		}
	}
}

// A body that is not the one of the header shows nothing against who signed the header,
// whatever signatures are in it.
func TestAChangedSignatureIsNoEvidence(t *testing.T) {
	l := newLeader(t, 3)
	l.feed.fault = func(_ uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
		for i, tx := range m.Txs {
			if tx.IsDeposit() {
				continue
			}
			raw := append([]byte(nil), tx.Raw()...)
			raw[len(raw)-1] ^= 1 // of s
			changed, err := chain.RestoreTx(raw, tx.From())
			if err != nil {
				t.Error(err)
			} else {
				m.Txs[i] = changed
			}
			break
		}
		return []*feed.MiniBlock{m}
	}
	c := NewClient(serve(t, &node.Backend{Node: l.node}))
	t.Cleanup(c.Close)
	f := l.followAt(t.TempDir(), LiveOptions{Leader: c, Execute: true})
	l.work(40)
	f.agrees(l)
}

// Every byte of a message can be flipped on its way: whatever comes of it, nothing that is
// wrong is published.
func TestNoFlippedByteIsPublished(t *testing.T) {
	l := newLeader(t, 4)
	l.work(6)
	if l.node.Exec().IsOpen() {
		l.seal()
	}
	n := openNodeAt(t, t.TempDir(), l.g)
	defer n.Close()
	live := &Live{node: n, chain: n.Exec(), opts: LiveOptions{Signer: l.g.Config.Sequencer, Patience: time.Hour}, log: quiet(), expected: make(map[uint64]*feed.Block), decoder: chain.NewDecoder(n.Config()), moved: time.Now()}
	blocks := 0
	for i, raw := range l.feed.minis {
		step := max(1, len(raw)/400)
		for at := i % step; at < len(raw); at += step {
			flipped := append([]byte(nil), raw...)
			flipped[at] ^= byte(1 << (at % 8))
			m, err := feed.DecodeMiniBlock(flipped)
			if err != nil {
				continue
			}
			next := live.tip()
			if err = live.verify(t.Context(), m); err == nil {
				err = live.take(m)
			}
			if live.tip() == next && len(live.unsigned) == 0 {
				continue // refused, or passed over
			}
			if err != nil {
				t.Fatalf("byte %d of mini-block %d: %v", at, i, err)
			}
			// What is neither signed nor in the diff: randomness and parameters, which the end
			// of the block shows.
			if got := m.Attributes; m.Header.Index != 0 || !onlyUnbound(got, l.attributes(m.Header.BlockNumber)) || string(m.Diff) != string(mustDecode(t, raw).Diff) {
				t.Fatalf("byte %d of mini-block %d was taken: %+v", at, i, got)
			}
			if err := live.goBack(live.chain.Parent().Number.Uint64()); err != nil {
				t.Fatal(err)
			}
			if next.next != live.tip().next {
				t.Fatalf("back at %d, want %d", live.tip().next, next.next)
			}
		}
		m := mustDecode(t, raw)
		if err := live.verify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := live.take(m); err != nil {
			t.Fatalf("mini-block %d as it was: %v", i, err)
		}
		for ; blocks < len(l.feed.blocks) && l.feed.heights[blocks] == m.Header.BlockNumber; blocks++ {
			b, err := feed.DecodeBlock(l.feed.blocks[blocks])
			if err != nil {
				t.Fatal(err)
			}
			if b.LastMiniBlock > m.Header.Number {
				break
			}
			if err := live.sealed(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n.PublishedHead().Hash() != l.node.PublishedHead().Hash() {
		t.Fatalf("head %s, want %s", n.PublishedHead().Hash(), l.node.PublishedHead().Hash())
	}
}

// onlyUnbound says that two blocks differ in nothing but randomness and parameters.
func onlyUnbound(a, b chain.Attributes) bool {
	a.PrevRandao, a.Params, a.BaseFee = b.PrevRandao, b.Params, b.BaseFee
	return a == b
}

func (l *leader) attributes(number uint64) chain.Attributes {
	h, err := l.node.HeaderByNumber(context.Background(), number)
	if err != nil || h == nil {
		l.t.Fatalf("block %d: %v", number, err)
	}
	return chain.Attributes{Timestamp: h.Time, PrevRandao: h.MixDigest, ParentBeacon: *h.ParentBeaconRoot, Params: chain.ParamsOf(&l.g.Config, h)}
}

func mustDecode(t *testing.T, raw []byte) *feed.MiniBlock {
	t.Helper()
	m, err := feed.DecodeMiniBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The content of a block may have been changed on the way where nothing but its hash
// tells: it is asked for again where it does not fit.
func TestAttributesThatWereChangedAreAskedForAgain(t *testing.T) {
	l := newLeader(t, 6)
	c := NewClient(serve(t, &node.Backend{Node: l.node}))
	t.Cleanup(c.Close)
	l.feed.fault = func(_ uint64, _ int, m *feed.MiniBlock) []*feed.MiniBlock {
		if m.Header.Index == 0 {
			m.Attributes.PrevRandao[0]++
		}
		return []*feed.MiniBlock{m}
	}
	l.open()
	l.mini(l.random(0))
	f := l.followAt(t.TempDir(), LiveOptions{Leader: c})
	l.mini(l.random(1))
	l.seal()
	f.agrees(l)
}
