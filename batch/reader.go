package batch

import "errors"

var (
	errShort  = errors.New("ends early")
	errVarint = errors.New("varint too long or not minimal")
)

// reader takes a byte slice apart. After the first error every read gives zeros.
type reader struct {
	buf []byte
	err error
}

func (r *reader) left() int { return len(r.buf) }

// take returns the next n bytes, aliasing the input; n zeros when they are not
// there and n is small, else nothing.
func (r *reader) take(n int) []byte {
	if r.err == nil && n > len(r.buf) {
		r.err = errShort
	}
	if r.err != nil {
		if n > 64 {
			return nil
		}
		return make([]byte, n)
	}
	out := r.buf[:n:n]
	r.buf = r.buf[n:]
	return out
}

// takeLong returns the next n items of so many bytes each.
func (r *reader) takeLong(n, size uint64) []byte {
	if n > uint64(len(r.buf))/size {
		if r.err == nil {
			r.err = errShort
		}
		return nil
	}
	return r.take(int(n * size))
}

func (r *reader) byte() byte { return r.take(1)[0] }

// uvarint reads an unsigned LEB128 integer of at most 64 bits in its shortest form.
func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		switch {
		case r.err != nil:
			return 0
		case shift == 63 && c > 1, shift > 0 && c == 0:
			r.err = errVarint
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}
