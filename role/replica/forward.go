package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// Forwarder hands transactions over to the leader.
type Forwarder interface {
	// Forward hands transactions over, in order, and calls answered once for each, from any
	// goroutine: nil when the leader has executed it and made it durable, else its refusal,
	// an *rpc.Error if it is one that clients should see as it is. It may block until there
	// is room, and keeps txs. One goroutine at a time calls.
	Forward(txs []*chain.Tx, answered func(i int, err error))
	// Close gives up what is under way, each with an answer.
	Close()
}

const (
	maxArrivals = 16_384           // transactions that wait to be decoded
	maxForward  = 256              // transactions that are decoded and handed over together
	visible     = 30 * time.Second // until what the leader executed must be seen here
	doubtful    = 2 * time.Second  // until what the leader may have executed must be
	sweep       = time.Second
)

// Gateway takes transactions from clients of a node, checks them, hands them over to the
// leader, and answers when the node itself has them: who has the receipt of a transaction
// finds its effects here.
type Gateway struct {
	node     *node.Node
	to       Forwarder
	arrivals chan arrival

	mu      sync.Mutex
	waiting map[common.Hash][]*forwarded

	closing sync.RWMutex // held by Submit, for reading, and by Close
	closed  bool
	stop    chan struct{}
	workers sync.WaitGroup
}

// arrival is a transaction that was handed over to the node.
type arrival struct {
	sub    *rpc.Submission
	sender common.Address // hint; zero: none
}

// forwarded is a transaction that the leader has, or is about to get.
type forwarded struct {
	sub   *rpc.Submission
	until time.Time // zero: the leader has not answered
	late  error     // the answer then [that it was not seen]
}

// NewGateway starts a gateway, which closes the forwarder with itself.
func NewGateway(n *node.Node, to Forwarder) *Gateway {
	g := &Gateway{node: n, to: to, arrivals: make(chan arrival, maxArrivals), waiting: make(map[common.Hash][]*forwarded), stop: make(chan struct{})}
	g.workers.Go(g.hand)
	g.workers.Go(g.watch)
	return g
}

// Close refuses what waits, and waits for what was started.
func (g *Gateway) Close() {
	g.closing.Lock()
	g.closed = true
	g.closing.Unlock()
	close(g.stop)
	g.to.Close()
	g.workers.Wait()
	g.refuse()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, list := range g.waiting {
		for _, f := range list {
			f.sub.Resolve(nil, errClosing())
		}
	}
	clear(g.waiting)
}

func errClosing() error { return rpc.NotReadyError("the node is shutting down") }

// Submit is rpc.Backend's SubmitTxs.
func (g *Gateway) Submit(sends []rpc.Send) []*rpc.Submission {
	subs := rpc.NewSubmissions(sends)
	g.closing.RLock()
	defer g.closing.RUnlock()
	for i, sub := range subs {
		if g.closed {
			sub.Resolve(nil, errClosing())
			continue
		}
		select {
		case g.arrivals <- arrival{sub, sends[i].Sender}:
		default:
			sub.Resolve(nil, rpc.Errorf(rpc.CodeLimit, "transaction queue is full: limit %d transactions (send again in a moment)", maxArrivals))
		}
	}
	return subs
}

// hand decodes arrivals, refuses what cannot be executed anywhere, and hands over the rest.
func (g *Gateway) hand() {
	decoder := chain.NewDecoder(g.node.Config())
	raws, txs, errs := make([][]byte, maxForward), make([]*chain.Tx, maxForward), make([]error, maxForward)
	senders := make([]common.Address, maxForward)
	batch := make([]arrival, 0, maxForward)
	for {
		batch = batch[:0]
		select {
		case <-g.stop:
			return
		case a := <-g.arrivals:
			batch = append(batch, a)
		}
	more:
		for len(batch) < maxForward {
			select {
			case a := <-g.arrivals:
				batch = append(batch, a)
			default:
				break more
			}
		}
		n := len(batch)
		var hints []common.Address
		for i, a := range batch {
			raws[i], senders[i] = a.sub.Raw(), a.sender
			if a.sender != (common.Address{}) {
				hints = senders[:n]
			}
		}
		decoder.DecodeHinted(raws[:n], hints, txs[:n], errs[:n])
		head := g.node.PublishedHead()
		if open := g.node.Pending(); open != nil {
			head = open.Header
		}
		var good []*chain.Tx
		var mine []*forwarded
		for i := range batch {
			sub, err := batch[i].sub, errs[i]
			if err == nil {
				sub.Decoded(txs[i].Hash())
				err = sequencing.Admit(txs[i], g.node.Config(), head.BaseFee)
			}
			if err != nil {
				sub.Resolve(nil, err)
				continue
			}
			good, mine = append(good, txs[i]), append(mine, g.await(sub))
		}
		clear(raws[:n])
		clear(txs[:n])
		clear(batch)
		if len(good) > 0 {
			g.to.Forward(good, func(i int, err error) { g.answered(mine[i], err) })
		}
	}
}

// refuse answers what nobody handed over.
func (g *Gateway) refuse() {
	for {
		select {
		case a := <-g.arrivals:
			a.sub.Resolve(nil, errClosing())
		default:
			return
		}
	}
}

// await remembers a transaction until the node has it.
func (g *Gateway) await(sub *rpc.Submission) *forwarded {
	f := &forwarded{sub: sub}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting[sub.Hash()] = append(g.waiting[sub.Hash()], f)
	return f
}

