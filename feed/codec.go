package feed

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

// attributesRLP are a block's attributes; Params are those of the block, or zero.
type attributesRLP struct {
	Timestamp    uint64
	PrevRandao   common.Hash
	ParentBeacon common.Hash
	Params       chain.BlockParams
	BaseFee      *big.Int `rlp:"optional"` // nil but on a development chain
}

// Encode is the uncompressed encoding (docs/spec/feed.md).
func (m *MiniBlock) Encode() []byte {
	a := &m.Attributes
	header := mustEncode(&m.Header)
	attributes := mustEncode(&attributesRLP{a.Timestamp, a.PrevRandao, a.ParentBeacon, a.Params, a.BaseFee})
	raws, senders := uint64(0), uint64(len(m.Txs)*common.AddressLength)
	for _, tx := range m.Txs {
		raws += rlp.BytesSize(tx.Raw())
	}
	size := uint64(len(header)) + rlp.BytesSize(m.Signature[:]) + uint64(len(attributes)) + rlp.ListSize(raws) +
		rlp.ListSize(senders) + uint64(chain.StoredReceiptsSize(m.Receipts)) + rlp.BytesSize(m.Diff)
	out := make([]byte, 0, rlp.ListSize(size))
	out = append(chain.AppendListHead(out, size), header...)
	out = append(chain.AppendString(out, m.Signature[:]), attributes...)
	out = chain.AppendListHead(out, raws)
	for _, tx := range m.Txs {
		out = chain.AppendString(out, tx.Raw())
	}
	if senders == 0 {
		out = append(out, 0x80)
	} else {
		out = chain.AppendStringHead(out, senders)
	}
	for _, tx := range m.Txs {
		from := tx.From()
		out = append(out, from[:]...)
	}
	out = chain.AppendStoredReceipts(out, m.Receipts)
	return chain.AppendString(out, m.Diff)
}

// DecodeMiniBlock reads what Encode makes. The result keeps parts of raw. It checks that
// there are as many transactions, senders and receipts as the header says, and no hash.
func DecodeMiniBlock(raw []byte) (*MiniBlock, error) {
	m := &MiniBlock{MiniBlock: new(chain.MiniBlock)}
	if err := m.decode(raw); err != nil {
		return nil, fmt.Errorf("mini-block: %w: %w", ErrMalformed, err)
	}
	return m, nil
}

// parts are those of a mini-block.
type parts struct {
	header                 chain.MiniBlockHeader
	signature              chain.Signature
	attributes             attributesRLP
	txs, senders, receipts []byte // contents of the lists
	diff                   []byte
}

// split reads the parts, of which it checks how many senders there are.
func split(raw []byte) (p parts, err error) {
	r, err := open(raw)
	if err != nil {
		return p, err
	}
	r.value(&p.header)
	copy(p.signature[:], r.fixed(len(p.signature)))
	r.value(&p.attributes)
	p.txs, p.senders, p.receipts, p.diff = r.list(), r.str(), r.list(), r.str()
	if err := r.end(); err != nil {
		return p, err
	}
	if n := p.header.TxCount; n > chain.MaxMiniBlockTxs || uint64(len(p.senders)) != n*common.AddressLength {
		return p, fmt.Errorf("%d transactions, %d bytes of senders", n, len(p.senders))
	}
	return p, nil
}

func (m *MiniBlock) decode(raw []byte) error {
	p, err := split(raw)
	if err != nil {
		return err
	}
	a := &p.attributes
	m.Header, m.Signature, m.Diff = p.header, p.signature, p.diff
	m.Attributes = chain.Attributes{Timestamp: a.Timestamp, PrevRandao: a.PrevRandao, ParentBeacon: a.ParentBeacon, Params: a.Params, BaseFee: a.BaseFee}
	if err := m.decodeTxs(p.txs, p.senders); err != nil {
		return err
	}
	return m.decodeReceipts(p.receipts)
}

