package rpc

import (
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// rawJSON is an encoded result.
type rawJSON []byte

// Encoded results that never change.
const (
	jsonNull  = "null"
	jsonTrue  = "true"
	jsonFalse = "false"
)

// writer appends JSON without reflection. Commas place themselves.
type writer struct {
	b     []byte
	comma bool
}

func newWriter(size int) *writer { return &writer{b: make([]byte, 0, size)} }

func (w *writer) sep() {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
}

// open starts an object or array, shut ends it.
func (w *writer) open(c byte) {
	w.sep()
	w.b = append(w.b, c)
	w.comma = false
}

func (w *writer) shut(c byte) {
	w.b = append(w.b, c)
	w.comma = true
}

// key writes a member's name, which needs no escapes; its value must follow.
func (w *writer) key(name string) *writer {
	w.sep()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
	w.comma = false
	return w
}

func (w *writer) raw(s string) {
	w.sep()
	w.b = append(w.b, s...)
}

func (w *writer) rawBytes(s []byte) {
	w.sep()
	w.b = append(w.b, s...)
}

func (w *writer) null() { w.raw(jsonNull) }

func (w *writer) bool(v bool) {
	if v {
		w.raw(jsonTrue)
	} else {
		w.raw(jsonFalse)
	}
}

// qty writes a hex quantity.
func (w *writer) qty(v uint64) {
	w.sep()
	w.b = append(w.b, '"', '0', 'x')
	w.b = strconv.AppendUint(w.b, v, 16)
	w.b = append(w.b, '"')
}

// big writes a hex quantity; nil is zero.
func (w *writer) big(v *big.Int) {
	if v == nil {
		w.raw(`"0x0"`)
		return
	}
	w.sep()
	w.b = append(w.b, '"', '0', 'x')
	w.b = v.Append(w.b, 16)
	w.b = append(w.b, '"')
}

// wei writes a hex quantity.
func (w *writer) wei(v *uint256.Int) {
	if v.IsUint64() {
		w.qty(v.Uint64())
		return
	}
	w.big(v.ToBig())
}

// hex writes data.
func (w *writer) hex(v []byte) {
	w.sep()
	w.b = append(w.b, '"', '0', 'x')
	w.b = hex.AppendEncode(w.b, v)
	w.b = append(w.b, '"')
}

// hashOrNull writes null for the zero hash.
func (w *writer) hashOrNull(h common.Hash) {
	if h == (common.Hash{}) {
		w.null()
		return
	}
	w.hex(h[:])
}

// addressOrNull writes null for nil.
func (w *writer) addressOrNull(a *common.Address) {
	if a == nil {
		w.null()
		return
	}
	w.hex(a[:])
}

// str writes a string of our own that needs no escapes.
func (w *writer) str(s string) {
	w.sep()
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// text writes any string.
func (w *writer) text(s string) {
	enc, err := json.Marshal(s)
	if err != nil {
		enc = []byte(`""`)
	}
	w.rawBytes(enc)
}

// float writes a finite number.
func (w *writer) float(v float64) {
	w.sep()
	w.b = strconv.AppendFloat(w.b, v, 'g', -1, 64)
}

func quantity(v uint64) rawJSON {
	w := newWriter(24)
	w.qty(v)
	return w.b
}

func bigQuantity(v *big.Int) rawJSON {
	w := newWriter(72)
	w.big(v)
	return w.b
}

func hexData(v []byte) rawJSON { return appendHexData(make([]byte, 0, 2*len(v)+4), v) }

// hashAnswer is the length of a hash as hex data.
const hashAnswer = 2*common.HashLength + 4

// appendHexData appends the bytes as hex data.
func appendHexData(out, v []byte) rawJSON {
	return append(hex.AppendEncode(append(out, `"0x`...), v), '"')
}

// int writes a decimal number.
func (w *writer) int(v int) {
	w.sep()
	w.b = strconv.AppendInt(w.b, int64(v), 10)
}

func u64(v uint64) string { return strconv.FormatUint(v, 10) }
