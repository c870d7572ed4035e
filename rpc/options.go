package rpc

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/talaria-l2/talaria/chain"
)

// Options are the server's limits and manners. A zero field means its default, in
// brackets.
type Options struct {
	MaxBodyBytes     int64 // of one HTTP body or WebSocket message, 1.. [5 MiB]
	MaxBatchItems    int   // messages of one batch, 1.. [1000]
	MaxResponseBytes int   // of one answer, a batch counts as one, 1.. [64 MiB]
	MaxJSONDepth     int   // nesting of a request, 1.. [64]

	MaxConnections      int           // open at once, over all protocols, 1.. [20,000]
	MaxConnectionsPerIP int           // of one address, or of the /64 of an IPv6 address, 1.. [MaxConnections]
	IdleTimeout         time.Duration // of an HTTP connection between requests [2 min]
	ReadHeaderTimeout   time.Duration // [10 s]
	ReadTimeout         time.Duration // of a whole request [30 s]
	RequestTimeout      time.Duration // of the work on one message, sends aside [30 s]
	WriteTimeout        time.Duration // of one WebSocket message [10 s]
	Compression         bool          // offer permessage-deflate to WebSockets [no]: it costs processor time
	PingInterval        time.Duration // of WebSocket pings; the pong must come as fast [30 s]

	MaxInFlight      int    // messages of one connection worked on at once; reading pauses [1024]
	MaxSubscriptions int    // of one connection [128]
	MaxSubscribed    int    // bytes of the addresses, topics and hashes that all subscriptions name, with their places in the index, 1.. [64 MiB]
	MaxQueueMessages int    // outgoing, of one WebSocket connection [8192]
	MaxQueueBytes    int    // outgoing, of one WebSocket connection [32 MiB]
	MaxReplays       int    // subscriptions of all connections that replay because a client asked, 1.. [256]
	MaxLag           uint64 // mini-blocks, or blocks, by which a client may be behind; above, a gap event says what it missed [100,000]
	FeedBuffer       int    // published events waiting for the hub [8192]

	MaxFilters     int           // polling filters in all, 1.. [1000]
	MaxFilterItems int           // unread items of one filter, which is dropped above, 1.. [20,000]
	MaxFilterBytes int           // unread items and queries of all filters; above, the one that holds most is dropped, 4096.. [64 MiB]
	FilterTimeout  time.Duration // of a filter that nobody polls [5 min]
	MaxLogBlocks   uint64        // blocks of one eth_getLogs [10,000]
	MaxLogResults  int           // logs of one eth_getLogs [20,000]
	MaxFeeBlocks   uint64        // blocks of one eth_feeHistory [1024]
	CallGasCap     chain.Gas     // of one simulation [1,000,000,000]

	// Simulations are eth_call, eth_estimateGas and eth_createAccessList. Nothing waits
	// for their turn but what follows them in the same batch.
	MaxCalls     int           // simulations that run at once, 1.. [half of GOMAXPROCS, at least 1]
	MaxCallQueue int           // simulations that wait for a turn, 1..; more are refused [256]
	CallTimeout  time.Duration // of a simulation from its turn on, above 0; RequestTimeout covers the wait too [5 s]

	// Slow methods trace, search or simulate many transactions. They run beside everything
	// else; what follows one on its HTTP connection waits for it. Queries of logs or tips in
	// 100 blocks or more have a pool of the same size to themselves.
	MaxSlow      int           // that run at once, 1.. [half of GOMAXPROCS, at least 1]
	MaxSlowQueue int           // that wait for a turn, 1..; more are refused [64]
	TraceTimeout time.Duration // of one, from its turn on, above 0; RequestTimeout covers the wait too [10 s]

	// Who asks. Without Keys everybody may, with them those whose key is in the file and,
	// unless RequireKey is set, those who send none.
	Keys       *Keys
	RequireKey bool
	JWTSecret  []byte // of the operator's tokens, 32 bytes; nil: admin methods are closed
	Rate       int    // cost units a second of one address (of the /64 of an IPv6 one) without a key; 0: no limit [0]
	RateBurst  int    // units that may come at once, 1.. [10 times Rate]
	Costs      Costs  // in units

	SendTimeout     time.Duration   // until eth_sendRawTransaction gives up waiting [30 s]
	SyncTimeout     time.Duration   // of eth_sendRawTransactionSync by default [2 s]
	MaxSyncTimeout  time.Duration   // that a client may ask for [1 min]
	SuggestedTipWei uint64          // eth_maxPriorityFeePerGas [1,000,000]
	ClientVersion   string          // web3_clientVersion ["talaria/dev"]
	Origins         []string        // browsers' origins that may call; "*" is any ["*"]
	Hosts           []string        // Host headers that are served, without port; empty is any
	TLS             *tls.Config     // of the port; nil: plain
	OpenTxPool      bool            // txpool_… shows everybody's transactions to anybody [each caller sees its own]
	Trailing        func() Trailing // how far a node that follows another is behind; nil: it follows none
	Snapshots       Snapshots       // answers GET below /snapshot/ (docs/spec/snapshot.md); nil: nothing is there
	Logger          *slog.Logger    // for crashes of handlers and refused handshakes [discarded]
}

