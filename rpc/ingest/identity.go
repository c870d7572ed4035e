package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/rpc"
	wire "github.com/talaria-l2/talaria/sdk/ingest"
)

// identify finds out which replica the client is, and whether its word is taken.
func (c *conn) identify() (wire.HelloStatus, error) {
	if c.s.opts.Vouch == nil {
		return wire.HelloNotTrusted, rpc.ErrNotTrusted
	}
	var challenge wire.Challenge
	rand.Read(challenge.Nonce[:]) // never fails (it ends the program)
	if _, err := c.socket.Write(challenge.Append(nil)); err != nil {
		return noHello, fmt.Errorf("challenge: %w", err)
	}
	proof := make([]byte, wire.ProofSize)
	if _, err := io.ReadFull(c.socket, proof); err != nil {
		return noHello, fmt.Errorf("proof of a replica: %w", err)
	}
	s := wire.Statement{ChainID: c.s.opts.ChainID, Nonce: challenge.Nonce}
	var err error
	if s.Channel, err = wire.Channel(c.socket); err != nil {
		return wire.HelloNotTrusted, err
	}
	digest := s.Digest()
	key, err := crypto.SigToPub(digest[:], proof)
	if err != nil {
		return wire.HelloNotTrusted, fmt.Errorf("proof of a replica: %w", err)
	}
	said := append(append(s.Nonce[:], s.Channel[:]...), proof...)
	v := rpc.NewVoucher(crypto.PubkeyToAddress(*key), said, c.socket.RemoteAddr().String(), c.cutOff)
	if err := c.s.opts.Vouch(v); err != nil {
		status := wire.HelloNotTrusted
		if errors.Is(err, rpc.ErrTrustWithdrawn) {
			status = wire.HelloWithdrawn
		}
		level := slog.LevelDebug
		if c.s.mayWarn(time.Now()) {
			level = slog.LevelWarn
		}
		c.s.opts.Log.Log(context.Background(), level, "a replica is not trusted", "replica", v.Replica, "from", v.From, "err", err)
		return status, fmt.Errorf("replica %s: %w", v.Replica, err)
	}
	c.voucher = v
	return wire.HelloOK, nil
}

// mayWarn is true once a second: anybody can be a replica that is not trusted.
func (s *Server) mayWarn(t time.Time) bool {
	last := s.warned.Load()
	return t.UnixNano()-last >= int64(time.Second) && s.warned.CompareAndSwap(last, t.UnixNano())
}

// release ends what identify began.
func (c *conn) release() {
	if c.voucher != nil {
		c.s.opts.Release(c.voucher)
	}
}

// cutOff ends receiving: a sender was named who did not sign.
func (c *conn) cutOff() {
	c.forged.Store(true)
	_ = c.socket.SetReadDeadline(time.Unix(1, 0))
}

// told is why somebody else ended receiving; 0: nobody has.
func (c *conn) told() wire.Reason {
	switch {
	case c.forged.Load():
		return wire.ReasonForged
	case c.stopping.Load():
		return wire.ReasonShutdown
	}
	return 0
}
