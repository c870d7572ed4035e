// Package bridging moves ether, the chain's currency and ERC-20 tokens between L1 and L2
// for an account whose key it is given. It needs the URLs of a node on each layer, and
// nothing else: the L2 node announces the contracts, and says where a withdrawal stands.
//
// What the L2 node says is not trusted with money: L1 checks every proof, and withdrawals
// go where they were sent. A node that lies can only waste gas and time.
package bridging
