package committee

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/da"
)

// Numbers of EIP-7594.
const (
	CellsPerBlob = kzg4844.CellsPerBlob // 128
	CellsNeeded  = kzg4844.DataPerBlob  // 64: any so many give the blob back
	cellBytes    = len(kzg4844.Cell{})
	proofBytes   = len(kzg4844.Proof{})
)

// pack cuts data into blobs: 31 bytes in each field element, zeros behind the end.
func pack(data []byte) []kzg4844.Blob {
	blobs := make([]kzg4844.Blob, da.BlobCount(uint32(len(data))))
	for i := 0; len(data) > 0; i++ {
		blob, element := &blobs[i/4_096], i%4_096*32
		data = data[copy(blob[element+1:element+32], data):]
	}
	return blobs
}

// unpack gives back the data, which its blobs' commitments decide. An error wraps
// da.ErrMalformed: the disperser committed to something else than pack makes.
func unpack(blobs []kzg4844.Blob, length int) ([]byte, error) {
	out := make([]byte, 0, len(blobs)*da.BlobDataBytes)
	for b := range blobs {
		for i := 0; i < len(blobs[b]); i += 32 {
			if blobs[b][i] != 0 {
				return nil, fmt.Errorf("unpack: %w: element %d of blob %d is above 31 bytes", da.ErrMalformed, i/32, b)
			}
			out = append(out, blobs[b][i+1:i+32]...)
		}
	}
	for _, c := range out[length:] {
		if c != 0 {
			return nil, fmt.Errorf("unpack: %w: padding is not zero", da.ErrMalformed)
		}
	}
	return out[:length], nil
}

// encoded is data with everything that its operators need.
type encoded struct {
	commitments []kzg4844.Commitment
	cells       [][]kzg4844.Cell  // by blob, 128 each
	proofs      [][]kzg4844.Proof // by blob, 128 each
}

// encode commits to blobs and proves every cell, which is most of a disperser's work
// (BenchmarkBlob).
func encode(blobs []kzg4844.Blob) (*encoded, error) {
	out := new(encoded)
	for i := range blobs {
		commitment, err := kzg4844.BlobToCommitment(&blobs[i])
		if err != nil {
			return nil, fmt.Errorf("commit to blob %d: %w", i, err)
		}
		cells, err := kzg4844.ComputeCells(blobs[i : i+1])
		if err != nil {
			return nil, fmt.Errorf("cells of blob %d: %w", i, err)
		}
		proofs, err := kzg4844.ComputeCellProofs(&blobs[i])
		if err != nil {
			return nil, fmt.Errorf("prove blob %d: %w", i, err)
		}
		out.commitments = append(out.commitments, commitment)
		out.cells, out.proofs = append(out.cells, cells), append(out.proofs, proofs)
	}
	return out, nil
}

// Chunk is consecutive cells of every blob of a statement, with their proofs.
type Chunk struct {
	From   int // the first cell
	Cells  [][]kzg4844.Cell
	Proofs [][]kzg4844.Proof
}

// chunk is the cells [from, to).
func (e *encoded) chunk(from, to int) *Chunk {
	c := &Chunk{From: from}
	for b := range e.cells {
		c.Cells, c.Proofs = append(c.Cells, e.cells[b][from:to]), append(c.Proofs, e.proofs[b][from:to])
	}
	return c
}

// To is the cell behind the last.
func (c *Chunk) To() int {
	if len(c.Cells) == 0 {
		return c.From
	}
	return c.From + len(c.Cells[0])
}

// Verify checks the cells against the statement's commitments; an error wraps
// da.ErrMismatch.
func (c *Chunk) Verify(commitments []kzg4844.Commitment) error {
	if len(c.Cells) != len(commitments) || len(c.Proofs) != len(commitments) || c.To() == c.From {
		return fmt.Errorf("verify chunk: %w: cells of %d blobs, not %d", da.ErrMismatch, len(c.Cells), len(commitments))
	}
	var (
		indices []uint64
		cells   []kzg4844.Cell
		proofs  []kzg4844.Proof
	)
	for i := c.From; i < c.To(); i++ {
		indices = append(indices, uint64(i))
	}
	for b := range c.Cells {
		cells, proofs = append(cells, c.Cells[b]...), append(proofs, c.Proofs[b]...)
	}
	if err := kzg4844.VerifyCells(cells, commitments, proofs, indices); err != nil {
		return fmt.Errorf("verify chunk: %w: cells %d..%d: %w", da.ErrMismatch, c.From, c.To()-1, err)
	}
	return nil
}

// chunkBytes is the size of a chunk's encoding.
func chunkBytes(blobs, cells int) int { return 4 + blobs*cells*(cellBytes+proofBytes) }

// appendTo encodes the chunk: first cell and number of cells (2 bytes each), then for
// each blob and each cell of it 2,048 bytes of cell and 48 bytes of proof.
func (c *Chunk) appendTo(out []byte) []byte {
	out = binary.BigEndian.AppendUint16(out, uint16(c.From))
	out = binary.BigEndian.AppendUint16(out, uint16(c.To()-c.From))
	for b := range c.Cells {
		for i := range c.Cells[b] {
			out = append(out, c.Cells[b][i][:]...)
			out = append(out, c.Proofs[b][i][:]...)
		}
	}
	return out
}

// parseChunk reads a chunk of so many blobs that fills raw exactly.
func parseChunk(raw []byte, blobs int) (*Chunk, error) {
	if len(raw) < 4 {
		return nil, errors.New("parse chunk: too short")
	}
	from, count := int(binary.BigEndian.Uint16(raw)), int(binary.BigEndian.Uint16(raw[2:]))
	if count == 0 || from+count > CellsPerBlob {
		return nil, fmt.Errorf("parse chunk: cells %d..%d of %d", from, from+count-1, CellsPerBlob)
	}
	if len(raw) != chunkBytes(blobs, count) {
		return nil, fmt.Errorf("parse chunk: %d bytes for %d cells of %d blobs", len(raw), count, blobs)
	}
	raw = raw[4:]
	c := &Chunk{From: from}
	for range blobs {
		cells, proofs := make([]kzg4844.Cell, count), make([]kzg4844.Proof, count)
		for i := range count {
			raw = raw[copy(cells[i][:], raw):]
			raw = raw[copy(proofs[i][:], raw):]
		}
		c.Cells, c.Proofs = append(c.Cells, cells), append(c.Proofs, proofs)
	}
	return c, nil
}
