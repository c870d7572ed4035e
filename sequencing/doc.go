// Package sequencing holds the pure rules of ordering: which transactions may enter
// (Admit), which wait for an earlier nonce and which of them stay when room is short
// (Pending), when a mini-block ends (Cutter) and when a block begins and closes
// (Slots).
//
// It promises that equal calls give equal answers: the clock is an argument and
// nothing here keeps time, sleeps, reads state or executes. A role asks, acts, and
// asks again.
package sequencing
