package devnet

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
)

//go:embed status.html
var statusPage string

// webHandler serves the status page, which talks to JSON-RPC at rpcPort of the host
// that the page came from.
func webHandler(rpcPort int) http.Handler {
	page := strings.ReplaceAll(statusPage, "{{RPC_PORT}}", fmt.Sprint(rpcPort))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	})
	return mux
}
