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
//   - blob transactions do not exist, so BLOBHASH is always zero and BLOBBASEFEE
//     is 1 wei, the price at zero excess blob gas.
//
// It refuses to read a clock, to keep a state of its own between transactions, and
// to decide about the block: whether the block has gas left for a transaction is
// the caller's check.
//
// # How the parts meet
//
// A Machine owns the memory that executions reuse: a state.Journal, the
// interpreter, analysed jump destinations. The one goroutine that executes a chain
// keeps one Machine; Execute, SystemCall, Call, EstimateGas and CreateAccessList
// as package functions make a Machine for one use. The interpreter is go-ethereum's
// core/vm behind the journal; nothing outside this package sees it, and errors that
// callers tell apart are declared here.
//
// # Code size
//
// The interpreter has EIP-170's and EIP-3860's limits compiled in: 24,576 bytes of
// code, 49,152 bytes of initcode. chain.Config.MaxCodeSize and MaxInitCode can
// therefore not raise them. EffectiveLimits says what holds for a configuration:
//
//   - initcode of a transaction above EffectiveLimits' initcode is refused before
//     execution with ErrInitCodeTooLarge, and so is a configured limit below the
//     compiled one;
//   - code above 24,576 bytes fails its creation with all its gas, in a transaction
//     and in CREATE and CREATE2 alike; so does initcode above 49,152 bytes in
//     CREATE and CREATE2. Lower configured limits do not reach these two.
package evm
