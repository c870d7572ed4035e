// Package tracer tells what transactions did, by executing them again.
//
// A Replay executes a block on the state before it, with hooks where they are asked
// for, and refuses to answer if what it gets is not what the receipts say. A Config
// names what is told: go-ethereum's tracers, native or written in JavaScript, whose
// answers are go-ethereum's to the byte; the forms that OpenEthereum made common
// (trace_replay…); and those that the block explorer Otterscan asks for.
//
// It reads no clock and keeps nothing between calls: time limits come with a context.
// What a trace may hold in memory is bounded by Config.MaxBytes while it grows, not
// only when it is encoded; a script's own memory is not, which is why scripts can be
// forbidden (see docs/adr/0019).
package tracer
