package batch

import (
	"bytes"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// How the byte column is compressed.
const (
	methodStored = iota
	methodZstd
	methodBrotli
)

// decompress expands the byte column to exactly size bytes.
func decompress(method byte, data []byte, size int) ([]byte, error) {
	switch method {
	case methodStored:
		if len(data) != size {
			return nil, fmt.Errorf("byte column of %d bytes, header says %d", len(data), size)
		}
		return data, nil
	case methodZstd:
		if err := checkZstdFrame(data); err != nil {
			return nil, err
		}
		// At once: a stream would take memory for the window that the frame claims.
		dec, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxWindowBytes),
			zstd.WithDecodeAllCapLimit(true), // it stops at size
		)
		if err != nil {
			return nil, err
		}
		defer dec.Close()
		out, err := dec.DecodeAll(data, make([]byte, 0, size))
		if err == nil && len(out) != size {
			err = fmt.Errorf("byte column of %d bytes, header says %d", len(out), size)
		}
		return out, err
	case methodBrotli:
		return expand(brotli.NewReader(bytes.NewReader(data)), size)
	}
	return nil, fmt.Errorf("compression method %d is not known", method)
}

// expand reads exactly size bytes to the end. What is claimed is not believed: memory
// grows with what is there.
func expand(r io.Reader, size int) ([]byte, error) {
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(r, int64(size)+1)); err != nil {
		return nil, err
	}
	if out.Len() != size {
		return nil, fmt.Errorf("byte column of %d bytes or more, header says %d", out.Len(), size)
	}
	return out.Bytes(), nil
}

// checkZstdFrame walks the block headers (RFC 8878, section 3.1.1) to see that
// data is one frame, without dictionary and within the window limit, and nothing
// more.
func checkZstdFrame(data []byte) error {
	var h zstd.Header
	if err := h.Decode(data); err != nil {
		return err
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	switch {
	case h.Skippable:
		return fmt.Errorf("zstd: skippable frame")
	case h.DictionaryID != 0:
		return fmt.Errorf("zstd: dictionary %d", h.DictionaryID)
	case window > MaxWindowBytes:
		return fmt.Errorf("zstd: window of %d bytes, limit %d", window, MaxWindowBytes)
	}
	rest := data[h.HeaderSize:]
	for last := false; !last; {
		if len(rest) < 3 {
			return fmt.Errorf("zstd: frame ends early")
		}
		head := uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16
		last = head&1 != 0
		size := int(head >> 3)
		if head>>1&3 == 1 { // run-length block: one byte stands for size bytes
			size = 1
		}
		if rest = rest[3:]; len(rest) < size {
			return fmt.Errorf("zstd: frame ends early")
		}
		rest = rest[size:]
	}
	sum := 0
	if h.HasCheckSum {
		sum = 4
	}
	if len(rest) != sum {
		return fmt.Errorf("zstd: %d bytes behind the frame", len(rest)-sum)
	}
	return nil
}

// newCompressor writes one zstd frame to out: fixed level and window, no own
// goroutines.
func newCompressor(out *bytes.Buffer) (*zstd.Encoder, error) {
	return zstd.NewWriter(out,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(MaxWindowBytes),
		zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(false),
	)
}

// Brotli's best level takes a second for a megabyte.
const (
	brotliBest  = 11
	brotliQuick = 9
	brotliSlow  = 32 << 10 // bytes compressed at the best level at most
)

// byBrotli compresses data.
func byBrotli(data []byte) ([]byte, error) {
	level := brotliQuick
	if len(data) <= brotliSlow {
		level = brotliBest
	}
	var out bytes.Buffer
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: level, LGWin: 22})
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
