package ingest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// keeper keeps small transactions, as a node keeps those of its newest blocks.
type keeper struct{ kept [][]byte }

func (*keeper) Ready() error { return nil }

func (k *keeper) SubmitTxs(_ context.Context, sends []rpc.Send) []*rpc.Submission {
	subs := rpc.NewSubmissions(sends)
	for i, s := range sends {
		if len(s.Raw) < 100 {
			k.kept = append(k.kept, s.Raw)
		}
		subs[i].Resolve(outcome(s.Raw))
	}
	return subs
}

func TestATransactionThatIsKeptDoesNotKeepWhatCameBesideIt(t *testing.T) {
	const rounds, junk = 200, 60_000
	k := new(keeper)
	s := New(k, Options{MaxTxBytes: 128 << 10})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	near := raw(t, l.Addr().String())
	frames := wire.AppendFrame(nil, bytes.Repeat([]byte{'m'}, junk), common.Address{})
	frames = append(frames, frame("small")...)
	before := heap()
	for range rounds {
		if _, err := near.Write(frames); err != nil {
			t.Fatal(err)
		}
		readAck(t, near)
		readAck(t, near)
	}
	grown := int64(heap()) - int64(before)
	if len(k.kept) != rounds || grown > rounds*junk/4 {
		t.Errorf("%d small transactions keep %d bytes", len(k.kept), grown)
	}
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Shutdown(t.Context()), <-served); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(k)
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
