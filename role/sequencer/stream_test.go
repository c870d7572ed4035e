package sequencer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
)

// reconnecting is a subscriber that is killed and comes back with its last cursor.
type reconnecting struct {
	params string
	most   int                                     // events of one life
	key    func(result map[string]any) string      // nil: the result is a string
	record func(r *rig, m *rpc.MiniBlock) []string // what the chain says of a mini-block
	cursor string
	seen   []string
}

func member(names ...string) func(map[string]any) string {
	return func(result map[string]any) (key string) {
		for _, name := range names {
			key += fmt.Sprint(result[name], " ")
		}
		return key
	}
}

func reconnectors() map[string]*reconnecting {
	hashes := func(deposits bool, form string) func(*rig, *rpc.MiniBlock) []string {
		return func(_ *rig, m *rpc.MiniBlock) (keys []string) {
			for _, tx := range m.Txs {
				if deposits || !tx.IsDeposit() {
					keys = append(keys, fmt.Sprintf(form, tx.Hash()))
				}
			}
			return keys
		}
	}
	return map[string]*reconnecting{
		"miniBlocks": {params: `"miniBlocks",null`, most: 20, key: member("hash"), record: func(_ *rig, m *rpc.MiniBlock) []string {
			return []string{m.Hash.Hex() + " "}
		}},
		"newPendingTransactions": {params: `"newPendingTransactions",false`, most: 20, record: hashes(false, "%s")},
		"receipts":               {params: `"receipts",null`, most: 20, key: member("transactionHash"), record: hashes(true, "%s ")},
		"logs": {params: `"logs",{}`, most: 20, key: member("transactionHash", "logIndex"), record: func(_ *rig, m *rpc.MiniBlock) (keys []string) {
			index := m.FirstLogIndex
			for i, receipt := range m.Receipts {
				for range receipt.Logs {
					keys = append(keys, fmt.Sprintf("%s 0x%x ", m.Txs[i].Hash(), index))
					index++
				}
			}
			return keys
		}},
		"stateChanges": {params: `"stateChanges",null`, most: 20, key: member("miniBlockNumber", "address"), record: func(r *rig, m *rpc.MiniBlock) (keys []string) {
			changes, err := r.node.AccountChanges(context.Background(), m)
			if err != nil {
				r.t.Fatal(err)
			}
			for i := range changes {
				keys = append(keys, fmt.Sprintf("0x%x 0x%x ", m.Header.Number, changes[i].Address))
			}
			return keys
		}},
		"newHeads": {params: `"newHeads",null`, most: 2, key: member("number", "hash")},
	}
}

// live reads up to n events and is killed.
func (c *reconnecting) live(addr string, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	from := `{"fromBlock":"0x1"}`
	if c.cursor != "" {
		from = `{"cursor":"` + c.cursor + `"}`
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":[`+c.params+`,`+from+`]}`)); err != nil {
		return err
	}
	for i := -1; i < n; i++ {
		_, text, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		var msg struct {
			Error  any
			Params struct {
				Result json.RawMessage
				Cursor string
				Gap    any
			}
		}
		if err := json.Unmarshal(text, &msg); err != nil || msg.Error != nil || msg.Params.Gap != nil {
			return fmt.Errorf("%v: %.300s", err, text)
		}
		if i < 0 {
			continue // the answer
		}
		var key string
		if c.key == nil {
			err = json.Unmarshal(msg.Params.Result, &key)
		} else {
			result := make(map[string]any)
			err = json.Unmarshal(msg.Params.Result, &result)
			key = c.key(result)
		}
		if err != nil {
			return err
		}
		c.seen, c.cursor = append(c.seen, key), msg.Params.Cursor
	}
	return nil
}

// served runs f with the rig's node served over a socket.
func (r *rig) served(f func(addr string)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	server := rpc.New(&node.Backend{Node: r.node}, rpc.Options{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	f(listener.Addr().String())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := errors.Join(server.Shutdown(ctx), <-done); err != nil {
		r.t.Error(err)
	}
}

// logger is a contract that logs once.
var logger = common.Address{0x77}

func (r *rig) call(nonce uint64) *chain.Tx {
	id := new(big.Int).SetUint64(r.g.Config.ChainID)
	raw, err := types.MustSignNewTx(r.users[0], types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, Gas: 50_000, To: &logger, GasFeeCap: big.NewInt(10_000_000), GasTipCap: big.NewInt(1),
	}).MarshalBinary()
	if err != nil {
		panic(err)
	}
	tx, err := chain.DecodeTx(raw, &r.g.Config)
	if err != nil {
		panic(err)
	}
	return tx
}

// TestAReconnectingSubscriberUnderLoadSeesEveryEventOnceInOrder kills subscribers of all
// kinds, TALARIA_STREAM_KILLS times each, with a restart of the node in between.
func TestAReconnectingSubscriberUnderLoadSeesEveryEventOnceInOrder(t *testing.T) {
	kills := 10
	if text := os.Getenv("TALARIA_STREAM_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	r := newRigWith(t, func(r *rig) {
		r.g.Alloc[logger] = types.Account{Code: common.FromHex("60006000a0"), Nonce: 1, Balance: new(big.Int)}
	})
	clients := reconnectors()
	nonce := uint64(0)
	phase := func(addr string) {
		stop, idle := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(idle)
			for {
				select {
				case <-stop:
					return
				default:
				}
				var last *rpc.Submission
				for range 5 {
					last = r.submit(r.call(nonce))
					nonce++
				}
				<-last.Done()
			}
		}()
		var wg sync.WaitGroup
		for name, c := range clients {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range max(kills/2, 1) {
					if err := c.live(addr, rand.IntN(c.most+1)); err != nil {
						t.Errorf("%s behind %s: %v", name, c.cursor, err)
						return
					}
				}
			}()
		}
		wg.Wait()
		close(stop)
		<-idle
	}
	r.served(phase)
	r.stop()
	r.start()
	r.served(func(addr string) {
		phase(addr)
		want := r.record(clients)
		for name, c := range clients {
			if t.Failed() {
				return
			}
			if rest := len(want[name]) - len(c.seen); rest > 0 {
				if err := c.live(addr, rest); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			c.seen = c.seen[:min(len(c.seen), len(want[name]))] // blocks go on
			if !slices.Equal(c.seen, want[name]) {
				t.Errorf("%s: %d events seen, the chain has %d, or others", name, len(c.seen), len(want[name]))
			}
			t.Logf("%s: %d events in %d lives", name, len(c.seen), 2*max(kills/2, 1)+1)
		}
	})
}

// record is what the chain says of each kind.
func (r *rig) record(clients map[string]*reconnecting) map[string][]string {
	want := make(map[string][]string)
	head := r.node.Head().Number.Uint64()
	for number, mini := uint64(1), uint64(0); number <= head; number++ {
		h, err := r.node.HeaderByNumber(context.Background(), number)
		if err != nil {
			r.t.Fatal(err)
		}
		want["newHeads"] = append(want["newHeads"], fmt.Sprintf("0x%x %s ", number, h.Hash()))
		list, err := r.node.MiniBlocksFrom(context.Background(), mini)
		if err != nil || len(list) == 0 {
			r.t.Fatalf("mini-block %d: %v", mini, err)
		}
		for _, m := range list {
			for name, c := range clients {
				if c.record != nil {
					want[name] = append(want[name], c.record(r, m)...)
				}
			}
		}
		mini += uint64(len(list))
	}
	return want
}
