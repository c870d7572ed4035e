package bench

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// fate is what is known of a transaction.
type fate uint8

const (
	notSent  fate = iota
	unclear       // sent; the answer does not tell, or never came
	answered      // the node answered with its hash
	shed          // refused for load, to be sent again
	refused       // refused for good
)

// item is one signed transaction.
type item struct {
	hash common.Hash
	text []byte // the JSON-RPC request; empty for raw ingest
	raw  []byte // EIP-2718; nil for JSON-RPC
	kind kind
	fate fate
	due  time.Duration // of its first sending, since the start of the run; 0: never
}

// sender is an account of a presigned run. One connection owns it.
type sender struct {
	key   *ecdsa.PrivateKey
	addr  common.Address
	peer  common.Address
	nonce uint64   // of the first item
	base  *big.Int // wei before the run
	held  *big.Int // wei of peer before the run
	first int      // index of the first item
	count int
	next  int // item to send next, 0..count
	dead  bool
	onWay int  // items sent and not answered
	again bool // next went back: it waits until nothing is on the way
}

// deriveKey makes the n-th key of a seed.
func deriveKey(seed string, n uint64) (*ecdsa.PrivateKey, error) {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(seed), binary.BigEndian.AppendUint64(nil, n)))
	if err != nil {
		return nil, fmt.Errorf("derive key %d of seed %q: %w", n, seed, err)
	}
	return key, nil
}

// makeSenders derives the accounts and shares total items out.
func makeSenders(seed string, clients, total int) ([]*sender, error) {
	list, first := make([]*sender, clients), 0
	for i := range list {
		key, err := deriveKey(seed, uint64(2*i))
		if err != nil {
			return nil, err
		}
		peer, err := deriveKey(seed, uint64(2*i+1))
		if err != nil {
			return nil, err
		}
		count := total / clients
		if i < total%clients {
			count++
		}
		list[i] = &sender{key: key, addr: crypto.PubkeyToAddress(key.PublicKey), peer: crypto.PubkeyToAddress(peer.PublicKey), first: first, count: count}
		first += count
	}
	return list, nil
}

// spreadSize is how many accounts one funding transaction serves: its gas stays
// below the 2^24 of EIP-7825.
const spreadSize = 150

// prepare deploys what the weights need and funds the senders, in few transactions:
// the addresses of contracts are known before they exist.
func (y *payer) prepare(ctx context.Context, w *[kinds]uint, senders []*sender, seed string) (*program, error) {
	hot, err := deriveKey(seed, 1<<40)
	if err != nil {
		return nil, err
	}
	g := &program{hot: crypto.PubkeyToAddress(hot.PublicKey), gas: ceiling()}
	var orders []order
	deploy := func(code string, gas uint64) common.Address {
		at := crypto.CreateAddress(y.addr, y.nonce+uint64(len(orders)))
		orders = append(orders, order{value: new(big.Int), gas: gas, data: common.FromHex(strings.TrimSpace(code))})
		return at
	}
	perTx := new(big.Int)
	for k, n := range w {
		if n > 0 {
			cost := new(big.Int).Mul(y.p.feeCap, new(big.Int).SetUint64(g.gas[k]))
			if cost.Cmp(perTx) > 0 {
				perTx = cost
			}
		}
	}
	perTx.Add(perTx, unit)
	most := senders[0].count
	eachWei := new(big.Int).Mul(perTx, big.NewInt(int64(most+2)))
	if err := y.afford(ctx, eachWei, len(senders)); err != nil {
		return nil, err
	}
	funder := deploy(funderHex, 1_500_000)
	approve := func(token common.Address) {
		all := new(big.Int).Sub(new(big.Int).Lsh(unit, 256), unit)
		orders = append(orders, order{to: &token, value: new(big.Int), gas: 100_000, data: encode("approve(address,uint256)", word(funder), all)})
	}
	if w[kindERC20] > 0 {
		g.token = deploy(tokenHex, 2_000_000)
		approve(g.token)
	}
	if w[kindSwap] > 0 {
		g.pair = deploy(pairHex, 6_000_000)
		g.token0, g.token1 = crypto.CreateAddress(g.pair, 1), crypto.CreateAddress(g.pair, 2)
		approve(g.token0)
	}
	if w[kindCompute]+w[kindStorage] > 0 {
		g.work = deploy(workHex, 1_500_000)
	}
	spread := func(token common.Address, eachWei, eachUnits *big.Int) {
		for from := 0; from < len(senders); from += spreadSize {
			var to []common.Address
			for _, s := range senders[from:min(from+spreadSize, len(senders))] {
				to = append(to, s.addr)
			}
			value := new(big.Int).Mul(eachWei, big.NewInt(int64(len(to))))
			gas := 200_000 + 60_000*uint64(len(to))
			orders = append(orders, order{to: &funder, value: value, gas: gas, data: spreadData(token, to, eachWei, eachUnits)})
		}
	}
	spread(common.Address{}, eachWei, new(big.Int))
	if w[kindERC20] > 0 {
		spread(g.token, new(big.Int), big.NewInt(int64(most)))
	}
	if w[kindSwap] > 0 {
		spread(g.token0, new(big.Int), new(big.Int).Mul(big.NewInt(int64(most)), big.NewInt(traded)))
	}
	if _, err := y.send(ctx, orders); err != nil {
		return nil, fmt.Errorf("fund %d accounts from %s: %w", len(senders), y.addr, err)
	}
	return g, y.measure(ctx, g, w, senders[0])
}

