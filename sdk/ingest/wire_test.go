package ingest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// The encodings as docs/spec/ingest.md has them, byte by byte.
func TestEncodingsAreThoseOfTheSpecification(t *testing.T) {
	client := ClientHello{Flags: FlagHints, ChainID: 7411, Key: "key"}
	server := ServerHello{Version: 1, Status: HelloChain, ChainID: 7411, Window: 8192, MaxTxBytes: 131072}
	ack := Ack{Hash: common.Hash{1, 2}, Status: NonceGap, Detail: 9}
	huge := Ack{Status: Succeeded, Detail: 1<<56 + 1}
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"client hello", client.Append(nil), "544c5249" + "01" + "01" + "0000000000001cf3" + "0003" + "6b6579"},
		{"server hello", server.Append(nil), "544c5249" + "01" + "03" + "0000" + "0000000000001cf3" + "00002000" + "00020000"},
		{"challenge", (&Challenge{Nonce: [32]byte{1, 31: 2}}).Append(nil), "544c5243" + "0100000000000000000000000000000000000000000000000000000000000002"},
		{"frame", AppendFrame(nil, []byte{0xaa, 0xbb}, common.Address{}), "00000002" + "aabb"},
		{"frame with a hint", AppendFrame(nil, []byte{0xaa}, common.Address{19: 7}), "80000015" + "0000000000000000000000000000000000000007" + "aa"},
		{"acknowledgement", ack.Append(nil), "0102000000000000000000000000000000000000000000000000000000000000" + "05" + "00000000000009"},
		{"a detail that does not fit", huge.Append(nil), "0000000000000000000000000000000000000000000000000000000000000000" + "00" + "ffffffffffffff"},
	} {
		if got := hex.EncodeToString(test.got); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestEveryStatusHasAName(t *testing.T) {
	for s, want := range map[Status]string{Succeeded: "succeeded", Refused: "refused", Closing: "closing", 99: "status 99"} {
		if s.String() != want {
			t.Errorf("%d: %s, want %s", byte(s), s, want)
		}
	}
	for s := HelloOK; s <= HelloWithdrawn; s++ {
		if s.String() == HelloStatus(99).String() || s.String() == "" {
			t.Errorf("hello status %d has no text", byte(s))
		}
	}
	if !Succeeded.Included() || !Reverted.Included() || Malformed.Included() || Closing.Included() {
		t.Error("what is included")
	}
}

// FuzzFrames reads any bytes as frames: what is read, written again, is what was there,
// and a frame that is cut off asks for more but never for more than is allowed.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 2}, byte(0), uint32(10))
	f.Add(AppendFrame(AppendFrame(nil, []byte("ab"), common.Address{1}), []byte("c"), common.Address{}), byte(FlagHints), uint32(2))
	f.Add([]byte{0x80, 0, 0, 20}, byte(FlagHints), uint32(1<<31))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, byte(1), uint32(5))
	f.Fuzz(func(t *testing.T, b []byte, flags byte, most uint32) {
		most = min(most, MaxPayload)
		for {
			frame, size, need, err := ParseFrame(b, flags, most)
			if err != nil {
				if !errors.Is(err, ErrFrame) || size != 0 {
					t.Fatalf("%d, %v", size, err)
				}
				return
			}
			if size == 0 {
				if need <= len(b) || need > HeaderSize+HintSize+int(most) && need != HeaderSize {
					t.Fatalf("needs %d of %d bytes, at most %d", need, len(b), most)
				}
				return
			}
			if len(frame.Raw) == 0 || len(frame.Raw) > int(most) || cap(frame.Raw) != len(frame.Raw) {
				t.Fatalf("transaction of %d bytes, capacity %d, at most %d", len(frame.Raw), cap(frame.Raw), most)
			}
			hinted := binary.BigEndian.Uint32(b)&frameHinted != 0
			again := AppendFrame(nil, frame.Raw, frame.Sender)
			if hinted && frame.Sender == (common.Address{}) { // a hint of zero is allowed and says nothing
				if size != HeaderSize+HintSize+len(frame.Raw) {
					t.Fatalf("size %d", size)
				}
			} else if !bytes.Equal(again, b[:size]) {
				t.Fatalf("%x written again is %x", b[:size], again)
			}
			b = b[size:]
		}
	})
}

