package sequencer

import (
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// loop is what the executing goroutine owns.
type loop struct {
	s     *Sequencer
	chain *exec.Chain

	head   derive.Head     // of the last sealed block
	origin *derive.L1Block // of the newest block
	slot   sequencing.BlockSlot
	attrs  chain.Attributes

	lastCut   chain.Micros // on the clock
	lastStamp chain.Micros // in the last mini-block
	lastSeq   uint64       // of the last mini-block in the log
	waiters   []waiter     // of the open mini-block
	logs      uint64       // in the open block so far
	bytes     int          // of raw user transactions in the open block
	users     int          // user transactions in the open block
	logBytes  int          // of log data in the open block

	held map[signed]*rpc.Submission // wait for an earlier nonce; all of them are by whom they say
	// next are transactions that do not fit into the open block: nothing is taken from
	// the backlog before them.
	next []admitted
	// backlog are transactions to be executed, in order; txs is memory for some of them.
	backlog []admitted
	txs     []*chain.Tx

	record   []byte // memory for encoding one for the log
	epoch    uint64 // least one to sign mini-blocks in
	unsynced bool   // the newest blocks were adopted and may not be on disk yet
	stale    bool   // L1 is not read behind the newest block

	unchecked uint64            // place in the checks of the last transaction of the open block that has one
	suspect   bool              // the open block may have forged senders for another reason than an alarm
	forged    map[signed]forged // in the open block, as far as it was looked at

	dev *devChain // nil but on a development chain
}

func newLoop(s *Sequencer) (*loop, error) {
	l := &loop{s: s, chain: s.node.Exec(), origin: s.l1.Origin, held: make(map[signed]*rpc.Submission), epoch: s.undone.Epoch, dev: s.dev}
	var err error
	if l.head, err = s.parentHead(); err != nil {
		return nil, err
	}
	l.lastStamp = l.head.LastMicros
	l.resumeDevelopment()
	if l.chain.IsOpen() {
		_, minis, attrs := l.chain.OpenBlock()
		l.attrs = attrs
		l.suspect = true // what of it was checked the log does not tell
		l.slot = s.slots.Reopen(minis[0].TimestampMicros)
		l.lastStamp = minis[len(minis)-1].TimestampMicros
		open := s.node.Pending()
		for i, r := range open.Receipts {
			l.count(r)
			if tx := open.Txs[i]; !tx.IsDeposit() {
				l.bytes += len(tx.Raw())
				l.users++
			}
		}
	}
	return l, nil
}

// run is the executing goroutine.
func (l *loop) run() {
	s := l.s
	defer close(s.looped)
	defer close(s.entries)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, err := l.step()
		if err != nil {
			s.node.Fail(err)
			l.refuse(err)
			return
		}
		l.answerOne()
		ready := s.ready
		if !l.canTake() {
			ready = nil
		} else if len(l.backlog) > 0 {
			if l.interrupted() {
				return
			}
			if len(l.backlog) > 0 && l.canTake() {
				l.takeSome()
			}
			continue
		}
		timer.Reset(wait)
		select {
		case list, ok := <-ready:
			if !ok { // nothing comes any more: wait for the stop
				l.finish()
				return
			}
			l.backlog = append(l.backlog, list...)
		case command := <-s.commands:
			if err := command(l); err != nil {
				s.node.Fail(err)
				l.refuse(err)
				return
			}
		case q := <-s.questions:
			l.answer(q)
		case <-s.checks.alarm:
		case <-timer.C:
		case <-s.stop:
			l.finish()
			return
		case <-s.node.Failed():
			l.refuse(s.node.Failure())
			return
		}
	}
}

// keptRecordBytes bounds the memory for records that is kept.
const keptRecordBytes = 4 << 20

// maxWait bounds how long the loop sleeps with nothing due.
const maxWait = time.Second

