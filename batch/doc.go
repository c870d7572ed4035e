// Package batch is the wire format in which sequenced blocks travel through L1:
// blocks → channel → frames → blobs or calldata, and back (docs/spec/batch.md).
//
// It promises that decoding what was encoded gives equal blocks, that a decoder
// accepts exactly the bytes that the specification allows, and that no input makes
// a decoder panic or hold more than the stated limits. It does not know whether a
// block is valid on the chain (package derive decides that), and it neither sends
// nor fetches.
//
// ChannelBuilder collects blocks and closes into a Channel; Channel.Txs cuts that
// into the blobs of L1 transactions, or Channel.Frames and EncodeCalldata put it into
// calldata. On the way back DecodeBlob and DecodeCalldata give frames, whoever has all
// frames of a channel joins their data, and DecodeChannel gives the blocks.
//
// A channel is columnar: each field of transactions has a column and models of its own
// (columns.go, sender.go, address.go, amount.go, calldata.go), written by a range coder
// (arithmetic.go) by code that is the same for writing and reading.
package batch
