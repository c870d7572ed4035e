package snapshot

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/state"
)

// Builder divides into pieces what it is given: the state first, as store.DB streams it, of
// which it is a StateLoader, then the block. Emit gets each content, which it may keep;
// after an error nothing more is emitted.
type Builder struct {
	Emit func(*Content) error
	// PieceBytes is how large the encoding of a content becomes, about; those of the state
	// stay within their bounds [PieceBytes].
	PieceBytes int

	Accounts, Codes, Slots uint64 // so far

	content Content
	size    int // of content, about
	err     error
}

// Sizes of encodings, about.
const (
	accountBytes = 40
	codedBytes   = 33 // with the hash of its code
	slotBytes    = 48
	minBytes     = 60 // of any item, so that not too many are in one content
)

// Err is the error of Emit, after which what is added is lost.
func (b *Builder) Err() error { return b.err }

// FinishState emits what is left of the state.
func (b *Builder) FinishState() error {
	b.flush()
	return b.err
}

// AddBlock emits a block and the headers before it, behind the state.
func (b *Builder) AddBlock(base *Base) error {
	b.flush()
	for _, h := range base.Ancestors {
		b.content.Headers = append(b.content.Headers, h)
		b.grow(700)
	}
	block := base.Block
	for i, h := range block.MiniBlocks {
		m := MiniBlock{Header: h, Signature: base.Signatures[i]}
		size := 400
		for k := h.FirstTxIndex; k < h.FirstTxIndex+h.TxCount; k++ {
			tx, receipt := block.Txs[k].Raw(), block.Receipts[k].StoredBinary()
			m.Txs, m.Receipts = append(m.Txs, tx), append(m.Receipts, receipt)
			size += len(tx) + len(receipt)
		}
		if b.size > 0 && b.size+size > b.limit() {
			b.flush()
		}
		b.content.MiniBlocks = append(b.content.MiniBlocks, m)
		b.grow(size)
	}
	b.flush()
	return b.err
}

// LoadAccount takes an account.
func (b *Builder) LoadAccount(addr common.Address, a state.Account) {
	b.Accounts++
	b.content.Accounts = append(b.content.Accounts, Account{addr, a})
	b.grow(accountBytes + codedBytes)
}

// LoadCode takes a code and returns its hash.
func (b *Builder) LoadCode(code []byte) common.Hash {
	b.Codes++
	if b.size > 0 && b.size+len(code) > MaxStateBytes/2 {
		b.flush()
	}
	b.content.Codes = append(b.content.Codes, bytes.Clone(code))
	b.grow(max(len(code), minBytes) + 4)
	return (&state.AccountDiff{Code: code}).NewCodeHash()
}

// LoadSlot takes a slot.
func (b *Builder) LoadSlot(addr common.Address, slot, value common.Hash) {
	b.Slots++
	b.content.Slots = append(b.content.Slots, Slot{addr, slot, value})
	b.grow(slotBytes)
}

func (b *Builder) limit() int {
	if b.PieceBytes == 0 {
		return PieceBytes
	}
	return min(b.PieceBytes, 2*PieceBytes)
}

func (b *Builder) grow(size int) {
	if b.size += size; b.size >= b.limit() {
		b.flush()
	}
}

// flush emits what was collected.
func (b *Builder) flush() {
	if b.size > 0 && b.err == nil {
		c := b.content
		b.err = b.Emit(&c)
	}
	b.content, b.size = Content{}, 0
}
