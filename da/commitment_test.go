package da

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// sample is a well-formed certificate of two blobs.
func sample() *Certificate {
	c := &Certificate{
		Statement: Statement{Epoch: 3, Expiry: 1_700_000_000, Length: BlobDataBytes + 1, Commitments: make([]kzg4844.Commitment, 2)},
		Operators: 9, Signers: []byte{0xfd, 0x01},
	}
	c.Commitments[0][0], c.Commitments[1][47], c.Signature[95] = 0xc0, 7, 9
	return c
}

func TestCommitmentsStandInCalldataAsSpecified(t *testing.T) {
	hash := common.HexToHash("0x1122000000000000000000000000000000000000000000000000000000003344")
	for name, test := range map[string]struct {
		c    Commitment
		want string
	}{
		"data follows":           {&Calldata{Data: []byte{1, 2, 3}}, "0x00010203"},
		"keccak256 of the data":  {&Keccak{Hash: hash, Length: 0x10203}, "0x010001020300" + hash.Hex()[2:]},
		"what the server called": {&Generic{Payload: []byte{0xaa, 0xbb}, Length: 7}, "0x010000000701aabb"},
		"certificate": {sample(), "0x02" + "0000000000000003" + "000000006553f100" + "0001f001" + "0002" +
			"c0" + strings.Repeat("00", 47) + strings.Repeat("00", 47) + "07" + "0009" + "fd01" + strings.Repeat("00", 95) + "09"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hexutil.Encode(test.c.Bytes()); got != test.want {
				t.Fatalf("encoded as %s, want %s", got, test.want)
			}
			back, err := Parse(test.c.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if got := hexutil.Encode(back.Bytes()); got != test.want || back.Kind() != test.c.Kind() {
				t.Fatalf("read back as %v %s", back.Kind(), got)
			}
			posting := PostingOf(back)
			if hexutil.Encode(posting.Calldata) != test.want || posting.Certified != (back.Kind() == KindCertificate) {
				t.Fatalf("posted as %+v", posting)
			}
		})
	}
}

func TestParseRefusesWhatNoEncoderWrites(t *testing.T) {
	edit := func(f func(*Certificate)) []byte {
		c := sample()
		f(c)
		return c.Bytes()
	}
	for name, raw := range map[string][]byte{
		"nothing":                         {},
		"calldata without data":           {0x00},
		"an unknown version":              {0x03, 1, 2},
		"a bare alt-DA version":           {0x01},
		"a length alone":                  {0x01, 0, 0, 0, 1},
		"a short keccak256 hash":          append([]byte{0x01, 0, 0, 0, 1, 0x00}, make([]byte, 31)...),
		"a long keccak256 hash":           append([]byte{0x01, 0, 0, 0, 1, 0x00}, make([]byte, 33)...),
		"an unknown alt-DA type":          append([]byte{0x01, 0, 0, 0, 1, 0x02}, make([]byte, 32)...),
		"a generic commitment of nothing": {0x01, 0, 0, 0, 1, 0x01},
		"a giant generic commitment":      append([]byte{0x01, 0, 0, 0, 1, 0x01}, make([]byte, MaxGenericBytes)...),
		"to no bytes":                     (&Keccak{Hash: common.Hash{1}}).Bytes(),
		"to too many bytes":               (&Keccak{Hash: common.Hash{1}, Length: MaxAltDABytes + 1}).Bytes(),
		"to nothing":                      (&Keccak{Hash: crypto.Keccak256Hash(), Length: 1}).Bytes(),
		"a truncated certificate":         sample().Bytes()[:200],
		"bytes behind the certificate":    append(sample().Bytes(), 0),
		"a certificate of no data":        edit(func(c *Certificate) { c.Length, c.Commitments = 0, nil }),
		"one commitment too few":          edit(func(c *Certificate) { c.Commitments = c.Commitments[:1] }),
		"one commitment too many":         edit(func(c *Certificate) { c.Length = BlobDataBytes }),
		"more data than the limit":        edit(func(c *Certificate) { c.Length = MaxCommitteeBytes + 1 }),
		"an empty committee":              edit(func(c *Certificate) { c.Operators, c.Signers = 0, nil }),
		"a committee above the limit": edit(func(c *Certificate) {
			c.Operators, c.Signers = MaxOperators+1, make([]byte, MaxOperators/8+1)
		}),
		"signers outside of the committee": edit(func(c *Certificate) { c.Signers[1] = 0x03 }),
		"a bitmap of another size":         edit(func(c *Certificate) { c.Signers = c.Signers[:1] }),
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := Parse(raw); !errors.Is(err, ErrMalformed) || c != nil {
				t.Fatalf("got %v, %v", c, err)
			}
		})
	}
}

