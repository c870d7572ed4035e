package feed

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
)

const (
	// maxPart bounds the payload of a message, so that it fits with its headers into the
	// megabyte that a NATS server takes as it comes.
	maxPart = 768 << 10
	// maxParts is how many make up MaxBytes that do not compress.
	maxParts = MaxBytes/maxPart + 2

	// maxWindow bounds the memory that a compressed message claims for its window.
	maxWindow = 8 << 20
	// smallBytes is up to which size a message's claim of its size is believed.
	smallBytes = 1 << 20
)

// packer compresses encodings and divides them into messages. It is for one goroutine.
type packer struct {
	enc *zstd.Encoder
	buf []byte
}

func newPacker() (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow/2), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return &packer{enc: enc}, nil
}

// keptBytes bounds the memory for compressing that is kept.
const keptBytes = 1 << 20

// pack makes the messages of an encoding, whose payloads are their own.
func (p *packer) pack(subject string, l label, raw []byte) ([]*nats.Msg, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(raw), MaxBytes)
	}
	small := p.enc.EncodeAll(raw, p.buf[:0])
	if cap(small) <= keptBytes {
		p.buf = small
	} else {
		p.buf = nil
	}
	data := bytes.Clone(small)
	l.parts = max((len(data)+maxPart-1)/maxPart, 1)
	out := make([]*nats.Msg, l.parts)
	for i := range out {
		l.part = i + 1
		n := min(len(data), maxPart)
		out[i] = &nats.Msg{Subject: subject, Header: make(nats.Header), Data: data[:n:n]}
		l.write(out[i].Header)
		data = data[n:]
	}
	return out, nil
}

func (p *packer) close() { _ = p.enc.Close() }

// assembler puts messages together again. It is for one goroutine.
type assembler struct {
	dec   *zstd.Decoder
	of    label // of the last part
	parts []byte
}

func newAssembler() (*assembler, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(MaxBytes))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	return &assembler{dec: dec}, nil
}

func (a *assembler) close() { a.dec.Close() }

// add takes the next message of a stream. raw is the encoding that it completes, nil if
// parts are still missing. Parts that the rest does not follow are what a publisher that
// was stopped has left: it publishes the whole again.
func (a *assembler) add(l label, data []byte) (raw []byte, err error) {
	if l.parts == 1 {
		a.of, a.parts = label{}, nil
		return a.expand(data)
	}
	next := a.of
	next.part++
	switch {
	case l.part == 1:
		a.parts = bytes.Clone(data)
	case l != next:
		a.of, a.parts = label{}, nil
		return nil, nil // it began before what is read
	default:
		a.parts = append(a.parts, data...)
	}
	if a.of = l; l.part < l.parts {
		return nil, nil
	}
	whole := a.parts
	a.of, a.parts = label{}, nil
	return a.expand(whole)
}

// expand decompresses. Memory grows with what is there, not with what is claimed.
func (a *assembler) expand(data []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if h.HasFCS && h.FrameContentSize <= smallBytes {
		out, err := a.dec.DecodeAll(data, make([]byte, 0, h.FrameContentSize))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return out, nil
	}
	if err := a.dec.Reset(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(a.dec, MaxBytes+1))
	if err == nil && n > MaxBytes {
		err = fmt.Errorf("more than %d bytes", MaxBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return out.Bytes(), nil
}
