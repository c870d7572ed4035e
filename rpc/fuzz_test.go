package rpc

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x00"},"latest"]}`,
		`[{"jsonrpc":"2.0","id":"a\"b","method":"x"},1,null,[]]`, ` [ ] `, `{"a":{"b":[1,"]"]},"id":-1.5e3}`, `"\\"`,
	} {
		f.Add([]byte(seed))
	}
	o := Options{}.withDefaults()
	f.Fuzz(func(t *testing.T, body []byte) {
		reqs, batch, fail := parseMessage(nil, body, &o)
		if fail != nil {
			if fail.Code == CodeParse && json.Valid(body) && bytes.Equal(bytes.ToValidUTF8(body, nil), body) {
				t.Fatal("valid JSON refused")
			}
			return
		}
		if batch {
			var want []json.RawMessage
			if err := json.Unmarshal(body, &want); err != nil || len(want) != len(reqs) {
				t.Fatalf("%d requests, want %d (%v)", len(reqs), len(want), err)
			}
		}
		for i := range reqs {
			r := &reqs[i]
			if r.bad != nil {
				continue
			}
			if r.id != nil && !json.Valid(r.id) || r.params != nil && !json.Valid(r.params) {
				t.Fatalf("id %q, params %q", r.id, r.params)
			}
			params, err := splitParams(nil, r.params)
			if err != nil {
				continue
			}
			var want []json.RawMessage
			if r.params != nil {
				if err := json.Unmarshal(r.params, &want); err != nil {
					t.Fatal(err)
				}
			}
			if len(want) != len(params) {
				t.Fatalf("%d params, want %d", len(params), len(want))
			}
			for k := range params {
				if !bytes.Equal(params[k], want[k]) {
					t.Fatalf("param %d: %q, want %q", k, params[k], want[k])
				}
			}
		}
	})
}

func FuzzDecodeArgs(f *testing.F) {
	for _, seed := range []string{
		`"0x00000000000000000000000000000000000000aa"`, `"latest"`, `"0x1"`, `12`, `true`, `[1,25.5,100]`,
		`{"blockHash":"0x00000000000000000000000000000000000000000000000000000000000000aa","requireCanonical":true}`,
		`{"fromBlock":"0x1","toBlock":"latest","address":["0x00000000000000000000000000000000000000aa"],"topics":[null,["0x00000000000000000000000000000000000000000000000000000000000000aa"]]}`,
		`{"to":null,"data":"0x01","accessList":[]}`, `"\u0030x12"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = trimSpace(raw)
		if checkJSON(raw, 64) != nil || raw[0] == 'n' {
			return // decoders see checked values that are not null
		}
		a := &args{raw: [][]byte{raw}}
		decoders := []func(){
			func() { a.address(0) }, func() { a.hash(0) }, func() { a.bytes(0) }, func() { a.index(0) },
			func() { a.flag(0) }, func() { a.str(0) }, func() { a.block(0) }, func() { a.state(0) },
			func() { read(a, 0, decodeCount) }, func() { read(a, 0, decodeSlot) }, func() { read(a, 0, decodeMiniRef) },
			func() { read(a, 0, decodePercentiles) },
			func() {
				q := read(a, 0, decodeLogQuery)
				if a.err == nil && (len(q.topics) > maxTopics || len(q.addresses) > maxPositions) {
					t.Fatalf("query out of bounds: %+v", q)
				}
			},
			func() {
				var msg callArgs
				a.object(0, &msg, false)
				if a.err == nil {
					if m, err := msg.message(1); err == nil && m.Value == nil {
						t.Fatal("nil value")
					}
				}
			},
		}
		for _, decode := range decoders {
			a.err = nil
			decode()
			if a.err != nil && asError(a.err).Code != CodeInvalidParams {
				t.Fatalf("error %v has code %d", a.err, asError(a.err).Code)
			}
		}
	})
}
