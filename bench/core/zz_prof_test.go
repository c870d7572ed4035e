package core

import (
	"os"
	"testing"
)

func BenchmarkProf(b *testing.B) {
	name := os.Getenv("WL")
	list, _, err := workloads(Options{Filter: name, Fixtures: "/work/shared/fixtures", Root: "../.."})
	if err != nil {
		b.Fatal(err)
	}
	for i := range list {
		l := &list[i]
		if !l.selected(name) {
			continue
		}
		w, err := l.make()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(w.Name, func(b *testing.B) {
			p := Ours()
			if os.Getenv("PEER") == "geth" {
				p = nil
			}
			if err := p.Load(w); err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := pass(w, p, 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(w.Txs()), "ns/tx")
		})
	}
}
