package proposer

import "errors"

// measure tells the metrics how far the proposer is.
func (p *Proposer) measure() {
	m := p.opts.Metrics
	if m == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, before := p.status, p.told
	p.told = s
	m.Claimed.Set(float64(s.Claimed))
	m.Made.Add(float64(s.Claims - before.Claims))
	m.Challenged.Add(float64(s.Challenges - before.Challenges))
	m.Unchecked.Set(float64(s.Unchecked))
	m.Alarm("unchecked", s.Unchecked > 0)
	m.Alarm("missed", s.Missed > 0)
	m.Alarm("reserve", errors.Is(p.failing[trading], ErrReserve))
	m.Alarm("failing", p.failing[watching] != nil && s.Unchecked == 0 || p.failing[trading] != nil && !errors.Is(p.failing[trading], ErrReserve))
}
