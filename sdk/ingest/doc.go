// Package ingest is the raw way in for those who send very many transactions: signed
// transactions one after the other over one TCP connection, with short frames, and
// 40-byte acknowledgements back in any order. docs/spec/ingest.md is its normative
// description.
//
// wire.go is the codec, without any input or output; Client is a client. An
// acknowledgement of success says the same as a receipt: the transaction is executed,
// durable and can be queried. What is not acknowledged may or may not have been
// executed: after a lost connection Client.Unacknowledged lists it, and sending it
// again is safe, because a nonce is used once.
//
// The package needs nothing else of this module, so that a sender can take it alone.
package ingest
