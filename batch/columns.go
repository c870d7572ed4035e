package batch

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// The entropy-coded columns of a channel, in the order in which they are stored.
const (
	colBlocks      = iota // blocks and mini-blocks
	colShapes             // how transactions are put together
	colSenders            // senders and nonces
	colRecipients         // who is called
	colValues             // wei sent
	colFees               // gas limits and fees
	colCalldata           // words of calldata
	colDefinitions        // what the numbers of addresses stand for
	columnCount
)

const (
	mostChains    = 64
	mostSelectors = 128
	mostGases     = 1024
	mostNonces    = 1 << 17
	dictionaries  = room(1 << 18) // entries of all dictionaries of a channel
)

// columns are the columns of a channel while blocks are written to it or read from it.
// The same code does both.
type columns struct {
	col        [columnCount]column
	bytes      []byte // what is left to the byte compressor
	signatures []byte
	room       room
	addresses  addresses

	blocks blockModels
	txs    txModels
	sender senderModels

	// Reading: what is put together, and where each transaction ends. Writing: the
	// transactions' senders, zero where they are not known or of no use.
	minis   int // writing
	out     []byte
	limit   int // of out
	maxTx   int // bytes of a transaction; 0: no limit but the channel's
	ends    []uint32
	senders []common.Address
	record  record
	words   []byte // scratch for calldata
	assembly
}

// txModels are the models of transactions' fields, but for senders and nonces.
type txModels struct {
	shape     [shapes][8]odds
	last      shape
	length    numbers // of what is not taken apart
	chains    dictionary[uint64]
	create    odds
	data      [2][4]odds
	selectors dictionary[uint32]
	templates [firstSelector + mostSelectors]*template
	tips      amounts
	prices    amounts
	margins   [2]margins // of shapes with a price, of those with a fee cap
	access    odds
	accessLen numbers
	auths     numbers
	authChain dictionary[uint64]
	authNonce numbers
	authTo    numbered
}

// template is what transactions with the same selector, or of the same kind without one,
// have in common.
type template struct {
	to     numbered
	gases  dictionary[uint64]
	gas    numbers
	value  amounts
	length numbers // of calldata: in words, or without a selector in bytes
	named  odds
	words  [mostPositions]*wordModels
}

// Templates that are not a selector's. What is beyond the selectors that are remembered
// shares one.
const (
	templateTransfer = iota
	templateCreate
	templateBytes
	templateOther
	firstSelector
)

// template returns the template, which exists from its first use on.
func (m *txModels) template(i int) *template {
	if m.templates[i] == nil {
		m.templates[i] = new(template)
	}
	return m.templates[i]
}

func newColumns(writing bool) *columns {
	s := &columns{room: dictionaries}
	if writing {
		for i := range s.col {
			s.col[i] = newWriter()
		}
	}
	return s
}

func (s *columns) writing() bool { return s.col[0].writing }

// bad tells whether reading met what no writer makes.
func (s *columns) bad() bool {
	for i := range s.col {
		if s.col[i].bad {
			return true
		}
	}
	return false
}

// run is a piece of the byte column.
func (s *columns) run(n uint64, b []byte) []byte {
	if s.writing() {
		s.bytes = append(s.bytes, b...)
		return b
	}
	if n > uint64(len(s.bytes)) {
		s.col[0].bad = true
		return nil
	}
	b, s.bytes = s.bytes[:n:n], s.bytes[n:]
	return b
}

func (s *columns) sign(sig *signature) {
	if s.writing() {
		s.signatures = append(s.signatures, sig[:]...)
		return
	}
	if len(s.signatures) < len(sig) {
		s.col[0].bad = true
		return
	}
	*sig, s.signatures = signature(s.signatures), s.signatures[len(sig):]
}

// maxApart bounds the transactions that are taken apart, in bytes, and with it what
// putting one together takes.
const maxApart = 4 << 20

// maxAuthorizations bounds the authorizations of one that is taken apart.
const maxAuthorizations = 1 << 14

// left returns how many bytes of transactions may still be read.
func (s *columns) left() uint64 { return uint64(s.limit - len(s.out)) }

// leftWhole is left for one transaction.
func (s *columns) leftWhole() uint64 {
	if s.maxTx > 0 {
		return min(s.left(), uint64(s.maxTx))
	}
	return s.left()
}

