package e2e

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// What the burst is made of. The node's queue is small, so that the burst overfills it
// on any machine: a JSON batch alone is four times as long.
const (
	burstQueue    = 256
	burstAccounts = 1200
	burstEach     = 10   // transactions of one account
	burstBatch    = 1000 // of one JSON batch
	codeNonceGap  = 6    // a nonce before it did not arrive in time
	// answerTimeout is the time in which an overloaded node answers somebody else.
	answerTimeout = 10 * time.Second
)

// TestOverloadIsShed: far more arrives at once than the node has room for. It refuses
// what is too much and says so, answers others meanwhile, and the chain holds exactly
// what was acknowledged, once and in the order of nonces.
func TestOverloadIsShed(t *testing.T) {
	d := startDevnet(t, t.TempDir(), "--queue", fmt.Sprint(burstQueue))
	client, err := rpc.DialContext(t.Context(), d.L2.HTTPURL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b := newBurst(t, d, client)
	before := sealedHead(t, client)

	probed := make(chan error, 1)
	done := make(chan struct{})
	other := newSender(t, d.L2.HTTPURL, d.Accounts[1].PrivateKey)
	go func() { probed <- probe(t.Context(), client, other, done) }()
	err = b.run(t.Context(), d)
	close(done)
	if err := errors.Join(err, <-probed); err != nil {
		t.Fatal(err)
	}
	shed, included := b.count()
	t.Logf("of %d transactions %d are included, refused for load: %d by ingest, %d of JSON batches", len(b.txs), included, shed[true], shed[false])
	if included == 0 || shed[true] == 0 || shed[false] < burstBatch-burstQueue {
		t.Errorf("included %d, refused for load: %d by ingest, %d of JSON batches; want some, some and at least %d", included, shed[true], shed[false], burstBatch-burstQueue)
	}
	b.checkChain(t, client, before)
	b.sendAgain(t, client)
	b.checkChain(t, client, before)
	if err := d.interrupt(); err != nil {
		t.Error(err)
	}
}

// burst is a set of signed transfers and what the node said of each.
type burst struct {
	txs  []*types.Transaction // the accounts one after the other
	raws [][]byte
	from []common.Address

	mu    sync.Mutex
	said  map[common.Hash]verdict
	index map[common.Hash]int
}

// verdict is the node's answer to a transaction.
type verdict int

const (
	unanswered verdict = iota
	isIncluded
	shedByIngest // refused for load
	shedByBatch  // refused for load
	tooEarly     // refused because one before it was
)

// newBurst funds the accounts and signs.
func newBurst(t *testing.T, d *devnet, client *rpc.Client) *burst {
	t.Helper()
	funder := newSender(t, d.L2.HTTPURL, d.Accounts[0].PrivateKey)
	keys := make([]*ecdsa.PrivateKey, burstAccounts)
	var funding []hexutil.Bytes
	for i := range keys {
		key, err := crypto.ToECDSA(crypto.Keccak256([]byte("overload"), big.NewInt(int64(i)).Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
		to := crypto.PubkeyToAddress(key.PublicKey)
		raw, err := funder.sign(t, &to, big.NewInt(1e17), 21_000, nil).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		funding = append(funding, raw)
	}
	for list := range slices.Chunk(funding, burstQueue/2) {
		for _, err := range sendBatch(t, client, list) {
			if err != nil {
				t.Fatalf("fund an account: %v", err)
			}
		}
	}
	b := &burst{said: map[common.Hash]verdict{}, index: map[common.Hash]int{}}
	n := burstAccounts * burstEach
	b.txs, b.raws, b.from = make([]*types.Transaction, n), make([][]byte, n), make([]common.Address, n)
	var wg sync.WaitGroup
	errs := make([]error, runtime.NumCPU())
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				errs[w] = b.sign(i, keys[i/burstEach], funder)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, tx := range b.txs {
		b.index[tx.Hash()] = i
	}
	return b
}

func (b *burst) sign(i int, key *ecdsa.PrivateKey, fees *sender) (err error) {
	s := sender{key: key, chainID: fees.chainID, feeCap: fees.feeCap, tip: fees.tip, nonce: uint64(i % burstEach)}
	b.txs[i], err = types.SignNewTx(key, types.LatestSignerForChainID(s.chainID), s.tx(&common.Address{0x0b}, big.NewInt(1), 21_000, nil))
	if err != nil {
		return err
	}
	b.from[i] = crypto.PubkeyToAddress(key.PublicKey)
	b.raws[i], err = b.txs[i].MarshalBinary()
	return err
}

// run sends everything at once: four connections of raw ingest, two of which go
// through their accounts nonce by nonce, and two of JSON batches.
func (b *burst) run(ctx context.Context, d *devnet) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	const lanes = 6
	lane := len(b.txs) / lanes
	var wg sync.WaitGroup
	errs := make([]error, lanes)
	for l := range lanes {
		order := make([]int, lane)
		for i := range order {
			order[i] = l*lane + i
			if l < 2 {
				accounts := lane / burstEach
				order[i] = l*lane + i%accounts*burstEach + i/accounts
			}
		}
		wg.Go(func() {
			if l < 4 {
				errs[l] = b.ingest(ctx, d, order)
			} else {
				errs[l] = b.batches(ctx, d, order)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (b *burst) say(hash common.Hash, v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said[hash] = v
}

func (b *burst) ingest(ctx context.Context, d *devnet, order []int) error {
	var odd error // of the goroutine that calls OnAck, until Close
	conn, err := ingest.Dial(ctx, d.Ingest, ingest.Options{ChainID: d.L2.ChainID, OnAck: func(list []ingest.Ack) {
		for _, a := range list {
			switch {
			case a.Status == ingest.Succeeded:
				b.say(a.Hash, isIncluded)
			case a.Status == ingest.Overloaded:
				b.say(a.Hash, shedByIngest)
			case a.Status == ingest.NonceGap:
				b.say(a.Hash, tooEarly)
			default:
				odd = fmt.Errorf("ingest acknowledges a transfer with %v", a.Status)
			}
		}
	}})
	if err != nil {
		return err
	}
	for _, i := range order {
		if err = conn.Send(ctx, ingest.Tx{Raw: b.raws[i], Hash: b.txs[i].Hash(), Sender: b.from[i]}); err != nil {
			break
		}
	}
	if err == nil {
		err = conn.Flush(ctx)
	}
	return errors.Join(err, conn.Close(), odd)
}

func (b *burst) batches(ctx context.Context, d *devnet, order []int) error {
	client, err := rpc.DialContext(ctx, d.L2.HTTPURL)
	if err != nil {
		return err
	}
	defer client.Close()
	for part := range slices.Chunk(order, burstBatch) {
		batch := make([]rpc.BatchElem, len(part))
		for k, i := range part {
			batch[k] = rpc.BatchElem{Method: "eth_sendRawTransaction", Args: []any{hexutil.Bytes(b.raws[i])}, Result: new(common.Hash)}
		}
		if err := client.BatchCallContext(ctx, batch); err != nil {
			return err
		}
		for k, i := range part {
			var e rpc.Error
			switch err := batch[k].Error; {
			case err == nil:
				b.say(b.txs[i].Hash(), isIncluded)
			case !errors.As(err, &e):
				return err
			case e.ErrorCode() == codeLimit && strings.Contains(err.Error(), fmt.Sprintf("limit %d transactions", burstQueue)):
				b.say(b.txs[i].Hash(), shedByBatch)
			case e.ErrorCode() == codeNonceGap:
				b.say(b.txs[i].Hash(), tooEarly)
			default:
				return fmt.Errorf("a transfer of a batch is refused with %d: %w", e.ErrorCode(), err)
			}
		}
	}
	return nil
}

// probe is somebody else who uses the node until done, and once more after it.
func probe(ctx context.Context, client *rpc.Client, s *sender, done <-chan struct{}) error {
	ctx, stop := context.WithTimeout(ctx, 2*startTimeout)
	defer stop()
	for last := false; ; {
		within, cancel := context.WithTimeout(ctx, answerTimeout)
		var n hexutil.Uint64
		if err := client.CallContext(within, &n, "eth_blockNumber"); err != nil {
			cancel()
			return fmt.Errorf("eth_blockNumber under load: %w", err)
		}
		tx, err := types.SignNewTx(s.key, types.LatestSignerForChainID(s.chainID), s.tx(&common.Address{0x0c}, big.NewInt(1), 21_000, nil))
		var raw hexutil.Bytes
		if err == nil {
			raw, err = tx.MarshalBinary()
		}
		if err == nil {
			var r *syncReceipt
			err = client.CallContext(within, &r, "eth_sendRawTransactionSync", raw, answerTimeout.Milliseconds())
		}
		cancel()
		var e rpc.Error
		switch {
		case err == nil:
			s.nonce++
			if last {
				return nil
			}
		case errors.As(err, &e) && e.ErrorCode() == codeLimit: // in the queue's turn, like everybody
		default:
			return fmt.Errorf("a single send under load: %w", err)
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
}

// count tells how many were included, and shed by ingest (true) and JSON batches.
func (b *burst) count() (shed map[bool]int, included int) {
	shed = map[bool]int{}
	for _, v := range b.said {
		switch v {
		case isIncluded:
			included++
		case shedByIngest:
			shed[true]++
		case shedByBatch:
			shed[false]++
		}
	}
	return shed, included
}

// checkChain compares the blocks after number with what the node said.
func (b *burst) checkChain(t *testing.T, client *rpc.Client, number uint64) {
	t.Helper()
	// What is acknowledged is in the open block at the latest.
	end := sealedHead(t, client) + 1
	eventually(t, startTimeout, "the open block is sealed", func() error {
		if n := sealedHead(t, client); n < end {
			return fmt.Errorf("the newest block is %d, want %d", n, end)
		}
		return nil
	})
	seen := make([]int, len(b.txs))
	next := map[common.Address]uint64{}
	for n := number; n <= end; n++ {
		var block struct {
			Transactions []struct {
				Hash  common.Hash    `json:"hash"`
				From  common.Address `json:"from"`
				Nonce hexutil.Uint64 `json:"nonce"`
			} `json:"transactions"`
		}
		if err := client.CallContext(t.Context(), &block, "eth_getBlockByNumber", hexutil.Uint64(n), true); err != nil {
			t.Fatal(err)
		}
		for _, tx := range block.Transactions {
			i, ok := b.index[tx.Hash]
			if !ok {
				continue
			}
			seen[i]++
			if tx.From != b.from[i] || uint64(tx.Nonce) != next[tx.From] {
				t.Fatalf("block %d: nonce %d of %s, want %d", n, tx.Nonce, tx.From, next[tx.From])
			}
			next[tx.From]++
		}
	}
	wrong := 0
	for i, tx := range b.txs {
		v, want := b.said[tx.Hash()], 0
		if v == isIncluded {
			want = 1
		}
		if v == unanswered || seen[i] != want {
			if wrong++; wrong <= 5 {
				t.Errorf("nonce %d of %s was answered with %d and is in the chain %d times, want %d", tx.Nonce(), b.from[i], v, seen[i], want)
			}
		}
	}
	if wrong > 0 {
		t.Fatalf("of %d transactions %d are not in the chain as the node said", len(b.txs), wrong)
	}
}

// sendAgain sends of every tenth account what was refused, a little at a time: it goes in.
func (b *burst) sendAgain(t *testing.T, client *rpc.Client) {
	t.Helper()
	var again []int
	for i, tx := range b.txs {
		if i/burstEach%10 == 0 && b.said[tx.Hash()] != isIncluded {
			again = append(again, i)
		}
	}
	if len(again) == 0 {
		t.Error("of every tenth account nothing was refused")
	}
	for part := range slices.Chunk(again, burstQueue/2) {
		raws := make([]hexutil.Bytes, len(part))
		for k, i := range part {
			raws[k] = b.raws[i]
		}
		for k, err := range sendBatch(t, client, raws) {
			if err != nil {
				t.Fatalf("sent again when the load is over: %v", err)
			}
			b.say(b.txs[part[k]].Hash(), isIncluded)
		}
	}
}

// sendBatch sends one JSON batch and returns each one's error.
func sendBatch(t *testing.T, client *rpc.Client, raws []hexutil.Bytes) []error {
	t.Helper()
	batch := make([]rpc.BatchElem, len(raws))
	for i, raw := range raws {
		batch[i] = rpc.BatchElem{Method: "eth_sendRawTransaction", Args: []any{raw}, Result: new(common.Hash)}
	}
	if err := client.BatchCallContext(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(batch))
	for i := range batch {
		errs[i] = batch[i].Error
	}
	return errs
}