// step does all that is due now and says how long there is nothing to do unless a
// transaction arrives.
func (l *loop) step() (time.Duration, error) {
	if l.dev != nil {
		return l.devStep()
	}
	for {
		if l.suspect || l.s.checks.alarmed.Load() {
			if err := l.purge(); err != nil {
				return 0, err
			}
		}
		t := now()
		l.expire(t)
		if !l.chain.IsOpen() {
			opened, waitUntil, err := l.open(t)
			if err != nil {
				return 0, err
			}
			if !opened {
				return until(waitUntil, t), nil
			}
			continue
		}
		if l.slot.Closed(t) {
			if err := l.closeBlock(t); err != nil {
				return 0, err
			}
			continue
		}
		d := l.s.cutter.Decide(sequencing.Progress{
			Now: t, LastCut: l.lastCut, BlockEnd: l.slot.Closes,
			TxCount: uint64(l.chain.MiniTxs()), Idle: len(l.next) > 0 || l.s.intake.waiting() == 0,
			Durable: l.s.durable.reached() >= l.lastSeq,
		})
		if d.Cut {
			if err := l.cut(t); err != nil {
				return 0, err
			}
			continue
		}
		wait := until(l.slot.Closes, t)
		if d.WaitUntil != 0 {
			wait = min(wait, until(d.WaitUntil, t))
		}
		if deadline, ok := l.s.gaps.Deadline(); ok {
			wait = min(wait, until(deadline, t))
		}
		return wait, nil
	}
}

func until(at, t chain.Micros) time.Duration {
	if at <= t {
		return 0
	}
	return min(time.Duration(at-t)*time.Microsecond, maxWait)
}

// catchUpSeconds is how far the next L1 block may be behind the clock before blocks
// are made as fast as possible, one per L1 block, each at its L1 block's time.
// Transactions that wait are taken in a block at the clock's time all the same.
// Derivation refuses an origin that lags by derive.MaxOriginLag. A sequencer that has not
// posted for too long waits for less.
const catchUpSeconds = 60

// l1RetryMicros is how often a sequencer that waits for L1 looks again.
const l1RetryMicros chain.Micros = 100_000

// open opens the next block if it is time, with the L1-attributes deposit and the
// deposits of a new L1 origin as its first mini-block.
func (l *loop) open(t chain.Micros) (opened bool, waitUntil chain.Micros, err error) {
	if err := l.resync(); err != nil {
		return l.waitOrFail(t, err)
	}
	if l.stale {
		return false, t, nil // it went back: once more
	}
	forced, catchUp, behind := l.progress()
	if !catchUp {
		l.s.waitingFor(behind)
		return false, t + l1RetryMicros, nil
	}
	if forced {
		l.s.waitingFor(fmt.Errorf("%w: deposits that were late are taken in", errBehind))
		return false, t, l.openForced()
	}
	next := l.s.l1.Next.Peek()
	slot, waitUntil, ok := l.s.slots.Next(l.lastStamp, t)
	timestamp := max(slot.Timestamp, l.head.Timestamp)
	late := next != nil && (behind != nil || next.Timestamp+catchUpSeconds < t.Seconds()) && l.s.l1.Next.Backlog() > 1
	if late && (behind != nil || !ok || !l.waited()) {
		timestamp = max(next.Timestamp, l.head.Timestamp)
		slot = sequencing.BlockSlot{Timestamp: timestamp, Opened: t, Closes: t}
	} else if !ok {
		return false, waitUntil, nil
	}
	opening, err := derive.NextOrigin(l.s.node.Config(), l.head, l.origin, next, timestamp)
	if errors.Is(err, derive.ErrOriginLag) {
		// Nobody could derive the block: wait until L1 can be read again.
		l.s.waitingFor(err)
		return false, t + l1RetryMicros, nil
	}
	if errors.Is(err, derive.ErrL1Fork) && l.s.l1.Canonical != nil {
		err = l.reorged()
		l.s.waitingFor(err)
		return l.waitOrFail(t, err)
	}
	if l.s.waitingFor(behind); err != nil {
		return false, 0, err
	}
	if next != nil && opening.Origin == next.ID() {
		l.origin = next
		l.s.l1.Next.Pop()
	}
	a := opening.Attributes
	if signer := opening.System.Sequencer; signer != l.head.System.Sequencer && signer != crypto.PubkeyToAddress(l.s.opts.Key.PublicKey) {
		return false, 0, fmt.Errorf("with L1 block %d the chain's sequencer is %s: this one stops", opening.Origin.Number, signer)
	}
	l.chain.SetEpoch(max(l.head.Epoch, l.epoch))
	l.attrs = chain.Attributes{Timestamp: timestamp, PrevRandao: a.PrevRandao, ParentBeacon: a.ParentBeacon, Params: opening.System.BlockParams}
	if err := l.chain.Open(l.attrs); err != nil {
		return false, 0, err
	}
	l.slot, l.logs, l.bytes, l.users, l.logBytes = slot, 0, 0, 0, 0
	for _, tx := range append([]*chain.Tx{a.Tx()}, opening.Deposits...) {
		r, err := l.chain.Apply(tx)
		if err != nil {
			return false, 0, fmt.Errorf("block %d: deposit %s: %w", l.head.Number+1, tx.Hash(), err)
		}
		l.count(r)
	}
	if err := l.cut(t); err != nil {
		return false, 0, err
	}
	// The first has the whole gas limit of the block, which it fits by admission.
	held := append(l.s.again.retry(opening.Origin.Number), l.next...)
	l.next = nil
	for i, a := range held {
		if l.take(a); len(l.next) > 0 {
			l.next = append(l.next, held[i+1:]...)
			break
		}
	}
	return true, 0, nil
}