// leftApart is left for one field of a transaction that is taken apart.
func (s *columns) leftApart() uint64 { return min(s.leftWhole(), maxApart) }

// write adds a transaction; sender may be zero.
func (s *columns) write(raw []byte, sender common.Address, timestamp uint64) {
	r := &s.record
	s.senders = append(s.senders, common.Address{})
	apart := false
	if len(raw) <= maxApart && r.parse(raw) && len(r.auths) <= maxAuthorizations && s.fits(r) {
		s.out = s.append(s.out[:0], r)
		apart = string(s.out) == string(raw)
	}
	if !apart {
		r.shape, r.data = shapeWhole, raw
	}
	s.transaction(r, sender, timestamp)
	if apart && len(raw) <= maxSourceBytes && (r.shape == shapeOldLegacy || s.isChain(r.chainID)) {
		s.senders[len(s.senders)-1] = sender
	}
}

// fits tells whether the addresses of a transaction can still be numbered.
func (s *columns) fits(r *record) bool {
	return s.addresses.count+2+len(r.auths)+len(r.data)/wordBytes <= MaxChannelAddresses
}

// isChain tells whether the chain id is the first of the channel.
func (s *columns) isChain(id uint64) bool {
	return len(s.txs.chains.keys) > 0 && s.txs.chains.keys[0] == id
}

// chainID is the first of the channel, 0 without one.
func (s *columns) chainID() uint64 {
	if len(s.txs.chains.keys) == 0 {
		return 0
	}
	return s.txs.chains.keys[0]
}

// read puts the next transaction behind out; false if it is not as a writer makes it.
func (s *columns) read(timestamp uint64) bool {
	r := &s.record
	*r = record{words: r.words[:0]}
	if n := cap(s.out); n-len(s.out) < 64<<10 && n < s.limit { // twice as much, never more than announced
		s.out = append(make([]byte, 0, min(s.limit, max(2*n, 256<<10))), s.out...)
	}
	start := len(s.out)
	s.transaction(r, common.Address{}, timestamp)
	if s.bad() {
		return false
	}
	if r.shape == shapeWhole {
		s.out = append(s.out, r.data...)
	} else {
		s.out = s.append(s.out, r)
		s.addresses.gaps = append(s.addresses.gaps, s.assembly.gaps...)
	}
	s.ends = append(s.ends, uint32(len(s.out)))
	return len(s.out) <= s.limit && (s.maxTx == 0 || len(s.out)-start <= s.maxTx)
}

// numbered codes an address. Writing, it notes where it was.
func (s *columns) number(col int, m *numbered, a common.Address) uint32 {
	n := s.col[col].address(&s.addresses, m, &s.room, a)
	if s.writing() {
		s.addresses.gaps = append(s.addresses.gaps, gap{uint32(len(s.senders) - 1), n})
	}
	return n
}

// transaction codes one transaction.
func (s *columns) transaction(r *record, sender common.Address, timestamp uint64) {
	m, c := &s.txs, &s.col[colShapes]
	r.shape = shape(c.tree(m.shape[m.last][:], 3, uint(r.shape)))
	if r.shape >= shapes {
		c.bad = true
		return
	}
	m.last = r.shape
	if r.shape == shapeWhole {
		n := c.number(&m.length, uint64(len(r.data)))
		if !s.writing() && (n == 0 || n > s.leftWhole()) {
			c.bad = true
			return
		}
		r.data = s.run(n, r.data)
		return
	}
	if r.shape != shapeOldLegacy {
		r.chainID = c.entry(&m.chains, &s.room, mostChains, r.chainID)
		if r.shape == shapeLegacy && r.chainID > (1<<64-37)/2 {
			c.bad = true
			return
		}
	}
	kind, t := s.call(r)
	self, named := s.nonce(r, t, sender)
	if !r.create {
		r.toNumber = s.number(colRecipients, &t.to, r.to)
	}
	r.gas = s.col[colFees].gas(t, &s.room, r.gas)
	s.fees(r)
	s.col[colValues].amount(&t.value, &s.room, &r.value)
	s.calldata(r, t, kind, wordContext{self: self, named: named, timestamp: timestamp})
	if r.shape >= shapeAccess {
		s.lists(r)
	}
	s.sign(&r.signature)
}

