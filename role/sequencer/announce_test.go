package sequencer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// query is a question about an event, and what a good answer is.
type query struct {
	method, params string
	good           func(answer json.RawMessage) bool
}

// known is what the test knows of the load that it sends.
type known struct {
	sender common.Address
	mu     sync.Mutex
	nonces map[common.Hash]uint64
}

// announcement has the members of all events that queries are made of.
type announcement struct {
	Number, Hash, LogsBloom, TransactionHash, BlockNumber, LogIndex, MiniBlockNumber, Address string
	Nonce, Balance                                                                            *string
	Transactions                                                                              []json.RawMessage
	Storage                                                                                   map[string]string
}

// has is a check that a member of the answer has a value.
func has(name, want string) func(json.RawMessage) bool {
	return func(answer json.RawMessage) bool {
		var members map[string]any
		return json.Unmarshal(answer, &members) == nil && members[name] == want
	}
}

// there is a check that there is an answer.
func there(answer json.RawMessage) bool { return len(answer) > 0 && string(answer) != "null" }

// quantity is a check that a number is good.
func quantity(good func(*big.Int) bool) func(json.RawMessage) bool {
	return func(answer json.RawMessage) bool {
		var n hexutil.Big
		return json.Unmarshal(answer, &n) == nil && good(n.ToInt())
	}
}

func atLeast(n *big.Int) func(json.RawMessage) bool {
	return quantity(func(got *big.Int) bool { return got.Cmp(n) >= 0 })
}

func atMost(n *big.Int) func(json.RawMessage) bool {
	return quantity(func(got *big.Int) bool { return got.Cmp(n) <= 0 })
}

// aboutTx asks everything about a published transaction.
func (k *known) aboutTx(hash string) []query {
	of := `["` + hash + `"]`
	list := []query{
		{"eth_getTransactionByHash", of, has("hash", hash)},
		{"eth_getTransactionReceipt", of, has("transactionHash", hash)},
		{"eth_getRawTransactionByHash", of, there},
		{"talaria_finality", of, there},
	}
	k.mu.Lock()
	nonce, ok := k.nonces[common.HexToHash(hash)]
	k.mu.Unlock()
	if ok {
		next := new(big.Int).SetUint64(nonce + 1)
		latest := `["` + k.sender.Hex() + `","latest"]`
		list = append(list,
			query{"eth_getTransactionCount", latest, atLeast(next)},
			query{"eth_getBalance", latest, atMost(new(big.Int).Sub(big.NewInt(params.Ether), next))}) // each costs a wei or more
	}
	return list
}

func aboutMini(number, hash string) []query {
	return []query{
		{"talaria_getMiniBlock", `["` + number + `"]`, has("hash", hash)},
		{"talaria_getMiniBlock", `["` + hash + `"]`, has("number", number)},
	}
}

func (k *known) aboutHead(e *announcement) []query {
	number := hexutil.MustDecodeBig(e.Number)
	logs := func(answer json.RawMessage) bool {
		var list []struct{ BlockHash string }
		if json.Unmarshal(answer, &list) != nil {
			return false
		}
		for _, l := range list {
			if l.BlockHash != e.Hash {
				return false
			}
		}
		return len(list) > 0 || types.BytesToBloom(hexutil.MustDecode(e.LogsBloom)) == types.Bloom{}
	}
	return []query{
		{"eth_blockNumber", `[]`, atLeast(number)},
		{"eth_getBlockByNumber", `["` + e.Number + `",false]`, has("hash", e.Hash)},
		{"eth_getBlockByHash", `["` + e.Hash + `",true]`, has("number", e.Number)},
		{"eth_getHeaderByHash", `["` + e.Hash + `"]`, has("number", e.Number)},
		{"eth_getBlockReceipts", `["` + e.Hash + `"]`, there},
		{"eth_getLogs", `[{"blockHash":"` + e.Hash + `"}]`, logs},
		{"eth_getTransactionByBlockHashAndIndex", `["` + e.Hash + `","0x0"]`, has("blockHash", e.Hash)},
		{"eth_getTransactionCount", `["` + k.sender.Hex() + `",{"blockHash":"` + e.Hash + `"}]`, there},
		{"eth_getBalance", `["` + k.sender.Hex() + `","` + e.Number + `"]`, there},
		{"eth_feeHistory", `["0x1","` + e.Number + `",[]]`, has("oldestBlock", e.Number)},
	}
}

