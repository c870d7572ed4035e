package feed

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// filled is a mini-block of so many transactions, each with a log and some changes.
func filled(b *testing.B, number uint64, txs int) *MiniBlock {
	b.Helper()
	signed := sampleTxs(b)[3]
	m := small(1, number, 100*txs) // incompressible: addresses, balances, slots
	for i := range txs {
		m.Txs = append(m.Txs, signed)
		m.Receipts = append(m.Receipts, &chain.Receipt{
			Type: signed.Type(), Status: 1, CumulativeGasUsed: uint64(i+1) * 30_000,
			Logs: []*types.Log{{Address: signed.From(), Data: make([]byte, 64)}},
		})
	}
	m.Header.TxCount, m.Header.GasUsed = uint64(txs), uint64(txs)*30_000
	return m
}

// BenchmarkPublish is what a mini-block costs whoever publishes: encoding, compression and the
// broker in the same process, with one reader over TCP; and the time from the call to the
// reader's decoded mini-block, one at a time.
func BenchmarkPublish(b *testing.B) {
	for _, txs := range []int{2, 100, 1000} {
		b.Run(fmt.Sprintf("%d txs", txs), func(b *testing.B) {
			s := serve(b)
			leader := dial(b, "", "", func(o *ClientOptions) { o.Server, o.Publish = s, &StreamOptions{} })
			reader := dial(b, s.URL(), "")
			publish(b, leader, filled(b, 0, txs))
			got, done := make(chan time.Time, 1), make(chan error, 1)
			stop := errors.New("stop")
			number := uint64(0)
			last := uint64(1) << 62
			go func() {
				done <- reader.MiniBlocks(b.Context(), 0, func(m *MiniBlock) error {
					got <- time.Now()
					if m.Header.Number == last {
						return stop
					}
					return nil
				})
			}()
			<-got
			var took []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				number++
				b.StopTimer()
				m := filled(b, number, txs)
				b.StartTimer()
				began := time.Now()
				publish(b, leader, m)
				took = append(took, (<-got).Sub(began))
			}
			publish(b, leader, filled(b, last, 0))
			<-got
			if err := <-done; !errors.Is(err, stop) {
				b.Fatal(err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
		})
	}
}

// BenchmarkEncode is encoding and compression alone.
func BenchmarkEncode(b *testing.B) {
	for _, txs := range []int{2, 100, 1000} {
		b.Run(fmt.Sprintf("%d txs", txs), func(b *testing.B) {
			m := filled(b, 1, txs)
			p, err := newPacker()
			if err != nil {
				b.Fatal(err)
			}
			defer p.close()
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				msgs, err := p.pack("s", label{id: "x"}, m.Encode())
				if err != nil {
					b.Fatal(err)
				}
				size = len(msgs[0].Data)
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
