// Package da keeps the data of batches where derivation can find it: in blobs, in L1
// calldata, on an alt-DA server or with a committee (docs/spec/da.md).
//
//	Put(data) → Commitment ─ L1 transaction ─ Parse → Get(commitment) → data
//
// A Store is one of these layers. What it returns from Put is a Commitment, and
// Posting says how that stands in an L1 transaction. The commitment decides the data:
// Get returns exactly the bytes that were put, or an error, whoever answers. (A generic
// alt-DA commitment is the one exception: its server is trusted.)
//
// Errors tell a caller what to do. Transient errors (ErrUnavailable, ErrNotFound,
// ErrMismatch) mean that the data could not be had now and from there: wait, ask another
// server, or, when writing, fall back to another layer. Permanent ones (ErrMalformed,
// ErrTooLarge, ErrRefused) will not go away: derivation drops what is ErrMalformed, since
// every node finds it so, and a writer splits or falls back.
//
// The rooms below: altda is the HTTP client and server, committee disperses, retrieves,
// samples and audits. What the data means is not known here.
package da
