// Package e2e drives the built talaria binary as its users do: over its ports,
// its signals and its files, with clients that nobody here wrote (cast, forge,
// viem, ethers, go-ethereum's ethclient).
//
// The tests need the npm packages of package.json (`make e2e` installs them) and
// a binary: TALARIA_BIN names one, otherwise the package builds it once. They are
// skipped with -short. Every client script takes URLs as arguments and knows
// nothing of Talaria; each also runs against anvil, so that a failure tells a bug
// of the node from a bug of the script.
//
// Only what crosses processes is tested here; what one room promises is tested
// beside its code.
package e2e
