package sequencer

import (
	"runtime"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// admitted is a transaction on its way to execution.
type admitted struct {
	tx    *chain.Tx
	sub   *rpc.Submission
	check uint64 // its place in the checks, if its sender was not looked at before; else 0
}

// arrival is a transaction as it was handed over.
type arrival struct {
	raw    []byte
	sender common.Address // hint; zero: none
	sub    *rpc.Submission
}

// maxQueuedBytes bounds the raw transactions that wait for execution.
const maxQueuedBytes = 128 << 20

// intake is where transactions wait to be decoded. It counts them until they are taken
// for execution, so that its bounds are those of everything that waits.
type intake struct {
	wake chan struct{} // something has arrived, or the intake has closed

	mu       sync.Mutex
	arrivals []arrival
	txs      int   // that wait for execution, decoded or not
	bytes    int64 // of their raw transactions
	maxTxs   int
	closed   bool
}

// Submit hands transactions over for sequencing; see rpc.Backend.SubmitTxs. Decoding
// and everything after it happens later: here only room counts.
func (s *Sequencer) Submit(sends []rpc.Send) []*rpc.Submission {
	subs := rpc.NewSubmissions(sends)
	if err := s.Ready(); err != nil {
		refuseAll(subs, rpc.NotReadyError(err.Error()))
		return subs
	}
	in := &s.intake
	in.mu.Lock()
	var refused error
	taken := 0
	for i := range sends {
		if refused = in.admit(&sends[i]); refused != nil {
			break
		}
		in.arrivals = append(in.arrivals, arrival{sends[i].Raw, sends[i].Sender, subs[i]})
		taken++
	}
	in.mu.Unlock()
	in.signal()
	refuseAll(subs[taken:], refused)
	return subs
}

func refuseAll(subs []*rpc.Submission, err error) {
	for _, sub := range subs {
		sub.Resolve(nil, err)
	}
}

// admit makes room for one more transaction. A connection that sends much, which is a
// group, gets no more than it leaves to others: however many there are, one that comes
// finds room. in.mu is held.
func (in *intake) admit(send *rpc.Send) error {
	size, group := len(send.Raw), send.Group
	switch {
	case in.closed:
		return rpc.NotReadyError("the sequencer is shutting down")
	case in.txs >= in.maxTxs:
		return rpc.Errorf(rpc.CodeLimit, "transaction queue is full: limit %d transactions (send again in a moment)", in.maxTxs)
	case in.bytes+int64(size) > maxQueuedBytes:
		return rpc.Errorf(rpc.CodeLimit, "transaction queue is full: limit %d bytes (send again in a moment)", maxQueuedBytes)
	case group != nil && group.Waiting.Load() >= int64(in.maxTxs-in.txs):
		return rpc.Errorf(rpc.CodeLimit, "transaction queue: %d transactions of this connection wait, which is its share of the limit of %d (send again in a moment)", group.Waiting.Load(), in.maxTxs)
	}
	in.txs++
	in.bytes += int64(size)
	if group != nil {
		group.Waiting.Add(1)
	}
	return nil
}

func (in *intake) signal() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// release gives back the room of transactions that are executed or refused, each of
// which has left.
func (in *intake) release(txs int, bytes int64) {
	in.mu.Lock()
	in.txs -= txs
	in.bytes -= bytes
	in.mu.Unlock()
}

// left takes a transaction off its connection's share.
func left(sub *rpc.Submission) {
	if g := sub.Group(); g != nil {
		g.Waiting.Add(-1)
	}
}

// waiting is how many transactions wait for execution.
func (in *intake) waiting() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.txs
}

// close makes the intake refuse what comes.
func (in *intake) close() {
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	in.signal()
}

