// Package bls signs and aggregates with BLS12-381: signatures are points of G1, public
// keys of G2, the "minimal-signature-size" variant with proofs of possession of
// draft-irtf-cfrg-bls-signature-05. On L1 (EIP-2537) hashing to G1 and adding there are
// four times cheaper than in G2, which is why keys, not signatures, are in G2.
//
// Messages are hashed with BLS12381G1_XMD:SHA-256_SSWU_RO_ (RFC 9380). Points are
// encoded uncompressed and unpadded, coordinates of 48 bytes big-endian, in the order of
// EIP-2537: G1 as x ‖ y, G2 as x.c0 ‖ x.c1 ‖ y.c0 ‖ y.c1. Decoding checks that a point is
// in the subgroup and refuses the point at infinity.
//
// Signatures over one message may be added only if each key has proved possession:
// otherwise a key made from the others' could sign for them.
package bls
