package rpc

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// miniOf is a mini-block of n transactions, each with the logs that logs returns.
func miniOf(t testing.TB, b *fakeBackend, n int, logs func() []*types.Log) *MiniBlock {
	t.Helper()
	mb := &chain.MiniBlock{Header: chain.MiniBlockHeader{BlockNumber: 1}}
	for range n {
		enc, err := b.signed(t, uint64(n)).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		tx, err := chain.DecodeTx(enc, &b.cfg)
		if err != nil {
			t.Fatal(err)
		}
		mb.Txs = append(mb.Txs, tx)
		mb.Receipts = append(mb.Receipts, &chain.Receipt{Logs: logs()})
	}
	return &MiniBlock{MiniBlock: mb}
}

func payloads(m *MiniBlock) *miniPayloads {
	return newMiniPayloads(nil, m)
}

func (fs *filterSet) items(id string, maxBytes int) (out []string) {
	for _, c := range fs.take(fs.byID[id], maxBytes) {
		for _, item := range c.items {
			out = append(out, string(item))
		}
	}
	return out
}

// check counts the bytes again.
func (fs *filterSet) check(t *testing.T) {
	t.Helper()
	want, members, seen := 0, 0, map[*chunk]int{}
	for _, f := range fs.byID {
		items, bytes := 0, 0
		for _, c := range f.chunks {
			seen[c]++
			items += len(c.items)
			bytes += c.bytes + holdBytes
		}
		if items != f.items || bytes != f.bytes {
			t.Fatalf("filter has %d items, %d bytes; counted %d, %d", items, bytes, f.items, f.bytes)
		}
		want += filterBytes + holdBytes*len(f.chunks)
	}
	for c, holders := range seen {
		if c.holders != holders {
			t.Fatalf("chunk has %d holders, counted %d", holders, c.holders)
		}
		want += c.bytes
	}
	for _, g := range fs.groups {
		members += len(g.members)
		want += g.bytes
	}
	if fs.bytes != want || members != len(fs.byID) {
		t.Fatalf("%d bytes, counted %d; %d members of %d filters", want, fs.bytes, members, len(fs.byID))
	}
	if len(fs.byID) == 0 && len(fs.byAddress)+len(fs.byTopic)+len(fs.rest)+len(fs.groups) > 0 {
		t.Fatal("index of nothing is not empty")
	}
}

func TestFiltersGetWhatTheirQuerySelects(t *testing.T) {
	b := newFake(t)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		hash := func() common.Hash { return common.Hash{byte(r.IntN(4))} }
		addr := func() common.Address { return common.Address{byte(r.IntN(4))} }
		many := func(n int) string {
			var out []string
			for range n {
				h := hash()
				out = append(out, fmt.Sprintf("%q", h.Hex()))
			}
			return "[" + strings.Join(out, ",") + "]"
		}
		query := func() *logQuery {
			var parts []string
			if r.IntN(2) == 0 {
				parts = append(parts, fmt.Sprintf(`"address":[%q,%q]`, addr().Hex(), addr().Hex()))
			}
			if r.IntN(2) == 0 {
				parts = append(parts, `"topics":[`+many(r.IntN(3))+`,`+many(r.IntN(4))+`]`)
			}
			if r.IntN(4) == 0 {
				parts = append(parts, `"fromBlock":"0x2"`)
			}
			q, err := decodeLogQuery([]byte("{" + strings.Join(parts, ",") + "}"))
			if err != nil {
				t.Fatal(err)
			}
			return &q
		}
		fs := newFilterSet(&Options{MaxFilterItems: 1 << 20, MaxFilterBytes: 1 << 30})
		queries, want := map[string]*logQuery{}, map[string][]string{}
		for step := range 60 {
			id := fmt.Sprint(step)
			queries[id] = query()
			fs.add(id, kindLogs, queries[id], time.Time{})
			for id := range queries {
				switch r.IntN(20) {
				case 0:
					fs.remove(fs.byID[id])
					delete(queries, id)
				case 1:
					if got := fs.items(id, 1<<30); fmt.Sprint(got) != fmt.Sprint(want[id]) {
						t.Fatalf("seed %d: filter %+v got %s, want %s", seed, queries[id], got, want[id])
					}
					delete(want, id)
				}
			}
			p := payloads(miniOf(t, b, r.IntN(4), func() (logs []*types.Log) {
				for range r.IntN(4) {
					l := &types.Log{Address: addr()}
					for range r.IntN(4) {
						l.Topics = append(l.Topics, hash())
					}
					logs = append(logs, l)
				}
				return logs
			}))
			fs.publishMini(p)
			for id, q := range queries {
				p.each(t.Context(), &subscription{kind: kindLogs, query: q}, 0, func(_ int, e *shared) bool {
					want[id] = append(want[id], string(e.result))
					return true
				})
			}
			fs.check(t)
		}
		fs.expire(time.Now())
		fs.check(t)
		if fs.bytes != 0 {
			t.Fatalf("%d bytes are left", fs.bytes)
		}
	}
}

