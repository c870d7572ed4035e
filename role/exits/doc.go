// Package exits answers where a withdrawal stands: it finds it on the node's chain, reads
// what L1 says of it, and has package bridge judge. It sends nothing, and keeps nothing but
// what the contracts fix at deployment.
//
// Claims are compared with the node's own chain, so that what it names to prove under is
// right, whoever claimed it.
package exits
