package chain

import (
	"bytes"
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/core/stateless"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

func TestAWitnessHasGoEthereumsEncoding(t *testing.T) {
	header := func(n int64) *types.Header {
		return &types.Header{Number: big.NewInt(n), Difficulty: new(big.Int), Extra: []byte{1}}
	}
	w := &Witness{Headers: []*types.Header{header(6), header(7)}, Codes: [][]byte{{1}, {2, 3}}, State: [][]byte{{0xc0}, {0xc1, 5}}}
	enc, err := rlp.EncodeToBytes(w)
	if err != nil {
		t.Fatal(err)
	}
	var ext stateless.ExtWitness
	if err := rlp.DecodeBytes(enc, &ext); err != nil {
		t.Fatal(err)
	}
	theirs, err := rlp.EncodeToBytes(&ext)
	if err != nil || !bytes.Equal(theirs, enc) {
		t.Fatalf("go-ethereum encodes %x, %v, want %x", theirs, err, enc)
	}
	back := new(Witness)
	if err := rlp.DecodeBytes(enc, back); err != nil {
		t.Fatal(err)
	}
	for i, h := range back.Headers {
		if h.Hash() != w.Headers[i].Hash() {
			t.Errorf("header %d has another hash", i)
		}
	}
	if !reflect.DeepEqual(back.Codes, w.Codes) || !reflect.DeepEqual(back.State, w.State) {
		t.Errorf("%+v, want %+v", back, w)
	}
	if err := rlp.DecodeBytes([]byte{0xc4, 0xc0, 0xc0, 0xc0, 0xc0}, back); err == nil {
		t.Error("a witness without a header was taken")
	}
}

func FuzzWitness(f *testing.F) {
	enc, err := rlp.EncodeToBytes(&Witness{Headers: []*types.Header{{Number: new(big.Int), Difficulty: new(big.Int)}}, State: [][]byte{{0xc0}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc)
	f.Fuzz(func(t *testing.T, data []byte) {
		w := new(Witness)
		if rlp.DecodeBytes(data, w) != nil {
			return
		}
		again, err := rlp.EncodeToBytes(w)
		if err != nil {
			t.Fatal(err)
		}
		back := new(Witness)
		if err := rlp.DecodeBytes(again, back); err != nil || len(back.Headers) != len(w.Headers) || !reflect.DeepEqual(back.Codes, w.Codes) || !reflect.DeepEqual(back.State, w.State) {
			t.Fatalf("%x decodes to %+v, and that in turn to %+v, %v", data, w, back, err)
		}
	})
}
