package rpc

import (
	"fmt"
	"time"
)

// TierTimes is what a node saw of blocks being posted and becoming final.
type TierTimes interface {
	// TierTimes tells of the block with the number. The node knows what it saw since it
	// started.
	TierTimes(number uint64) TierTime
}

// TierTime is when a block reached its tiers, and when it may reach the next.
type TierTime struct {
	Posted, Final time.Time // zero: not yet, or not seen
	// NextPosted and NextFinal are when blocks will probably be posted and final next, by
	// the pace of late; zero is not known.
	NextPosted, NextFinal time.Time
}

// finality is talaria_finality: the tier of a published transaction, since when it has
// it, and what the next one waits for.
func (s *Server) finality(c *call, a *args) (rawJSON, error) {
	t, err := s.lookup(c, a)
	if err != nil || t == nil {
		return nil, err
	}
	times := s.backend.TierTimes(t.BlockNumber)
	safe, finalized := s.backend.Finality()
	tier := tiers{safe, finalized}.of(t.BlockNumber, t.BlockHash != zeroHash)
	w := newWriter(512)
	w.open('{')
	w.key("tier").str(tier)
	w.key("miniBlockNumber").qty(t.MiniBlock)
	w.key("blockNumber").qty(t.BlockNumber)
	w.key("blockHash").hashOrNull(t.BlockHash)
	switch tier {
	case TierSequenced:
		since := time.Time{}
		m, err := s.backend.MiniBlockByNumber(c.ctx, t.MiniBlock)
		if err != nil {
			return nil, err
		}
		if m != nil {
			since = time.UnixMicro(int64(m.Header.TimestampMicros))
		}
		why := fmt.Sprintf("its block is not posted to L1 yet: the newest that is has number %d", safe)
		if t.BlockHash == zeroHash {
			why = "its block is not sealed yet"
		}
		w.tierTimes(since, TierPosted, times.NextPosted, why)
	case TierPosted:
		w.tierTimes(times.Posted, TierFinal, times.NextFinal, fmt.Sprintf("the L1 block with its data is not final yet: the newest block whose is has number %d", finalized))
	default:
		w.tierTimes(times.Final, "", time.Time{}, "")
	}
	w.shut('}')
	return w.b, nil
}

// tierTimes writes since when a tier holds, and when the next one may. Times are Unix
// times in ms; null is not known.
func (w *writer) tierTimes(since time.Time, next string, eta time.Time, why string) {
	w.key("since").millis(since)
	if next == "" {
		w.key("next").null()
		w.key("eta").null()
		w.key("waitsFor").null()
		return
	}
	w.key("next").str(next)
	w.key("eta").millis(eta)
	w.key("waitsFor").text(why)
}

func (w *writer) millis(t time.Time) {
	if t.IsZero() {
		w.null()
		return
	}
	w.qty(uint64(t.UnixMilli()))
}
