// Package gethevm is go-ethereum's execution, to compare with: core.ApplyMessage and the
// interpreter of core/vm, over go-ethereum's own state (Geth) or over a state.View of
// this module (Flat). Tests take it as the oracle and benchmarks as the rival, so it
// reuses what go-ethereum lets be reused: the interpreter of a block, the analysis of
// jump destinations, the state between transactions.
//
// Tests, benchmarks and verify/opinion import it. Its limits are Ethereum's: 24,576 bytes of code
// and 49,152 of initcode.
package gethevm