// FuzzHellosAndAcks: what can be read is written again as it was.
func FuzzHellosAndAcks(f *testing.F) {
	f.Add((&ClientHello{Flags: FlagHints, ChainID: 1, Key: "k"}).Append(nil))
	f.Add((&ServerHello{Version: 1, Window: 5}).Append(nil))
	f.Add((&Challenge{Nonce: [32]byte{5}}).Append(nil))
	f.Add((&ClientHello{Flags: FlagHints | FlagReplica, ChainID: 7411}).Append(nil))
	f.Add((&Ack{Hash: common.Hash{1}, Status: Closing, Detail: 2}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= ClientHelloSize {
			h, keySize, err := ParseClientHello((*[ClientHelloSize]byte)(b))
			if err == nil && keySize <= len(b)-ClientHelloSize {
				h.Key = string(b[ClientHelloSize:][:keySize])
				if got := h.Append(nil); !bytes.Equal(got, b[:ClientHelloSize+keySize]) {
					t.Fatalf("client hello %x written again is %x", b, got)
				}
			}
			if keySize > MaxKeySize {
				t.Fatalf("key of %d bytes", keySize)
			}
		}
		if len(b) >= ServerHelloSize {
			h, err := ParseServerHello((*[ServerHelloSize]byte)(b))
			if got := h.Append(nil); err == nil && b[6] == 0 && b[7] == 0 && !bytes.Equal(got, b[:ServerHelloSize]) {
				t.Fatalf("server hello %x written again is %x", b, got)
			}
		}
		if len(b) >= ChallengeSize {
			c, err := ParseChallenge((*[ChallengeSize]byte)(b))
			if got := c.Append(nil); err == nil && !bytes.Equal(got, b[:ChallengeSize]) {
				t.Fatalf("challenge %x written again is %x", b, got)
			}
		}
		if len(b) >= AckSize {
			a := ParseAck((*[AckSize]byte)(b))
			if got := a.Append(nil); !bytes.Equal(got, b[:AckSize]) {
				t.Fatalf("acknowledgement %x written again is %x", b, got)
			}
		}
	})
}

// The statement as docs/spec/ingest.md has it.
func TestAStatementIsThatOfTheSpecification(t *testing.T) {
	s := Statement{ChainID: 7411, Nonce: [32]byte{1}, Channel: [32]byte{2}}
	b := append([]byte("Talaria raw ingest: replica\x00"), 0, 0, 0, 0, 0, 0, 0x1c, 0xf3)
	b = append(append(b, s.Nonce[:]...), s.Channel[:]...)
	if got, want := s.Digest(), hashOf(b); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// FuzzAnswers plays a server with any bytes to a replica that dials: it fails or connects,
// and never signs anything but what a challenge asks for.
func FuzzAnswers(f *testing.F) {
	challenge, hello := Challenge{Nonce: [32]byte{5}}, ServerHello{Version: Version, ChainID: 7411, Window: 4, MaxTxBytes: 100}
	f.Add(append(challenge.Append(nil), hello.Append(nil)...))
	f.Add(hello.Append(nil))
	f.Add(append(challenge.Append(nil), challenge.Append(nil)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			_ = theirs.SetDeadline(time.Now().Add(time.Second))
			_, _ = io.ReadFull(theirs, make([]byte, ClientHelloSize))
			_, _ = theirs.Write(b[:min(len(b), ChallengeSize)])
			_, _ = theirs.Write(b[min(len(b), ChallengeSize):])
		}()
		_ = ours.SetDeadline(time.Now().Add(time.Second))
		defer ours.Close()
		signed := common.Hash{}
		c := &Client{conn: ours, opts: Options{ChainID: 7411, Sign: func(h common.Hash) ([]byte, error) { signed = h; return nil, errors.New("not today") }}}
		err := c.greet()
		if err == nil {
			t.Fatal("connected without a proof")
		}
		if signed == (common.Hash{}) {
			return
		}
		s := Statement{ChainID: 7411, Nonce: [32]byte(b[4:36])}
		if string(b[:4]) != challengeMagic || signed != s.Digest() {
			t.Fatalf("%x made it sign %s", b, signed)
		}
	})
}
