package feed

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestPartsThatNobodyEndedAreLeftOut(t *testing.T) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	a, err := newAssembler()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	large := small(1, 5, 2_000_000).Encode()
	msgs, err := p.pack("s", label{id: "five", number: 5}, large)
	if err != nil || len(msgs) != 3 {
		t.Fatalf("%d parts, %v", len(msgs), err)
	}
	one, err := p.pack("s", label{id: "four", number: 4}, []byte("four"))
	if err != nil {
		t.Fatal(err)
	}
	// The end of one, the begin of one, another, and the whole.
	order := append(append(msgs[1:3:3], msgs[0], msgs[1], one[0]), msgs...)
	var got []string
	for i, m := range order {
		l, err := readLabel(m.Header)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := a.add(l, m.Data)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if raw != nil {
			got = append(got, l.id)
			if l.id == "five" && !bytes.Equal(raw, large) {
				t.Error("it is not the same")
			}
		}
	}
	if len(got) != 2 || got[0] != "four" || got[1] != "five" {
		t.Errorf("%v", got)
	}
}

// TestABombStaysSmall: 300 MiB of zeros in some kilobytes, and a claim of a size.
func TestABombStaysSmall(t *testing.T) {
	var bomb bytes.Buffer
	enc, err := zstd.NewWriter(&bomb, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 300 {
		if _, err := enc.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	claim := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x0f, 0x01, 0x00, 0x00} // single segment, 256 MiB - 1
	a, err := newAssembler()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	whole := label{id: "x", part: 1, parts: 1}
	if _, err := a.add(whole, bomb.Bytes()); !errors.Is(err, ErrMalformed) {
		t.Errorf("the bomb: %v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := a.add(whole, claim); !errors.Is(err, ErrMalformed) {
		t.Errorf("the claim: %v", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("the claim takes %d bytes", got)
	}
	if raw, err := a.add(whole, bomb.Bytes()[:3]); err == nil {
		t.Errorf("what is no frame: %d bytes", len(raw))
	}
}

func FuzzAssemble(f *testing.F) {
	p, err := newPacker()
	if err != nil {
		f.Fatal(err)
	}
	defer p.close()
	msgs, err := p.pack("s", label{id: "1.2.3", number: 2}, []byte("what is in it"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("1.2.3", "2", "1/2", msgs[0].Data)
	f.Fuzz(func(t *testing.T, id, number, part string, data []byte) {
		a, err := newAssembler()
		if err != nil {
			t.Fatal(err)
		}
		defer a.close()
		h := map[string][]string{headerID: {id}, headerNumber: {number}, headerPart: {part}}
		l, err := readLabel(h)
		if err != nil {
			return
		}
		for range 3 {
			if raw, err := a.add(l, data); err != nil && !errors.Is(err, ErrMalformed) || len(raw) > MaxBytes {
				t.Fatalf("%d bytes, %v", len(raw), err)
			}
		}
	})
}
