package rpc

import (
	"errors"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
)

// Why a replica's word is not taken.
var (
	ErrNotTrusted     = errors.New("this node was not told to trust the replica")
	ErrTrustWithdrawn = errors.New("the replica named a sender who did not sign, and is not trusted until the operator restores it")
)

// Voucher is one connection of a replica whose word on who signed a transaction a backend
// takes, and checks afterwards (ADR 0040).
type Voucher struct {
	Replica common.Address
	Proof   []byte // with which the replica proved to be that (docs/spec/ingest.md)
	From    string // network address of the connection

	withdrawn atomic.Bool
	ended     *atomic.Bool // the trust in all connections of the replica; nil: in this one alone
	broken    func()
}

// NewVoucher makes a voucher. broken is called once, when the trust is withdrawn, and
// must not block.
func NewVoucher(replica common.Address, proof []byte, from string, broken func()) *Voucher {
	return &Voucher{Replica: replica, Proof: proof, From: from, broken: broken}
}

// EndsWith has the trust end with that in other connections of the replica, also when this
// one is over: when ended is set. It is called before the voucher is used.
func (v *Voucher) EndsWith(ended *atomic.Bool) { v.ended = ended }

// Withdraw ends the trust in the connection.
func (v *Voucher) Withdraw() {
	if !v.withdrawn.Swap(true) && v.broken != nil {
		v.broken()
	}
}

// Withdrawn reports whether the trust has ended.
func (v *Voucher) Withdrawn() bool {
	return v.withdrawn.Load() || v.ended != nil && v.ended.Load()
}