// answered takes the leader's answer.
func (g *Gateway) answered(f *forwarded, err error) {
	var maybe uncertain
	if err == nil || errors.As(err, &maybe) {
		g.mu.Lock()
		if f.until = time.Now().Add(visible); err != nil {
			f.until, f.late = time.Now().Add(doubtful), maybe.error
		}
		g.mu.Unlock()
		g.look(f.sub.Hash()) // it may be here already, and for long
		return
	}
	g.mu.Lock()
	hash := f.sub.Hash()
	list := g.waiting[hash]
	for i, w := range list {
		if w != f {
			continue
		}
		if list = append(list[:i:i], list[i+1:]...); len(list) == 0 {
			delete(g.waiting, hash)
		} else {
			g.waiting[hash] = list
		}
		g.mu.Unlock()
		f.sub.Resolve(nil, err)
		return
	}
	g.mu.Unlock() // it was seen meanwhile
}

// look answers who waits for a transaction, if the node has it.
func (g *Gateway) look(hash common.Hash) {
	info, err := g.node.TxByHash(context.Background(), hash)
	if info == nil || err != nil {
		return
	}
	g.mu.Lock()
	list := g.waiting[hash]
	delete(g.waiting, hash)
	g.mu.Unlock()
	for _, f := range list {
		f.sub.Resolve(info, nil)
	}
}

// watch answers when the node publishes what is waited for.
func (g *Gateway) watch() {
	timer := time.NewTicker(sweep)
	defer timer.Stop()
	for {
		events := g.node.Subscribe(1024)
		g.lookAll() // what was published before
		if !g.watchEvents(events, timer.C) {
			events.Close()
			return
		}
	}
}

// watchEvents watches until it misses something, true, or the gateway closes.
func (g *Gateway) watchEvents(events *rpc.FeedReader, tick <-chan time.Time) bool {
	for {
		select {
		case <-g.stop:
			return false
		case <-tick:
			g.expire()
		case ev, ok := <-events.Events():
			if !ok {
				return true
			}
			if ev.MiniBlock == nil {
				continue
			}
			for _, hash := range g.found(ev.MiniBlock) {
				g.look(hash)
			}
		}
	}
}

// found are the transactions of a mini-block that somebody waits for.
func (g *Gateway) found(m *rpc.MiniBlock) (hashes []common.Hash) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return nil
	}
	for _, tx := range m.Txs {
		if hash := tx.Hash(); g.waiting[hash] != nil {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

func (g *Gateway) lookAll() {
	g.mu.Lock()
	hashes := make([]common.Hash, 0, len(g.waiting))
	for hash := range g.waiting {
		hashes = append(hashes, hash)
	}
	g.mu.Unlock()
	for _, hash := range hashes {
		g.look(hash)
	}
}

// expire answers who has waited too long for what the leader has executed.
func (g *Gateway) expire() {
	now := time.Now()
	var late []*forwarded
	g.mu.Lock()
	for hash, list := range g.waiting {
		kept := list[:0]
		for _, f := range list {
			if f.until.IsZero() || now.Before(f.until) {
				kept = append(kept, f)
			} else {
				late = append(late, f)
			}
		}
		if len(kept) == 0 {
			delete(g.waiting, hash)
		} else {
			g.waiting[hash] = kept
		}
	}
	g.mu.Unlock()
	for _, f := range late {
		if f.late != nil {
			f.sub.Resolve(nil, f.late)
			continue
		}
		f.sub.Resolve(nil, rpc.NotReadyError(fmt.Sprintf("the leader has executed the transaction, this node has not seen it for %s: look it up by its hash", visible)))
	}
}

// maxInFlight is how many requests are under way to the leader at once. Transactions of
// different ones may change places: one whose nonce is ahead waits at the leader.
const maxInFlight = 64

// RPCForwarder hands transactions over by JSON-RPC.
type RPCForwarder struct {
	client  *Client
	places  chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// NewRPCForwarder hands over to the node that the client asks.
func NewRPCForwarder(c *Client) *RPCForwarder {
	f := &RPCForwarder{client: c, places: make(chan struct{}, maxInFlight)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Close implements Forwarder.
func (f *RPCForwarder) Close() {
	f.cancel()
	f.running.Wait()
}

// Forward implements Forwarder.
func (f *RPCForwarder) Forward(txs []*chain.Tx, answered func(i int, err error)) {
	select {
	case f.places <- struct{}{}:
	case <-f.ctx.Done():
		for i := range txs {
			answered(i, errClosing())
		}
		return
	}
	f.running.Go(func() {
		defer func() { <-f.places }()
		f.post(txs, answered)
	})
}

// post hands a list over in one request, whose answers come when all of them are there.
func (f *RPCForwarder) post(txs []*chain.Tx, answered func(i int, err error)) {
	batch := make([]question, len(txs))
	for i, tx := range txs {
		batch[i] = question{"2.0", i, "eth_sendRawTransactionSync", []any{hexutil.Bytes(tx.Raw())}}
	}
	ctx, cancel := context.WithTimeout(f.ctx, askTimeout)
	defer cancel()
	var answers []answer
	err := f.client.post(ctx, batch, &answers)
	if f.ctx.Err() != nil {
		err = errClosing()
	} else if err != nil {
		err = rpc.NotReadyError(fmt.Sprintf("the leader does not answer: %v (whether the transaction was taken is not known: look it up by its hash)", err))
	}
	told := make([]bool, len(txs))
	for k := range answers {
		if id := answers[k].ID; err == nil && id != nil && *id >= 0 && *id < len(txs) && !told[*id] {
			told[*id] = true
			answered(*id, answers[k].refusal())
		}
	}
	if err == nil {
		err = errors.New("the leader did not answer for the transaction")
	}
	for i := range txs {
		if !told[i] {
			answered(i, err)
		}
	}
}
