package devnet

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc/ingest"
)

// startIngest serves the raw way in for transactions, to those whom the RPC serves.
func (d *Devnet) startIngest(b *node.Backend) error {
	if d.opts.IngestPort < 0 {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(d.opts.Host, fmt.Sprint(d.opts.IngestPort)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is taken (choose another with --ingest-port, 0 for any free one, or -1 for none)", d.opts.IngestPort)
	}
	if err != nil {
		return fmt.Errorf("listen for --ingest-port: %w", err)
	}
	cfg := b.Config()
	o, scheme := ingest.Options{ChainID: cfg.ChainID, MaxTxBytes: cfg.MaxTxBytes, Authorize: d.opts.RPC.Authorize, Log: d.log}, "tcp://"
	if config := d.opts.RPC.TLS; config != nil { // a key must not go in the clear
		o.TLS, scheme = config.Clone(), "tls://"
		o.TLS.NextProtos = nil // of HTTP
	}
	server := ingest.New(b, o)
	d.onClose(server.Shutdown)
	go d.serve("ingest", func() error { return server.Serve(l) })
	d.info.Ingest = scheme + l.Addr().String()
	return nil
}
