package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Batches measures where batches go: those of this process whose data are with a data layer,
// those that L1 itself holds, and whether the layer is passed over. It asks status when it
// is read. Call it once.
func (m *Metrics) Batches(status func() (layer, l1 uint64, failing bool)) {
	posted := func(place string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "talaria_batches_total", Help: "Batches posted, by where their data are: layer or l1.", ConstLabels: prometheus.Labels{"data": place},
		}, value)
	}
	m.registry.MustRegister(
		posted("layer", func() float64 { n, _, _ := status(); return float64(n) }),
		posted("l1", func() float64 { _, n, _ := status(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "talaria_da_layer_failing", Help: "1 while the data layer fails and batches go to L1 themselves.",
		}, func() float64 {
			if _, _, failing := status(); failing {
				return 1
			}
			return 0
		}))
}

// Operator counts an answer of an operator of the data committee.
func (m *Metrics) Operator(index int, result string) {
	m.operators.WithLabelValues(strconv.Itoa(index), result).Inc()
}

// OperatorHealthy notes whether an operator gives what it signed for.
func (m *Metrics) OperatorHealthy(index int, healthy bool) {
	value := 0.0
	if healthy {
		value = 1
	}
	m.healthy.WithLabelValues(strconv.Itoa(index)).Set(value)
}
