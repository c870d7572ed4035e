package sequencer

import (
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/sequencing"
)

// admitted is a transaction on its way to execution.
type admitted struct {
	tx  *chain.Tx
	sub *rpc.Submission
}

// maxQueuedBytes bounds the raw transactions in the queue.
const maxQueuedBytes = 128 << 20

// Submit hands a transaction over for sequencing; see rpc.Backend.SubmitTx.
func (s *Sequencer) Submit(tx *chain.Tx) *rpc.Submission {
	if err := sequencing.Admit(tx, s.node.Config(), s.node.PublishedHead().BaseFee); err != nil {
		return rpc.FailedSubmission(tx.Hash(), err)
	}
	if err := s.Ready(); err != nil {
		return rpc.FailedSubmission(tx.Hash(), rpc.NotReadyError(err.Error()))
	}
	sub := rpc.NewSubmission(tx.Hash())
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closing {
		return rpc.FailedSubmission(tx.Hash(), rpc.NotReadyError("the sequencer is shutting down"))
	}
	size := int64(len(tx.Raw()))
	if s.queued.Add(size) > maxQueuedBytes {
		s.queued.Add(-size)
		return rpc.FailedSubmission(tx.Hash(), rpc.Errorf(rpc.CodeLimit,
			"transaction queue is full: limit %d bytes (send again in a moment)", maxQueuedBytes))
	}
	select {
	case s.queue <- admitted{tx, sub}:
		return sub
	default:
		s.queued.Add(-size)
		return rpc.FailedSubmission(tx.Hash(), rpc.Errorf(rpc.CodeLimit,
			"transaction queue is full: limit %d transactions (send again in a moment)", cap(s.queue)))
	}
}
