package feed

import (
	"context"
	"errors"
)

// Source is where a follower reads. f is called by one goroutine at a time; its error
// ends the call and is returned. A call without error ends with ctx only.
type Source interface {
	// MiniBlocks calls f with every mini-block from number on, in feed order, live, until
	// ctx ends or f fails. It begins with the newest of that number. After the chain was
	// taken back, numbers come again: those of the new branch follow those of the old.
	// Of a feed that has not come as far, f gets the newest first: it may be of a new branch.
	// ErrGone: the feed holds from no more (ask a node's RPC: talaria_feedMiniBlocks).
	MiniBlocks(ctx context.Context, from uint64, f func(*MiniBlock) error) error
	// Blocks does the same for sealed blocks.
	Blocks(ctx context.Context, from uint64, f func(*Block) error) error
	// Witnesses does the same for witnesses, by the number of their block.
	Witnesses(ctx context.Context, from uint64, f func(*Witness) error) error
	// Attestations calls f with every attestation that the feed holds of block from and
	// later ones, in feed order, live. Numbers do not ascend: validators sign when they can.
	Attestations(ctx context.Context, from uint64, f func(*Attestation) error) error
}

// Sink is where a node publishes. Calls do not wait for the broker: what they are given
// is queued, must not change any more, and is published in the order of the calls. One
// goroutine at a time may call.
type Sink interface {
	// PublishMiniBlock publishes a mini-block, and Block, Witness and Attestation theirs.
	// ErrBehind: the queue is full, and nothing was taken.
	PublishMiniBlock(*MiniBlock) error
	PublishBlock(*Block) error
	PublishWitness(*Witness) error
	PublishAttestation(*Attestation) error
}

var (
	// ErrGone says that the feed does not hold the number, or not any more.
	ErrGone = errors.New("the feed does not hold the number")
	// ErrBehind says that a Sink's queue is full.
	ErrBehind = errors.New("the feed takes less than is published")
	// ErrTooLarge says that an encoding is larger than MaxBytes.
	ErrTooLarge = errors.New("message is too large for the feed")
	// ErrMalformed is wrapped by what the decoders return.
	ErrMalformed = errors.New("malformed feed message")
)
