package telemetry

import "github.com/prometheus/client_golang/prometheus"

// feed measures what is published to other nodes, by kind.
type feed struct {
	messages *prometheus.CounterVec
	raw      *prometheus.CounterVec
	packed   *prometheus.CounterVec
	again    prometheus.Counter
}

func newFeed(registry *prometheus.Registry) feed {
	counter := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"kind"})
		registry.MustRegister(c)
		return c
	}
	f := feed{
		messages: counter("talaria_feed_published_total", "Mini-blocks, blocks, witnesses and attestations published to the feed."),
		raw:      counter("talaria_feed_encoded_bytes_total", "Bytes of their encodings."),
		packed:   counter("talaria_feed_compressed_bytes_total", "Bytes of them after compression."),
		again:    prometheus.NewCounter(prometheus.CounterOpts{Name: "talaria_feed_catch_ups_total", Help: "Times that the feed was brought up from what the node holds, since it was behind or not reached."}),
	}
	registry.MustRegister(f.again)
	return f
}

// FeedPublished counts a message of the feed. m may be nil.
func (m *Metrics) FeedPublished(kind string, raw, packed int) {
	if m == nil {
		return
	}
	m.feed.messages.WithLabelValues(kind).Inc()
	m.feed.raw.WithLabelValues(kind).Add(float64(raw))
	m.feed.packed.WithLabelValues(kind).Add(float64(packed))
}

// FeedCatchesUp counts that the feed is brought up from what the node holds. m may be nil.
func (m *Metrics) FeedCatchesUp() {
	if m != nil {
		m.feed.again.Inc()
	}
}