// take waits for arrivals and returns up to max of them; none if the intake is closed
// and empty.
func (in *intake) take(into []arrival, max int) []arrival {
	for {
		in.mu.Lock()
		n := min(max, len(in.arrivals))
		into = append(into, in.arrivals[:n]...)
		if rest := in.arrivals[n:]; len(rest) == 0 {
			clear(in.arrivals)
			in.arrivals = in.arrivals[:0]
		} else {
			clear(in.arrivals[:n])
			in.arrivals = rest
		}
		closed := in.closed
		in.mu.Unlock()
		if n > 0 || closed {
			return into
		}
		<-in.wake
		// Whoever else can run may have something, too: eight signatures cost as much
		// as one.
		runtime.Gosched()
	}
}

const (
	// maxDecode is how many transactions are decoded before they go to execution.
	maxDecode = 256
	// decodeShare is the number of transactions from which another processor helps.
	decodeShare = 64
)

// decoder decodes arrivals in order, several at a time, and hands what can be admitted
// to the executing goroutine. It ends when the intake is closed and empty.
func (s *Sequencer) decoder() {
	defer close(s.ready)
	decoders := make([]*chain.Decoder, max(1, runtime.GOMAXPROCS(0)/2))
	for i := range decoders {
		decoders[i] = chain.NewDecoder(s.node.Config())
	}
	batch := make([]arrival, 0, maxDecode)
	senders, vouched := make([]common.Address, maxDecode), make([]bool, maxDecode)
	raws, txs, errs := make([][]byte, maxDecode), make([]*chain.Tx, maxDecode), make([]error, maxDecode)
	for {
		clear(batch)
		if batch = s.intake.take(batch[:0], maxDecode); len(batch) == 0 {
			return
		}
		n, room := len(batch), s.checks.room()
		var hints []common.Address
		for i := range batch {
			raws[i], senders[i], vouched[i] = batch[i].raw, batch[i].sender, false
			if batch[i].sender == (common.Address{}) {
				continue
			}
			hints = senders[:n]
			if v := batch[i].sub.Voucher(); v != nil && !v.Withdrawn() && room > 0 {
				vouched[i] = true
				room--
			}
		}
		decodeAll(decoders, raws[:n], hints, vouched[:n], txs[:n], errs[:n])
		if list := s.admit(batch, vouched, txs, errs); len(list) > 0 {
			s.ready <- list
		}
		clear(raws[:n])
		clear(txs[:n])
	}
}

// decodeAll shares the work between the decoders. hints is nil if there are none.
func decodeAll(decoders []*chain.Decoder, raws [][]byte, hints []common.Address, vouched []bool, txs []*chain.Tx, errs []error) {
	parts := min(len(decoders), max(1, len(raws)/decodeShare))
	decode := func(i, from, to int) {
		var some []common.Address
		if hints != nil {
			some = hints[from:to]
		}
		decoders[i].DecodeVouched(raws[from:to], some, vouched[from:to], txs[from:to], errs[from:to])
	}
	var others sync.WaitGroup
	for i := 1; i < parts; i++ {
		from, to := len(raws)*i/parts, len(raws)*(i+1)/parts
		others.Go(func() { decode(i, from, to) })
	}
	decode(0, 0, len(raws)/parts)
	others.Wait()
}

// admit returns the decoded transactions that may be executed, and answers the others. Those
// that somebody vouches for are queued to be checked.
func (s *Sequencer) admit(batch []arrival, vouched []bool, txs []*chain.Tx, errs []error) []admitted {
	baseFee := s.admitFee()
	list := make([]admitted, 0, len(batch))
	var later []unchecked
	for i := range batch {
		a, err := &batch[i], errs[i]
		if err == nil {
			a.sub.Decoded(txs[i].Hash())
			err = sequencing.Admit(txs[i], s.node.Config(), baseFee)
		}
		if err != nil {
			left(a.sub)
			s.intake.release(1, int64(len(a.raw)))
			a.sub.Resolve(nil, err)
			continue
		}
		b := admitted{tx: txs[i], sub: a.sub}
		if vouched[i] {
			later = append(later, unchecked{txs[i], a.sub.Voucher()})
			b.check = uint64(len(later))
		}
		list = append(list, b)
	}
	if len(later) == 0 {
		return list
	}
	before := s.checks.add(later) - 1
	for i := range list {
		if list[i].check > 0 {
			list[i].check += before
		}
	}
	return list
}
