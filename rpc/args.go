package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// args reads the positional parameters of one call. The first failure sticks in err,
// and later reads return zero values, so a handler checks once.
type args struct {
	raw [][]byte
	err error
	buf [4][]byte // of raw, mostly
}

// has reports whether parameter i was given and is not null.
func (a *args) has(i int) bool { return i < len(a.raw) && a.raw[i][0] != 'n' }

func (a *args) fail(i int, err error) {
	if a.err == nil {
		a.err = Errorf(CodeInvalidParams, "invalid argument %d: %v", i, err)
	}
}

// need reports whether a required parameter is there and nothing failed before.
func (a *args) need(i int) bool {
	if a.err != nil {
		return false
	}
	if !a.has(i) {
		a.err = Errorf(CodeInvalidParams, "missing value for required argument %d", i)
		return false
	}
	return true
}

// read decodes required parameter i.
func read[T any](a *args, i int, decode func([]byte) (T, error)) T {
	var zero T
	if !a.need(i) {
		return zero
	}
	v, err := decode(a.raw[i])
	if err != nil {
		a.fail(i, err)
		return zero
	}
	return v
}

// readOr decodes parameter i, or returns fallback when it was not given.
func readOr[T any](a *args, i int, fallback T, decode func([]byte) (T, error)) T {
	if a.err != nil || !a.has(i) {
		return fallback
	}
	return read(a, i, decode)
}

func (a *args) address(i int) common.Address { return read(a, i, decodeAddress) }
func (a *args) hash(i int) common.Hash       { return read(a, i, decodeHash) }
func (a *args) bytes(i int) []byte           { return read(a, i, decodeBytes) }
func (a *args) index(i int) uint64           { return read(a, i, decodeQuantity) }
func (a *args) flag(i int) bool              { return readOr(a, i, false, decodeBool) }
func (a *args) str(i int) string             { return read(a, i, decodeString) }

// block reads a block number or tag.
func (a *args) block(i int) blockRef { return read(a, i, decodeBlockNumber) }

// state reads an EIP-1898 block parameter, "latest" when it was not given.
func (a *args) state(i int) blockRef {
	return readOr(a, i, blockRef{tag: tagLatest}, decodeBlockRef)
}

// object decodes JSON parameter i into v; an absent optional one leaves v alone.
func (a *args) object(i int, v any, optional bool) {
	if optional && (a.err != nil || !a.has(i)) || !a.need(i) {
		return
	}
	if err := json.Unmarshal(a.raw[i], v); err != nil {
		a.fail(i, err)
	}
}

var (
	errWantString = errors.New("want a string")
	errHexPrefix  = errors.New("hex string without 0x prefix")
	errHexDigit   = errors.New("invalid hex string")
	errHexOdd     = errors.New("hex string of odd length")
)

// hexDigits returns the digits of a JSON string "0x…".
func hexDigits(raw []byte) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, errWantString
	}
	in := raw[1 : len(raw)-1]
	if len(in) < 2 || in[0] != '0' || in[1]|0x20 != 'x' {
		return nil, errHexPrefix
	}
	return in[2:], nil
}

func decodeFixed(dst, raw []byte, what string) error {
	digits, err := hexDigits(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(digits) != 2*len(dst) {
		return fmt.Errorf("%s: hex string has length %d, want %d", what, len(digits), 2*len(dst))
	}
	if err := unhex(dst, digits); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func decodeAddress(raw []byte) (a common.Address, err error) {
	err = decodeFixed(a[:], raw, "address")
	return a, err
}

func decodeHash(raw []byte) (h common.Hash, err error) {
	err = decodeFixed(h[:], raw, "hash")
	return h, err
}

// decodeBytes reads hex data; "0x" is empty.
func decodeBytes(raw []byte) ([]byte, error) {
	return decodeBytesIn(raw, func(n int) []byte { return make([]byte, n) })
}

// decodeBytesIn is decodeBytes into memory that room gives.
func decodeBytesIn(raw []byte, room func(n int) []byte) ([]byte, error) {
	digits, err := hexDigits(raw)
	if err != nil {
		return nil, err
	}
	if len(digits)%2 != 0 {
		return nil, errHexOdd
	}
	out := room(len(digits) / 2)
	return out, unhex(out, digits)
}

// decodeQuantity reads a hex quantity without leading zeros.
func decodeQuantity(raw []byte) (uint64, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return 0, errors.New("want a hex string")
	}
	return hexutil.DecodeUint64(string(raw[1 : len(raw)-1]))
}

// decodeCount reads a hex quantity or a decimal JSON number.
func decodeCount(raw []byte) (uint64, error) {
	if raw[0] == '"' {
		return decodeQuantity(raw)
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return 0, errors.New("want a whole number or a hex quantity of 64 bits")
	}
	return n, nil
}

func decodeBool(raw []byte) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("want true or false")
}

