package chain

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/secp256k1"
)

// maxPlainBytes bounds the transactions that are decoded as plain ones.
const maxPlainBytes = 4096

// plain is what is left of a plain transaction when its fields are read: one of type 0
// or 2 without an access list, which is what nearly all are. Everything else, and
// everything that is not as it should be, is for go-ethereum's decoder, so that what is
// refused, and why, is its decision.
type plain struct {
	chainID   uint64
	protected bool   // by a chain id; only old legacy transactions are not
	fields    []byte // the encoded fields that are signed
	signature secp256k1.Signature
}

// readPlain reads a plain transaction into t. False means that raw is not one; t may
// then hold anything.
func (t *Tx) readPlain(raw []byte, p *plain) bool {
	if len(raw) == 0 || len(raw) > maxPlainBytes {
		return false
	}
	t.raw, t.listless = raw, true
	switch {
	case raw[0] == types.DynamicFeeTxType:
		return t.readDynamicFee(raw[1:], p)
	case raw[0] >= 0xc0:
		return t.readLegacy(raw, p)
	}
	return false
}

func (t *Tx) readDynamicFee(list []byte, p *plain) bool {
	r := openList(list)
	all := r.rest
	t.typ = types.DynamicFeeTxType
	p.chainID, p.protected = r.uint64(), true
	t.nonce = r.uint64()
	r.word(&t.tipCap)
	r.word(&t.feeCap)
	t.readCall(&r)
	if len(r.rest) == 0 || r.rest[0] != 0xc0 {
		return false
	}
	r.rest = r.rest[1:]
	p.fields = all[:len(all)-len(r.rest)]
	v := r.uint64()
	p.signature.V = byte(v)
	return v <= 1 && r.signature(&p.signature)
}

func (t *Tx) readLegacy(list []byte, p *plain) bool {
	r := openList(list)
	all := r.rest
	t.typ = types.LegacyTxType
	t.nonce = r.uint64()
	r.word(&t.feeCap)
	t.tipCap = t.feeCap
	t.readCall(&r)
	p.fields = all[:len(all)-len(r.rest)]
	switch v := r.uint64(); {
	case v == 27 || v == 28:
		p.chainID, p.protected, p.signature.V = 0, false, byte(v-27)
	case v >= 35: // EIP-155
		p.chainID, p.protected, p.signature.V = (v-35)/2, true, byte((v-35)&1)
	default:
		return false
	}
	return r.signature(&p.signature)
}

// readCall reads gas limit, recipient, value and data, which follow each other in both
// types.
func (t *Tx) readCall(r *listReader) {
	t.gas = r.uint64()
	switch to := r.str(); len(to) {
	case 0:
		t.to = nil
	case common.AddressLength:
		t.recipient = common.Address(to)
		t.to = &t.recipient
	default:
		r.bad = true
	}
	r.word(&t.value)
	t.data = r.str()
}

// addSigned adds the message whose hash is signed to the batch.
func (p *plain) addSigned(typ byte, b *keccak.Batch) {
	const most = 1 + 9 // the type, and the head of the list
	out := b.Room(most + len(p.fields) + 9 + 2)
	size := len(p.fields)
	var tail [11]byte
	end := tail[:0]
	if typ == types.LegacyTxType && p.protected {
		end = append(rlp.AppendUint64(end, p.chainID), 0x80, 0x80)
		size += len(end)
	}
	if typ != types.LegacyTxType {
		out = append(out, typ)
	}
	out = AppendListHead(out, uint64(size))
	out = append(append(out, p.fields...), end...)
	b.Added(0, len(out))
}

// listReader reads canonical RLP. What is not sets bad, and later reads mean nothing.
type listReader struct {
	rest []byte
	bad  bool
}

// openList reads the content of a list that takes up all of b.
func openList(b []byte) listReader {
	content, rest, err := rlp.SplitList(b)
	if err != nil || len(rest) > 0 {
		return listReader{bad: true}
	}
	return listReader{rest: content}
}

func (r *listReader) str() []byte {
	if len(r.rest) == 0 {
		r.bad = true
		return nil
	}
	head := r.rest[0]
	if head < 0x80 {
		s := r.rest[:1:1]
		r.rest = r.rest[1:]
		return s
	}
	if head < 0xb8 {
		n := int(head - 0x80)
		if len(r.rest) < 1+n || n == 1 && r.rest[1] < 0x80 {
			r.bad = true
			return nil
		}
		s := r.rest[1 : 1+n : 1+n]
		r.rest = r.rest[1+n:]
		return s
	}
	s, rest, err := rlp.SplitString(r.rest)
	if err != nil {
		r.bad = true
		return nil
	}
	r.rest = rest
	return s[:len(s):len(s)]
}

// number reads the bytes of an integer without leading zeros.
func (r *listReader) number(most int) []byte {
	s := r.str()
	if len(s) > most || len(s) > 0 && s[0] == 0 {
		r.bad = true
		return nil
	}
	return s
}

func (r *listReader) uint64() (v uint64) {
	for _, c := range r.number(8) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *listReader) word(v *uint256.Int) { v.SetBytes(r.number(32)) }

// halfOrder is half the order of secp256k1's group, rounded down: a larger s is
// malleable (EIP-2).
var halfOrder = [32]byte{
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
}

// signature reads r and s, with which the list ends; false if they or anything before
// them is not as it should be.
func (r *listReader) signature(s *secp256k1.Signature) bool {
	s.R, s.S = [32]byte{}, [32]byte{}
	b := r.number(32)
	copy(s.R[32-len(b):], b)
	b = r.number(32)
	copy(s.S[32-len(b):], b)
	return !r.bad && len(r.rest) == 0 && string(s.S[:]) <= string(halfOrder[:])
}
