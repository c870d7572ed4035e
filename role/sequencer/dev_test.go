package sequencer

import (
	"context"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
)

var newest = rpc.StateRef{Newest: true}

func newDevRig(t *testing.T) *rig { return newRigWith(t, func(r *rig) { r.dev = true }) }

// ctx bounds a command: none waits for the clock.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) mine(order rpc.DevMine) {
	r.t.Helper()
	r.must(r.seq.Dev().Mine(r.ctx(), order))
}

func (r *rig) set(change func(*rpc.DevSettings, rpc.DevNow) error) rpc.DevSettings {
	r.t.Helper()
	after, err := r.seq.Dev().Change(r.ctx(), change)
	r.must(err)
	return after
}

func (r *rig) balance(a common.Address, ref rpc.StateRef) int64 {
	r.t.Helper()
	v, err := r.node.Balance(context.Background(), a, ref)
	r.must(err)
	return v.Int64()
}

func (r *rig) setBalance(a common.Address, wei uint64) {
	r.t.Helper()
	r.must(r.seq.Dev().Edit(r.ctx(), rpc.DevEdit{Address: a, Balance: uint256.NewInt(wei)}))
}

func (r *rig) head() *types.Header { return r.node.PublishedHead() }

// send sends value from an account without key or of a user.
func (r *rig) send(from, to common.Address, value int64) (*rpc.TxInfo, error) {
	return r.seq.Dev().Send(r.ctx(), rpc.DevTx{From: from, Make: func(nonce uint64) types.TxData {
		return &types.DynamicFeeTx{
			ChainID: new(big.Int).SetUint64(r.g.Config.ChainID), Nonce: nonce, Gas: 100_000, To: &to, Value: big.NewInt(value),
			GasFeeCap: big.NewInt(10_000_000), GasTipCap: big.NewInt(1),
		}
	}})
}

func (r *rig) user(i int) common.Address { return crypto.PubkeyToAddress(r.users[i].PublicKey) }

// hashes are those of all sealed blocks.
func (r *rig) hashes() (out []common.Hash) {
	r.t.Helper()
	for n := range r.head().Number.Uint64() + 1 {
		b, err := r.node.BlockByNumber(context.Background(), n)
		r.must(err)
		out = append(out, b.Hash())
	}
	return out
}

// crash goes on in a copy of the data directory as it is now, as after kill -9. Nothing
// may be under way.
func (r *rig) crash() {
	r.t.Helper()
	r.must(r.node.AfterWrites(func() error { return nil }))
	to := r.t.TempDir()
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the log prepared its next segment
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	r.must(err)
	r.stop()
	r.dir = to
	r.start()
}

// restarts are the ways for a chain to go on.
func restarts(t *testing.T, test func(t *testing.T, r *rig, again func())) {
	for name, again := range map[string]func(*rig){
		"the same process": func(*rig) {},
		"a clean stop":     func(r *rig) { r.stop(); r.start() },
		"a crash":          (*rig).crash,
	} {
		t.Run(name, func(t *testing.T) {
			r := newDevRig(t)
			test(t, r, func() { again(r) })
		})
	}
}

func TestABlockIsSealedBehindEachTransactionAndNoOther(t *testing.T) {
	r := newDevRig(t)
	for nonce := range uint64(3) {
		info, err := r.await(r.submit(r.transfer(0, nonce, 1)))
		r.must(err)
		if info.BlockHash != r.head().Hash() || info.BlockNumber != nonce+1 || r.node.Pending() != nil {
			t.Errorf("transaction %d is in block %d %s, head is %d %s", nonce, info.BlockNumber, info.BlockHash, r.head().Number, r.head().Hash())
		}
	}
	if _, err := r.await(r.submit(r.transfer(0, 1, 1))); err == nil || !strings.Contains(err.Error(), "nonce too low") {
		t.Errorf("old nonce: %v", err)
	}
	if n := r.head().Number.Uint64(); n != 3 {
		t.Errorf("head is %d after a refusal, want 3", n)
	}
	r.mine(rpc.DevMine{Blocks: 20})
	if n := r.head().Number.Uint64(); n != 23 {
		t.Errorf("head is %d after 20 more, want 23", n)
	}
	info, err := r.send(r.user(1), common.Address{0xbb}, 5)
	if r.must(err); info.Tx.From() != r.user(1) || info.Receipt.Status != 1 || info.BlockHash != r.head().Hash() {
		t.Errorf("sent %+v", info)
	}
}

