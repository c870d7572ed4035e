package exits_test

import (
	"context"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/talaria-l2/talaria/bridge"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/l1"
	"github.com/talaria-l2/talaria/l1/bindings"
	"github.com/talaria-l2/talaria/l1/deploy"
	"github.com/talaria-l2/talaria/l1/devl1"
	"github.com/talaria-l2/talaria/role/exits"
	"github.com/talaria-l2/talaria/rpc"
)

// made is the block with the withdrawal of fakeChain, and head its newest.
const made, head = 5, 9

// fakeChain is a chain of ten blocks with one withdrawal.
type fakeChain struct {
	headers  []*types.Header
	w        *bridge.Withdrawal
	tx       common.Hash
	receipts []*chain.Receipt
	final    uint64
	time     uint64
}

func (f *fakeChain) Head() *types.Header               { return f.headers[head] }
func (f *fakeChain) Pending() *rpc.OpenBlock           { return nil }
func (f *fakeChain) Finality() (safe, final uint64)    { return f.final, f.final }
func (f *fakeChain) TierTimes(uint64) (t rpc.TierTime) { return t }

func (f *fakeChain) HeaderByNumber(_ context.Context, number uint64) (*types.Header, error) {
	return f.headers[number], nil
}

func (f *fakeChain) BlockByNumber(_ context.Context, number uint64) (*chain.Block, error) {
	tx := chain.NewDepositTx(&chain.Deposit{Value: new(big.Int)})
	f.tx = tx.Hash()
	return chain.NewBlock(f.headers[number], []*chain.Tx{tx}, f.receipts, nil), nil
}

func (f *fakeChain) TxByHash(context.Context, common.Hash) (*rpc.TxInfo, error) { return nil, nil }

func (f *fakeChain) Storage(_ context.Context, addr common.Address, slot common.Hash, ref rpc.StateRef) (v common.Hash, err error) {
	if addr == chain.MessagePasserAddr && slot == bridge.Slot(f.w.Hash()) && (ref.Newest || ref.Number >= made) {
		v[31] = 1
	}
	return v, nil
}

// nodes gathers a proof.
type nodes [][]byte

func (n *nodes) Put(_, value []byte) error { *n = append(*n, common.CopyBytes(value)); return nil }
func (n *nodes) Delete([]byte) error       { return nil }

// newChain makes the chain, and the proof of its withdrawal.
func newChain(t *testing.T, now uint64) (*fakeChain, nodes) {
	t.Helper()
	f := &fakeChain{time: now, w: &bridge.Withdrawal{
		Nonce: big.NewInt(1), Sender: common.Address{1}, Target: common.HexToAddress("0xca11ed"), Value: big.NewInt(1e18), GasLimit: big.NewInt(50_000), Data: []byte{},
	}}
	hash := f.w.Hash()
	storage := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	key := crypto.Keccak256(bridge.Slot(hash).Bytes())
	if err := storage.Update(key, []byte{1}); err != nil {
		t.Fatal(err)
	}
	root, proof := storage.Hash(), nodes{}
	if err := storage.Prove(key, &proof); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(head + 1) {
		h := &types.Header{Number: new(big.Int).SetUint64(i), Time: now + i, Difficulty: new(big.Int), WithdrawalsHash: &types.EmptyRootHash}
		if i >= made {
			h.WithdrawalsHash = &root
		}
		f.headers = append(f.headers, h)
	}
	topics := []common.Hash{bridge.MessagePassedTopic, common.BigToHash(f.w.Nonce), common.BytesToHash(f.w.Sender[:]), common.BytesToHash(f.w.Target[:])}
	data := append(common.BigToHash(f.w.Value).Bytes(), common.BigToHash(f.w.GasLimit).Bytes()...)
	data = append(append(data, common.BigToHash(big.NewInt(128)).Bytes()...), hash[:]...)
	f.receipts = []*chain.Receipt{{Status: 1, Logs: []*types.Log{{Address: chain.MessagePasserAddr, Topics: topics, Data: append(data, make([]byte, 32)...)}}}}
	return f, proof
}

