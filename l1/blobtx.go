package l1

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/rpc"
)

// MaxBlobsPerTx is the protocol's limit since Osaka (EIP-7594).
const MaxBlobsPerTx = 6

// cargo is the blobs of a transaction with what proves them. Proofs of either version
// are computed when first asked for: they cost milliseconds per blob.
type cargo struct {
	blobs       []Blob
	commitments []kzg4844.Commitment
	hashes      []common.Hash
	sidecars    [2]*types.BlobTxSidecar // by version
}

func newCargo(blobs []Blob) (*cargo, error) {
	if len(blobs) > MaxBlobsPerTx {
		return nil, fmt.Errorf("%d blobs: a transaction carries at most %d", len(blobs), MaxBlobsPerTx)
	}
	c := &cargo{blobs: blobs}
	for i := range blobs {
		commitment, err := kzg4844.BlobToCommitment(&blobs[i])
		if err != nil {
			return nil, fmt.Errorf("commit to blob %d: %w", i, err)
		}
		c.commitments = append(c.commitments, commitment)
		c.hashes = append(c.hashes, kzg4844.CalcBlobHashV1(sha256.New(), &commitment))
	}
	return c, nil
}

// sidecar proves the blobs as a whole (version 0) or cell by cell (version 1, EIP-7594).
func (c *cargo) sidecar(version byte) (*types.BlobTxSidecar, error) {
	if s := c.sidecars[version]; s != nil {
		return s, nil
	}
	var proofs []kzg4844.Proof
	for i := range c.blobs {
		var err error
		if version == types.BlobSidecarVersion1 {
			var cells []kzg4844.Proof
			cells, err = kzg4844.ComputeCellProofs(&c.blobs[i])
			proofs = append(proofs, cells...)
		} else {
			var proof kzg4844.Proof
			proof, err = kzg4844.ComputeBlobProof(&c.blobs[i], c.commitments[i])
			proofs = append(proofs, proof)
		}
		if err != nil {
			return nil, fmt.Errorf("prove blob %d: %w", i, err)
		}
	}
	c.sidecars[version] = types.NewBlobTxSidecar(version, c.blobs, c.commitments, proofs)
	return c.sidecars[version], nil
}

// submit sends a signed transaction. For blobs it offers the sidecar version of Osaka
// first and, when the server cannot read that, the one before; what worked is
// remembered. The hash does not depend on the sidecar.
func (s *Sender) submit(ctx context.Context, tx *types.Transaction, load *cargo) error {
	if load == nil {
		return s.submitRaw(ctx, tx)
	}
	versions := []byte{types.BlobSidecarVersion1, types.BlobSidecarVersion0}
	if s.oldSidecars.Load() {
		versions = []byte{types.BlobSidecarVersion0, types.BlobSidecarVersion1}
	}
	var first error
	for _, v := range versions {
		sidecar, err := load.sidecar(v)
		if err != nil {
			return err
		}
		err = s.submitRaw(ctx, tx.WithBlobTxSidecar(sidecar))
		if err == nil {
			s.oldSidecars.Store(v == types.BlobSidecarVersion0)
			return nil
		}
		if first == nil {
			first = err
		}
		if !refusesSidecar(err) {
			return err
		}
	}
	return first
}

// refusesSidecar tells a server that cannot read the sidecar from one that refuses the
// transaction. Servers word it in many ways, so everything that is not about nonce,
// price or balance counts.
func refusesSidecar(err error) bool {
	var re rpc.Error
	return errors.As(err, &re) && !transient(err) && refusal(err) == refusedOther &&
		!strings.Contains(err.Error(), "insufficient funds")
}
