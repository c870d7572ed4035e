package batch

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// shape says how a transaction is put together.
type shape uint8

const (
	shapeWhole     shape = iota // not taken apart
	shapeOldLegacy              // type 0 without chain id
	shapeLegacy                 // type 0 with chain id (EIP-155)
	shapeAccess                 // type 1
	shapeDynamic                // type 2
	shapeSetCode                // type 4
	shapes
)

// record is a transaction taken apart.
type record struct {
	shape       shape
	chainID     uint64
	nonce       uint64
	tip, feeCap uint256.Int // cap is the price of types 0 and 1
	gas         uint64
	create      bool
	to          common.Address
	value       uint256.Int
	data        []byte
	access      []byte // the access list with its head
	auths       []authorization
	signature   signature

	toNumber uint32   // reading: number of the recipient
	words    []wordOf // reading: addresses in data
}

// wordOf says that the word of the calldata is an address.
type wordOf struct{ word, number uint32 }

// authorization is one of EIP-7702.
type authorization struct {
	chainID   uint64
	address   common.Address
	number    uint32 // reading: of the address
	nonce     uint64
	signature signature
}

// signature is one with s below 2^255, as valid ones have it, and the parity of y in its
// place (EIP-2098).
type signature [64]byte

// fields reads canonical RLP.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) bytes(most int) []byte {
	s, rest, err := rlp.SplitString(f.rest)
	if err != nil || len(s) > most {
		f.bad = true
		return nil
	}
	f.rest = rest
	return s
}

func (f *fields) list() (content, whole []byte) {
	content, rest, err := rlp.SplitList(f.rest)
	if err != nil {
		f.bad = true
		return nil, nil
	}
	whole = f.rest[: len(f.rest)-len(rest) : len(f.rest)-len(rest)]
	f.rest = rest
	return content, whole
}

// number reads the bytes of a number without leading zeros.
func (f *fields) number(most int) []byte {
	s := f.bytes(most)
	if len(s) > 0 && s[0] == 0 {
		f.bad = true
	}
	return s
}