// waited reports whether transactions wait for execution: they get a block of their own
// although L1 is far ahead, or an L1 with blocks as fast as ours, and a clock that is late,
// would keep them out for ever.
func (l *loop) waited() bool { return len(l.next) > 0 || l.s.intake.waiting() > 0 }

// waitOrFail says when to look again if L1 cannot be read; any other error is final.
func (l *loop) waitOrFail(t chain.Micros, err error) (bool, chain.Micros, error) {
	if err != nil && !errors.Is(err, errL1) {
		return false, 0, err
	}
	l.s.waitingFor(err)
	return false, t + l1RetryMicros, nil
}

// take executes an admitted transaction, and those that waited for its nonce.
func (l *loop) take(a admitted) {
	if len(l.next) > 0 {
		l.hold(a) // the block is full already, and what goes before a may be in next
		return
	}
	from := a.tx.From()
	acc, _ := l.chain.Pending().Account(from)
	if a.tx.Nonce() > acc.Nonce {
		if l.s.again.has(a.sub) { // what goes before it went before it, and was refused
			a.sub.Resolve(nil, rpc.NonceGapError(acc.Nonce, a.tx.Nonce()))
			return
		}
		l.wait(a, acc.Nonce)
		return
	}
	if l.execute(a) {
		l.follow(from, a.tx.Nonce()+1)
	}
}

// wait holds a transaction until its account's nonce, which is next, gets there. It is
// checked before: only who signed takes up the room of an account.
func (l *loop) wait(a admitted, next uint64) {
	if err := l.checkNow(a); err != nil {
		a.sub.Resolve(nil, err)
		return
	}
	dropped, err := l.s.gaps.Add(a.tx, next, now())
	if err != nil {
		if errors.Is(err, sequencing.ErrNonceTooHigh) {
			err = rpc.NonceGapError(next, a.tx.Nonce())
		}
		a.sub.Resolve(nil, err)
		return
	}
	l.held[signedBy(a.tx)] = a.sub
	for _, d := range dropped {
		if sub := l.unhold(d.Tx); sub != nil {
			sub.Resolve(nil, d.Err)
		}
	}
}

// follow executes the transactions that waited for the sender to reach the nonce.
func (l *loop) follow(from common.Address, nonce uint64) {
	for l.s.gaps.Len() > 0 {
		ready := l.s.gaps.Ready(from, nonce)
		if len(ready) == 0 {
			return
		}
		for i, tx := range ready {
			b := l.released(tx)
			if l.execute(b) {
				nonce++
				continue
			}
			// The ones behind follow it into the next block, or wait again for theirs.
			for _, rest := range ready[i+1:] {
				if b := l.released(rest); len(l.next) > 0 {
					l.hold(b)
				} else {
					l.take(b)
				}
			}
			return
		}
	}
}

// released is a transaction that waited, to be executed.
func (l *loop) released(tx *chain.Tx) admitted { return admitted{tx: tx, sub: l.unhold(tx)} }

func (l *loop) unhold(tx *chain.Tx) *rpc.Submission {
	sub := l.held[signedBy(tx)]
	delete(l.held, signedBy(tx))
	return sub
}

// execute applies one transaction to the open block; false if it did not enter.
func (l *loop) execute(a admitted) bool {
	if len(l.next) > 0 {
		l.hold(a) // the block is full already
		return false
	}
	if l.bytes+len(a.tx.Raw()) > batch.MaxBlockTxBytes || l.users == batch.MaxBlockTxs || l.logBytes >= maxBlockLogBytes {
		l.hold(a) // a larger block could not be posted, or not be served
		return false
	}
	if l.chain.MiniTxs() == chain.MaxMiniBlockTxs {
		if err := l.cut(now()); err != nil {
			l.s.node.Fail(err)
			a.sub.Resolve(nil, rpc.NotReadyError(err.Error()))
			return false
		}
	}
	if doubted(a) {
		if err := l.genuine(a); err != nil {
			a.sub.Resolve(nil, err)
			return false
		}
	}
	r, err := l.chain.Apply(a.tx)
	if errors.Is(err, exec.ErrBlockFull) {
		l.hold(a)
		return false
	}
	if err != nil {
		a.sub.Resolve(nil, err)
		return false
	}
	l.enter(a, r, l.index())
	return true
}

