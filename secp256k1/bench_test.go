package secp256k1

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkRecover measures one signature of a call with so many, and one by one with
// libsecp256k1: the mean, and on a machine that others use too, the least of all calls.
func BenchmarkRecover(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 100))
	sigs, out := make([]Signature, 1024), make([]Recovered, 1024)
	for i := range sigs {
		sigs[i] = signed(b, r, randomKey(r))
	}
	run := func(name string, n int, recover func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			least := time.Hour
			for b.Loop() {
				start := time.Now()
				recover()
				least = min(least, time.Since(start))
			}
			b.ReportMetric(float64(least.Nanoseconds())/float64(n), "least-ns/signature")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/signature")
			for i := range n {
				if !out[i].OK {
					b.Fatal("not recovered")
				}
			}
		})
	}
	for _, n := range []int{1, 2, 4, 8, 16, 64, 256, 1024} {
		run(fmt.Sprintf("%d together", n), n, func() { Recover(sigs[:n], out) })
	}
	run("libsecp256k1", 64, func() {
		for i := range 64 {
			recoverOne(&sigs[i], &out[i])
		}
	})
}
