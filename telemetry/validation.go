package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Validation measures a validator.
type Validation struct {
	block, attested prometheus.Gauge
	txs             prometheus.Counter
	seconds         prometheus.Histogram
	faults          *prometheus.CounterVec // by kind
	undecided       prometheus.Counter
}

// Validation makes the measurements of a validator. Call it once.
func (m *Metrics) Validation() *Validation {
	v := &Validation{
		block:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "talaria_validator_block_number", Help: "Number of the last block that was judged."}),
		attested:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "talaria_validator_attested_block_number", Help: "Number of the last block that was signed."}),
		txs:       prometheus.NewCounter(prometheus.CounterOpts{Name: "talaria_validator_transactions_total", Help: "Transactions of blocks that were found right."}),
		undecided: prometheus.NewCounter(prometheus.CounterOpts{Name: "talaria_validator_undecided_total", Help: "Blocks whose witness did not suffice."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "talaria_validator_block_seconds", Help: "Time to check a block, on one processor.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "talaria_validator_faults_total", Help: "Wrong blocks, by the kind of their fault.",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(v.block, v.attested, v.txs, v.undecided, v.seconds, v.faults)
	return v
}

// Checked notes a block that was judged, and the transactions in it if it was right.
func (v *Validation) Checked(number uint64, took time.Duration, txs int) {
	v.block.Set(float64(number))
	v.seconds.Observe(took.Seconds())
	v.txs.Add(float64(txs))
}

// Attested notes a block that was signed.
func (v *Validation) Attested(number uint64) { v.attested.Set(float64(number)) }

// Fault counts a fault of a block, or of its witness, which leaves the block undecided.
func (v *Validation) Fault(kind string, undecided bool) {
	if undecided {
		v.undecided.Inc()
		return
	}
	v.faults.WithLabelValues(kind).Inc()
}