func (k *known) aboutLog(e *announcement) []query {
	holds := func(answer json.RawMessage) bool {
		var list []struct{ TransactionHash, LogIndex string }
		if json.Unmarshal(answer, &list) != nil {
			return false
		}
		for _, l := range list {
			if l.TransactionHash == e.TransactionHash && l.LogIndex == e.LogIndex {
				return true
			}
		}
		return false
	}
	return append(k.aboutTx(e.TransactionHash),
		query{"eth_getLogs", `[{"fromBlock":"` + e.BlockNumber + `","toBlock":"latest","address":"` + e.Address + `"}]`, holds})
}

func (k *known) aboutChange(e *announcement) []query {
	latest := `["` + e.Address + `","latest"]`
	list := []query{
		{"talaria_getMiniBlock", `["` + e.MiniBlockNumber + `"]`, has("number", e.MiniBlockNumber)},
		{"eth_getCode", latest, there},
	}
	if e.Nonce != nil {
		list = append(list, query{"eth_getTransactionCount", latest, atLeast(hexutil.MustDecodeBig(*e.Nonce))})
	}
	if e.Balance != nil {
		good := there
		if common.HexToAddress(e.Address) == k.sender { // who only spends
			good = atMost(hexutil.MustDecodeBig(*e.Balance))
		}
		list = append(list, query{"eth_getBalance", latest, good})
	}
	for slot := range e.Storage {
		list = append(list, query{"eth_getStorageAt", `["` + e.Address + `","` + slot + `","latest"]`, there})
	}
	return list
}

// announcements are the kinds of events, with the events to be asked about and what is
// asked about each at once.
func (k *known) announcements() map[string]struct {
	params string
	count  int
	about  func(e *announcement) []query
} {
	return map[string]struct {
		params string
		count  int
		about  func(e *announcement) []query
	}{
		"newHeads":               {`["newHeads"]`, 5, k.aboutHead},
		"logs":                   {`["logs",{}]`, 60, k.aboutLog},
		"newPendingTransactions": {`["newPendingTransactions"]`, 60, func(e *announcement) []query { return k.aboutTx(e.Hash) }},
		"receipts":               {`["receipts"]`, 60, func(e *announcement) []query { return k.aboutTx(e.TransactionHash) }},
		"stateChanges":           {`["stateChanges"]`, 60, k.aboutChange},
		"miniBlocks": {`["miniBlocks"]`, 60, func(e *announcement) []query {
			list := aboutMini(e.Number, e.Hash)
			for _, raw := range e.Transactions {
				var tx struct{ Hash string }
				if json.Unmarshal(raw, &tx) != nil && json.Unmarshal(raw, &tx.Hash) != nil {
					panic(string(raw))
				}
				list = append(list, k.aboutTx(tx.Hash)...)
			}
			return list
		}},
	}
}

// questioner is a connection with the questions that are not answered yet.
type questioner struct {
	ws   *websocket.Conn
	mu   sync.Mutex
	ids  int
	open map[int]query
	last bool // nothing more is asked
}

func dialQuestioner(ctx context.Context, addr string) (*questioner, error) {
	ws, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1)
	return &questioner{ws: ws, open: make(map[int]query)}, nil
}

func (q *questioner) ask(ctx context.Context, a query, last bool) error {
	q.mu.Lock()
	q.ids++
	id := q.ids
	q.open[id], q.last = a, last
	q.mu.Unlock()
	return q.ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, a.method, a.params))
}

