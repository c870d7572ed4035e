// Package committee keeps data with a committee of operators (docs/spec/da.md).
//
// Data is cut into blobs, and every blob into the 128 cells of EIP-7594, of which any 64
// give it back. A cell carries a KZG proof against the blob's commitment, so that whoever
// gets one checks it alone: operators need not trust the disperser, nor readers the
// operators. An operator holds the cells that its share of the weight touches; whatever
// operators have half of the weight together have 64 cells.
//
//	Disperser  Put: cells and proofs to the operators, their signatures into a certificate
//	Retriever  Get: data from any operators with half of the weight, checked cell by cell
//	Sampler    random cells: how sure one may be that data can be had; who does not have it
//	Handler    an operator's side: verify, store durably, sign, serve
//
// The certificate's signature is checked by the CertificateVerifier on L1; here only
// commitments count. What the data means, and when it is posted, is not known here.
package committee
