package verify

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// ancestry is what a witness has of the blocks before.
type ancestry struct {
	parent *types.Header
	extra  chain.Extra // of the parent
	first  uint64      // number of hashes[0]
	hashes []common.Hash
}

// readAncestry checks that the witness's headers are a chain that ends with the parent.
func readAncestry(h *types.Header, headers []*types.Header) (*ancestry, *Fault) {
	a := &ancestry{parent: headers[len(headers)-1], first: headers[0].Number.Uint64()}
	for i, ancestor := range headers {
		hash := ancestor.Hash()
		a.hashes = append(a.hashes, hash)
		if i+1 == len(headers) {
			break
		}
		if next := headers[i+1]; next.ParentHash != hash || next.Number.Uint64() != ancestor.Number.Uint64()+1 {
			return nil, fault(KindWitnessHeader, next.ParentHash, hash, "witness, header %d, number %d", i, ancestor.Number)
		}
	}
	if last := a.hashes[len(a.hashes)-1]; last != h.ParentHash {
		return nil, fault(KindParent, last, h.ParentHash, "block %d", h.Number)
	}
	if want := new(big.Int).Add(a.parent.Number, common.Big1); want.Cmp(h.Number) != 0 {
		return nil, fault(KindNumber, want, h.Number, "block %d", h.Number)
	}
	var err error
	if a.extra, err = chain.DecodeExtra(a.parent.Extra); err != nil {
		return nil, fault(KindParent, "extraData of the chain", err, "block %d", a.parent.Number)
	}
	return a, nil
}

// hash returns the hash of an ancestor.
func (a *ancestry) hash(number uint64) (common.Hash, bool) {
	if number < a.first || number-a.first >= uint64(len(a.hashes)) {
		return common.Hash{}, false
	}
	return a.hashes[number-a.first], true
}

// checkHeader checks what follows from the parent's header alone.
func (v *Verifier) checkHeader(h *types.Header, a *ancestry) (chain.Extra, *Fault) {
	at := h.Number
	if h.Time < a.parent.Time {
		return chain.Extra{}, fault(KindTimestamp, "at least the parent's "+text(a.parent.Time), h.Time, "block %d", at)
	}
	if want := chain.NextBaseFee(v.cfg, a.parent); want.Cmp(h.BaseFee) != 0 {
		return chain.Extra{}, fault(KindBaseFee, want, h.BaseFee, "block %d", at)
	}
	extra, err := chain.DecodeExtra(h.Extra)
	if err != nil {
		return extra, fault(KindExtraData, "49 bytes of version 1", err, "block %d", at)
	}
	if least := v.cfg.TxGasCap + chain.DepositGas; h.GasLimit > chain.MaxGasLimit || h.GasLimit < least && h.GasLimit != v.cfg.GasLimit {
		return extra, fault(KindGasLimit, text(least)+" to "+text(chain.MaxGasLimit), h.GasLimit, "block %d", at)
	}
	for _, f := range []struct {
		name       string
		right      bool
		want, have any
	}{
		{"sha3Uncles", h.UncleHash == types.EmptyUncleHash, types.EmptyUncleHash, h.UncleHash},
		{"miner", h.Coinbase == chain.SequencerFeeVaultAddr, chain.SequencerFeeVaultAddr, h.Coinbase},
		{"difficulty", h.Difficulty.Sign() == 0, 0, h.Difficulty},
		{"nonce", h.Nonce == types.BlockNonce{}, types.BlockNonce{}, h.Nonce},
		{"blobGasUsed", isZero(h.BlobGasUsed), 0, number(h.BlobGasUsed)},
		{"excessBlobGas", isZero(h.ExcessBlobGas), 0, number(h.ExcessBlobGas)},
		{"parentBeaconBlockRoot", h.ParentBeaconRoot != nil, "a hash", "none"},
		{"withdrawalsRoot", h.WithdrawalsHash != nil, "a hash", "none"},
		{"requestsHash", h.RequestsHash != nil && *h.RequestsHash == types.EmptyRequestsHash, types.EmptyRequestsHash, h.RequestsHash},
		{"blockAccessListHash", h.BlockAccessListHash == nil, "none", h.BlockAccessListHash},
		{"slotNumber", h.SlotNumber == nil, "none", number(h.SlotNumber)},
	} {
		if !f.right {
			return extra, fault(KindHeaderField, f.want, f.have, "block %d, %s", at, f.name)
		}
	}
	return extra, nil
}

func isZero(v *uint64) bool { return v != nil && *v == 0 }

func number(v *uint64) any {
	if v == nil {
		return "none"
	}
	return *v
}

// checkParams checks gas limit and parameters of fees, which L1 changes: with the L1
// origin, or never.
func (v *Verifier) checkParams(h *types.Header, extra chain.Extra, a *ancestry, sameOrigin bool) *Fault {
	have := chain.BlockParams{GasLimit: h.GasLimit, Denominator: extra.Denominator, Elasticity: extra.Elasticity, MinBaseFee: extra.MinBaseFee}
	want := have
	switch {
	case v.cfg.SystemConfig == (common.Address{}):
		want = v.cfg.BlockParams()
	case sameOrigin:
		want = chain.BlockParams{GasLimit: a.parent.GasLimit, Denominator: a.extra.Denominator, Elasticity: a.extra.Elasticity, MinBaseFee: a.extra.MinBaseFee}
	}
	if want.GasLimit != have.GasLimit {
		return fault(KindGasLimit, want.GasLimit, have.GasLimit, "block %d", h.Number)
	}
	if want != have {
		return fault(KindExtraData, want, have, "block %d, parameters of fees", h.Number)
	}
	if sameOrigin && a.parent.Number.Sign() > 0 {
		if h.MixDigest != a.parent.MixDigest {
			return fault(KindHeaderField, a.parent.MixDigest, h.MixDigest, "block %d, mixHash", h.Number)
		}
		if a.parent.ParentBeaconRoot != nil && *h.ParentBeaconRoot != *a.parent.ParentBeaconRoot {
			return fault(KindHeaderField, a.parent.ParentBeaconRoot, h.ParentBeaconRoot, "block %d, parentBeaconBlockRoot", h.Number)
		}
	}
	return nil
}
