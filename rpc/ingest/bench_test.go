package ingest

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// canned is a connection that receives the same bytes again and again and drops what
// is sent.
type canned struct {
	net.Conn
	data []byte
	at   int
	left int // rounds
}

func (c *canned) Read(b []byte) (int, error) {
	if c.at == len(c.data) {
		if c.left--; c.left <= 0 {
			return 0, io.EOF
		}
		c.at = 0
	}
	n := copy(b, c.data[c.at:])
	c.at += n
	return n, nil
}

func (c *canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// instantNode settles everything at once.
type instantNode struct{ info rpc.TxInfo }

func (n *instantNode) Ready() error { return nil }

func (n *instantNode) SubmitTxs(_ context.Context, sends []rpc.Send) []*rpc.Submission {
	subs := rpc.NewSubmissions(sends)
	for _, s := range subs {
		s.Decoded(common.Hash{1})
		s.Resolve(&n.info, nil)
	}
	return subs
}

// BenchmarkConnection is all that the server does for a transaction of 110 bytes but
// the system calls: from the frame to its acknowledgement.
func BenchmarkConnection(b *testing.B) {
	n := &instantNode{rpc.TxInfo{Receipt: &chain.Receipt{Status: 1}}}
	s := New(n, Options{})
	var data []byte
	const txs = 10_000
	for range txs {
		data = wire.AppendFrame(data, make([]byte, 110), common.Address{1})
	}
	b.ReportAllocs()
	b.ResetTimer()
	const rounds = 10
	for b.Loop() {
		c := newConn(s, &canned{data: data, left: rounds})
		c.flags = wire.FlagHints
		done := make(chan struct{})
		go func() { c.acknowledge(); close(done) }()
		c.receive()
		close(c.received)
		<-done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*txs*rounds), "ns/tx")
}
