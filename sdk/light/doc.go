// Package light follows a Talaria chain through nodes that nobody trusts. It knows the
// chain's id and who leads it; everything else it checks (docs/spec/light.md):
//
//   - mini-blocks: the leader's signature, number, parent and place, the hashes of
//     transactions and receipts;
//   - sealed blocks: that a signed mini-block of the next block commits to their hash;
//   - accounts and slots: Merkle proofs against the state root of such a block;
//   - receipts and transactions: by the mini-block, or by the roots of the block;
//   - the leader: two signed headers of one height and epoch are kept as evidence.
//
// Chain is the check of the line of mini-blocks, without any input or output; the
// functions Verify… check single answers. Client follows nodes over WebSocket: it resumes
// behind the last mini-block that it checked, goes to the next endpoint when one fails,
// falls behind or lies, and tells of it.
//
// It cannot see what nobody shows it: a leader and all endpoints together may keep a
// client on a branch that they show to nobody else, and until a block is final on L1 the
// leader may go back. Execution is not checked: state roots are the leader's word.
//
// The package imports nothing else of this module, so that a user takes it alone and its
// encodings are a second pair of eyes on ours. sdk/ts is the same in TypeScript.
package light
