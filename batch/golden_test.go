package batch

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with the hexadecimal file, or rewrites it.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		var out strings.Builder
		for rest := got; len(rest) > 0; rest = rest[min(48, len(rest)):] {
			out.WriteString(hex.EncodeToString(rest[:min(48, len(rest))]) + "\n")
		}
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestGoldenVectors(t *testing.T) {
	blocks := randomBlocks(42, 7, 6, 12, 60)
	s, c := newColumns(true), context{number: 7}
	for i := range blocks {
		s.writeBlock(c, &blocks[i])
		c = c.after(&blocks[i])
	}
	body, err := s.finish(nil, func(b []byte) (byte, []byte, error) { return methodStored, b, nil })
	if err != nil {
		t.Fatal(err)
	}
	if want := golden(t, "body-stored", body); !bytes.Equal(body, want) {
		t.Error("the columns changed")
	}

	// Transactions of all kinds, addresses that follow from signatures; and the keccak256
	// of the transactions that come out, one behind the other.
	signed := signedBlocks(3, 3, 60, 9)
	s, c = newColumns(true), context{number: 1}
	h, all := ChannelHeader{FirstNumber: 1, BlockCount: 3}, []byte(nil)
	for i := range signed {
		s.writeBlock(c, &signed[i])
		c = c.after(&signed[i])
		all = append(all, bytes.Join(signed[i].Txs, nil)...)
	}
	h.RawBytes = uint32(len(all))
	body, err = s.finish(nil, func(b []byte) (byte, []byte, error) { return methodStored, b, nil })
	if err != nil {
		t.Fatal(err)
	}
	if want := golden(t, "body-signed", body); !bytes.Equal(body, want) {
		t.Error("the columns changed")
	}
	blocksAgain, err := decodeBody(golden(t, "body-signed", body), &h, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i := range blocksAgain {
		out = append(out, bytes.Join(blocksAgain[i].Txs, nil)...)
	}
	if want := golden(t, "body-signed-txs", crypto.Keccak256(all)); !bytes.Equal(crypto.Keccak256(out), want) {
		t.Error("the transactions changed")
	}

	// Compressors may write other bytes in another version: what counts is that the
	// stored channel still decodes, and is cut into the same blobs.
	data := golden(t, "channel", build(t, BuilderSettings{}, blocks).Data)
	header, got, err := DecodeChannel(data, 0)
	if err != nil || !reflect.DeepEqual(got, bare(blocks)) {
		t.Fatalf("the stored channel decodes differently: %v", err)
	}
	ch := Channel{ID: IDOf(data), Header: header, Data: data}
	if want := golden(t, "channel-id", ch.ID[:]); !bytes.Equal(ch.ID[:], want) {
		t.Error("the channel id changed")
	}
	frames, err := ch.Frames(2000)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := EncodeBlob(frames)
	if err != nil {
		t.Fatal(err)
	}
	used := bytes.TrimRight(blob[:], "\x00")
	if want := golden(t, "blob-without-padding", used); !bytes.Equal(used, want) {
		t.Error("the blob changed")
	}
}