func TestTheClockOfADevelopmentChainIsSetAndKept(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		before := r.head().Time
		r.mine(rpc.DevMine{Blocks: 1, Timestamp: before + 500_000})
		if got := r.head().Time; got != before+500_000 {
			t.Fatalf("timestamp %d, want %d", got, before+500_000)
		}
		again()
		r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { s.OffsetMicros += 3600 * 1_000_000; return nil })
		again()
		r.mine(rpc.DevMine{Blocks: 1})
		if got := r.head().Time - before; got < 503_600 || got > 503_700 {
			t.Errorf("timestamp is %d s later, want 503600 and some", got)
		}
		next := r.head().Time + 1_000_000
		r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { s.NextTimestamp = next; return nil })
		again()
		if _, err := r.send(r.user(0), common.Address{1}, 1); err != nil || r.head().Time != next {
			t.Errorf("timestamp %d, want %d (%v)", r.head().Time, next, err)
		}
		again()
		r.mine(rpc.DevMine{Blocks: 3, Interval: 60})
		if got := r.head().Time - next; got < 121 || got > 221 {
			t.Errorf("three blocks 60 s apart end %d s later", got)
		}
	})
}

func TestEditsAreInStateRootHistoryAndAfterACrash(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		a, contract := common.Address{0xe1}, common.Address{0xe2}
		root := r.head().Root
		r.setBalance(a, 77)
		if got := r.balance(a, newest); got != 77 || r.head().Number.Uint64() != 0 {
			t.Fatalf("balance %d in block %d, want 77 and no new block", got, r.head().Number)
		}
		again()
		if got := r.balance(a, newest); got != 77 {
			t.Fatalf("balance %d, want 77", got)
		}
		// PUSH0 SLOAD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
		code, slot, nonce := common.FromHex("5f545f5260205ff3"), common.Hash{}, uint64(9)
		r.must(r.seq.Dev().Edit(r.ctx(), rpc.DevEdit{Address: contract, Code: &code, Nonce: &nonce}))
		r.must(r.seq.Dev().Edit(r.ctx(), rpc.DevEdit{Address: contract, Slot: &slot, Value: common.Hash{31: 42}}))
		call := &rpc.CallRequest{Msg: rpc.CallMsg{To: &contract, Value: new(big.Int)}, State: newest, GasCap: 1_000_000}
		if out, err := r.node.Call(r.ctx(), call); err != nil || common.BytesToHash(out.ReturnData) != (common.Hash{31: 42}) {
			t.Fatalf("call: %+v (%v)", out, err)
		}
		again()
		r.mine(rpc.DevMine{Blocks: 1})
		if r.head().Root == root || r.head().Number.Uint64() != 1 {
			t.Errorf("block %d has root %s, that before is %s", r.head().Number, r.head().Root, root)
		}
		r.setBalance(a, 78)
		again()
		r.mine(rpc.DevMine{Blocks: 1})
		again()
		for n, want := range []int64{0, 77, 78} {
			if got := r.balance(a, rpc.StateRef{Number: uint64(n)}); got != want {
				t.Errorf("balance %d at block %d, want %d", got, n, want)
			}
		}
		if n, err := r.node.Nonce(context.Background(), contract, rpc.StateRef{Number: 1}); err != nil || n != 9 {
			t.Errorf("nonce %d (%v), want 9", n, err)
		}
	})
}

