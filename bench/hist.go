package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations with at most 1.6 % of rounding, in the shape of Gil
// Tene's HdrHistogram: 64 linear steps in every power of two. The zero value is
// empty. It is not safe for concurrent use; merge what goroutines counted.
type histogram struct {
	counts   [64 * 40]uint64
	n        uint64
	sum      time.Duration
	max, min time.Duration
}

// add counts one duration; a negative one counts as zero.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[min(bucket(uint64(d)), len(h.counts)-1)]++
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// bucket is where a number of nanoseconds counts.
func bucket(v uint64) int {
	if v < 64 {
		return int(v)
	}
	shift := bits.Len64(v) - 7 // v>>shift is 64..127
	return 64*(shift+1) + int(v>>shift) - 64
}

// upper is the largest value of a bucket.
func upper(i int) time.Duration {
	if i < 64 {
		return time.Duration(i)
	}
	shift := i/64 - 1
	return time.Duration(uint64(i%64+64+1)<<shift - 1)
}

// merge adds what other counted.
func (h *histogram) merge(other *histogram) {
	if other.n == 0 {
		return
	}
	for i, c := range other.counts {
		h.counts[i] += c
	}
	if h.n == 0 || other.min < h.min {
		h.min = other.min
	}
	h.n += other.n
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// at is the nearest rank of a percentile, 0 < percent <= 100.
func (h *histogram) at(percent float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := max(uint64(percent/100*float64(h.n)+0.999999), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// latency sums the histogram up.
func (h *histogram) latency() Latency {
	if h.n == 0 {
		return Latency{}
	}
	return Latency{
		P50: millis(h.at(50)), P90: millis(h.at(90)), P99: millis(h.at(99)), P999: millis(h.at(99.9)),
		Max: millis(h.max), Mean: millis(h.sum) / float64(h.n),
	}
}