// Snapshots is the answer to GET of a path below /snapshot/ by somebody who may ask. It
// is called on the goroutine of the connection.
type Snapshots func(ctx context.Context, path string) (status int, kind string, body []byte)

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// withDefaults fills zero fields in.
func (o Options) withDefaults() Options {
	orDefault(&o.MaxBodyBytes, 5<<20)
	orDefault(&o.MaxBatchItems, 1000)
	orDefault(&o.MaxResponseBytes, 64<<20)
	orDefault(&o.MaxJSONDepth, 64)
	orDefault(&o.MaxConnections, 20_000)
	orDefault(&o.MaxConnectionsPerIP, o.MaxConnections)
	orDefault(&o.IdleTimeout, 2*time.Minute)
	orDefault(&o.ReadHeaderTimeout, 10*time.Second)
	orDefault(&o.ReadTimeout, 30*time.Second)
	orDefault(&o.RequestTimeout, 30*time.Second)
	orDefault(&o.WriteTimeout, 10*time.Second)
	orDefault(&o.PingInterval, 30*time.Second)
	orDefault(&o.MaxInFlight, 1024)
	orDefault(&o.MaxSubscriptions, 128)
	orDefault(&o.MaxSubscribed, 64<<20)
	orDefault(&o.MaxQueueMessages, 8192)
	orDefault(&o.MaxQueueBytes, 32<<20)
	orDefault(&o.FeedBuffer, 8192)
	orDefault(&o.MaxReplays, 256)
	orDefault(&o.MaxLag, 100_000)
	orDefault(&o.MaxFilters, 1000)
	orDefault(&o.MaxFilterItems, 20_000)
	orDefault(&o.MaxFilterBytes, 64<<20)
	orDefault(&o.FilterTimeout, 5*time.Minute)
	orDefault(&o.MaxLogBlocks, 10_000)
	orDefault(&o.MaxLogResults, 20_000)
	orDefault(&o.MaxFeeBlocks, 1024)
	orDefault(&o.CallGasCap, 1_000_000_000)
	orDefault(&o.MaxCalls, max(1, runtime.GOMAXPROCS(0)/2))
	orDefault(&o.MaxCallQueue, 256)
	orDefault(&o.CallTimeout, 5*time.Second)
	orDefault(&o.MaxSlow, max(1, runtime.GOMAXPROCS(0)/2))
	orDefault(&o.MaxSlowQueue, 64)
	orDefault(&o.TraceTimeout, 10*time.Second)
	orDefault(&o.RateBurst, max(1, 10*o.Rate))
	orDefault(&o.Costs.Read, 1)
	orDefault(&o.Costs.Send, 1)
	orDefault(&o.Costs.Call, 5)
	orDefault(&o.Costs.Slow, 50)
	orDefault(&o.SendTimeout, 30*time.Second)
	orDefault(&o.SyncTimeout, 2*time.Second)
	orDefault(&o.MaxSyncTimeout, time.Minute)
	orDefault(&o.SuggestedTipWei, 1_000_000)
	orDefault(&o.ClientVersion, "talaria/dev")
	if o.Origins == nil {
		o.Origins = []string{"*"}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return o
}
