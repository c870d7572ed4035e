// Package l1feed follows an L1 and hands out its blocks in order, each once, as
// derivation and the sequencer read them.
package l1feed
