// Package bridging moves ether, the chain's currency and ERC-20 tokens between L1 and L2
// for an account whose key it is given. It needs the URLs of a node on each layer, and
// somebody to trust for the chain's contracts on L1: see Trust. The L2 node says where a
// withdrawal stands.
//
// What an L2 node elsewhere says is not trusted with money, unless Trust says so: deposits go
// to the contracts of a genesis file or of a portal, L1 checks every proof, and withdrawals
// go where they were sent. A node that lies wastes time and gas; it also names the price of
// gas on L2, within Options.MaxL2GasPrice.
package bridging
