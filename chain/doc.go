// Package chain is the vocabulary of Talaria: the types that cross rooms, their
// canonical encodings, the chain configuration and the protocol's limits.
//
// It promises that equal values encode to equal bytes on every machine, and that
// a decoder rejects every encoding that the encoder would not have produced. It
// holds no behaviour: nothing here executes, stores, sends or measures time.
//
// Ethereum's own types (headers, logs, signed transactions) come from go-ethereum;
// this package adds what Ethereum does not have: deposit transactions (type 0x7E),
// mini-blocks, and the configuration of the chain.
package chain