func TestTheDomainSeparatesRegistries(t *testing.T) {
	a, b := common.Address{1}, common.Address{2}
	seen := make(map[common.Hash]string)
	for _, d := range []struct {
		l1                 uint64
		verifier, registry common.Address
		l2                 uint64
	}{{1, a, b, 2}, {2, a, b, 1}, {1, b, a, 2}, {1, a, a, 2}, {1, a, b, 3}} {
		h := Domain(d.l1, d.verifier, d.registry, d.l2)
		if other, ok := seen[h]; ok {
			t.Fatalf("%v has the domain of %s", d, other)
		}
		seen[h] = fmt.Sprint(d)
	}
}

func TestSignersAreReadFromTheBitmap(t *testing.T) {
	c := sample()
	if c.SignerCount() != 8 {
		t.Fatalf("%d signers", c.SignerCount())
	}
	for i := -1; i < 20; i++ {
		if want := i >= 0 && i < 9 && i != 1; c.Signed(i) != want {
			t.Errorf("operator %d signed: %v", i, c.Signed(i))
		}
	}
}

func TestErrorsAreTransientOrPermanent(t *testing.T) {
	for err, want := range map[error]bool{
		ErrUnavailable: true, ErrNotFound: true, ErrMismatch: true, context.DeadlineExceeded: true,
		ErrMalformed: false, ErrTooLarge: false, ErrRefused: false,
	} {
		if got := Transient(fmt.Errorf("put: %w", err)); got != want {
			t.Errorf("%v: transient %v", err, got)
		}
	}
	if Transient(nil) {
		t.Error("no error is transient")
	}
}

// plainBlobs packs without frames: one element a byte.
type plainBlobs struct{}

func (plainBlobs) Limit() int { return 6 * 4_096 }

func (plainBlobs) Pack(data []byte) ([]kzg4844.Blob, error) {
	blobs := make([]kzg4844.Blob, (len(data)+4_095)/4_096)
	for i, b := range data {
		blobs[i/4_096][i%4_096*32+31] = b
	}
	return blobs, nil
}

func (plainBlobs) Unpack(blobs []kzg4844.Blob) ([]byte, error) {
	var out []byte
	for i := range blobs {
		for e := range 4_096 {
			out = append(out, blobs[i][e*32+31])
		}
	}
	return bytes.TrimRight(out, "\x00"), nil
}

// heldBlobs serves blobs by hash.
type heldBlobs map[common.Hash]kzg4844.Blob

func (h heldBlobs) Blobs(_ context.Context, hashes []common.Hash) ([]kzg4844.Blob, error) {
	var out []kzg4844.Blob
	for _, hash := range hashes {
		b, ok := h[hash]
		if !ok {
			return nil, ErrNotFound
		}
		out = append(out, b)
	}
	return out, nil
}

