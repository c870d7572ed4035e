package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Following measures how far a node trails whom it follows.
type Following struct{ trailing prometheus.Histogram }

// Following makes the measurements of a node that follows another: now tells the age of its
// newest mini-block, and how many blocks it knows of and lacks. Call it once.
func (m *Metrics) Following(now func() (age time.Duration, blocks uint64)) *Following {
	f := &Following{prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "talaria_replica_trailing_seconds", Help: "Time from the cut of a mini-block, by the clock of who made it, to its publication here.",
		Buckets: prometheus.ExponentialBuckets(0.001, 1.6, 24),
	})}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(f.trailing,
		gauge("talaria_replica_newest_age_seconds", "Time since the newest mini-block here was cut, by the clock of who made it.", func() float64 {
			age, _ := now()
			return age.Seconds()
		}),
		gauge("talaria_replica_blocks_behind", "Blocks that this node knows of, the open one aside, and does not have.", func() float64 {
			_, blocks := now()
			return float64(blocks)
		}))
	return f
}

// Published notes a mini-block that readers see that long after it was cut.
func (f *Following) Published(after time.Duration) { f.trailing.Observe(after.Seconds()) }
