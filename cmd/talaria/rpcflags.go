package main

import (
	"crypto/tls"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/talaria-l2/talaria/rpc"
)

// rpcFlags are the flags of everything that serves JSON-RPC.
func rpcFlags() []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("TALARIA_RPC_" + name) }
	return []cli.Flag{
		&cli.StringFlag{Name: "rpc-origins", Value: "*", Usage: "origins of browser pages that may call, with commas between; *: any", Sources: env("ORIGINS")},
		&cli.StringFlag{Name: "rpc-hosts", Usage: "Host headers that are served, without port, with commas between (default: any)", Sources: env("HOSTS")},
		&cli.StringFlag{Name: "rpc-keys", Usage: "file of API keys: lines of name, key, rate, burst (docs/rpc.md)", Sources: env("KEYS")},
		&cli.BoolFlag{Name: "rpc-require-key", Usage: "serve nobody without an API key", Sources: env("REQUIRE_KEY")},
		&cli.StringFlag{Name: "rpc-jwt-secret", Usage: "file of 64 hex digits that sign the operator's tokens (default: admin methods are closed)", Sources: env("JWT_SECRET")},
		&cli.StringFlag{Name: "rpc-tls-cert", Usage: "file of the certificate chain, PEM; the port then speaks TLS only", Sources: env("TLS_CERT")},
		&cli.StringFlag{Name: "rpc-tls-key", Usage: "file of its private key, PEM", Sources: env("TLS_KEY")},
		&cli.Uint64Flag{Name: "rpc-rate", Usage: "cost units a second of one address without an API key (a read costs 1, a call 5, a trace 50), 0..1000000000; 0: no limit", Sources: env("RATE")},
		&cli.Uint64Flag{Name: "rpc-max-connections", Value: 20_000, Usage: "connections open at once, 1..1000000", Sources: env("MAX_CONNECTIONS")},
		&cli.Uint64Flag{Name: "rpc-max-connections-per-ip", Usage: "of one address, 0..1000000; 0: no other limit", Sources: env("MAX_CONNECTIONS_PER_IP")},
		&cli.Uint64Flag{Name: "rpc-max-body", Value: 5 << 20, Usage: "bytes of one request, 1024..1073741824", Sources: env("MAX_BODY")},
		&cli.Uint64Flag{Name: "rpc-max-batch", Value: 1000, Usage: "requests of one JSON batch, 1..1000000", Sources: env("MAX_BATCH")},
		&cli.Uint64Flag{Name: "rpc-max-response", Value: 64 << 20, Usage: "bytes of one answer, 1024..2147483647", Sources: env("MAX_RESPONSE")},
		&cli.Uint64Flag{Name: "rpc-max-log-blocks", Value: 10_000, Usage: "blocks of one eth_getLogs, 1..1000000000", Sources: env("MAX_LOG_BLOCKS")},
		&cli.Uint64Flag{Name: "rpc-trace-ms", Value: 10_000, Usage: "time of one trace or other slow request, 1..600000", Sources: env("TRACE_MS")},
		&cli.Uint64Flag{Name: "rpc-call-gas", Value: 1_000_000_000, Usage: "gas of one eth_call or eth_estimateGas, 21000..", Sources: env("CALL_GAS")},
		&cli.BoolFlag{Name: "rpc-ws-compression", Usage: "offer WebSockets compression (permessage-deflate)", Sources: env("WS_COMPRESSION")},
	}
}

// rpcOptions reads the flags.
func rpcOptions(c *cli.Command) (rpc.Options, error) {
	o := rpc.Options{
		Origins: listOf(c.String("rpc-origins")), Hosts: listOf(c.String("rpc-hosts")),
		RequireKey: c.Bool("rpc-require-key"), Compression: c.Bool("rpc-ws-compression"),
		ClientVersion: "talaria/" + version,
	}
	number := func(name string, low, high uint64) (int, error) {
		v := c.Uint64(name)
		if v < low || v > high {
			return 0, usagef("--%s %d: allowed is %d..%d", name, v, low, high)
		}
		return int(v), nil
	}
	var body, blocks, millis, gas int
	for _, f := range []struct {
		name      string
		to        *int
		low, high uint64
	}{
		{"rpc-rate", &o.Rate, 0, 1_000_000_000},
		{"rpc-max-connections", &o.MaxConnections, 1, 1_000_000},
		{"rpc-max-connections-per-ip", &o.MaxConnectionsPerIP, 0, 1_000_000},
		{"rpc-max-body", &body, 1024, 1 << 30},
		{"rpc-max-batch", &o.MaxBatchItems, 1, 1_000_000},
		{"rpc-max-response", &o.MaxResponseBytes, 1024, math.MaxInt32},
		{"rpc-max-log-blocks", &blocks, 1, 1_000_000_000},
		{"rpc-trace-ms", &millis, 1, 600_000},
		{"rpc-call-gas", &gas, 21_000, math.MaxInt64},
	} {
		var err error
		if *f.to, err = number(f.name, f.low, f.high); err != nil {
			return o, err
		}
	}
	o.MaxBodyBytes, o.MaxLogBlocks = int64(body), uint64(blocks)
	o.TraceTimeout, o.CallGasCap = time.Duration(millis)*time.Millisecond, uint64(gas)
	return o, rpcFiles(c, &o)
}

// rpcFiles reads the files that the flags name.
func rpcFiles(c *cli.Command, o *rpc.Options) (err error) {
	if path := c.String("rpc-keys"); path != "" {
		if o.Keys, err = rpc.LoadKeys(path); err != nil {
			return usagef("--rpc-keys: %w", err)
		}
	} else if o.RequireKey {
		return usagef("--rpc-require-key needs --rpc-keys")
	}
	if path := c.String("rpc-jwt-secret"); path != "" {
		if o.JWTSecret, err = rpc.LoadJWTSecret(path); err != nil {
			return usagef("--rpc-jwt-secret: %w", err)
		}
	}
	cert, key := c.String("rpc-tls-cert"), c.String("rpc-tls-key")
	if cert == "" && key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return usagef("--rpc-tls-cert and --rpc-tls-key: %w", err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	return nil
}

func listOf(value string) []string {
	var out []string
	for _, v := range strings.Split(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}
