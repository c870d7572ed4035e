package feed

import (
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// reader reads the items of an RLP list one after another, without copying them. After
// an error every item is empty.
type reader struct {
	rest []byte
	err  error
}

// open reads the content of a list that takes up all of raw.
func open(raw []byte) (*reader, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(raw), MaxBytes)
	}
	content, rest, err := rlp.SplitList(raw)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind the list", len(rest))
	}
	return &reader{rest: content}, err
}

// end tells what went wrong, or that something is left.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes too many in a list", len(r.rest))
	}
	return r.err
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// str is a string of any length.
func (r *reader) str() []byte {
	if r.err != nil {
		return nil
	}
	s, rest, err := rlp.SplitString(r.rest)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.rest = rest
	return s[:len(s):len(s)]
}

// fixed is a string of n bytes, zeros after an error.
func (r *reader) fixed(n int) []byte {
	s := r.str()
	if r.err == nil && len(s) != n {
		r.fail(fmt.Errorf("string of %d bytes, want %d", len(s), n))
	}
	if r.err != nil {
		return make([]byte, n)
	}
	return s
}

func (r *reader) uint64() uint64 {
	if r.err != nil {
		return 0
	}
	v, rest, err := rlp.SplitUint64(r.rest)
	if err != nil {
		r.fail(err)
		return 0
	}
	r.rest = rest
	return v
}

// list is the content of a list.
func (r *reader) list() []byte {
	if r.err != nil {
		return nil
	}
	content, rest, err := rlp.SplitList(r.rest)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.rest = rest
	return content
}

// value decodes a small item of any kind.
func (r *reader) value(v any) {
	if r.err != nil {
		return
	}
	_, _, rest, err := rlp.Split(r.rest)
	if err == nil {
		err = rlp.DecodeBytes(r.rest[:len(r.rest)-len(rest)], v)
	}
	if err != nil {
		r.fail(err)
		return
	}
	r.rest = rest
}

// strings is a list of at most that many strings.
func (r *reader) strings(most int) [][]byte {
	return items(r, most, "strings", (*reader).str)
}

// headers reads the list of a witness's headers.
func (r *reader) headers() []*types.Header {
	return items(r, maxWitnessHeaders, "headers", func(list *reader) *types.Header {
		h := new(types.Header)
		list.value(h)
		return h
	})
}

// items is a list of at most that many of what one reads.
func items[T any](r *reader, most int, what string, one func(*reader) T) []T {
	list := reader{rest: r.list()}
	if r.err != nil {
		return nil
	}
	n, err := rlp.CountValues(list.rest)
	if err == nil && n > most {
		err = fmt.Errorf("list of %d %s, limit %d", n, what, most)
	}
	if err != nil {
		r.fail(err)
		return nil
	}
	out := make([]T, n)
	for i := range out {
		out[i] = one(&list)
	}
	if list.err != nil {
		r.fail(list.err)
	}
	return out
}
