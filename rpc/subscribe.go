package rpc

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
)

// subscribe is eth_subscribe; the pushes start after the answer with the id.
func (s *Server) subscribe(c *call, a *args) (rawJSON, error) {
	if c.conn == nil {
		return nil, Errorf(CodeNoMethod, "notifications not supported")
	}
	sub := &subscription{conn: c.conn}
	from := s.selection(a, sub)
	if a.has(2) {
		form := from.form
		if from = read(a, 2, decodeOrigin); from.form == "" {
			from.form = form
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	if from.form != "" && sub.kind != kindMiniBlocks {
		return nil, Errorf(CodeInvalidParams, "option transactions is one of miniBlocks only")
	}
	if from.form == "hashes" {
		sub.kind = kindMiniHashes
	}
	sub.plain = from.cursor == nil && from.fromBlock == nil
	var err error
	if sub.from, err = s.resolve(c.ctx, sub.kind, from); err != nil {
		return nil, err
	}
	if err := s.hub.add(sub); err != nil {
		return nil, err
	}
	c.subs = append(c.subs, sub)
	return json.Marshal(sub.id)
}

// selection reads what a subscription is about, and a cursor that stands there.
func (s *Server) selection(a *args, sub *subscription) (from origin) {
	switch name := a.str(0); name {
	case "newHeads":
		sub.kind, from = kindHeads, readOr(a, 1, from, decodeOrigin)
	case "miniBlocks":
		sub.kind, from = kindMiniBlocks, readOr(a, 1, from, decodeOrigin)
	case "syncing":
		sub.kind, from = kindSyncing, readOr(a, 1, from, decodeOrigin)
	case "newPendingTransactions":
		sub.kind = kindPending
		if a.has(1) && a.raw[1][0] == '{' {
			from = read(a, 1, decodeOrigin)
		} else if readOr(a, 1, false, decodeBool) {
			sub.kind = kindPendingFull
		}
	case "logs":
		sub.kind = kindLogs
		query := readOr(a, 1, logQuery{from: blockRef{tag: tagLatest}, to: blockRef{tag: tagLatest}}, func(raw []byte) (logQuery, error) {
			return decodeLiveQuery(raw, &from)
		})
		sub.query = &query
		if a.err == nil && query.blockHash != nil {
			a.err = Errorf(CodeInvalidParams, "invalid argument 1: a live subscription has no blockHash")
		}
	case "receipts":
		sub.kind = kindReceipts
		sub.hashes = sorted(readOr(a, 1, nil, func(raw []byte) ([]common.Hash, error) {
			return decodeList(raw, &from, "hashes", decodeHash)
		}), common.Hash.Cmp)
	case "stateChanges":
		sub.kind = kindChanges
		sub.addrs = sorted(readOr(a, 1, nil, func(raw []byte) ([]common.Address, error) {
			return decodeList(raw, &from, "addresses", decodeAddress)
		}), common.Address.Cmp)
	default:
		if a.err == nil {
			a.err = Errorf(CodeNoMethod, "no %q subscription in eth namespace", clip(name))
		}
	}
	return from
}

// decodeLiveQuery reads the filter object of a subscription, in which a cursor may
// stand.
func decodeLiveQuery(raw []byte, from *origin) (logQuery, error) {
	q, err := decodeLogQuery(raw)
	if err == nil {
		members(raw, func(key string, value []byte) {
			if key == "cursor" && value[0] != 'n' && err == nil {
				err = from.setCursor(value)
			}
		})
	}
	return q, err
}

// decodeList reads an array, or an object with the array under the given name, in which
// options may stand, too. An empty array would select nothing.
func decodeList[T any](raw []byte, from *origin, name string, decode func([]byte) (T, error)) (list []T, err error) {
	given := false
	read := func(raw []byte) {
		if raw[0] != '[' {
			err = errors.New("want an array")
		} else if list, err = decodeMany(raw, decode); err == nil && len(list) == 0 {
			err = errors.New("the array is empty: leave it out for all")
		}
		given = true
	}
	if raw[0] != '{' {
		read(raw)
		return list, err
	}
	options := []byte{'{'}
	members(raw, func(key string, value []byte) {
		switch {
		case err != nil || value[0] == 'n':
		case key == name:
			if given {
				err = errors.New("given twice")
				return
			}
			read(value)
		default:
			if len(options) > 1 {
				options = append(options, ',')
			}
			options = append(append(strconv.AppendQuote(options, key), ':'), value...)
		}
	})
	if err == nil {
		*from, err = decodeOrigin(append(options, '}'))
	}
	return list, err
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
