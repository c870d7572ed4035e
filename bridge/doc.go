// Package bridge knows how messages leave the chain: what a withdrawal is, how it is
// named and where its proof stands. Deposits, the other way, are chain's.
//
// Sources: OP Stack specification, "Withdrawals" and "Cross domain messengers".
package bridge
