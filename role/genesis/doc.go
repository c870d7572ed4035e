// Package genesis makes chains: it puts the contracts of one on an L1 and writes down
// what every node of it has to know, the genesis file. Whoever sends the transactions pays
// for them and needs not to be asked again.
package genesis
