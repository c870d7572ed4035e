package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// BlobBytes is the size of a blob (EIP-4844): 4,096 field elements of 32 bytes.
const BlobBytes = 131_072

const (
	elementBytes = 32
	wholeBytes   = 31 // of an element; of its first byte only six bits, so that it is canonical
	elements     = BlobBytes / elementBytes
	blobWhole    = elements * wholeBytes
	blobCapacity = blobWhole + elements*6/8
	blobVersion  = 2
	blobHeader   = 1 + 3 // version, length

	frameVersion = 1
	// FrameOverhead is what a frame has besides its data, in bytes.
	FrameOverhead = 1 + 16 + 2 + 4 + 1

	// MaxBlobPayload is what the frames of one blob have room for, in bytes.
	MaxBlobPayload = blobCapacity - blobHeader
	// MaxFrameData is the data of a frame that fills a blob alone, in bytes.
	MaxFrameData = MaxBlobPayload - FrameOverhead
	// MaxFrames bounds the frames of one channel.
	MaxFrames = 1 << 16
	// DefaultBlobsPerTx is the most that an L1 transaction may carry since Osaka
	// (EIP-7594).
	DefaultBlobsPerTx = 6
)

// Blob is the content of one EIP-4844 blob; it converts to kzg4844.Blob.
type Blob [BlobBytes]byte

// Frame is one piece of a channel.
type Frame struct {
	Channel ChannelID
	Number  uint16
	Last    bool   // no frame of the channel has a higher number
	Data    []byte // 1..MaxFrameData bytes
}

func (f *Frame) append(out []byte) []byte {
	out = append(out, frameVersion)
	out = append(out, f.Channel[:]...)
	out = binary.BigEndian.AppendUint16(out, f.Number)
	out = binary.BigEndian.AppendUint32(out, uint32(len(f.Data)))
	out = append(out, f.Data...)
	if f.Last {
		return append(out, 1)
	}
	return append(out, 0)
}

// appendFrames writes frames, of which there must be one at least.
func appendFrames(out []byte, frames []Frame) ([]byte, error) {
	if len(frames) == 0 {
		return nil, errors.New("no frames")
	}
	for i := range frames {
		if len(frames[i].Data) == 0 {
			return nil, fmt.Errorf("frame %d of channel %s is empty", frames[i].Number, frames[i].Channel)
		}
		out = frames[i].append(out)
	}
	return out, nil
}

// EncodeBlob packs frames into one blob.
func EncodeBlob(frames []Frame) (*Blob, error) {
	var content [blobCapacity + 1]byte // one more is too much
	all, err := appendFrames(content[:blobHeader], frames)
	if err != nil {
		return nil, fmt.Errorf("encode blob: %w", err)
	}
	size := len(all) - blobHeader
	if size > MaxBlobPayload {
		return nil, fmt.Errorf("encode blob: frames of %d bytes, limit %d", size, MaxBlobPayload)
	}
	content[0], content[1], content[2], content[3] = blobVersion, byte(size>>16), byte(size>>8), byte(size)
	blob := new(Blob)
	for i := range elements {
		copy(blob[i*elementBytes+1:(i+1)*elementBytes], content[i*wholeBytes:])
	}
	for i, sixes := 0, content[blobWhole:blobCapacity]; len(sixes) > 0; i, sixes = i+4, sixes[3:] {
		bits := uint32(sixes[0])<<16 | uint32(sixes[1])<<8 | uint32(sixes[2])
		for k := range 4 {
			blob[(i+k)*elementBytes] = byte(bits >> (18 - 6*k) & 63)
		}
	}
	return blob, nil
}

