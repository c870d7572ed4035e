// Package signers knows who signs mini-blocks: the address that L1's SystemConfig names as of
// a block's L1 origin (docs/spec/derivation.md, "Configuration"). It reads L1 by itself, since
// mini-blocks come long before derivation has what L1 holds of them.
package signers
