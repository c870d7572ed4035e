// Package predeploys holds the accounts that every Talaria chain has from genesis:
// the L2 side of the bridge, the system contracts of Ethereum and the contracts that
// common tools expect at fixed addresses.
//
// It is data with names: code is embedded as hexadecimal text, and nothing here runs
// it. L1Block.hex and L2ToL1MessagePasser.hex are compiled from contracts/ by
// contracts/bindings.sh; Multicall3.hex is the published deployment, which a test
// holds to its well-known code hash.
package predeploys
