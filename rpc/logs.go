package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Bounds of one log query, as go-ethereum's.
const (
	maxTopics    = 4
	maxPositions = 1000 // addresses, or alternatives for one topic
)

// logQuery selects logs.
type logQuery struct {
	addresses []common.Address
	topics    [][]common.Hash // nil at a position matches everything; sorted, as addresses
	from, to  blockRef
	blockHash *common.Hash // instead of from and to
}

var errTopic = errors.New("invalid topic(s)")

// decodeLogQuery reads the filter object of eth_getLogs.
func decodeLogQuery(raw []byte) (logQuery, error) {
	q := logQuery{from: blockRef{tag: tagLatest}, to: blockRef{tag: tagLatest}}
	if raw[0] != '{' {
		return q, errors.New("want a filter object")
	}
	var err error
	ranged := false
	members(raw, func(key string, value []byte) {
		if err != nil || value[0] == 'n' {
			return
		}
		switch key {
		case "fromBlock":
			ranged = true
			q.from, err = decodeBlockNumber(value)
		case "toBlock":
			ranged = true
			q.to, err = decodeBlockNumber(value)
		case "blockHash":
			q.blockHash = new(common.Hash)
			*q.blockHash, err = decodeHash(value)
		case "address":
			q.addresses, err = decodeAddresses(value)
		case "topics":
			q.topics, err = decodeTopics(value)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", key, err)
		}
	})
	if err == nil && ranged && q.blockHash != nil {
		err = errors.New("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
	}
	return q, err
}

func decodeAddresses(raw []byte) ([]common.Address, error) {
	if raw[0] != '[' {
		one, err := decodeAddress(raw)
		return []common.Address{one}, err
	}
	many, err := decodeMany(raw, decodeAddress)
	return sorted(many, common.Address.Cmp), err
}

// sorted is the list in order and without repetitions.
func sorted[T comparable](list []T, cmp func(a, b T) int) []T {
	slices.SortFunc(list, cmp)
	return slices.Compact(list)
}

// decodeMany reads an array of at most maxPositions elements.
func decodeMany[T any](raw []byte, decode func([]byte) (T, error)) (out []T, err error) {
	elements(raw, func(elem []byte) bool {
		var v T
		if len(out) == maxPositions {
			err = fmt.Errorf("more than %d alternatives", maxPositions)
			return false
		}
		if v, err = decode(elem); err != nil {
			return false
		}
		out = append(out, v)
		return true
	})
	return out, err
}

func decodeTopics(raw []byte) (out [][]common.Hash, err error) {
	if raw[0] != '[' {
		return nil, errTopic
	}
	elements(raw, func(elem []byte) bool {
		if len(out) == maxTopics {
			err = errors.New("exceed max topics")
			return false
		}
		var alts []common.Hash
		switch elem[0] {
		case 'n':
		case '[':
			wild := false
			elements(elem, func(e []byte) bool { wild = e[0] == 'n'; return !wild })
			if !wild {
				alts, err = decodeMany(elem, decodeHash)
				alts = sorted(alts, common.Hash.Cmp)
			}
		default:
			var one common.Hash
			one, err = decodeHash(elem)
			alts = []common.Hash{one}
		}
		out = append(out, alts)
		return err == nil
	})
	return out, err
}

// matches reports whether the query selects the log, its block aside.
func (q *logQuery) matches(l *types.Log) bool {
	if len(q.topics) > len(l.Topics) {
		return false
	}
	if len(q.addresses) > 0 && !contains(q.addresses, &l.Address, compareAddresses) {
		return false
	}
	for i, alts := range q.topics {
		if len(alts) > 0 && !contains(alts, &l.Topics[i], compareHashes) {
			return false
		}
	}
	return true
}

// contains searches a sorted list.
func contains[T comparable](list []T, v *T, cmp func(a, b *T) int) bool {
	if len(list) == 1 {
		return list[0] == *v
	}
	lo, hi := 0, len(list)
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := cmp(&list[mid], v); {
		case c == 0:
			return true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return false
}

func compareAddresses(a, b *common.Address) int { return bytes.Compare(a[:], b[:]) }
func compareHashes(a, b *common.Hash) int       { return bytes.Compare(a[:], b[:]) }

// size is the memory of the query's words, in bytes.
func (q *logQuery) size() int {
	n := common.AddressLength * len(q.addresses)
	for _, alts := range q.topics {
		n += common.HashLength * len(alts)
	}
	return n
}

// inRange reports whether a live log of that block is inside the numbers, if any,
// that bound the query; tags do not bound what comes.
func (q *logQuery) inRange(block uint64) bool {
	if q.blockHash != nil {
		return false
	}
	return (q.from.tag != tagNumber || block >= q.from.number) && (q.to.tag != tagNumber || block <= q.to.number)
}

// mayMatch tests the query against a block's bloom filter.
func (q *logQuery) mayMatch(bloom types.Bloom) bool {
	test := func(n int, item func(i int) []byte) bool {
		for i := range n {
			if bloom.Test(item(i)) {
				return true
			}
		}
		return n == 0
	}
	if !test(len(q.addresses), func(i int) []byte { return q.addresses[i][:] }) {
		return false
	}
	for _, alts := range q.topics {
		if !test(len(alts), func(i int) []byte { return alts[i][:] }) {
			return false
		}
	}
	return true
}

// logScan collects the answer of a query.
type logScan struct {
	q     *logQuery
	w     *writer
	count int
	max   int
	bytes int
}

// add appends the block's matching logs.
func (sc *logScan) add(v *blockView) (err error) {
	v.each(func(t *TxInfo) bool {
		for i, l := range t.Receipt.Logs {
			if !sc.q.matches(l) {
				continue
			}
			if sc.count == sc.max {
				err = Errorf(CodeLimit, "query returns more than %d logs: narrow the block range, addresses or topics", sc.max)
				return false
			}
			sc.count++
			sc.w.log(l, t, uint64(i))
		}
		if len(sc.w.b) > sc.bytes {
			err = Errorf(CodeLimit, "response is larger than %d bytes: narrow the block range, addresses or topics", sc.bytes)
		}
		return err == nil
	})
	return err
}

func (s *Server) getLogs(c *call, a *args) (rawJSON, error) {
	q := read(a, 0, decodeLogQuery)
	if a.err != nil {
		return nil, a.err
	}
	return s.scanLogs(c, &q)
}

// scanLogs answers a query. "latest" as the end includes what is published of the
// open block, "latest" as the start is the last sealed block.
func (s *Server) scanLogs(c *call, q *logQuery) (rawJSON, error) {
	sc := &logScan{q: q, w: newWriter(1024), max: s.opts.MaxLogResults, bytes: s.opts.MaxResponseBytes}
	sc.w.open('[')
	if q.blockHash != nil {
		b, err := s.backend.BlockByHash(c.ctx, *q.blockHash)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, Errorf(CodeServer, "unknown block")
		}
		if err := sc.add(sealedView(b)); err != nil {
			return nil, err
		}
		sc.w.shut(']')
		return sc.w.b, nil
	}
	open := s.backend.Pending() // before the head, so that no block falls between
	head := s.backend.Head().Number.Uint64()
	newest := head
	if open != nil && open.Header.Number.Uint64() > head {
		newest = open.Header.Number.Uint64()
	} else {
		open = nil
	}
	bound := func(ref blockRef, latest uint64) uint64 {
		switch ref.tag {
		case tagLatest:
			return latest
		case tagPending:
			return newest
		}
		n, _ := s.numberOf(ref)
		return n
	}
	from, to := bound(q.from, head), bound(q.to, newest)
	switch {
	case from > to:
		return nil, Errorf(CodeInvalidParams, "invalid block range params")
	case to > newest:
		return nil, Errorf(CodeInvalidParams, "block range extends beyond current head block")
	case to-from >= s.opts.MaxLogBlocks:
		return nil, Errorf(CodeLimit, "query spans %d blocks, limit %d: ask for a smaller block range", to-from+1, s.opts.MaxLogBlocks)
	}
	leave, err := s.scanTurn(c, to-from+1)
	if err != nil {
		return nil, err
	}
	defer leave()
	for n := from; n <= to; n++ {
		if err := s.scanBlock(c, sc, n, open); err != nil {
			return nil, err
		}
	}
	sc.w.shut(']')
	return sc.w.b, nil
}

// scanBlock adds the logs of block n, which open is if it has that number.
func (s *Server) scanBlock(c *call, sc *logScan, n uint64, open *OpenBlock) error {
	if open != nil && open.Header.Number.Uint64() == n {
		return sc.add(openView(open))
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	h, err := s.backend.HeaderByNumber(c.ctx, n)
	if err != nil || h == nil || !sc.q.mayMatch(h.Bloom) {
		return err
	}
	b, err := s.backend.BlockByNumber(c.ctx, n)
	if err != nil || b == nil {
		return err
	}
	return sc.add(sealedView(b))
}