// world is an L1 with the contracts of a chain.
type world struct {
	t      *testing.T
	l1     *devl1.L1
	sender *l1.Sender
	chain  *fakeChain
	at     deploy.Addresses
	reader *exits.Reader
}

// send sends a transaction and mines it.
func (w *world) send(to *common.Address, value int64, data []byte) {
	w.t.Helper()
	err := w.l1.MineInstantly(w.t.Context(), func(ctx context.Context) error {
		_, err := w.sender.Send(ctx, l1.Request{To: to, Value: big.NewInt(value), Data: data})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// claim claims the output of a block, or another than that.
func (w *world) claim(block uint64, right bool) {
	w.t.Helper()
	if right {
		w.claimOthers(block, 0, 1)
	} else {
		w.claimOthers(block, 1, 2)
	}
}

// claimOthers claims other outputs than that of a block, in as few L1 blocks as they take:
// one for each number from..to-1, of which 0 is its own.
func (w *world) claimOthers(block uint64, from, to byte) {
	w.t.Helper()
	const atOnce = 40
	for ; from < to; from += min(atOnce, to-from) {
		err := w.l1.MineInstantly(w.t.Context(), func(ctx context.Context) error {
			var sent []*l1.Pending
			for which := from; which < min(to, from+atOnce); which++ {
				root, err := chain.OutputRoot(w.chain.headers[block])
				if err != nil {
					return err
				}
				root[0] ^= which
				extra := common.BigToHash(new(big.Int).SetUint64(block))
				p, err := w.sender.Submit(ctx, l1.Request{
					To: &w.at.DisputeGameFactory, Value: big.NewInt(1e16), Gas: 700_000,
					Data: bindings.NewDisputeGameFactory().PackCreate(deploy.GameType, root, extra[:]),
				})
				if err != nil {
					return err
				}
				sent = append(sent, p)
			}
			for _, p := range sent {
				if _, err := p.Wait(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// status asks where the withdrawal stands.
func (w *world) status() *rpc.WithdrawalStatus {
	w.t.Helper()
	s, err := w.reader.Withdrawal(w.t.Context(), w.chain.w.Hash(), 0)
	if err != nil || s == nil {
		w.t.Fatalf("status: %+v %v", s, err)
	}
	return s
}

// is expects a state, and mines for it as long as that can help.
func (w *world) is(state bridge.State, reason string) *rpc.WithdrawalStatus {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s := w.status()
		if s.State == string(state) && strings.Contains(s.Reason, reason) {
			return s
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("it is %s because %s, want %s because %s", s.State, s.Reason, state, reason)
		}
		if _, err := w.l1.Mine(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// newWorld deploys the contracts, and counts what the reader asks them. The proof is of the
// chain's withdrawal.
func newWorld(t *testing.T) (*world, *calls, nodes) {
	t.Helper()
	embedded, err := devl1.Start(devl1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = embedded.Close() })
	client, err := l1.Dial(t.Context(), l1.Options{URL: embedded.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := &world{t: t, l1: embedded, sender: l1.NewSender(client, l1.NewKeySigner(devl1.Keys(1)[0]), l1.SenderOptions{})}
	cfg := chain.DefaultConfig()
	cfg.Batcher, cfg.Sequencer, cfg.BatchInbox = common.Address{0xba}, common.Address{0x5e}, common.Address{0x1b}
	params := deploy.Development(cfg)
	params.Owner, params.Guardian, params.ChallengeWindow = w.sender.Address(), w.sender.Address(), 12
	err = embedded.MineInstantly(t.Context(), func(ctx context.Context) error {
		out, err := deploy.Deploy(ctx, client, w.sender, params)
		if err == nil {
			w.at = out.Addresses
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var proof nodes
	w.chain, proof = newChain(t, embedded.Head().Time)
	counted := countCalls(t, embedded.URL())
	asking, err := l1.Dial(t.Context(), l1.Options{URL: counted.url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(asking.Close)
	w.reader = exits.New(exits.Options{Chain: w.chain, L1: asking, Contracts: w.at.ByName(), PerSecond: 100_000})
	return w, counted, proof
}

func TestAWithdrawalsWayOnL1(t *testing.T) {
	w, counted, proof := newWorld(t)
	if s := w.is(bridge.WaitingForFinality, "not posted"); s.TxHash != w.chain.tx || s.Block != made || s.Game != (common.Address{}) {
		t.Errorf("found: %+v", s)
	}
	if s, err := w.reader.Withdrawal(t.Context(), common.Hash{1}, 0); err != nil || s != nil {
		t.Errorf("a hash that is none: %+v %v", s, err)
	}
	w.chain.final = head
	w.is(bridge.WaitingForClaim, "nobody has claimed")

	// A wrong claim, and one of an earlier block, are no help.
	w.claim(made-1, true)
	w.claim(made+1, false)
	w.is(bridge.WaitingForClaim, "nobody has claimed")
	w.claim(made+1, true)
	if s := w.is(bridge.ReadyToProve, "claim 2"); s.ClaimIndex != 2 || s.ClaimBlock != made+1 || s.ETA == 0 {
		t.Errorf("ready: %+v", s)
	}

	w.askedAgain(counted)

	// The right claim is challenged; then there is another.
	right := w.status().Game
	w.send(&w.at.ChallengerStakes, 1e17, bindings.NewChallengerStakes().PackStake())
	w.send(&right, 0, bindings.NewHybridGame().PackChallenge(common.Hash{7}))
	w.is(bridge.Challenged, "every claim")
	w.claim(made+2, true)
	ready := w.is(bridge.ReadyToProve, "claim 3")

	h := w.chain.headers[ready.ClaimBlock]
	portal := bindings.NewPortal()
	w.send(&w.at.Portal, 0, portal.PackProveWithdrawalTransaction(exits.Tuple(w.chain.w), new(big.Int).SetUint64(ready.ClaimIndex),
		bindings.TypesOutputRootProof{StateRoot: h.Root, MessagePasserStorageRoot: *h.WithdrawalsHash, LatestBlockhash: h.Hash()}, proof))
	if s := w.is(bridge.Proven, ""); s.ProvenBy != w.sender.Address() || s.Game != ready.Game || s.ETA == 0 {
		t.Errorf("proven: %+v", s)
	}
	if s := w.is(bridge.Proven, "somebody must resolve"); !s.Resolvable {
		t.Errorf("over and not resolvable: %+v", s)
	}
	w.send(&ready.Game, 0, bindings.NewHybridGame().PackResolve())

	// The portal holds nothing of what this chain gave out.
	w.is(bridge.Failed, "holds less than its value")
	w.send(&w.at.Portal, 1e18, portal.PackDepositTransaction(common.Address{9}, new(big.Int), 100_000, false, nil))
	w.is(bridge.ReadyToFinalize, "")
	w.send(&w.at.Pause, 0, bindings.NewPause().PackPause())
	if s := w.is(bridge.Proven, "paused"); s.ETA <= w.l1.Head().Time {
		t.Errorf("paused: %+v", s)
	}
	w.send(&w.at.Pause, 0, bindings.NewPause().PackUnpause())
	w.is(bridge.ReadyToFinalize, "")
	w.send(&w.at.Portal, 0, portal.PackFinalizeWithdrawalTransactionExternalProof(exits.Tuple(w.chain.w), w.sender.Address()))
	if s := w.is(bridge.Finalized, "paid"); s.ETA != 0 {
		t.Errorf("paid: %+v", s)
	}
}
