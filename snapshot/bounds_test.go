package snapshot

import (
	"encoding/binary"
	"errors"
	"math/big"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/state"
)

// allocated is how many bytes f takes, those that it gives back among them.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What compresses to nothing must not take memory without bounds when it is read.
func TestReadingAPieceTakesBoundedMemory(t *testing.T) {
	codes := make([][]byte, MaxStateBytes-20)
	for i := range codes {
		codes[i] = []byte{1}
	}
	slots := make([]Slot, 8*MaxStateBytes/300)
	for i := range slots {
		binary.BigEndian.PutUint32(slots[i].Slot[:], uint32(i))
		slots[i].Value = common.Hash{31: 1}
	}
	receipts := make([][]byte, 8<<20)
	for i := range receipts {
		receipts[i] = []byte{1}
	}
	for name, c := range map[string]*Content{
		"codes": {Codes: codes}, "slots": {Slots: slots},
		"transactions": {MiniBlocks: []MiniBlock{{Txs: receipts}}}, "receipts": {MiniBlocks: []MiniBlock{{Receipts: receipts}}},
	} {
		raw := c.Encode()
		var err error
		took := allocated(func() { _, err = DecodeContent(raw) })
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if took > 200<<20 {
			t.Errorf("%s: %d MiB were allocated for a piece of %d bytes", name, took>>20, len(raw))
		}
	}
}

func TestAManifestBoundsItsPieces(t *testing.T) {
	for name, c := range map[string]struct {
		ok     bool
		pieces []Piece
	}{
		"within":               {true, []Piece{{Size: 1, Raw: MaxStateBytes}, {Size: 1, Raw: MaxBlockBytes / 2}, {Size: 1, Raw: MaxBlockBytes / 2}}},
		"state too large":      {false, []Piece{{Size: 1, Raw: MaxStateBytes + 1}, {Size: 1, Raw: 1}, {Size: 1, Raw: 1}}},
		"compressed too large": {false, []Piece{{Size: MaxStateBytes + 1, Raw: 1}, {Size: 1, Raw: 1}, {Size: 1, Raw: 1}}},
		"a block too large":    {false, []Piece{{Size: 1, Raw: 1}, {Size: 1, Raw: MaxBlockBytes / 2}, {Size: 1, Raw: MaxBlockBytes/2 + 1}}},
	} {
		m := &Manifest{Version: Version, Header: &types.Header{Number: big.NewInt(3), Difficulty: new(big.Int)}, Block: 2, Pieces: c.pieces}
		if _, err := DecodeManifest(m.Encode()); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A builder stays within the bounds, whatever it is given.
func TestABuilderStaysWithinTheBounds(t *testing.T) {
	pieces := 0
	b := Builder{PieceBytes: 1 << 30, Emit: func(c *Content) error {
		pieces++
		if n := len(c.Accounts) + len(c.Codes) + len(c.Slots); n > MaxItems {
			t.Errorf("%d items", n)
		}
		if n := len(c.Encode()); n > MaxStateBytes {
			t.Errorf("%d bytes", n)
		}
		return nil
	}}
	for i := range uint32(100_000) {
		b.LoadAccount(common.Address(binary.BigEndian.AppendUint32(make([]byte, 16), i)), state.Account{Nonce: 1, CodeHash: types.EmptyCodeHash})
	}
	for range 100_000 {
		b.LoadCode([]byte{1})
	}
	for range 20 {
		b.LoadCode(make([]byte, 1<<20))
	}
	for i := range uint32(300_000) {
		b.LoadSlot(common.Address{1}, common.Hash(binary.BigEndian.AppendUint32(make([]byte, 28), i)), common.Hash{1})
	}
	if err := b.FinishState(); err != nil || pieces < 8 {
		t.Fatal(pieces, err)
	}
}