// DecodeBlob unpacks the frames of a blob; the data of the frames is a copy. A blob
// counts whole or not at all; the error wraps ErrMalformed.
func DecodeBlob(blob *Blob) ([]Frame, error) {
	fail := func(format string, args ...any) ([]Frame, error) {
		return nil, fmt.Errorf("decode blob: %w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	content := make([]byte, 0, blobCapacity)
	for i := range elements {
		content = append(content, blob[i*elementBytes+1:(i+1)*elementBytes]...)
	}
	for i := 0; i < elements; i += 4 {
		bits := uint32(0)
		for k := range 4 {
			six := blob[(i+k)*elementBytes]
			if six > 63 {
				return fail("field element %d is above 254 bits", i+k)
			}
			bits = bits<<6 | uint32(six)
		}
		content = append(content, byte(bits>>16), byte(bits>>8), byte(bits))
	}
	if content[0] != blobVersion {
		return fail("version %d is not known", content[0])
	}
	size := int(content[1])<<16 | int(content[2])<<8 | int(content[3])
	if size == 0 || size > MaxBlobPayload {
		return fail("payload of %d bytes, allowed 1..%d", size, MaxBlobPayload)
	}
	for _, c := range content[blobHeader+size:] {
		if c != 0 {
			return fail("padding is not zero")
		}
	}
	return decodeFrames(content[blobHeader : blobHeader+size])
}

const (
	// CalldataFrames is the first byte of a batch transaction's calldata when frames
	// follow.
	CalldataFrames = 0x00
	// MaxCalldataBytes bounds calldata with frames: what a node of L1 takes into its
	// pool (128 KiB), less room for the other fields of the transaction.
	MaxCalldataBytes = 127 << 10
	// MaxCalldataFrameData is the data of a frame that fills calldata alone, in bytes.
	MaxCalldataFrameData = MaxCalldataBytes - 1 - FrameOverhead
)

// EncodeCalldata packs frames into the calldata of a batch transaction without blobs.
func EncodeCalldata(frames []Frame) ([]byte, error) {
	out, err := appendFrames([]byte{CalldataFrames}, frames)
	if err != nil {
		return nil, fmt.Errorf("encode calldata: %w", err)
	}
	if len(out) > MaxCalldataBytes {
		return nil, fmt.Errorf("encode calldata: %d bytes, limit %d", len(out), MaxCalldataBytes)
	}
	return out, nil
}

// DecodeCalldata unpacks the frames of calldata; their data aliases it. Calldata counts
// whole or not at all; the error wraps ErrMalformed.
func DecodeCalldata(data []byte) ([]Frame, error) {
	if len(data) < 2 || len(data) > MaxCalldataBytes || data[0] != CalldataFrames {
		return nil, fmt.Errorf("decode calldata: %w: %d bytes, allowed 2..%d, the first 0", ErrMalformed, len(data), MaxCalldataBytes)
	}
	return decodeFrames(data[1:])
}

// decodeFrames reads the frames of a payload; their data aliases it.
func decodeFrames(payload []byte) ([]Frame, error) {
	r := &reader{buf: payload}
	var frames []Frame
	for r.left() > 0 {
		version := r.byte()
		f := Frame{Channel: ChannelID(r.take(16)), Number: binary.BigEndian.Uint16(r.take(2))}
		size := binary.BigEndian.Uint32(r.take(4))
		if r.err == nil && (size == 0 || int64(size) > int64(r.left())) {
			r.err = errShort
		}
		if r.err != nil {
			return nil, fmt.Errorf("decode frame %d: %w: %v", len(frames), ErrMalformed, r.err)
		}
		f.Data = r.take(int(size))
		last := r.byte()
		switch {
		case r.err != nil:
			return nil, fmt.Errorf("decode frame %d: %w: %v", len(frames), ErrMalformed, r.err)
		case version != frameVersion:
			return nil, fmt.Errorf("decode frame %d: %w: version %d is not known", len(frames), ErrMalformed, version)
		case last > 1:
			return nil, fmt.Errorf("decode frame %d: %w: isLast is %d", len(frames), ErrMalformed, last)
		}
		f.Last = last == 1
		frames = append(frames, f)
	}
	return frames, nil
}

// Frames cuts the channel into frames of at most maxData bytes, 1..MaxFrameData
// [MaxFrameData when 0]. Their data aliases the channel.
func (c *Channel) Frames(maxData int) ([]Frame, error) {
	if maxData == 0 {
		maxData = MaxFrameData
	}
	if maxData < 1 || maxData > MaxFrameData {
		return nil, fmt.Errorf("cut channel %s: frames of %d bytes: must be 1..%d", c.ID, maxData, MaxFrameData)
	}
	if n := (len(c.Data) + maxData - 1) / maxData; n > MaxFrames {
		return nil, fmt.Errorf("cut channel %s: %d frames, limit %d", c.ID, n, MaxFrames)
	}
	var frames []Frame
	for rest := c.Data; len(rest) > 0; {
		n := min(maxData, len(rest))
		frames = append(frames, Frame{Channel: c.ID, Number: uint16(len(frames)), Last: n == len(rest), Data: rest[:n]})
		rest = rest[n:]
	}
	return frames, nil
}

// Txs gives the blobs to post, in order, grouped into L1 transactions of at most
// maxBlobs each [DefaultBlobsPerTx when 0].
func (c *Channel) Txs(maxBlobs int) ([][]*Blob, error) {
	if maxBlobs == 0 {
		maxBlobs = DefaultBlobsPerTx
	}
	if maxBlobs < 0 {
		return nil, fmt.Errorf("cut channel %s: %d blobs a transaction: must be positive", c.ID, maxBlobs)
	}
	frames, err := c.Frames(0)
	if err != nil {
		return nil, err
	}
	var txs [][]*Blob
	for i := range frames {
		blob, err := EncodeBlob(frames[i : i+1])
		if err != nil {
			return nil, err
		}
		if i%maxBlobs == 0 {
			txs = append(txs, nil)
		}
		txs[len(txs)-1] = append(txs[len(txs)-1], blob)
	}
	return txs, nil
}