func TestEditsThatCannotBeAreRefused(t *testing.T) {
	r := newDevRig(t)
	_, err := r.send(r.user(0), common.Address{1}, 1)
	r.must(err)
	low, slot := uint64(0), common.Hash{}
	for want, edit := range map[string]rpc.DevEdit{
		"would go back from 1": {Address: r.user(0), Nonce: &low},
		"does not exist":       {Address: common.Address{0xcc}, Slot: &slot, Value: common.Hash{1}},
	} {
		if err := r.seq.Dev().Edit(r.ctx(), edit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestGoingBackUndoesBlocksEditsAndTime(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		a := common.Address{0xe1}
		_, err := r.send(r.user(0), a, 5)
		r.must(err)
		r.setBalance(a, 100)
		id, err := r.seq.Dev().Snapshot(r.ctx())
		r.must(err)
		at := r.head().Hash()
		again()
		r.setBalance(a, 200)
		for range 40 { // longer than the log is kept
			_, err := r.send(r.user(0), a, 1)
			r.must(err)
		}
		r.mine(rpc.DevMine{Blocks: 1, Timestamp: r.head().Time + 1_000_000})
		later, err := r.seq.Dev().Snapshot(r.ctx())
		r.must(err)
		r.setBalance(a, 300)
		again()
		if known, err := r.seq.Dev().Revert(r.ctx(), id); err != nil || !known {
			t.Fatalf("revert: %v (%v)", known, err)
		}
		check := func() {
			t.Helper()
			if r.head().Hash() != at || r.balance(a, newest) != 100 {
				t.Fatalf("head %d %s, want %s; balance %d, want 100", r.head().Number, r.head().Hash(), at, r.balance(a, newest))
			}
		}
		check()
		again()
		check()
		for _, gone := range []uint64{id, later, 99} {
			if known, err := r.seq.Dev().Revert(r.ctx(), gone); err != nil || known {
				t.Errorf("snapshot %d is still known (%v)", gone, err)
			}
		}
		_, err = r.send(r.user(0), a, 1)
		r.must(err)
		if since := r.head().Time - r.g.Timestamp; since > 100 {
			t.Errorf("the clock is %d s ahead of genesis", since)
		}
		hashes := r.hashes()
		again()
		if now := r.hashes(); len(now) != len(hashes) || now[len(now)-1] != hashes[len(hashes)-1] || r.balance(a, newest) != 101 {
			t.Errorf("chain %v became %v, balance %d", hashes, now, r.balance(a, newest))
		}
	})
}

// A kill between the decision to go back and its end leaves a chain that has gone back.
func TestGoingBackIsCompletedAfterACrash(t *testing.T) {
	for name, undone := range map[string]uint64{"nothing undone yet": 6, "half way": 4, "all undone": 2} {
		t.Run(name, func(t *testing.T) {
			r := newDevRig(t)
			a := common.Address{0xe1}
			for range 2 {
				_, err := r.send(r.user(0), a, 1)
				r.must(err)
			}
			at := r.head().Hash()
			for range 4 {
				_, err := r.send(r.user(0), a, 1)
				r.must(err)
			}
			r.setBalance(a, 1_000)
			last := max(r.seq.wal.Durable(), r.seq.durable.reached())
			r.stop()
			dir, err := store.OpenDir(r.dir)
			r.must(err)
			n, err := node.Open(dir, node.Options{Development: true})
			r.must(err)
			target := uint64(2)
			r.must(n.SaveDevelopment(&devRecord{Target: &target, UndoneSeq: last}))
			r.must(n.Rewind(undone))
			r.must(n.Close())
			r.start()
			if r.head().Hash() != at || r.balance(a, newest) != 2 {
				t.Fatalf("head %d %s, want 2 %s; balance %d, want 2", r.head().Number, r.head().Hash(), at, r.balance(a, newest))
			}
			_, err = r.send(r.user(0), a, 1)
			r.must(err)
			after := r.head().Hash()
			r.crash()
			if r.head().Hash() != after || r.balance(a, newest) != 3 {
				t.Errorf("head %d %s, want %s; balance %d, want 3", r.head().Number, r.head().Hash(), after, r.balance(a, newest))
			}
		})
	}
}

func TestResetGoesBackToGenesis(t *testing.T) {
	r := newDevRig(t)
	genesis := r.head().Hash()
	r.setBalance(common.Address{1}, 5)
	r.mine(rpc.DevMine{Blocks: 3})
	r.must(r.seq.Dev().Reset(r.ctx()))
	if r.head().Hash() != genesis || r.balance(common.Address{1}, newest) != 0 {
		t.Errorf("head %d, balance %d after a reset", r.head().Number, r.balance(common.Address{1}, newest))
	}
	r.mine(rpc.DevMine{Blocks: 1})
}

func TestAnImpersonatedContractSends(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		contract, to := common.Address{0xc0}, common.Address{0xd0}
		code := []byte{0}
		r.must(r.seq.Dev().Edit(r.ctx(), rpc.DevEdit{Address: contract, Code: &code, Balance: uint256.NewInt(1e18)}))
		if _, err := r.send(contract, to, 1); err == nil || !strings.Contains(err.Error(), "not impersonated") {
			t.Fatalf("a stranger sent: %v", err)
		}
		r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { s.Impersonated[contract] = true; return nil })
		again()
		info, err := r.send(contract, to, 7)
		r.must(err)
		if info.Tx.From() != contract || info.Receipt.Status != 1 || !info.Tx.Unsigned() {
			t.Errorf("sent %+v", info)
		}
		hashes := r.hashes()
		again()
		found, err := r.node.TxByHash(context.Background(), info.Tx.Hash())
		if err != nil || found == nil || found.Tx.From() != contract || !found.Tx.Unsigned() {
			t.Errorf("found %+v (%v)", found, err)
		}
		if now := r.hashes(); now[len(now)-1] != hashes[len(hashes)-1] || r.balance(to, newest) != 7 {
			t.Errorf("balance %d after again, want 7", r.balance(to, newest))
		}
		r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { delete(s.Impersonated, contract); return nil })
		if _, err := r.send(contract, to, 1); err == nil {
			t.Error("it sends still")
		}
	})
}

