package validator

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/verify"
	"github.com/talaria-l2/talaria/verify/opinion"
)

// secondOpinion has go-ethereum execute blocks that were found right.
type secondOpinion struct {
	cfg    *chain.Config
	log    *slog.Logger
	asked  atomic.Uint64
	beyond atomic.Uint64 // blocks that go-ethereum has no rules for
	failed atomic.Uint64 // witnesses that go-ethereum cannot work with
}

// compare returns a fault if go-ethereum comes to something else.
func (s *secondOpinion) compare(in *verify.Input) error {
	s.asked.Add(1)
	err := opinion.Check(s.cfg, in)
	var fault *verify.Fault
	switch {
	case err == nil || errors.As(err, &fault):
		return err
	case errors.Is(err, opinion.ErrBeyond):
		s.beyond.Add(1)
	default:
		s.failed.Add(1)
		s.log.Warn("go-ethereum has no opinion on a block", "block", in.Header.Number, "err", err)
	}
	return nil
}

// Opinion counts second opinions.
type Opinion struct {
	Asked  uint64 `json:"asked"`
	Beyond uint64 `json:"beyond"` // go-ethereum has no rules for the block
	Failed uint64 `json:"failed"` // go-ethereum cannot work with the witness
}

func (s *secondOpinion) status() *Opinion {
	return &Opinion{Asked: s.asked.Load(), Beyond: s.beyond.Load(), Failed: s.failed.Load()}
}
