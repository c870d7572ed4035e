// Package evm executes one transaction: a state.View, a chain.Tx and the block's
// environment go in, a Result with the receipt's parts and a state.Diff comes out.
//
// It promises Ethereum's semantics and gas of the Osaka fork for every block, with
// the differences that the chain defines:
//
//   - chain.Config.TxGasCap takes the place of EIP-7825's cap of 2^24;
//   - the base fee is credited to Env.BaseFeeRecipient instead of burned, unless
//     that address is zero;
//   - deposit transactions (type 0x7E) follow the OP Stack specification,
//     "Deposits", as of Regolith and Canyon: they mint first, pay no fee, and are
//     included even if they fail or could not run at all; the cap on gas is not
//     for them;
//   - chain.Config.MaxCodeSize and MaxInitCode take the place of EIP-170's and
//     EIP-3860's limits, in transactions, CREATE and CREATE2 alike;
//   - blob transactions do not reach it, since chain.DecodeTx refuses them: BLOBHASH is
//     always zero, and BLOBBASEFEE is 1 wei, the price at zero excess blob gas, unless
//     Env says otherwise. Their rules are implemented for public test cases.
//
// It refuses to read a clock, to keep a state of its own between transactions, and
// to decide about the block: whether the block has gas left for a transaction is
// the caller's check.
//
// # How the parts meet
//
// A Machine owns the memory that executions reuse: a state.Journal, frames, analysed
// codes. It belongs to one goroutine at a time; codes, analysed and compiled, are shared
// by all machines of the process.
//
// transition takes a message from validation to fees; invocation is a call or a
// creation on any level; frame is a code that runs, with its stack, memory and gas. The
// plain interpreter (plain.go, meter.go) goes from instruction to instruction and tells
// a tracer about them. The compiled engine (engine.go, ir.go, compile*.go, run*.go) executes traces
// of code that runs often, in a register form (docs/adr/0009). What an instruction does
// beyond stack and memory is in host.go and invoke.go, for every way to execute.
// Precompiled contracts are go-ethereum's; tracers are too, and errors that callers tell
// apart are declared here.
package evm
