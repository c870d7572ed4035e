package state

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Bytes and diffs that a list handed out stay as they are when it is used again.
func TestAccessListThatIsResetIsNew(t *testing.T) {
	used := NewAccessList()
	var encodings, wantEncodings [][]byte
	var finals, wantFinals []Diff
	for seed := range uint64(50) {
		used.Reset()
		l, diffs := randomList(seed)
		for i, d := range diffs {
			used.Add(uint32(i), d)
			if i%3 == 0 {
				used.Len()
				used.Encode() // does not disturb what follows
			}
			if balance := uint256.NewInt(seed); i%2 == 0 {
				l.AddBalance(uint32(i), common.Address{0xcb}, *balance) // indexes of this account alone
				used.Add(uint32(i), Diff{{Address: common.Address{0xcb}, Balance: balance}})
			}
		}
		if used.Len() != l.Len() {
			t.Fatalf("seed %d: %d accounts, want %d", seed, used.Len(), l.Len())
		}
		encodings, wantEncodings = append(encodings, used.Encode()), append(wantEncodings, l.Encode())
		finals, wantFinals = append(finals, used.Final()), append(wantFinals, l.Final())
	}
	for i := range finals {
		if !bytes.Equal(encodings[i], wantEncodings[i]) {
			t.Fatalf("seed %d: encoding\n%x, want\n%x", i, encodings[i], wantEncodings[i])
		}
		if !reflect.DeepEqual(finals[i], wantFinals[i]) {
			t.Fatalf("seed %d: final diff %+v, want %+v", i, finals[i], wantFinals[i])
		}
	}
}
