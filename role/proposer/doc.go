// Package proposer claims output roots on L1, so that withdrawals can be proven, and
// watches the claims of others.
//
// It claims blocks whose data are final on L1 and nothing else: no reorganisation makes a
// claim wrong. A claim of its own that nobody challenged is resolved when
// its window has closed, and its bond is taken back. A claim of somebody else that
// contradicts this node's chain, or is of a block that did not follow yet from L1 when it was made, is challenged with the account's stake, one for all of them,
// and watched until the challenge is L1-final. So is one that cannot be checked when three
// quarters of its window have passed by L1's clock. Judging waits for no transaction and for
// nothing that others can cause. The account stakes before its first claim and keeps another
// stake in reserve.
package proposer