func TestWithoutAutomineBlocksAreSealedByCommand(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { s.Manual = true; return nil })
		again()
		var infos []*rpc.TxInfo
		for range 3 {
			info, err := r.send(r.user(0), common.Address{0xaa}, 1)
			r.must(err)
			infos = append(infos, info)
			r.setBalance(common.Address{0xab}, info.Tx.Nonce()+1)
		}
		if r.head().Number.Uint64() != 0 || r.balance(common.Address{0xaa}, newest) != 3 || r.balance(common.Address{0xab}, newest) != 3 {
			t.Fatalf("head %d, balance %d", r.head().Number, r.balance(common.Address{0xaa}, newest))
		}
		again()
		r.mine(rpc.DevMine{Blocks: 1})
		for _, info := range infos {
			found, err := r.node.TxByHash(context.Background(), info.Tx.Hash())
			if err != nil || found == nil || found.BlockHash != r.head().Hash() {
				t.Errorf("found %+v (%v)", found, err)
			}
		}
		if got := r.balance(common.Address{0xab}, rpc.StateRef{Number: 1}); got != 3 {
			t.Errorf("edited balance %d, want 3", got)
		}
		_, err := r.send(r.user(0), common.Address{0xaa}, 1)
		r.must(err)
		r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { s.Manual = false; return nil })
		if r.head().Number.Uint64() != 2 || r.node.Pending() != nil {
			t.Errorf("head %d after automine is on again, want 2", r.head().Number)
		}
	})
}

func TestBlocksAreSealedByTime(t *testing.T) {
	r := newDevRig(t)
	feed := r.node.Subscribe(1000)
	defer feed.Close()
	r.set(func(s *rpc.DevSettings, _ rpc.DevNow) error { s.Manual, s.IntervalMillis = true, 100; return nil })
	for sealed := 0; sealed < 3; {
		if ev := <-feed.Events(); ev.Sealed != nil {
			sealed++
		}
	}
}

func TestTheNextBlocksFeeAndRandomnessAreSet(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		randao := common.Hash{9}
		r.set(func(s *rpc.DevSettings, n rpc.DevNow) error {
			s.NextBaseFee, s.BaseFeeBlock = big.NewInt(5), n.Head+1
			s.PrevRandao, s.RandaoBlock = &randao, n.Head+1
			return nil
		})
		again()
		r.mine(rpc.DevMine{Blocks: 1})
		if h := r.head(); h.BaseFee.Int64() != 5 || h.MixDigest != randao {
			t.Errorf("base fee %s, randomness %s", h.BaseFee, h.MixDigest)
		}
		hash := r.head().Hash()
		again()
		if r.head().Hash() != hash {
			t.Error("another block after again")
		}
		r.mine(rpc.DevMine{Blocks: 1})
		if h := r.head(); h.BaseFee.Int64() <= 5 || h.MixDigest == randao {
			t.Errorf("the block after: base fee %s, randomness %s", h.BaseFee, h.MixDigest)
		}
	})
}

