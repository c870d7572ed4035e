package rpc

import "encoding/json"

// subscribe is eth_subscribe; the pushes start after the answer with the id.
func (s *Server) subscribe(c *call, a *args) (rawJSON, error) {
	if c.conn == nil {
		return nil, Errorf(CodeNoMethod, "notifications not supported")
	}
	name := a.str(0)
	var kind topicKind
	var q *logQuery
	switch name {
	case "newHeads":
		kind = kindHeads
	case "miniBlocks":
		kind = kindMiniBlocks
	case "newPendingTransactions":
		kind = kindPending
		if readOr(a, 1, false, decodeBool) {
			kind = kindPendingFull
		}
	case "logs":
		parsed := readOr(a, 1, logQuery{from: blockRef{tag: tagLatest}, to: blockRef{tag: tagLatest}}, decodeLogQuery)
		kind, q = kindLogs, &parsed
		if a.err == nil && parsed.blockHash != nil {
			a.err = Errorf(CodeInvalidParams, "invalid argument 1: a live subscription has no blockHash")
		}
	default:
		if a.err == nil {
			a.err = Errorf(CodeNoMethod, "no %q subscription in eth namespace", clip(name))
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	sub, err := s.hub.add(c.conn, kind, q)
	if err != nil {
		return nil, err
	}
	c.subs = append(c.subs, sub)
	return json.Marshal(sub.id)
}

func (s *Server) unsubscribe(c *call, a *args) (rawJSON, error) {
	if c.conn == nil {
		return nil, Errorf(CodeNoMethod, "notifications not supported")
	}
	id := a.str(0)
	if a.err != nil {
		return nil, a.err
	}
	if !s.hub.remove(c.conn, id) {
		return nil, Errorf(CodeServer, "subscription not found")
	}
	return rawJSON(jsonTrue), nil
}

func (s *Server) install(kind topicKind, q *logQuery) (rawJSON, error) {
	id, err := s.hub.addFilter(kind, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(id)
}

func (s *Server) newFilter(_ *call, a *args) (rawJSON, error) {
	q := read(a, 0, decodeLogQuery)
	if a.err != nil {
		return nil, a.err
	}
	return s.install(kindLogs, &q)
}

func (s *Server) newBlockFilter(*call, *args) (rawJSON, error) { return s.install(kindHeads, nil) }

func (s *Server) newPendingFilter(_ *call, a *args) (rawJSON, error) {
	kind := kindPending
	if a.flag(0) {
		kind = kindPendingFull
	}
	if a.err != nil {
		return nil, a.err
	}
	return s.install(kind, nil)
}

func (s *Server) getFilterChanges(_ *call, a *args) (rawJSON, error) {
	id := a.str(0)
	if a.err != nil {
		return nil, a.err
	}
	chunks, err := s.hub.take(id)
	if err != nil {
		return nil, err
	}
	size := 2
	for _, c := range chunks {
		for _, item := range c.items {
			size += len(item) + 1
		}
	}
	w := newWriter(size)
	w.open('[')
	for _, c := range chunks {
		for _, item := range c.items {
			w.rawBytes(item)
		}
	}
	w.shut(']')
	return w.b, nil
}

func (s *Server) getFilterLogs(c *call, a *args) (rawJSON, error) {
	id := a.str(0)
	if a.err != nil {
		return nil, a.err
	}
	q, err := s.hub.queryOf(id)
	if err != nil {
		return nil, err
	}
	return s.scanLogs(c, q)
}

func (s *Server) uninstallFilter(_ *call, a *args) (rawJSON, error) {
	id := a.str(0)
	if a.err != nil {
		return nil, a.err
	}
	w := newWriter(5)
	w.bool(s.hub.removeFilter(id))
	return w.b, nil
}
