// Package l1 talks to an Ethereum L1 by URL: the embedded one of package devl1, anvil,
// or any execution client with a beacon node beside it.
//
//   - Client reads: headers, blocks, receipts, accounts, and blobs over the beacon API.
//   - Source turns one L1 block into what derivation needs: the header's fields, the
//     portal's deposit logs and the batcher's data.
//   - Sender writes: it owns an account's nonces, prices transactions, replaces those
//     that are stuck and waits for confirmations.
//
// What the server says is checked against hashes as far as hashes reach: a header must
// hash to what was asked for, transactions and receipts must give the header's roots,
// a blob must have the commitment that its transaction names. A server can withhold,
// but a contradiction is an error (ErrMismatch), never data. The choice of the
// canonical block at a height is the server's.
//
// Errors: ErrNotFound means that the server does not have it (yet), ErrUnavailable that
// it could not be reached in spite of retries, ErrMismatch that it contradicts itself.
// Reads are retried with growing pauses; a refusal is returned at once.
//
// The package decides nothing about the rollup: it knows neither batch formats nor
// which L1 block an L2 block should build on.
package l1