// enter counts a transaction that entered the open block at the index.
func (l *loop) enter(a admitted, r *chain.Receipt, index uint64) {
	l.bytes += len(a.tx.Raw())
	l.users++
	l.unchecked = max(l.unchecked, a.check)
	l.waiters = append(l.waiters, waiter{a.sub, index, l.logs})
	l.count(r)
}

// hold keeps a transaction for the next block.
func (l *loop) hold(a admitted) { l.next = append(l.next, a) }

// maxBlockLogBytes bounds the log data of one block, but for its last transaction.
const maxBlockLogBytes = 32 << 20

func (l *loop) count(r *chain.Receipt) {
	l.logs += uint64(len(r.Logs))
	l.logBytes += dataBytes(r)
}

// dataBytes is the size of the receipt's log data.
func dataBytes(r *chain.Receipt) (n int) {
	for _, log := range r.Logs {
		n += len(log.Data)
	}
	return n
}

// index of the transaction applied last.
func (l *loop) index() uint64 {
	txs, _, _ := l.chain.OpenBlock()
	return uint64(len(txs)+l.chain.MiniTxs()) - 1
}

// expire refuses transactions that waited too long for the nonce before theirs.
func (l *loop) expire(t chain.Micros) {
	if l.s.gaps.Len() == 0 {
		return
	}
	for _, tx := range l.s.gaps.Expire(t) {
		l.refuseGap(tx)
	}
}

func (l *loop) refuseGap(tx *chain.Tx) {
	var nonce uint64
	if l.chain.IsOpen() {
		acc, _ := l.chain.Pending().Account(tx.From())
		nonce = acc.Nonce
	} else {
		acc, _ := l.chain.State().Head().Account(tx.From())
		nonce = acc.Nonce
	}
	sub := l.unhold(tx)
	switch {
	case sub == nil:
	case tx.Nonce() < nonce: // another one took its nonce meanwhile
		sub.Resolve(nil, sequencing.NonceTooLow(nonce, tx.Nonce()))
	default:
		sub.Resolve(nil, rpc.NonceGapError(nonce, tx.Nonce()))
	}
}

// cut ends the open mini-block, signs it and hands it to the log.
func (l *loop) cut(t chain.Micros) error {
	start := chain.Micros(l.attrs.Timestamp) * 1_000_000
	stamp := max(start, sequencing.Stamp(t, l.lastStamp, l.slot.Closes))
	m, version := l.chain.Cut(stamp)
	sig, err := m.Header.Sign(l.s.opts.Key)
	if err != nil {
		return err
	}
	m.Signature = sig
	l.lastCut, l.lastStamp = t, stamp
	l.record = node.AppendMiniBlock(l.record[:0], m, l.attrs)
	seq, err := l.s.wal.Append(node.RecordMiniBlock, l.record)
	if cap(l.record) > keptRecordBytes {
		l.record = nil
	}
	if err != nil {
		return l.lose(err)
	}
	l.lastSeq = seq
	l.s.entries <- entry{seq: seq, cut: time.Now(), mini: m, header: l.chain.OpenHeader(), attrs: l.attrs, version: version, waiters: l.waiters}
	l.waiters = nil
	return nil
}

// lose tells those who wait for a mini-block that it did not reach the log.
func (l *loop) lose(err error) error {
	for _, w := range l.waiters {
		w.sub.Resolve(nil, rpc.NotReadyError(err.Error()))
	}
	l.waiters = nil
	return err
}

// closeBlock cuts what is open, seals the block and hands the seal to the log.
func (l *loop) closeBlock(t chain.Micros) error {
	if l.chain.MiniTxs() > 0 {
		if err := l.cut(t); err != nil {
			return err
		}
	}
	if l.settleChecks(); len(l.forged) > 0 {
		return l.purge()
	}
	block, diff, err := l.chain.Seal()
	if err != nil {
		return err
	}
	seq, err := l.s.wal.Append(node.RecordSeal, node.EncodeSeal(block))
	if err != nil {
		return err
	}
	l.s.entries <- entry{seq: seq, block: block, diff: diff, witness: l.chain.Witness()}
	if l.head, err = l.s.headOf(block); err != nil {
		return err
	}
	return nil
}
