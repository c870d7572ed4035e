package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Claims are the measurements of a proposer.
type Claims struct {
	Claimed    prometheus.Gauge   // newest block with a claim of this chain's root
	Made       prometheus.Counter // claims by this run
	Challenged prometheus.Counter // claims that this run challenged
	Unchecked  prometheus.Gauge   // claims whose window closes soon and that cannot be checked

	alarm *prometheus.GaugeVec // by reason
}

// Claims makes the measurements of a proposer. Call it once.
func (m *Metrics) Claims() *Claims {
	c := &Claims{
		Claimed:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "talaria_claimed_block_number", Help: "Newest L2 block with a claim on L1 of this chain's output root."}),
		Made:       prometheus.NewCounter(prometheus.CounterOpts{Name: "talaria_claims_total", Help: "Claims made on L1."}),
		Challenged: prometheus.NewCounter(prometheus.CounterOpts{Name: "talaria_claims_challenged_total", Help: "Claims of others challenged on L1, those that could not be checked included."}),
		Unchecked:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "talaria_claims_unchecked", Help: "Claims on L1 whose window closes soon and that this node cannot check: derivation stands still."}),
		alarm:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "talaria_proposer_alarm", Help: "1 while the proposer needs help: unchecked (a claim cannot be checked), reserve (no stake in reserve, nothing is claimed), missed (a wrong claim was not challenged in time: pause exits), failing (anything else fails)."}, []string{"reason"}),
	}
	m.registry.MustRegister(c.Claimed, c.Made, c.Challenged, c.Unchecked, c.alarm)
	return c
}

// Alarm notes whether there is a reason for the operator to help.
func (c *Claims) Alarm(reason string, on bool) {
	value := 0.0
	if on {
		value = 1
	}
	c.alarm.WithLabelValues(reason).Set(value)
}
