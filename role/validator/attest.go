package validator

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/feed"
)

// attestationDomain separates attestations from everything else that a key signs.
const attestationDomain = "talaria attestation 1"

// AttestationMessage is what an attestation signs: domain, chain id, height and hash.
func AttestationMessage(chainID, number uint64, hash common.Hash) []byte {
	out := append([]byte(attestationDomain), 0)
	out = binary.BigEndian.AppendUint64(out, chainID)
	out = binary.BigEndian.AppendUint64(out, number)
	return append(out, hash[:]...)
}

// VerifyAttestation tells whether a feed's attestation was made with its key.
func VerifyAttestation(chainID uint64, a *feed.Attestation) bool {
	key, err := bls.ParsePublicKey(a.Key[:])
	if err != nil {
		return false
	}
	signature, err := bls.ParseSignature(a.Signature[:])
	return err == nil && key.Verify(AttestationMessage(chainID, a.Number, a.Hash), signature)
}

// nearHead is how far behind the newest sealed block a block may be to be signed: whoever
// catches up does not sign what nobody counts any more.
const nearHead = 64

// attestor signs each height once. The guard file has the last height before a signature
// leaves, so that a crash cannot bring a second one. Two with one key must not have two files.
type attestor struct {
	key     *bls.SecretKey
	public  [bls.PublicKeyBytes]byte
	chainID uint64
	file    string

	mu     sync.Mutex
	signed place
}

func newAttestor(key *bls.SecretKey, chainID uint64, file string) (*attestor, error) {
	a := &attestor{key: key, public: key.Public().Bytes(), chainID: chainID, file: file}
	_, err := readJSON(file, &a.signed)
	return a, err
}

func (a *attestor) last() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.signed.Number
}

// sign returns the attestation of a block, nil if its height was signed before.
func (a *attestor) sign(number uint64, hash common.Hash) (*feed.Attestation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if number <= a.signed.Number {
		return nil, nil
	}
	next := place{Number: number, Hash: hash}
	if err := writeJSON(a.file, &next); err != nil {
		return nil, fmt.Errorf("guard the signature of block %d: %w", number, err)
	}
	a.signed = next
	return &feed.Attestation{
		Number: number, Hash: hash, Key: a.public,
		Signature: a.key.Sign(AttestationMessage(a.chainID, number, hash)).Bytes(),
	}, nil
}

// attest signs and publishes a block that was found right, if it and all before it are, and
// it is one of the newest.
func (v *Validator) attest(_ context.Context, j *job) {
	if v.attestor == nil {
		return
	}
	_, newest, _, _, _ := v.assembler.where()
	v.mu.Lock()
	tainted := v.status.Tainted != 0
	v.mu.Unlock()
	if tainted || j.number+nearHead < newest {
		return
	}
	a, err := v.attestor.sign(j.number, j.hash)
	if err == nil && a != nil {
		v.votes.add(a)
		if v.opts.Sink != nil {
			err = v.opts.Sink.PublishAttestation(a)
		}
		if m := v.opts.Metrics; m != nil {
			m.Attested(j.number)
		}
	}
	if err != nil {
		v.log.Error("a block was checked and not attested", "block", j.number, "err", err)
	}
}

// votes counts attestations, each verified: of the newest heights, by block and key.
type votes struct {
	chainID uint64

	mu      sync.Mutex
	heights map[uint64]map[common.Hash][][bls.PublicKeyBytes]byte
	newest  uint64
	invalid uint64
}

// What is counted at most.
const (
	votedHeights = 1024
	votersOf     = 1024 // keys of one block
	votedBlocks  = 16   // of one height
)

func newVotes(chainID uint64) *votes {
	return &votes{chainID: chainID, heights: make(map[uint64]map[common.Hash][][bls.PublicKeyBytes]byte)}
}

// add counts an attestation that is known to be valid, unless it was counted.
func (c *votes) add(a *feed.Attestation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.newest = max(c.newest, a.Number); a.Number+votedHeights < c.newest {
		return
	}
	for n := range c.heights {
		if n+votedHeights < c.newest {
			delete(c.heights, n)
		}
	}
	blocks := c.heights[a.Number]
	if blocks == nil {
		blocks = make(map[common.Hash][][bls.PublicKeyBytes]byte)
		c.heights[a.Number] = blocks
	}
	keys := blocks[a.Hash]
	if slices.Contains(keys, a.Key) || len(keys) == votersOf || keys == nil && len(blocks) == votedBlocks {
		return
	}
	blocks[a.Hash] = append(keys, a.Key)
}

// receive verifies and counts an attestation of the feed.
func (c *votes) receive(a *feed.Attestation, ahead uint64) {
	// What is far from the head is not worth a pairing, and must not move the window.
	if a.Number > ahead+votedHeights || a.Number+votedHeights < ahead {
		return
	}
	if !VerifyAttestation(c.chainID, a) {
		c.mu.Lock()
		c.invalid++
		c.mu.Unlock()
		return
	}
	c.add(a)
}

// Voted is how many keys signed a block.
type Voted struct {
	Hash common.Hash `json:"hash"`
	Keys int         `json:"keys"`
	// Checked is set if it is the block that this validator checked.
	Checked bool `json:"checked"`
}

// Attestations are the blocks of a height that were signed, the most signed first.
func (v *Validator) Attestations(number uint64) []Voted {
	v.votes.mu.Lock()
	defer v.votes.mu.Unlock()
	v.mu.Lock()
	own, known := v.checked[number]
	v.mu.Unlock()
	out := []Voted{}
	for hash, keys := range v.votes.heights[number] {
		out = append(out, Voted{Hash: hash, Keys: len(keys), Checked: known && own.hash == hash})
	}
	slices.SortFunc(out, func(a, b Voted) int {
		if a.Keys != b.Keys {
			return b.Keys - a.Keys
		}
		return a.Hash.Cmp(b.Hash)
	})
	return out
}
