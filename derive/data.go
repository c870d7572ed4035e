package derive

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// DataSource is where a transaction to the inbox says that its frames are: the first
// byte of its calldata.
type DataSource byte

// Sources of batch data.
const (
	SourceCalldata  DataSource = 0x00 // in the calldata, behind this byte
	SourceAltDA     DataSource = 0x01 // behind a commitment, on an alt-DA server
	SourceCommittee DataSource = 0x02 // behind a certificate that L1 has verified: an event, not calldata
	SourceBlobs     DataSource = 0xff // in the transaction's blobs; its calldata is empty
)

// SourceOf tells the source of a transaction to the inbox from its number of blobs or its
// calldata. It is false if there is nothing to read. A certificate in calldata is nothing:
// L1 has not verified it.
func SourceOf(blobs int, calldata []byte) (DataSource, bool) {
	switch {
	case blobs > 0:
		return SourceBlobs, true
	case len(calldata) > 1 && calldata[0] <= byte(SourceAltDA):
		return DataSource(calldata[0]), true
	}
	return 0, false
}

// Allowed tells whether batches count that come from the source. Blobs and calldata
// always do: they are what a batcher falls back on. A commitment counts only in its own
// mode, so that nobody has to look for data that the chain never asked for.
func (s DataSource) Allowed(mode chain.DAMode) bool {
	switch s {
	case SourceBlobs, SourceCalldata:
		return true
	case SourceAltDA:
		return mode == chain.DAAlt
	case SourceCommittee:
		return mode == chain.DACommittee
	}
	return false
}

// MaxNamedBytes bounds the data that commitments and certificates in one L1 block name
// together, in bytes.
const MaxNamedBytes = 128 << 20

// Named adds up what the commitments and certificates in an L1 block name, so that L1 bounds
// what has to be fetched. The zero value is for the beginning of the block.
type Named struct{ bytes uint64 }

// Add counts one of so many bytes, in the order of the block. False means that it exceeds
// MaxNamedBytes: it is void, and not counted.
func (n *Named) Add(bytes uint32) bool {
	if n.bytes+uint64(bytes) > MaxNamedBytes {
		return false
	}
	n.bytes += uint64(bytes)
	return true
}

// BatchTx is a transaction to the inbox with its data, which whoever reads L1 has
// fetched and held against what the transaction commits to.
type BatchTx struct {
	From   common.Address
	Source DataSource
	Blobs  []*batch.Blob // of SourceBlobs
	Data   []byte        // frames, of all other sources
	// Bad says why the data is not what was committed to, and never will be; there is
	// none then. Data that cannot be had is not bad: the block is not handed out.
	Bad string
}

// frames gives what the transaction carries, calling bad for every part that is none.
func (tx *BatchTx) frames(bad func(*dropError)) []batch.Frame {
	switch {
	case tx.Bad != "":
		bad(drop(DropData, "%s", tx.Bad))
		return nil
	case tx.Source != SourceBlobs:
		frames, err := batch.DecodeFrames(tx.Data)
		if err != nil {
			bad(drop(DropData, "%v", err))
		}
		return frames
	}
	var all []batch.Frame
	for i, blob := range tx.Blobs {
		frames, err := batch.DecodeBlob(blob)
		if err != nil {
			bad(drop(DropBlob, "blob %d: %v", i, err))
			continue
		}
		all = append(all, frames...)
	}
	return all
}
