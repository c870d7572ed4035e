// Package deploy puts the contracts of a chain on any L1: settlement, bridge and the
// timelock that alone can upgrade them.
//
// All transactions have consecutive nonces of one account, so every address is known
// beforehand and contracts may name each other before they exist. They are submitted
// without waiting for one another; a deployment takes as many L1 blocks as its gas needs.
// Whoever calls keeps the addresses: a second call makes a second, independent set.
//
// Each contract is an implementation behind a transparent proxy; what it is wired to is
// in the implementation's code, what its owner may change is in the proxy's storage.
package deploy
