package verify

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// listedAccount is an account of an encoded diff, to say where two diffs differ.
type listedAccount struct {
	Address common.Address
	Storage []listedSlot
	Reads   []rlp.RawValue
	Balance []listedStep
	Nonce   []listedStep
	Code    []listedStep
}

type listedSlot struct {
	Slot  []byte
	Steps []listedStep
}

type listedStep struct {
	Index uint64
	Value []byte
}

// compareDiffs finds the first difference of two encodings that differ.
func compareDiffs(want, have []byte, where string) *Fault {
	var w, h []listedAccount
	if err := rlp.DecodeBytes(want, &w); err != nil {
		return fault(KindDiffEncoding, want, have, "%s", where) // of our own making: does not happen
	}
	if err := rlp.DecodeBytes(have, &h); err != nil {
		return fault(KindDiffEncoding, "a block access list", err, "%s", where)
	}
	for i := range max(len(w), len(h)) {
		switch {
		case i == len(h) || i < len(w) && bytes.Compare(w[i].Address[:], h[i].Address[:]) < 0:
			return fault(KindDiffMissing, "account "+w[i].Address.Hex(), "none", "%s", where)
		case i == len(w) || w[i].Address != h[i].Address:
			return fault(KindDiffSurplus, "none", "account "+h[i].Address.Hex(), "%s", where)
		}
		if f := compareAccounts(&w[i], &h[i], fmt.Sprintf("%s, account %s", where, w[i].Address)); f != nil {
			return f
		}
	}
	return fault(KindDiffEncoding, want, have, "%s", where)
}

func compareAccounts(w, h *listedAccount, where string) *Fault {
	for i := range max(len(w.Storage), len(h.Storage)) {
		switch {
		case i == len(h.Storage) || i < len(w.Storage) && before(w.Storage[i].Slot, h.Storage[i].Slot):
			return fault(KindDiffMissing, fmt.Sprintf("slot %#x", w.Storage[i].Slot), "none", "%s", where)
		case i == len(w.Storage) || !bytes.Equal(w.Storage[i].Slot, h.Storage[i].Slot):
			return fault(KindDiffSurplus, "none", fmt.Sprintf("slot %#x", h.Storage[i].Slot), "%s", where)
		}
		at := fmt.Sprintf("%s, slot %#x", where, w.Storage[i].Slot)
		if f := compareSteps(KindDiffStorage, w.Storage[i].Steps, h.Storage[i].Steps, at); f != nil {
			return f
		}
	}
	for _, field := range []struct {
		kind       Kind
		name       string
		want, have []listedStep
	}{
		{KindDiffBalance, "balance", w.Balance, h.Balance},
		{KindDiffNonce, "nonce", w.Nonce, h.Nonce},
		{KindDiffCode, "code", w.Code, h.Code},
	} {
		if f := compareSteps(field.kind, field.want, field.have, where+", "+field.name); f != nil {
			return f
		}
	}
	if len(h.Reads) > 0 {
		return fault(KindDiffEncoding, "no storage reads", len(h.Reads), "%s", where)
	}
	return nil
}

func compareSteps(kind Kind, w, h []listedStep, where string) *Fault {
	for i := range max(len(w), len(h)) {
		switch {
		case i == len(h) || i < len(w) && w[i].Index < h[i].Index:
			return fault(KindDiffMissing, fmt.Sprintf("%#x at index %d", w[i].Value, w[i].Index), "none", "%s", where)
		case i == len(w) || w[i].Index != h[i].Index:
			return fault(KindDiffSurplus, "none", fmt.Sprintf("%#x at index %d", h[i].Value, h[i].Index), "%s", where)
		case !bytes.Equal(w[i].Value, h[i].Value):
			return fault(kind, w[i].Value, h[i].Value, "%s, index %d", where, w[i].Index)
		}
	}
	return nil
}

// before orders integers without leading zeros.
func before(a, b []byte) bool {
	return len(a) < len(b) || len(a) == len(b) && bytes.Compare(a, b) < 0
}
