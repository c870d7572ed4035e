// Package rpc serves a node to the world: JSON-RPC 2.0 over HTTP and WebSocket on
// one port, with the methods of Ethereum's execution-apis, the answers of
// EIP-7966, live subscriptions and polling filters, and Talaria's mini-blocks.
//
// It promises that every input is bounded (see Options) and gets a standard error
// that says what to change; that answers of a batch come in order; that sends of a
// batch are submitted in order before any of them is awaited; that nothing is pushed
// to a client before it can be queried; that calls and estimates run few at a time
// and nothing else waits for them; and that a slow client costs a bounded queue and
// then its connection, or its filter, never the node.
//
// It refuses to know how a chain works: everything comes from a Backend, which a
// role implements. Parts: Server (sockets, limits), the codec and dispatch of
// messages, one file per group of methods, the pool that calls run in, and the hub
// that fans published events out to subscriptions and filters.
package rpc
