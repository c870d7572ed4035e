// Package predeploys holds the accounts that every Talaria chain has from genesis:
// the L2 side of the bridge, the system contracts of Ethereum and the contracts that
// common tools expect at fixed addresses. docs/predeploys.md lists them.
//
// It is data with names: code is embedded as hexadecimal text, and nothing here runs
// it. The contracts of contracts/src/l2 are compiled by contracts/bindings.sh. What
// they need to know of L1 is written to their storage slots, because no constructor
// runs; tests read it back through the contracts.
//
// Most stand behind a proxy, whose admin is the contract at 0x4200…18. WETH9, the
// message passer and MiniBlockClock do not: nobody can change what holds ether, records
// withdrawals or is written by execution itself.
package predeploys