func (f *fields) uint64() (v uint64) {
	for _, b := range f.number(8) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (f *fields) word(v *uint256.Int) { v.SetBytes(f.number(32)) }

func (f *fields) signature(odd uint64, s *signature) {
	b := f.number(32)
	clear(s[:32-len(b)])
	copy(s[32-len(b):], b)
	b = f.number(32)
	clear(s[32 : 64-len(b)])
	copy(s[64-len(b):], b)
	if s[32] >= 0x80 || odd > 1 {
		f.bad = true
	}
	s[32] |= byte(odd) << 7
}

// parse takes a transaction apart; false if it is not one whose fields make exactly it
// again.
func (t *record) parse(raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	t.access, t.auths = nil, t.auths[:0]
	switch raw[0] {
	case types.AccessListTxType:
		t.shape = shapeAccess
	case types.DynamicFeeTxType:
		t.shape = shapeDynamic
	case types.SetCodeTxType:
		t.shape = shapeSetCode
	default:
		if raw[0] < 0xc0 {
			return false
		}
		t.shape = shapeLegacy
	}
	f := fields{rest: raw}
	if t.shape != shapeLegacy {
		f.rest = raw[1:]
	}
	content, _ := f.list()
	if f.bad || len(f.rest) > 0 {
		return false
	}
	f.rest = content
	if t.shape != shapeLegacy {
		t.chainID = f.uint64()
	}
	t.nonce = f.uint64()
	t.tip.Clear()
	if t.shape >= shapeDynamic {
		f.word(&t.tip)
	}
	f.word(&t.feeCap)
	t.gas = f.uint64()
	to := f.bytes(20)
	if t.create = len(to) == 0; !t.create {
		if len(to) != 20 {
			return false
		}
		t.to = common.Address(to)
	}
	f.word(&t.value)
	t.data = f.bytes(len(raw))
	if t.shape != shapeLegacy {
		_, t.access = f.list()
	}
	if t.shape == shapeSetCode {
		t.parseAuthorizations(&f)
	}
	odd := f.uint64()
	if t.shape == shapeLegacy {
		switch {
		case odd == 27 || odd == 28:
			t.shape, t.chainID, odd = shapeOldLegacy, 0, odd-27
		case odd >= 35:
			t.chainID, odd = (odd-35)/2, (odd-35)&1
		default:
			return false
		}
	}
	f.signature(odd, &t.signature)
	return !f.bad && len(f.rest) == 0
}

func (t *record) parseAuthorizations(f *fields) {
	content, _ := f.list()
	l := fields{rest: content}
	for len(l.rest) > 0 && !l.bad {
		tuple, _ := l.list()
		e := fields{rest: tuple}
		a := authorization{chainID: e.uint64()}
		address := e.bytes(20)
		if len(address) != 20 {
			f.bad = true
			return
		}
		a.address = common.Address(address)
		a.nonce = e.uint64()
		odd := e.uint64()
		e.signature(odd, &a.signature)
		if e.bad || len(e.rest) > 0 {
			f.bad = true
			return
		}
		t.auths = append(t.auths, a)
	}
	f.bad = f.bad || l.bad
}

// assembly puts transactions together.
type assembly struct {
	content, list []byte
	gaps          []gap // in content
}

func appendNumber(out, b []byte) []byte {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return chain.AppendString(out, b)
}

func appendWord(out []byte, v *uint256.Int) []byte {
	if v.IsUint64() {
		return rlp.AppendUint64(out, v[0])
	}
	b := v.Bytes32()
	return appendNumber(out, b[:])
}

func appendSignature(out []byte, s *signature) []byte {
	out = appendNumber(out, s[:32])
	b := [32]byte(s[32:])
	b[0] &= 0x7f
	return appendNumber(out, b[:])
}

// append writes the transaction to out. The gaps are those of out then.
func (a *assembly) append(out []byte, t *record) []byte {
	a.gaps = a.gaps[:0]
	b := a.content[:0]
	if t.shape > shapeLegacy {
		b = rlp.AppendUint64(b, t.chainID)
	}
	b = rlp.AppendUint64(b, t.nonce)
	if t.shape >= shapeDynamic {
		b = appendWord(b, &t.tip)
	}
	b = appendWord(b, &t.feeCap)
	b = rlp.AppendUint64(b, t.gas)
	if t.create {
		b = append(b, 0x80)
	} else {
		b = append(b, 0x80+20)
		a.gaps = append(a.gaps, gap{uint32(len(b)), t.toNumber})
		b = append(b, t.to[:]...)
	}
	b = appendWord(b, &t.value)
	b = chain.AppendString(b, t.data)
	for _, w := range t.words {
		a.gaps = append(a.gaps, gap{uint32(len(b) - len(t.data) + selectorBytes + wordBytes*int(w.word) + 12), w.number})
	}
	b = append(b, t.access...)
	if t.shape == shapeSetCode {
		b = a.appendAuthorizations(b, t.auths)
	}
	odd := uint64(t.signature[32] >> 7)
	switch t.shape {
	case shapeOldLegacy:
		odd += 27
	case shapeLegacy:
		odd += 35 + 2*t.chainID
	}
	b = rlp.AppendUint64(b, odd)
	b = appendSignature(b, &t.signature)
	a.content = b

	switch t.shape {
	case shapeAccess:
		out = append(out, types.AccessListTxType)
	case shapeDynamic:
		out = append(out, types.DynamicFeeTxType)
	case shapeSetCode:
		out = append(out, types.SetCodeTxType)
	}
	out = chain.AppendListHead(out, uint64(len(b)))
	for i := range a.gaps {
		a.gaps[i].at += uint32(len(out))
	}
	return append(out, b...)
}

func (a *assembly) appendAuthorizations(out []byte, auths []authorization) []byte {
	l := a.list[:0]
	var tuple []byte
	var gaps []gap
	for i := range auths {
		e := &auths[i]
		tuple = rlp.AppendUint64(tuple[:0], e.chainID)
		tuple = append(tuple, 0x80+20)
		at := len(tuple)
		tuple = append(tuple, e.address[:]...)
		tuple = rlp.AppendUint64(tuple, e.nonce)
		tuple = rlp.AppendUint64(tuple, uint64(e.signature[32]>>7))
		tuple = appendSignature(tuple, &e.signature)
		l = chain.AppendListHead(l, uint64(len(tuple)))
		gaps = append(gaps, gap{uint32(len(l) + at), e.number})
		l = append(l, tuple...)
	}
	a.list = l
	out = chain.AppendListHead(out, uint64(len(l)))
	for _, g := range gaps {
		a.gaps = append(a.gaps, gap{g.at + uint32(len(out)), g.number})
	}
	return append(out, l...)
}
