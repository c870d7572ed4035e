package ingest

import (
	"crypto/tls"
	"fmt"
	"net"
)

// Channel is what a statement has of the connection: with TLS, after its handshake, the
// exporter of RFC 9266, which nobody has who is not at one of its two ends; else zero.
func Channel(conn net.Conn) (channel [32]byte, err error) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return channel, nil
	}
	state := secure.ConnectionState()
	key, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, len(channel))
	if err != nil {
		return channel, fmt.Errorf("bind a proof to the TLS connection: %w", err)
	}
	copy(channel[:], key)
	return channel, nil
}