// DecodeRawMiniBlock reads what MiniBlock.Encode makes and leaves transactions and receipts
// as they are. The result keeps raw. It checks that there are as many as the header says.
func DecodeRawMiniBlock(raw []byte) (*RawMiniBlock, error) {
	p, err := split(raw)
	m := &RawMiniBlock{RawMiniBlock: chain.RawMiniBlock{Header: p.header, Signature: p.signature, Diff: p.diff}, Encoded: raw}
	if err == nil {
		n := int(p.header.TxCount)
		m.Senders = make([]common.Address, n)
		for i := range m.Senders {
			m.Senders[i] = common.Address(p.senders[i*common.AddressLength:])
		}
		if m.Txs, err = stringsOf(p.txs, n); err == nil {
			m.Receipts, err = stringsOf(p.receipts, n)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mini-block: %w: %w", ErrMalformed, err)
	}
	return m, nil
}

// stringsOf are the strings of a list with that content and that many of them.
func stringsOf(list []byte, n int) ([][]byte, error) {
	out, r := make([][]byte, n), reader{rest: list}
	for i := range out {
		out[i] = r.str()
	}
	return out, r.end()
}

func (m *MiniBlock) decodeTxs(list, senders []byte) error {
	n := int(m.Header.TxCount)
	m.Txs = make([]*chain.Tx, 0, n)
	r := reader{rest: list}
	for i := range n {
		raw := r.str()
		if r.err != nil {
			return fmt.Errorf("transaction %d: %w", i, r.err)
		}
		tx, err := chain.RestoreTx(raw, common.Address(senders[i*common.AddressLength:]))
		if err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
		m.Txs = append(m.Txs, tx)
	}
	return r.end()
}

func (m *MiniBlock) decodeReceipts(list []byte) error {
	n := int(m.Header.TxCount)
	m.Receipts = make([]*chain.Receipt, 0, n)
	r := reader{rest: list}
	for i := range n {
		raw := r.str()
		if r.err != nil {
			return fmt.Errorf("receipt %d: %w", i, r.err)
		}
		receipt, err := chain.UnmarshalStoredReceipt(raw)
		if err != nil {
			return fmt.Errorf("receipt %d: %w", i, err)
		}
		m.Receipts = append(m.Receipts, receipt)
	}
	if err := r.end(); err != nil {
		return err
	}
	return m.fillReceipts()
}

// fillReceipts sets what follows from the mini-block itself.
func (m *MiniBlock) fillReceipts() error {
	if len(m.Receipts) == 0 {
		return nil
	}
	last := m.Receipts[len(m.Receipts)-1].CumulativeGasUsed
	if last < m.Header.GasUsed {
		return fmt.Errorf("%d gas used, %d in the block up to its end", m.Header.GasUsed, last)
	}
	before := last - m.Header.GasUsed
	for i, r := range m.Receipts {
		tx := m.Txs[i]
		if r.Type != tx.Type() || r.CumulativeGasUsed < before {
			return fmt.Errorf("receipt %d does not follow from the ones before and its transaction", i)
		}
		r.Follow(tx, before)
		before = r.CumulativeGasUsed
		for _, log := range r.Logs {
			log.TxHash, log.TxIndex = r.TxHash, uint(m.Header.FirstTxIndex)+uint(i)
		}
	}
	return nil
}

// Encode is the uncompressed encoding.
func (b *Block) Encode() []byte { return mustEncode(b) }

// DecodeBlock reads what Encode makes.
func DecodeBlock(raw []byte) (*Block, error) {
	b := new(Block)
	if err := rlp.DecodeBytes(raw, b); err != nil {
		return nil, fmt.Errorf("block: %w: %w", ErrMalformed, err)
	}
	if b.Header.Number == nil || !b.Header.Number.IsUint64() {
		return nil, fmt.Errorf("block: %w: number %v", ErrMalformed, b.Header.Number)
	}
	return b, nil
}

// Encode is the uncompressed encoding.
func (w *Witness) Encode() []byte { return mustEncode(w) }

// DecodeWitness reads what Encode makes. The result keeps parts of raw.
func DecodeWitness(raw []byte) (*Witness, error) {
	w := &Witness{Witness: new(chain.Witness)}
	r, err := open(raw)
	if err == nil {
		w.Number = r.uint64()
		w.Hash = common.Hash(r.fixed(common.HashLength))
		lists := reader{rest: r.list()}
		if err = r.end(); err == nil {
			w.Witness.Headers = lists.headers()
			w.Witness.Codes, w.Witness.State = lists.strings(MaxWitnessCodes), lists.strings(MaxWitnessNodes)
			lists.strings(0) // keys, of which none are recorded
			if err = lists.end(); err == nil && len(w.Witness.Headers) == 0 {
				err = errors.New("no header")
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("witness: %w: %w", ErrMalformed, err)
	}
	return w, nil
}

// Encode is the uncompressed encoding.
func (a *Attestation) Encode() []byte { return mustEncode(a) }

// DecodeAttestation reads what Encode makes.
func DecodeAttestation(raw []byte) (*Attestation, error) {
	a := new(Attestation)
	if err := rlp.DecodeBytes(raw, a); err != nil {
		return nil, fmt.Errorf("attestation: %w: %w", ErrMalformed, err)
	}
	return a, nil
}

func mustEncode(v any) []byte {
	out, err := rlp.EncodeToBytes(v)
	if err != nil {
		panic(fmt.Sprintf("encode feed message: %v", err)) // own value: cannot fail
	}
	return out
}
