package telemetry

import (
	"io"
	"net/http"
	"net/http/pprof"
)

// Pages are what the metrics port of a process serves: /metrics, and Go's profiles under
// /debug/pprof.
func (m *Metrics) Pages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", m.Handler())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics at /metrics\n") })
	return mux
}
