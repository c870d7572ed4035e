// Package safehead derives the chain from L1 beside the sequencer and compares: what
// L1 holds is `safe`, what L1 has finalised is `finalized`, and a difference is an
// alarm.
package safehead