func TestTheReaderResolvesWhatTheChainUses(t *testing.T) {
	ctx := context.Background()
	data := bytes.Repeat([]byte("frames "), 700)
	blobs := BlobStore{Codec: plainBlobs{}, Source: heldBlobs{}}
	put, err := blobs.Put(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	held := make(heldBlobs)
	for i, h := range put.(*Blobs).Hashes {
		held[h] = put.(*Blobs).Content[i]
	}
	if got := PostingOf(put); len(got.Blobs) != 2 || got.Calldata != nil || got.Certified {
		t.Fatalf("posted as %d blobs, calldata %x", len(got.Blobs), got.Calldata)
	}
	reader := &Reader{Blobs: BlobStore{Codec: plainBlobs{}, Source: held}}
	for name, c := range map[string]Commitment{
		"blobs with their content": put,
		"blobs by their hashes":    &Blobs{Hashes: put.(*Blobs).Hashes},
		"calldata":                 &Calldata{Data: data},
	} {
		if got, err := reader.Get(ctx, c); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	for name, c := range map[string]Commitment{"alt-DA": NewKeccak(data), "generic": &Generic{Payload: []byte{1}}, "committee": sample()} {
		if _, err := reader.Get(ctx, c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s on a chain without that layer: %v", name, err)
		}
	}
	reader.AltDA = CalldataStore{}
	if _, err := reader.Get(ctx, &Generic{Payload: []byte{1}}); Transient(err) {
		t.Errorf("a generic commitment was looked for: %v", err)
	}
	if _, err := (&Reader{Blobs: blobs}).Get(ctx, &Blobs{Hashes: put.(*Blobs).Hashes}); !errors.Is(err, ErrNotFound) || !Transient(err) {
		t.Errorf("missing blobs: %v", err)
	}
}

func TestPutKeepsToTheLimit(t *testing.T) {
	for name, s := range map[string]Store{"calldata": CalldataStore{}, "blobs": BlobStore{Codec: plainBlobs{}}} {
		if _, err := s.Put(context.Background(), make([]byte, s.Limit()+1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s above the limit: %v", name, err)
		}
		if _, err := s.Put(context.Background(), nil); err == nil || Transient(err) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample().Bytes())
	f.Add(NewKeccak([]byte("data")).Bytes())
	f.Add((&Generic{Payload: []byte{0xaa}, Length: 1}).Bytes())
	f.Add([]byte{0x00, 0x01})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("not malformed: %v", err)
			}
			return
		}
		if !bytes.Equal(c.Bytes(), raw) {
			t.Fatalf("%x was read as %x", raw, c.Bytes())
		}
	})
}

func TestCertificatesAreReadFromEvents(t *testing.T) {
	c, batcher := sample(), common.Address{0xba}
	arguments := appendBytes(nil, c.Bytes())
	event := func(edit func(*types.Log)) *types.Log {
		l := &types.Log{
			Topics: []common.Hash{CertifiedTopic(), c.Hash(), common.BytesToHash(batcher[:])},
			Data:   bytes.Clone(arguments),
		}
		edit(l)
		return l
	}
	got, from, err := CertifiedFromLog(event(func(*types.Log) {}))
	if err != nil || from != batcher || got.Hash() != c.Hash() {
		t.Fatalf("read %v from %v, %v", got, from, err)
	}
	for name, l := range map[string]*types.Log{
		"another event":      event(func(l *types.Log) { l.Topics[0][0]++ }),
		"a topic too few":    event(func(l *types.Log) { l.Topics = l.Topics[:2] }),
		"another hash":       event(func(l *types.Log) { l.Topics[1][0]++ }),
		"no data":            event(func(l *types.Log) { l.Data = nil }),
		"a giant length":     event(func(l *types.Log) { l.Data[32] = 0xff }),
		"another offset":     event(func(l *types.Log) { l.Data[31] = 64 }),
		"half of the data":   event(func(l *types.Log) { l.Data = l.Data[:128] }),
		"another commitment": event(func(l *types.Log) { l.Data[70]++ }),
	} {
		if c, _, err := CertifiedFromLog(l); !errors.Is(err, ErrMalformed) || c != nil {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	call := CertifyCall(c)
	if len(call)%32 != 4 || !bytes.Equal(call[4:], arguments) {
		t.Fatalf("called with %x", call)
	}
}
