package rpc

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// TestLogPagesMakeUpTheWholeAnswer: whatever the limits, the pages hold every log once,
// in order.
func TestLogPagesMakeUpTheWholeAnswer(t *testing.T) {
	b := newFake(t)
	for range 4 {
		for range 3 {
			b.send(t)
		}
		b.Seal()
	}
	b.send(t) // of the open block
	type place struct {
		BlockNumber, LogIndex hexutil.Uint64
		TransactionHash       common.Hash
	}
	const query = `"fromBlock":"0x1","toBlock":"latest"`
	_, roomy := serve(t, b, Options{})
	want := result[[]place](t, roomy, "eth_getLogs", `[{`+query+`}]`)
	if len(want) != 13 {
		t.Fatalf("%d logs", len(want))
	}
	for name, o := range map[string]Options{
		"no limit": {}, "two logs": {MaxLogResults: 2}, "one block": {MaxLogBlocks: 1}, "two blocks, two logs": {MaxLogBlocks: 2, MaxLogResults: 2}, "few bytes": {MaxResponseBytes: 4096},
	} {
		_, addr := serve(t, b, o)
		var got []place
		cursor := ""
		for pages := 0; ; pages++ {
			page := result[struct {
				Logs   []place
				Cursor *string
			}](t, addr, "eth_getLogsWithCursor", `[{`+query+cursor+`}]`)
			got = append(got, page.Logs...)
			if page.Cursor == nil {
				break
			}
			cursor = `,"cursor":"` + *page.Cursor + `"`
			if pages > 20 {
				t.Fatalf("%s: no end", name)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for params, code := range map[string]int{
		`[{` + query + `,"cursor":"0x12"}]`:                                                    CodeInvalidParams,
		`[{` + query + `,"cursor":"0x000000000000000000000000"}]`:                              CodeInvalidParams, // before fromBlock
		`[{"blockHash":"` + common.Hash{1}.Hex() + `"}]`:                                       CodeServer,
		`[{"fromBlock":"0x3","toBlock":"0x2"}]`:                                                CodeInvalidParams,
		`[{"fromBlock":"0x3","toBlock":"0x99"}]`:                                               CodeInvalidParams,
		`[{"blockHash":"` + common.Hash{1}.Hex() + `","cursor":"0x000000000000000000000000"}]`: CodeInvalidParams,
	} {
		if r := ask(t, roomy, "eth_getLogsWithCursor", params); r.Error == nil || r.Error.Code != code {
			t.Errorf("%s: %s %+v, want code %d", params, r.Result, r.Error, code)
		}
	}
}

// TestLogPagesGoOnWhileTheChainGrows: a page may end in a block that was the newest when
// the query began and is not when it goes on.
func TestLogPagesGoOnWhileTheChainGrows(t *testing.T) {
	b := newFake(t)
	b.send(t)
	b.Seal()
	b.send(t)
	_, addr := serve(t, b, Options{MaxLogResults: 1})
	type page struct {
		Logs   []struct{ BlockNumber hexutil.Uint64 }
		Cursor string
	}
	const query = `"fromBlock":"latest","toBlock":"latest"`
	first := result[page](t, addr, "eth_getLogsWithCursor", `[{`+query+`}]`)
	if len(first.Logs) != 1 || first.Cursor == "" {
		t.Fatalf("%+v", first)
	}
	for range 3 {
		b.Seal()
		b.send(t)
	}
	next := result[page](t, addr, "eth_getLogsWithCursor", `[{`+query+`,"cursor":"`+first.Cursor+`"}]`)
	if len(next.Logs) != 1 || next.Logs[0].BlockNumber != first.Logs[0].BlockNumber+1 {
		t.Errorf("after block %d: %+v", first.Logs[0].BlockNumber, next)
	}
}
