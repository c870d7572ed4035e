package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// ledger is a node for presigned runs: it executes on arrival, seals a block with
// every transaction, and knows by heart what the run's contracts do. Faults, which
// strike only once the set-up is over, make it lie.
type ledger struct {
	mu       sync.Mutex
	balances map[common.Address]*big.Int
	nonces   map[common.Address]uint64
	tokens   map[common.Address]*big.Int
	funder   common.Address
	token    common.Address
	chain    []ledgerBlock
	seen     int // transactions of the run
	attempts int // for refuse
	heads    []chan ledgerBlock
	events   []chan *types.Log

	refuse   func(n int, tx *types.Transaction) error // before it executes
	lose     func(n int) bool                         // acknowledged and forgotten
	repeat   func(n int) bool                         // in two blocks
	swap     bool                                     // the first two of the run change places
	drift    int64                                    // in balances
	skip     func(n int) bool                         // nonces go on, but the balances are not touched
	dropLog  func(n int) bool                         // not streamed
	dropHead func(number uint64) bool                 // not streamed
}

type ledgerBlock struct {
	number       uint64
	hash, parent common.Hash
	tx           *types.Transaction
	receipt      map[string]any
	log          *types.Log
}

func newLedger(t *testing.T) (l *ledger, httpURL, wsURL string) {
	t.Helper()
	key, err := crypto.HexToECDSA(DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	rich := new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil)
	l = &ledger{
		balances: map[common.Address]*big.Int{crypto.PubkeyToAddress(key.PublicKey): rich},
		nonces:   map[common.Address]uint64{}, tokens: map[common.Address]*big.Int{},
	}
	server := rpc.NewServer()
	if err := errors.Join(server.RegisterName("eth", &ledgerAPI{l}), server.RegisterName("web3", ledgerVersion{})); err != nil {
		t.Fatal(err)
	}
	plain, socket := httptest.NewServer(server), httptest.NewServer(server.WebsocketHandler([]string{"*"}))
	t.Cleanup(func() { plain.Close(); server.Stop(); socket.Close() })
	return l, plain.URL, "ws" + strings.TrimPrefix(socket.URL, "http")
}

type ledgerVersion struct{}

func (ledgerVersion) ClientVersion() string { return "ledger/1" }

// add changes a sum in a map.
func add(m map[common.Address]*big.Int, a common.Address, by *big.Int) {
	if m[a] == nil {
		m[a] = new(big.Int)
	}
	m[a].Add(m[a], by)
}

const ledgerGasPrice = 8

// apply executes a transaction. l.mu is held.
func (l *ledger) apply(tx *types.Transaction) error {
	from, err := types.Sender(types.LatestSignerForChainID(fakeChainID), tx)
	if err != nil {
		return err
	}
	user := l.funder != common.Address{} && tx.To() != nil && *tx.To() != l.funder && *tx.To() != from && l.tokens[from] != nil && l.tokens[from].BitLen() < 60
	n := l.seen
	if user {
		if l.refuse != nil {
			if err := l.refuse(n, tx); err != nil {
				return err
			}
		}
		l.seen++
	}
	if have := l.nonces[from]; have > tx.Nonce() {
		return fmt.Errorf("nonce too low: next nonce %d, tx nonce %d", have, tx.Nonce())
	} else if have < tx.Nonce() {
		return fmt.Errorf("nonce too high: next nonce %d, tx nonce %d", have, tx.Nonce())
	}
	if user && l.lose != nil && l.lose(n) {
		return nil
	}
	l.nonces[from]++
	b := ledgerBlock{tx: tx, receipt: map[string]any{
		"transactionHash": tx.Hash(), "from": from, "to": tx.To(), "status": "0x1", "gasUsed": hexutil.Uint64(21_000),
		"effectiveGasPrice": hexutil.Uint64(ledgerGasPrice), "logs": []any{},
	}}
	if !user || l.skip == nil || !l.skip(n) {
		l.execute(from, tx, &b)
	}
	l.seal(b, user, n)
	if user && l.repeat != nil && l.repeat(n) {
		l.seal(b, user, n)
	}
	return nil
}

func (l *ledger) execute(from common.Address, tx *types.Transaction, b *ledgerBlock) {
	add(l.balances, from, new(big.Int).Neg(big.NewInt(21_000*ledgerGasPrice)))
	add(l.balances, from, new(big.Int).Neg(tx.Value()))
	data := tx.Data()
	arg := func(i int) *big.Int { return new(big.Int).SetBytes(data[4+32*i : 36+32*i]) }
	switch {
	case tx.To() == nil:
		at := crypto.CreateAddress(from, tx.Nonce())
		b.receipt["contractAddress"] = at
		if len(data) == len(tokenCode()) {
			l.token = at
		} else {
			l.funder = at
		}
	case *tx.To() == l.funder:
		for i := range arg(4).Int64() {
			to := common.BigToAddress(arg(5 + int(i)))
			add(l.balances, to, arg(2))
			add(l.tokens, to, arg(3))
		}
	case *tx.To() == l.token && len(data) == 68 && data[0] == 0xa9:
		add(l.tokens, from, new(big.Int).Neg(arg(1)))
		add(l.tokens, common.BigToAddress(arg(0)), arg(1))
		b.log = &types.Log{Address: l.token, Topics: []common.Hash{}, Data: []byte{}, TxHash: tx.Hash()}
		b.receipt["logs"] = []any{b.log}
	default:
		add(l.balances, *tx.To(), tx.Value())
	}
}