// read checks answers and hands events on, until the last answer.
func (q *questioner) read(ctx context.Context, event func(result json.RawMessage) error) error {
	for {
		_, text, err := q.ws.Read(ctx)
		if err != nil {
			return err
		}
		var msg struct {
			ID            int
			Error, Result json.RawMessage
			Params        struct{ Result json.RawMessage }
		}
		if err := json.Unmarshal(text, &msg); err != nil {
			return err
		}
		if msg.ID == 0 {
			if err := event(msg.Params.Result); err != nil {
				return err
			}
			continue
		}
		q.mu.Lock()
		a := q.open[msg.ID]
		delete(q.open, msg.ID)
		done := q.last && len(q.open) == 0
		q.mu.Unlock()
		if msg.Error != nil || !a.good(msg.Result) {
			return fmt.Errorf("%s%s was answered with %.500s", a.method, a.params, text)
		}
		if done {
			return nil
		}
	}
}

// TestWhatIsAnnouncedCanBeQueriedAtOnce asks, at the moment an event arrives and while
// transactions keep coming, everything that there is to ask about it, on its own
// connection and on another one. No question is asked twice.
func TestWhatIsAnnouncedCanBeQueriedAtOnce(t *testing.T) {
	more := 1
	if os.Getenv("TALARIA_LONG") != "" {
		more = 20
	}
	r := newRigWith(t, func(r *rig) {
		r.g.Alloc[logger] = types.Account{Code: common.FromHex("60006000a0"), Nonce: 1, Balance: new(big.Int)}
	})
	k := &known{sender: crypto.PubkeyToAddress(r.users[0].PublicKey), nonces: make(map[common.Hash]uint64)}
	r.served(func(addr string) {
		stop := r.load(k)
		defer stop()
		var wg sync.WaitGroup
		for kind, a := range k.announcements() {
			wg.Add(1)
			go func() {
				defer wg.Done()
				asked, err := questionEvents(addr, a.params, more*a.count, a.about)
				if err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				t.Logf("%s: %d events, %d questions on each of two connections", kind, more*a.count, asked)
			}()
		}
		wg.Wait()
	})
}

// load sends transactions until stop is called.
func (r *rig) load(k *known) (stop func()) {
	ended, idle := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(idle)
		for nonce := uint64(0); ; {
			select {
			case <-ended:
				return
			default:
			}
			var done <-chan struct{}
			for range 5 {
				tx := r.call(nonce)
				k.mu.Lock()
				k.nonces[tx.Hash()] = nonce
				k.mu.Unlock()
				done = r.submit(tx).Done()
				nonce++
			}
			<-done
		}
	}()
	return func() {
		close(ended)
		<-idle
	}
}

// questionEvents subscribes and asks about the first events of the subscription.
func questionEvents(addr, params string, count int, about func(*announcement) []query) (asked int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	same, err := dialQuestioner(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer same.ws.CloseNow()
	other, err := dialQuestioner(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer other.ws.CloseNow()
	both := func(a query, last bool) error {
		return errors.Join(same.ask(ctx, a, last), other.ask(ctx, a, last))
	}
	if err := same.ask(ctx, query{"eth_subscribe", params, there}, false); err != nil {
		return 0, err
	}
	others := make(chan error, 1)
	go func() {
		err := other.read(ctx, func(json.RawMessage) error { return errors.New("event of a subscription of another connection") })
		if err != nil {
			cancel()
		}
		others <- err
	}()
	seen := 0
	err = same.read(ctx, func(result json.RawMessage) error {
		if seen++; seen > count {
			return nil
		}
		var e announcement
		if result[0] == '"' {
			if err := json.Unmarshal(result, &e.Hash); err != nil {
				return err
			}
		} else if err := json.Unmarshal(result, &e); err != nil {
			return fmt.Errorf("%w in %.300s", err, result)
		}
		for _, a := range about(&e) {
			asked++
			if err := both(a, false); err != nil {
				return err
			}
		}
		if seen == count {
			return both(query{"eth_chainId", "[]", there}, true)
		}
		return nil
	})
	if err != nil {
		cancel()
	}
	return asked, errors.Join(err, <-others)
}