func TestAThousandFiltersShareOneRendering(t *testing.T) {
	b := newFake(t)
	fs := newFilterSet(&Options{MaxFilterItems: 20_000, MaxFilterBytes: 64 << 20})
	every, err := decodeLogQuery([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		fs.add(fmt.Sprint("full", i), kindPendingFull, nil, time.Time{})
		fs.add(fmt.Sprint("logs", i), kindLogs, &every, time.Time{})
	}
	const size = 100_000 // of the data of each log
	data := make([]byte, size)
	m := miniOf(t, b, 10, func() []*types.Log { return []*types.Log{{Data: data}} })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		fs.publishMini(payloads(m))
	}
	runtime.ReadMemStats(&after)
	const rendered = 10 * 10 * 2 * size
	if n := after.TotalAlloc - before.TotalAlloc; n > 2*rendered {
		t.Errorf("%d bytes allocated for %d bytes of items", n, rendered)
	}
	if len(fs.byID) != 1000 || fs.bytes > 3*rendered/2 {
		t.Errorf("%d filters hold %d bytes", len(fs.byID), fs.bytes)
	}
	fs.check(t)
	for _, f := range fs.byID {
		if f.items != 100 {
			t.Fatalf("filter has %d items", f.items)
		}
	}
}

func TestAThousandFiltersDoNotHoldTheHubUp(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{FeedBuffer: 1000})
	ws, ctx := dial(t, addr)
	subscribed(t, ctx, ws, `["newPendingTransactions"]`)
	var ids []string
	for range 1000 {
		id, err := s.hub.addFilter(kindPendingFull, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	const events = 900
	for range events {
		b.send(t)
	}
	for range events { // no event is lost and nobody is dropped
		next(t, ctx, ws)
	}
	for _, id := range ids {
		chunks, err := s.hub.take(id)
		if err != nil || len(chunks) != events {
			t.Fatalf("%d of %d events, %v", len(chunks), events, err)
		}
	}
	if r := ask(t, addr, "eth_newBlockFilter", "[]"); r.Error == nil || !strings.Contains(r.Error.Message, "1000 filters, which is the limit") {
		t.Errorf("one filter more: %+v", r)
	}
}

func TestTheFilterThatHoldsMostIsDropped(t *testing.T) {
	b := newFake(t)
	s, addr := serve(t, b, Options{MaxFilterBytes: 16 << 10})
	install := func() string {
		return "[" + string(ask(t, addr, "eth_newPendingTransactionFilter", "[true]").Result) + "]"
	}
	idle, polled := install(), install()
	for i := range 100 {
		b.send(t)
		var list []json.RawMessage
		for len(list) == 0 {
			r := ask(t, addr, "eth_getFilterChanges", polled)
			if r.Error != nil {
				t.Fatalf("filter that is polled, transaction %d: %+v", i, r.Error)
			}
			if err := json.Unmarshal(r.Result, &list); err != nil {
				t.Fatal(err)
			}
		}
		if len(list) != 1 {
			t.Fatalf("%d transactions, want 1", len(list))
		}
		s.hub.mu.Lock()
		if s.hub.filters.bytes > 16<<10 {
			t.Errorf("filters hold %d bytes", s.hub.filters.bytes)
		}
		s.hub.mu.Unlock()
	}
	if r := ask(t, addr, "eth_getFilterChanges", idle); r.Error == nil || !strings.Contains(r.Error.Message, "all filters together held more than 16384 bytes") {
		t.Fatalf("idle filter: %+v", r)
	}
	var topics []string
	for i := range 600 {
		topics = append(topics, fmt.Sprintf(`"0x%064x"`, i))
	}
	r := ask(t, addr, "eth_newFilter", `[{"topics":[[`+strings.Join(topics, ",")+`]]}]`)
	if r.Error == nil || r.Error.Code != CodeLimit || !strings.Contains(r.Error.Message, "16384 bytes, which is the limit") {
		t.Errorf("large filter: %+v", r)
	}
	if r := ask(t, addr, "eth_getFilterChanges", polled); r.Error != nil {
		t.Errorf("filter that is polled: %+v", r.Error)
	}
}

func TestARewindTellsFilters(t *testing.T) {
	for name, tc := range map[string]struct {
		dev  DevControls
		want string // of the error; empty: the filter goes on
	}{
		"of a chain":               {nil, "filter not found: the chain was taken back to block 1,"},
		"of a chain in developing": {fakeDevControls{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.dev = tc.dev
			s, addr := serve(t, b, Options{})
			id := "[" + string(ask(t, addr, "eth_newBlockFilter", "[]").Result) + "]"
			for range 3 {
				b.Seal()
			}
			b.rewind(1)
			b.Deposit()
			last := b.Seal()
			for s.headOfHub() != last.Hash() {
				runtime.Gosched()
			}
			r := ask(t, addr, "eth_getFilterChanges", id)
			if tc.want == "" {
				if r.Error != nil || !strings.Contains(string(r.Result), last.Hash().Hex()) {
					t.Fatalf("%+v", r)
				}
				return
			}
			if r.Error == nil || !strings.HasPrefix(r.Error.Message, tc.want) {
				t.Fatalf("%+v", r)
			}
		})
	}
}

func (s *Server) headOfHub() common.Hash {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.hub.block.last
}

func TestOnlyTheLastDroppedFiltersAreRemembered(t *testing.T) {
	var g goneFilters
	for i := range 2*maxGone + 1 {
		g.add(fmt.Sprint(i), goneItems(i))
	}
	if n := len(g.reasons); n != maxGone {
		t.Fatalf("%d are remembered, want %d", n, maxGone)
	}
	if e := g.why(fmt.Sprint(maxGone)); e.Message != noFilter {
		t.Errorf("an old one: %v", e)
	}
	if e := g.why(fmt.Sprint(2 * maxGone)); !strings.Contains(e.Message, fmt.Sprint(2*maxGone, " items")) {
		t.Errorf("the last one: %v", e)
	}
}

func TestAPollTakesWhatFitsAnAnswer(t *testing.T) {
	b := newFake(t)
	fs := newFilterSet(&Options{MaxFilterItems: 100, MaxFilterBytes: 1 << 20})
	fs.add("a", kindPending, nil, time.Time{})
	m := miniOf(t, b, 3, func() []*types.Log { return nil })
	for range 4 {
		fs.publishMini(payloads(m))
	}
	one := newChunk(payloads(m).txs(kindPending)...).bytes
	for _, tc := range []struct{ max, want int }{{1, 3}, {2*one + 1, 6}, {1 << 20, 3}, {1 << 20, 0}} {
		if n := len(fs.items("a", tc.max)); n != tc.want {
			t.Errorf("%d bytes: %d items, want %d", tc.max, n, tc.want)
		}
		fs.check(t)
	}
}

// BenchmarkEventWithAThousandFilters delivers a mini-block of 100 transactions with a
// log each: to filters that all want its transactions, and to as many that each want
// another contract's logs.
func BenchmarkEventWithAThousandFilters(b *testing.B) {
	f := newFake(b)
	m := miniOf(b, f, 100, func() []*types.Log {
		return []*types.Log{{Address: common.Address{1}, Topics: []common.Hash{logTopic}}}
	})
	for name, install := range map[string]func(fs *filterSet, i int){
		"pending": func(fs *filterSet, i int) { fs.add(fmt.Sprint(i), kindPendingFull, nil, time.Time{}) },
		"contracts": func(fs *filterSet, i int) {
			fs.add(fmt.Sprint(i), kindLogs, &logQuery{addresses: []common.Address{{1, byte(i), byte(i >> 8)}}}, time.Time{})
		},
		"second topics": func(fs *filterSet, i int) {
			fs.add(fmt.Sprint(i), kindLogs, &logQuery{topics: [][]common.Hash{nil, {{byte(i), byte(i >> 8)}}}}, time.Time{})
		},
	} {
		b.Run(name, func(b *testing.B) {
			fs := newFilterSet(&Options{MaxFilterItems: 1 << 40, MaxFilterBytes: 1 << 40})
			for i := range 1000 {
				install(fs, i)
			}
			b.ReportAllocs()
			for b.Loop() {
				fs.publishMini(payloads(m))
				for _, f := range fs.byID {
					fs.release(f, len(f.chunks))
				}
			}
		})
	}
}

// TestIdentifiersAreQuantities: the schema of the execution-apis allows no leading zero.
func TestIdentifiersAreQuantities(t *testing.T) {
	for range 1000 {
		if id := newID(); len(id) != 34 || id[2] == '0' {
			t.Fatalf("identifier %s", id)
		}
	}
}
