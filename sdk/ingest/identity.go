package ingest

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto/keccak"
)

// FlagReplica in the client's hello says that the client will prove which replica it is:
// whose hints the server does not check before it executes.
const FlagReplica = 1 << 1

// challengeMagic begins a challenge.
const challengeMagic = "TLRC"

// Sizes in bytes.
const (
	ChallengeSize = 36
	ProofSize     = 65 // r, s, recovery id 0 or 1
)

// purpose begins what a replica signs: no transaction, mini-block or message of EIP-191
// begins so.
const purpose = "Talaria raw ingest: replica\x00"

// Challenge asks a client who it is.
type Challenge struct {
	Nonce [32]byte // random, of this connection only
}

// Append appends the encoding to b.
func (c *Challenge) Append(b []byte) []byte {
	return append(append(b, challengeMagic...), c.Nonce[:]...)
}

// ParseChallenge reads a challenge.
func ParseChallenge(b *[ChallengeSize]byte) (c Challenge, err error) {
	if string(b[:4]) != challengeMagic {
		return c, fmt.Errorf("%w: a challenge begins with %x", ErrMagic, b[:4])
	}
	return Challenge{[32]byte(b[4:])}, nil
}

// Statement is what a replica signs, for one connection.
type Statement struct {
	ChainID uint64
	Nonce   [32]byte // the challenge's
	// Channel is what TLS exports for the connection (RFC 9266); zero without TLS.
	Channel [32]byte
}

// Digest is the hash to sign with secp256k1.
func (s *Statement) Digest() (h common.Hash) {
	b := binary.BigEndian.AppendUint64([]byte(purpose), s.ChainID)
	k := keccak.NewLegacyKeccak256()
	_, _ = k.Write(append(append(b, s.Nonce[:]...), s.Channel[:]...))
	k.Sum(h[:0])
	return h
}

// ErrNotAsked says that a server took a replica for anybody.
var ErrNotAsked = errors.New("the server took the connection without asking which replica it is")

// ErrInClear refuses to prove a replica without TLS to a server that is not on this machine:
// it could be one that passes the challenge of the right one on, and is trusted there.
var ErrInClear = errors.New("a replica proves who it is over TLS only, or to a server on this machine")

// maySign is nil unless the connection does not allow for proving who the client is.
func (c *Client) maySign() error {
	if _, secure := c.conn.(*tls.Conn); c.opts.Sign == nil || secure || c.opts.SignInClear {
		return nil
	}
	if at, ok := c.conn.RemoteAddr().(*net.TCPAddr); ok && at.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInClear, c.conn.RemoteAddr())
}

// identify answers the server's challenge, which begins with b.
func (c *Client) identify(b *[ServerHelloSize]byte) error {
	if !bytes.Equal(b[:4], []byte(challengeMagic)) {
		hello, err := ParseServerHello(b)
		if err == nil && hello.Status == HelloOK {
			err = ErrNotAsked
		}
		return err // or a refusal, which greet reads
	}
	var whole [ChallengeSize]byte
	copy(whole[:], b[:])
	if err := c.fill(whole[ServerHelloSize:]); err != nil {
		return err
	}
	challenge, err := ParseChallenge(&whole)
	if err != nil {
		return err
	}
	s := Statement{ChainID: c.opts.ChainID, Nonce: challenge.Nonce}
	if s.Channel, err = Channel(c.conn); err != nil {
		return err
	}
	proof, err := c.opts.Sign(s.Digest())
	if err != nil {
		return fmt.Errorf("sign who this replica is: %w", err)
	}
	if len(proof) != ProofSize {
		return fmt.Errorf("sign who this replica is: a signature of %d bytes, want %d", len(proof), ProofSize)
	}
	if _, err := c.conn.Write(proof); err != nil {
		return fmt.Errorf("ingest proof: %w", err)
	}
	return c.fill(b[:])
}