// seal makes a block of one transaction and streams it.
func (l *ledger) seal(b ledgerBlock, user bool, n int) {
	b.number = uint64(len(l.chain) + 1)
	b.hash = crypto.Keccak256Hash(fmt.Append(nil, "block", b.number))
	b.parent = crypto.Keccak256Hash(fmt.Append(nil, "block", b.number-1))
	l.chain = append(l.chain, b)
	for _, c := range l.heads {
		if l.dropHead == nil || !user || !l.dropHead(uint64(n)) {
			c <- b
		}
	}
	for _, c := range l.events {
		if b.log != nil && (l.dropLog == nil || !user || !l.dropLog(n)) {
			c <- b.log
		}
	}
}

// ledgerAPI is the eth namespace.
type ledgerAPI struct{ l *ledger }

func (a *ledgerAPI) ChainId() *hexutil.Big                     { return (*hexutil.Big)(fakeChainID) }
func (a *ledgerAPI) MaxPriorityFeePerGas() *hexutil.Big        { return (*hexutil.Big)(big.NewInt(1)) }
func (a *ledgerAPI) EstimateGas(map[string]any) hexutil.Uint64 { return 80_000 }

func (a *ledgerAPI) BlockNumber() hexutil.Uint64 {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	return hexutil.Uint64(len(a.l.chain))
}

func (a *ledgerAPI) GetBlockByNumber(n string, _ bool) map[string]any {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	out := map[string]any{"baseFeePerGas": "0x7", "hash": common.Hash{1}, "transactions": []common.Hash{}}
	if i, err := hexutil.DecodeUint64(n); err == nil && i > 0 && i <= uint64(len(a.l.chain)) {
		out["transactions"] = []common.Hash{a.l.at(i).tx.Hash()}
	}
	return out
}

// at is a block as the ledger tells it. l.mu is held.
func (l *ledger) at(number uint64) ledgerBlock {
	b := l.chain[number-1]
	first := uint64(len(l.chain) - l.seen + 1)
	if l.swap && l.seen >= 2 && (number == first || number == first+1) {
		b = l.chain[2*first-number]
	}
	return b
}

func (a *ledgerAPI) GetBlockReceipts(n hexutil.Uint64) []map[string]any {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	return []map[string]any{a.l.at(uint64(n)).receipt}
}

func (a *ledgerAPI) GetTransactionReceipt(h common.Hash) map[string]any {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	for _, b := range a.l.chain {
		if b.tx.Hash() == h {
			return b.receipt
		}
	}
	return nil
}

func (a *ledgerAPI) GetTransactionCount(who common.Address, _ string) hexutil.Uint64 {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	return hexutil.Uint64(a.l.nonces[who])
}

func (a *ledgerAPI) GetBalance(who common.Address, _ string) *hexutil.Big {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	have := new(big.Int)
	if a.l.balances[who] != nil {
		have.Set(a.l.balances[who])
	}
	if a.l.seen > 0 {
		have.Add(have, big.NewInt(a.l.drift))
	}
	return (*hexutil.Big)(have)
}

func (a *ledgerAPI) Call(msg struct{ Input hexutil.Bytes }, _ string) hexutil.Bytes {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	have := new(big.Int)
	if t := a.l.tokens[common.BytesToAddress(msg.Input[4:])]; t != nil {
		have = t
	}
	return common.LeftPadBytes(have.Bytes(), 32)
}

func (a *ledgerAPI) SendRawTransaction(raw hexutil.Bytes) (common.Hash, error) {
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return common.Hash{}, err
	}
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	return tx.Hash(), a.l.apply(tx)
}

func (a *ledgerAPI) GetLogs(q struct{ FromBlock hexutil.Uint64 }) []*types.Log {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	if b := a.l.at(uint64(q.FromBlock)); b.log != nil {
		return []*types.Log{b.log}
	}
	return []*types.Log{}
}

// stream is a subscription that forwards from a channel of its own.
func stream[T any](ctx context.Context, l *ledger, list *[]chan T, encode func(T) any) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	sub, c := notifier.CreateSubscription(), make(chan T, 1000)
	l.mu.Lock()
	*list = append(*list, c)
	l.mu.Unlock()
	go func() {
		for {
			select {
			case v := <-c:
				if err := notifier.Notify(sub.ID, encode(v)); err != nil && !errors.Is(err, net.ErrClosed) {
					return
				}
			case <-sub.Err():
				return
			}
		}
	}()
	return sub, nil
}

func (a *ledgerAPI) NewHeads(ctx context.Context) (*rpc.Subscription, error) {
	return stream(ctx, a.l, &a.l.heads, func(b ledgerBlock) any {
		return map[string]any{"number": hexutil.Uint64(b.number), "hash": b.hash, "parentHash": b.parent}
	})
}

func (a *ledgerAPI) Logs(ctx context.Context, _ json.RawMessage) (*rpc.Subscription, error) {
	return stream(ctx, a.l, &a.l.events, func(e *types.Log) any { return e })
}