// afford lowers each so that n of them are half of what the payer has.
func (y *payer) afford(ctx context.Context, each *big.Int, n int) error {
	var have hexutil.Big
	if err := y.node.rpc.CallContext(ctx, &have, "eth_getBalance", y.addr, "latest"); err != nil {
		return fmt.Errorf("balance of %s: %w", y.addr, err)
	}
	need := new(big.Int).Mul(each, big.NewInt(int64(n)))
	if half := new(big.Int).Rsh(have.ToInt(), 1); need.Cmp(half) > 0 {
		each.Div(half, big.NewInt(int64(n)))
	}
	if each.Sign() == 0 {
		return fmt.Errorf("fund %d accounts: %s holds nothing", n, y.addr)
	}
	return nil
}

// measure asks what a transaction of each kind costs.
func (y *payer) measure(ctx context.Context, g *program, w *[kinds]uint, s *sender) error {
	for k := kindERC20; k < kinds; k++ {
		if w[k] == 0 {
			continue
		}
		to, _, data := g.body(k, s.peer)
		var gas hexutil.Uint64
		msg := map[string]any{"from": s.addr, "to": to, "input": hexutil.Bytes(data)}
		if err := y.node.rpc.CallContext(ctx, &gas, "eth_estimateGas", msg); err != nil {
			return fmt.Errorf("estimate a transaction of %s: %w", kindNames()[k], err)
		}
		g.gas[k] = min(uint64(gas)+uint64(gas)/4, g.gas[k])
	}
	return nil
}

// presigner signs all items of a run, in parallel.
type presigner struct {
	p       *pricing
	g       *program
	weights *[kinds]uint
	seed    string
	raw     bool // for raw ingest
	legacy  bool
	log     io.Writer // progress, if it takes long; nil: none
}

// sign makes the items. Items of a sender are contiguous and in the order of nonces.
func (f *presigner) sign(ctx context.Context, senders []*sender) ([]item, error) {
	last := senders[len(senders)-1]
	items := make([]item, last.first+last.count)
	var (
		wg         sync.WaitGroup
		taken      atomic.Int64
		signed     atomic.Int64
		failed     atomic.Pointer[error]
		begin, end = time.Now(), make(chan struct{})
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil && failed.Load() == nil {
				i := int(taken.Add(1)) - 1
				if i >= len(senders) {
					return
				}
				s := senders[i]
				if err := f.signAll(s, items[s.first:s.first+s.count], i); err != nil {
					failed.Store(&err)
				}
				signed.Add(int64(s.count))
			}
		})
	}
	var progress sync.WaitGroup
	if f.log != nil {
		progress.Go(func() {
			for wait := 2 * time.Second; ; wait = time.Second {
				select {
				case <-end:
					return
				case <-time.After(wait):
					_, _ = fmt.Fprintf(f.log, "signed %d of %d transactions in %.0f s\n", signed.Load(), len(items), time.Since(begin).Seconds())
				}
			}
		})
	}
	wg.Wait()
	close(end)
	progress.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return items, ctx.Err()
}

func (f *presigner) signAll(s *sender, items []item, stream int) error {
	rng := rand.New(rand.NewPCG(binary.BigEndian.Uint64(crypto.Keccak256([]byte(f.seed))), uint64(stream)))
	for j := range items {
		k := draw(f.weights, rng)
		to, value, data := f.g.body(k, s.peer)
		var inner types.TxData = &types.DynamicFeeTx{
			ChainID: f.p.chainID, Nonce: s.nonce + uint64(j), GasTipCap: f.p.tip, GasFeeCap: f.p.feeCap,
			Gas: f.g.gas[k], To: &to, Value: value, Data: data,
		}
		if f.legacy {
			inner = &types.LegacyTx{Nonce: s.nonce + uint64(j), GasPrice: f.p.feeCap, Gas: f.g.gas[k], To: &to, Value: value, Data: data}
		}
		tx, err := types.SignNewTx(s.key, f.p.signer, inner)
		if err != nil {
			return fmt.Errorf("sign nonce %d of %s: %w", s.nonce+uint64(j), s.addr, err)
		}
		raw, err := tx.MarshalBinary()
		if err != nil {
			return fmt.Errorf("encode nonce %d of %s: %w", s.nonce+uint64(j), s.addr, err)
		}
		items[j] = item{hash: crypto.Keccak256Hash(raw), kind: k}
		if f.raw {
			items[j].raw = raw
			continue
		}
		items[j].text = requestText(s.first+j, "eth_sendRawTransaction", hexutil.Encode(raw))
	}
	return nil
}

// requestText is a JSON-RPC request with one string argument.
func requestText(id int, method, argument string) []byte {
	b := make([]byte, 0, len(argument)+len(method)+64)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, `,"method":"`...)
	b = append(b, method...)
	b = append(b, `","params":["`...)
	b = append(b, argument...)
	return append(b, `"]}`...)
}