func TestL1NeverHoldsADevelopmentChainUp(t *testing.T) {
	r := newRigWith(t, func(r *rig) { r.dev, r.oldOrigin = true, true })
	r.mine(rpc.DevMine{Blocks: 2, Timestamp: r.head().Time + 100_000_000})
	for n := range uint64(50) {
		r.l1.add(&derive.L1Block{Number: n + 1, Hash: common.Hash{byte(n + 1)}, Timestamp: 5, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1)})
	}
	r.mine(rpc.DevMine{Blocks: 1})
	b, err := r.node.BlockByNumber(context.Background(), 3)
	if err != nil || len(b.Txs) != 0 {
		t.Errorf("a block without deposits has %d transactions (%v)", len(b.Txs), err)
	}
}

// depositBlock is an L1 block that deposits a wei to 0x…02.
func (r *rig) depositBlock(number uint64) *derive.L1Block {
	opaque := append(common.Hash{31: 1}.Bytes(), common.Hash{31: 1}.Bytes()...)
	opaque = append(opaque, 0, 0, 0, 0, 0, 1, 0, 0) // gas 65536
	opaque = append(opaque, 0)                      // no creation
	data := append(common.Hash{31: 32}.Bytes(), common.Hash{31: byte(len(opaque))}.Bytes()...)
	data = append(data, common.RightPadBytes(opaque, 96)...)
	return &derive.L1Block{
		Number: number, Hash: common.Hash{byte(number)}, Timestamp: 5, BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1),
		Logs: []*types.Log{{Address: r.g.Config.Portal, Topics: []common.Hash{chain.DepositEventTopic, {31: 1}, {31: 2}, {}}, Data: data}},
	}
}

// A deposit makes a block, and is executed once, whatever happens to the chain. The
// fake L1 forgets what it has handed out, so it is asked for what comes after.
func TestDepositsAreExecutedOnce(t *testing.T) {
	restarts(t, func(t *testing.T, r *rig, again func()) {
		id, err := r.seq.Dev().Snapshot(r.ctx())
		r.must(err)
		feed := r.node.Subscribe(1000)
		defer feed.Close()
		r.l1.add(r.depositBlock(1))
		r.l1.add(r.depositBlock(2))
		for sealed := 0; sealed < 2; {
			if ev := <-feed.Events(); ev.Sealed != nil {
				sealed++
			}
		}
		to := common.Address{19: 2}
		if got := r.balance(to, newest); got != 2 {
			t.Fatalf("two deposits of a wei made %d", got)
		}
		again()
		if r.origin.Number > 2 || r.restarted && r.origin.Number != 2 {
			t.Errorf("L1 goes on from block %d, want 2", r.origin.Number)
		}
		if known, err := r.seq.Dev().Revert(r.ctx(), id); err != nil || !known {
			t.Fatalf("revert: %v (%v)", known, err)
		}
		again()
		if r.restarted && r.origin.Number != 2 {
			t.Errorf("after going back L1 goes on from block %d, want 2", r.origin.Number)
		}
		r.mine(rpc.DevMine{Blocks: 2})
		again()
		if r.balance(to, newest) != 0 || r.restarted && r.origin.Number != 2 {
			t.Errorf("balance %d after going back; L1 goes on from block %d", r.balance(to, newest), r.origin.Number)
		}
	})
}

func TestAChainIsOfOneKindForGood(t *testing.T) {
	for _, dev := range []bool{false, true} {
		r := newRigWith(t, func(r *rig) { r.dev = dev })
		if !dev && r.seq.Dev() != nil {
			t.Error("a chain that L1 can derive takes commands")
		}
		feed := r.node.Subscribe(1000)
		if dev {
			r.mine(rpc.DevMine{Blocks: 1})
		} else {
			for ev := range feed.Events() {
				if ev.Sealed != nil {
					break
				}
			}
		}
		feed.Close()
		r.stop()
		dir, err := store.OpenDir(r.dir)
		r.must(err)
		if _, err := node.Open(dir, node.Options{Development: !dev}); err == nil || !strings.Contains(err.Error(), "use another data directory") {
			t.Errorf("opened as the other kind: %v", err)
		}
	}
}

func TestACommandEndsWithTheSequencer(t *testing.T) {
	r := newDevRig(t)
	dev := r.seq.Dev()
	r.stop()
	var e *rpc.Error
	if err := dev.Mine(r.ctx(), rpc.DevMine{Blocks: 1}); !errors.As(err, &e) || e.Code != rpc.CodeNotReady {
		t.Errorf("after a stop: %v", err)
	}
}
