package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the measurements of one process.
type Metrics struct {
	registry *prometheus.Registry

	Block        prometheus.Gauge     // number of the last sealed block
	MiniBlock    prometheus.Gauge     // number of the newest mini-block
	Safe         prometheus.Gauge     // newest block on L1
	Transactions prometheus.Counter   // published, deposits included
	Gas          prometheus.Counter   // used
	Durable      prometheus.Histogram // seconds from the cut of a mini-block to its publication

	Rewinds  prometheus.Counter // times that a sequencer went back
	VoidLeft prometheus.Gauge   // transactions of void blocks that are to be executed again
	VoidGone prometheus.Counter // and those that cannot be

	Rechecked      prometheus.Counter // transactions whose signature was checked behind their execution
	Unchecked      prometheus.Gauge   // transactions executed or to be, whose signature is still to be checked
	RecheckSeconds prometheus.Gauge   // processor time of those checks by this run
	Forged         prometheus.Counter // transactions whose sender a trusted replica forged
	Distrusted     prometheus.Gauge   // replicas that are trusted no more

	l1Endpoints *prometheus.GaugeVec // by endpoint
	derivation  prometheus.Gauge
	operators   *prometheus.CounterVec // by operator and result
	healthy     *prometheus.GaugeVec   // by operator
	feed        feed
}

// New makes the metrics of one process, with those of the Go runtime.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	m.Block = gauge("talaria_block_number", "Number of the last sealed block.")
	m.MiniBlock = gauge("talaria_miniblock_number", "Number of the newest published mini-block.")
	m.Safe = gauge("talaria_safe_block_number", "Number of the newest block that L1 holds.")
	m.Transactions = counter("talaria_transactions_total", "Published transactions, deposits included.")
	m.Gas = counter("talaria_gas_used_total", "Gas used by published transactions.")
	m.Rewinds = counter("talaria_rewinds_total", "Times that the sequencer went back to an earlier block.")
	m.VoidLeft = gauge("talaria_void_transactions_waiting", "Transactions of void blocks that are to be executed again.")
	m.VoidGone = counter("talaria_void_transactions_gone_total", "Transactions of void blocks that cannot be executed again.")
	m.Rechecked = counter("talaria_rechecked_transactions_total", "Transactions executed on a replica's word whose signature was checked since.")
	m.Unchecked = gauge("talaria_unchecked_transactions", "Transactions admitted on a replica's word whose signature is still to be checked.")
	m.RecheckSeconds = gauge("talaria_recheck_cpu_seconds", "Processor time of checking signatures behind execution, since the start.")
	m.Forged = counter("talaria_forged_senders_total", "Transactions for which a trusted replica named a sender who did not sign.")
	m.Distrusted = gauge("talaria_distrusted_replicas", "Trusted replicas whose word is not taken any more, since they named a wrong sender.")
	m.derivation = gauge("talaria_derivation_waits_for_l1", "1 while L1 must be asked again before a derived block replaces one of this node's, else 0.")
	m.Durable = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "talaria_miniblock_publish_seconds", Help: "Time from the cut of a mini-block to its publication.",
		Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
	})
	m.l1Endpoints = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "talaria_l1_endpoint_agrees", Help: "1 while the L1 endpoint agrees with a quorum, 0 while it does not.",
	}, []string{"endpoint"})
	m.operators = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "talaria_da_operator_answers_total", Help: "Answers of operators of the data committee, by their index, to audits (ok, slow, missing, wrong, unreachable, refused), and failures to sign and to give data (unsigned, withheld).",
	}, []string{"operator", "result"})
	m.healthy = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "talaria_da_operator_healthy", Help: "1 while an operator of the data committee, by its index, gives what it signed for, 0 while it does not.",
	}, []string{"operator"})
	m.registry.MustRegister(m.operators, m.healthy)
	m.feed = newFeed(m.registry)
	m.registry.MustRegister(m.l1Endpoints, m.Durable, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// L1Endpoint notes whether an L1 endpoint agrees with the others.
func (m *Metrics) L1Endpoint(endpoint string, agrees bool) {
	value := 0.0
	if agrees {
		value = 1
	}
	m.l1Endpoints.WithLabelValues(endpoint).Set(value)
}

// DerivationWaits notes why a derived block cannot replace one of this node's yet; nil:
// none waits.
func (m *Metrics) DerivationWaits(why error) {
	value := 0.0
	if why != nil {
		value = 1
	}
	m.derivation.Set(value)
}

// Handler serves the metrics in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
