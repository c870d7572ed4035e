// Package batcher posts sealed blocks to L1: it compresses them into channels, puts
// these into blobs and sends them to the inbox, in order, until L1 holds them.
package batcher