// entry codes a number by a dictionary, or in all its bits.
func (c *column) entry(d *dictionary[uint64], r *room, most int, v uint64) uint64 {
	if slot := d.code(c, v); slot >= 0 {
		return d.keys[slot]
	}
	v = c.direct(64, v)
	d.add(c, r, most, v)
	return v
}

func (c *column) gas(t *template, r *room, v uint64) uint64 {
	if slot := t.gases.code(c, v); slot >= 0 {
		return t.gases.keys[slot]
	}
	v = c.number(&t.gas, v)
	t.gases.add(c, r, mostGases, v)
	return v
}

func (s *columns) fees(r *record) {
	m, c := &s.txs, &s.col[colFees]
	if r.shape < shapeDynamic {
		c.margin(&m.margins[0], &m.prices, &s.room, &r.feeCap)
		return
	}
	c.amount(&m.tips, &s.room, &r.tip)
	var margin uint256.Int
	margin.Sub(&r.feeCap, &r.tip)
	c.margin(&m.margins[1], &m.prices, &s.room, &margin)
	r.feeCap.Add(&margin, &r.tip)
}

// What the calldata of a transaction is.
const (
	dataNone  = iota
	dataBytes // anything
	dataWords // a selector and whole words
	dataKinds
)

const (
	selectorBytes = 4
	wordBytes     = 32
)

// call codes what kind of call or creation this is, and the selector, which stands in
// the first bytes of data then.
func (s *columns) call(r *record) (kind int, t *template) {
	m, c := &s.txs, &s.col[colShapes]
	create := uint(0)
	if r.create {
		create = 1
	}
	create = c.bit(&m.create, create)
	r.create = create == 1
	n := len(r.data)
	switch {
	case n == 0:
		kind = dataNone
	case r.create || n < selectorBytes || (n-selectorBytes)%wordBytes != 0:
		kind = dataBytes
	default:
		kind = dataWords
	}
	kind = int(c.tree(m.data[create][:], 2, uint(kind)))
	switch {
	case kind == dataKinds || r.create && kind == dataWords:
		c.bad = true
		return dataNone, m.template(templateOther)
	case r.create:
		return kind, m.template(templateCreate)
	case kind == dataNone:
		return kind, m.template(templateTransfer)
	case kind == dataBytes:
		return kind, m.template(templateBytes)
	}
	selector := uint32(0)
	if s.writing() {
		selector = binary.BigEndian.Uint32(r.data)
	}
	slot := m.selectors.code(c, selector)
	if slot >= 0 {
		selector = m.selectors.keys[slot]
	} else {
		selector = uint32(c.direct(32, uint64(selector)))
		slot = m.selectors.add(c, &s.room, mostSelectors, selector)
	}
	if !s.writing() {
		r.data = binary.BigEndian.AppendUint32(s.words[:0], selector)
	}
	if slot < 0 {
		return kind, m.template(templateOther)
	}
	return kind, m.template(firstSelector + slot)
}

// lists codes the access list and the authorizations.
func (s *columns) lists(r *record) {
	m, c := &s.txs, &s.col[colShapes]
	empty := uint(0)
	if len(r.access) == 1 {
		empty = 1
	}
	if c.bit(&m.access, empty) == 1 {
		r.access = emptyList
	} else {
		n := c.number(&m.accessLen, uint64(len(r.access)))
		if !s.writing() && n > s.leftApart() {
			c.bad = true
			return
		}
		r.access = s.run(n, r.access)
		if f := (fields{rest: r.access}); !s.writing() {
			if f.list(); f.bad || len(f.rest) > 0 || len(r.access) == 1 {
				c.bad = true
				return
			}
		}
	}
	if r.shape != shapeSetCode {
		return
	}
	n := c.number(&m.auths, uint64(len(r.auths)))
	if !s.writing() {
		if n > maxAuthorizations || n > uint64(len(s.signatures))/64 {
			c.bad = true
			return
		}
		r.auths = make([]authorization, n)
	}
	for i := range r.auths {
		a := &r.auths[i]
		a.chainID = c.entry(&m.authChain, &s.room, mostChains, a.chainID)
		a.number = s.number(colRecipients, &m.authTo, a.address)
		a.nonce = s.col[colSenders].number(&m.authNonce, a.nonce)
		s.sign(&a.signature)
	}
}

var emptyList = []byte{0xc0}