func decodeString(raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", errWantString
	}
	return unquote(raw), nil
}

// decodeSlot reads a storage key: up to 32 bytes of hex, with or without prefix.
func decodeSlot(raw []byte) (h common.Hash, err error) {
	s, err := decodeString(raw)
	if err != nil {
		return h, err
	}
	if len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	}
	if len(s)%2 != 0 {
		s = "0" + s
	}
	if len(s) > 64 {
		return h, errors.New("storage key too long (want at most 32 bytes)")
	}
	if err := unhex(h[32-len(s)/2:], []byte(s)); err != nil {
		return common.Hash{}, errors.New("invalid hex in storage key")
	}
	return h, nil
}

// blockTag says how a blockRef selects.
type blockTag uint8

const (
	tagNumber blockTag = iota
	tagHash
	tagEarliest
	tagFinalized
	tagSafe
	tagLatest
	tagPending
)

// blockRef is a block as a client names it.
type blockRef struct {
	tag    blockTag
	number uint64
	hash   common.Hash
}

func parseTag(s string) (blockTag, bool) {
	switch s {
	case "latest":
		return tagLatest, true
	case "pending":
		return tagPending, true
	case "safe":
		return tagSafe, true
	case "finalized":
		return tagFinalized, true
	case "earliest":
		return tagEarliest, true
	}
	return 0, false
}

// decodeBlockNumber reads a tag or a hex number.
func decodeBlockNumber(raw []byte) (blockRef, error) {
	s, err := decodeString(raw)
	if err != nil {
		return blockRef{}, errors.New("want a block number in hex or one of latest, pending, safe, finalized, earliest")
	}
	if tag, ok := parseTag(s); ok {
		return blockRef{tag: tag}, nil
	}
	n, err := hexutil.DecodeUint64(s)
	if err != nil {
		return blockRef{}, fmt.Errorf("block number %q: %w", clip(s), err)
	}
	if n > math.MaxInt64 {
		return blockRef{}, errors.New("block number larger than int64")
	}
	return blockRef{number: n}, nil
}

// decodeBlockRef reads a tag, a number, a hash, or an EIP-1898 object.
func decodeBlockRef(raw []byte) (blockRef, error) {
	if raw[0] == '"' {
		if len(raw) == 2+66 {
			h, err := decodeHash(raw)
			return blockRef{tag: tagHash, hash: h}, err
		}
		return decodeBlockNumber(raw)
	}
	if raw[0] != '{' {
		return blockRef{}, errors.New("want a block number, tag, hash or object")
	}
	var ref blockRef
	var err error
	numbers, hashes := 0, 0
	members(raw, func(key string, value []byte) {
		if err != nil || value[0] == 'n' {
			return
		}
		switch key {
		case "blockNumber":
			numbers++
			ref, err = decodeBlockNumber(value)
		case "blockHash":
			hashes++
			ref.tag = tagHash
			ref.hash, err = decodeHash(value)
		case "requireCanonical": // only canonical blocks are kept
			_, err = decodeBool(value)
		}
	})
	switch {
	case err != nil:
		return blockRef{}, err
	case numbers > 0 && hashes > 0:
		return blockRef{}, errors.New("cannot specify both BlockHash and BlockNumber, choose one or the other")
	case numbers+hashes == 0:
		return blockRef{}, errors.New("must specify either BlockHash or BlockNumber")
	}
	return ref, nil
}

// clip shortens what a client sent, for messages.
func clip(s string) string {
	const limit = 32
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}

// bigOf converts an optional JSON quantity.
func bigOf(b *hexutil.Big) *big.Int { return (*big.Int)(b) }
