package exec

import (
	"slices"
	"testing"
	"time"

	"github.com/talaria-l2/talaria/chain"
)

// BenchmarkAdopt gives the same mini-blocks of 200 transactions to a chain that executes
// them, on one goroutine and on two, and to one that adopts them, in turns, and reports the
// medians. Hashes are in both times, decoding in neither.
func BenchmarkAdopt(b *testing.B) {
	const size = 200
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			g := loadGenesis(b)
			m := &mix{g: g}
			leader, serial, two, follower := m.boot(b, 1), m.boot(b, 1), m.boot(b, 2), m.boot(b, 2)
			chains := []*Chain{leader, serial, two, follower}
			for _, c := range chains[:3] {
				openNext(b, c)
			}
			a := nextAttributes(follower)
			var all [3][]float64
			var nonce uint64
			turn := func() {
				txs := l.round(b, g, nonce)
				nonce++
				for ; len(txs) > 0; txs = txs[min(size, len(txs)):] {
					part := txs[:min(size, len(txs))]
					if _, err := leader.ApplyAll(part); err != nil {
						b.Fatal(err)
					}
					mini, _ := leader.Cut(chain.Micros(leader.NextMini()))
					got := received(b, mini)
					for k, c := range chains[1:] {
						start := time.Now()
						if c == follower {
							if _, err := c.Adopt(got, a); err != nil {
								b.Fatal(err)
							}
						} else {
							if _, err := c.ApplyAll(part); err != nil {
								b.Fatal(err)
							}
							if again, _ := c.Cut(mini.Header.TimestampMicros); again.Header != mini.Header {
								b.Fatal("executed again, a mini-block differs")
							}
						}
						all[k] = append(all[k], float64(time.Since(start))/float64(len(part)))
						c.State().Trim(c.State().Version())
					}
					leader.State().Trim(leader.State().Version())
				}
			}
			for range 2 {
				turn()
			}
			clear(all[:])
			for b.Loop() {
				turn()
			}
			median := func(v []float64) float64 {
				slices.Sort(v)
				return v[len(v)/2]
			}
			one, both, adopted := median(all[0]), median(all[1]), median(all[2])
			b.ReportMetric(one, "executed-ns/tx")
			b.ReportMetric(both, "executed-by-two-ns/tx")
			b.ReportMetric(adopted, "adopted-ns/tx")
			b.ReportMetric(one/adopted, "x")
			for _, c := range chains {
				if c.IsOpen() && c.MiniTxs() == 0 {
					if _, _, err := c.Seal(); err != nil {
						b.Fatal(err)
					}
				}
				if c.Parent().Hash() != leader.Parent().Hash() {
					b.Fatal("blocks differ")
				}
				c.Close()
			}
		})
	}
}
