package daaudit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/da"
)

// Logs is an L1; ethclient.Client is one.
type Logs interface {
	BlockNumber(ctx context.Context) (uint64, error)
	FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error)
}

// span is how many L1 blocks are asked for at once: servers allow few.
const span = 1_000

// Read gives the certificates that the verifier announced in L1 blocks from..to, in order.
func Read(ctx context.Context, l1 Logs, verifier common.Address, from, to uint64) ([]Certificate, error) {
	var out []Certificate
	for ; from <= to; from += span {
		last := min(to, from+span-1)
		logs, err := l1.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(last),
			Addresses: []common.Address{verifier}, Topics: [][]common.Hash{{da.CertifiedTopic()}},
		})
		if err != nil {
			return nil, fmt.Errorf("read certificates in L1 blocks %d to %d: %w", from, last, err)
		}
		for i := range logs {
			cert, _, err := da.CertifiedFromLog(&logs[i])
			if errors.Is(err, da.ErrMalformed) {
				continue // the verifier announces none; derivation finds it void
			}
			if err != nil {
				return nil, err
			}
			out = append(out, Certificate{Certificate: cert, Block: logs[i].BlockNumber})
		}
	}
	return out, nil
}

// Certificate is one that L1 has verified.
type Certificate struct {
	*da.Certificate
	Block uint64 // of L1, that holds it
}

// register knows the certificates of the last L1 blocks.
type register struct {
	l1       Logs
	verifier common.Address
	window   uint64 // L1 blocks
	next     uint64 // L1 block that is not read yet
	known    []Certificate
}

// maxKnown bounds the certificates that are remembered; of more, the oldest are forgotten.
const maxKnown = 16_384

// again is how many of the L1 blocks that were read are read again each time: L1 may have
// others in their place. It is more than Ethereum leaves unfinal, four epochs.
const again = 256

// refresh reads what L1 has that is not known, and forgets what is too old or was taken back.
func (r *register) refresh(ctx context.Context) error {
	head, err := r.l1.BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("read L1's head: %w", err)
	}
	oldest := uint64(0)
	if head >= r.window {
		oldest = head - r.window + 1
	}
	read := min(r.next, head+1)
	from := max(read-min(read, again), oldest)
	more, err := Read(ctx, r.l1, r.verifier, from, head)
	if err != nil {
		return err
	}
	stay := slices.IndexFunc(r.known, func(c Certificate) bool { return c.Block >= from })
	if stay < 0 {
		stay = len(r.known)
	}
	r.known = append(r.known[:stay], more...)
	drop := max(0, len(r.known)-maxKnown)
	for drop < len(r.known) && r.known[drop].Block < oldest {
		drop++
	}
	r.known, r.next = append([]Certificate(nil), r.known[drop:]...), head+1
	return nil
}

// pick draws n different certificates, or all; the newest is always among them.
func (r *register) pick(n int, random io.Reader) ([]*da.Certificate, error) {
	deck := make([]*da.Certificate, len(r.known))
	for i := range deck {
		deck[len(deck)-1-i] = r.known[i].Certificate
	}
	n = min(n, len(deck))
	for i := 1; i < n; i++ {
		var raw [8]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return nil, fmt.Errorf("draw certificates: %w", err)
		}
		j := i + int(binary.BigEndian.Uint64(raw[:])%uint64(len(deck)-i))
		deck[i], deck[j] = deck[j], deck[i]
	}
	return deck[:n], nil
}
