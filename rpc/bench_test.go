package rpc

import (
	"context"
	"fmt"
	"testing"
)

func BenchmarkReceiptOverTheDispatcher(b *testing.B) {
	f := newFake(b)
	s, _ := serve(b, f, Options{})
	f.send(b)
	body := []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"eth_getTransactionReceipt","params":["%s"]}`, f.signed(b, 0).Hash().Hex()))
	b.ReportAllocs()
	for b.Loop() {
		c := &call{ctx: context.Background()}
		if out := s.finish(c, s.begin(c, body)); len(out) < 500 {
			b.Fatalf("%s", out)
		}
	}
}
