package rpc

import (
	"encoding/binary"
	"errors"

	"github.com/ethereum/go-ethereum/core/types"
)

// logCursor is a place among the logs of the chain: a log's block and its index there.
// To clients it is 12 bytes of hex, which they need not understand.
type logCursor struct{ block, index uint64 }

func (c logCursor) hex() rawJSON {
	return hexData(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, c.block), uint32(c.index)))
}

func decodeLogCursor(raw []byte) (c logCursor, err error) {
	b, err := decodeBytes(raw)
	if err != nil {
		return c, err
	}
	if len(b) != 12 {
		return c, errors.New("want what the last answer gave as its cursor")
	}
	return logCursor{binary.BigEndian.Uint64(b), uint64(binary.BigEndian.Uint32(b[8:]))}, nil
}

// cursorQuery is the parameter of eth_getLogsWithCursor.
type cursorQuery struct {
	logQuery
	after *logCursor
}

func decodeCursorQuery(raw []byte) (q cursorQuery, err error) {
	if q.logQuery, err = decodeLogQuery(raw); err != nil {
		return q, err
	}
	members(raw, func(key string, value []byte) {
		if key == "cursor" && value[0] != 'n' && err == nil {
			var c logCursor
			c, err = decodeLogCursor(value)
			q.after = &c
		}
	})
	if err == nil && q.after != nil && q.blockHash != nil {
		err = errors.New("a cursor continues a range of blocks, not a single one")
	}
	return q, err
}

// getLogsWithCursor is eth_getLogs that is cut where it reaches a limit instead of
// failing: then the answer has a cursor, with which the same query goes on. Without one
// the range is done.
func (s *Server) getLogsWithCursor(c *call, a *args) (rawJSON, error) {
	q := read(a, 0, decodeCursorQuery)
	if a.err != nil {
		return nil, a.err
	}
	w := newWriter(1024)
	w.open('{')
	if q.blockHash != nil {
		logs, err := s.scanLogs(c, &q.logQuery)
		if err != nil {
			return nil, err
		}
		w.key("logs").rawBytes(logs)
		w.shut('}')
		return w.b, nil
	}
	open := s.backend.Pending() // before the head, so that no block falls between
	head := s.backend.Head().Number.Uint64()
	newest := head
	if open != nil && open.Header.Number.Uint64() > head {
		newest = open.Header.Number.Uint64()
	} else {
		open = nil
	}
	at := logCursor{block: s.logBound(q.from, head, newest)}
	to := s.logBound(q.to, newest, newest)
	if q.after != nil {
		if q.from.tag == tagNumber && q.after.block < at.block { // what a tag names moves on meanwhile
			return nil, Errorf(CodeInvalidParams, "cursor is of another query: it stands before fromBlock")
		}
		at = *q.after
	} else if at.block > to {
		return nil, Errorf(CodeInvalidParams, "invalid block range params")
	}
	if to > newest {
		return nil, Errorf(CodeInvalidParams, "block range extends beyond current head block")
	}
	leave, err := s.scanTurn(c, to-min(to, at.block)+1)
	if err != nil {
		return nil, err
	}
	defer leave()
	w.key("logs").open('[')
	next, err := s.pageLogs(c, w, &q, at, to, open)
	if err != nil {
		return nil, err
	}
	w.shut(']')
	if next != nil {
		w.key("cursor").rawBytes(next.hex())
	}
	w.shut('}')
	return w.b, nil
}

// logBound is the number of a block that bounds a query of logs.
func (s *Server) logBound(ref blockRef, latest, newest uint64) uint64 {
	switch ref.tag {
	case tagLatest:
		return latest
	case tagPending:
		return newest
	}
	n, _ := s.numberOf(ref)
	return n
}

// pageLogs writes logs from a place on, up to block to, and returns the first place that
// it did not come to, nil if it came to the end.
func (s *Server) pageLogs(c *call, w *writer, q *cursorQuery, at logCursor, to uint64, open *OpenBlock) (*logCursor, error) {
	count, last := 0, at.block+s.opts.MaxLogBlocks-1
	for n := at.block; n <= to; n++ {
		if n > last {
			return &logCursor{block: n}, nil
		}
		v, err := s.logBlock(c, q, n, open)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		var cut *logCursor
		v.each(func(t *TxInfo) bool {
			for i, l := range t.Receipt.Logs {
				index := t.FirstLogIndex + uint64(i)
				if n == at.block && index < at.index || !q.matches(l) {
					continue
				}
				if count == s.opts.MaxLogResults || count > 0 && len(w.b)+logSize(l) > s.opts.MaxResponseBytes {
					cut = &logCursor{n, index}
					return false
				}
				count++
				w.log(l, t, uint64(i))
			}
			return true
		})
		if cut != nil {
			return cut, nil
		}
	}
	return nil, nil
}

// logSize is not less than the length of a log's JSON with what encloses the answer.
func logSize(l *types.Log) int { return 1024 + 70*len(l.Topics) + 2*len(l.Data) }

// logBlock is block n, which open is if it has that number; nil if it has no log that the
// query selects.
func (s *Server) logBlock(c *call, q *cursorQuery, n uint64, open *OpenBlock) (*blockView, error) {
	if open != nil && open.Header.Number.Uint64() == n {
		return openView(open), nil
	}
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	h, err := s.backend.HeaderByNumber(c.ctx, n)
	if err != nil || h == nil || !q.mayMatch(h.Bloom) {
		return nil, err
	}
	b, err := s.backend.BlockByNumber(c.ctx, n)
	return sealedView(b), err
}
