package rpc

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestUnhexIsThatOfTheLibraryAtEveryLengthAndDigit(t *testing.T) {
	t.Parallel()
	const most = 21
	good := []byte("0123456789abcdefABCDEF9876543210fFeEdDcCbB")[:2*most]
	check := func(digits []byte) {
		t.Helper()
		want, wantErr := hex.DecodeString(string(digits))
		got := make([]byte, len(digits)/2)
		err := unhex(got, digits)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%q: %x, %v; want %x, %v", digits, got, err, want, wantErr)
		}
	}
	for n := range most + 1 {
		check(good[:2*n])
	}
	for i := range good {
		for c := range 256 {
			digits := bytes.Clone(good)
			digits[i] = byte(c)
			check(digits)
		}
	}
}

func BenchmarkUnhex(b *testing.B) {
	digits := bytes.Repeat([]byte("02f8aC7b"), 30)
	out := make([]byte, len(digits)/2)
	b.SetBytes(int64(len(digits)))
	for b.Loop() {
		if err := unhex(out, digits); err != nil {
			b.Fatal(err)
		}
	}
}
