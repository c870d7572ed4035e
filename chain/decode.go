package chain

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/secp256k1"
)

// Decoder decodes signed transactions many at a time: hashes and senders are found for
// several together, and what the L1 data fee depends on, too. It holds memory only, and is
// for one goroutine.
type Decoder struct {
	cfg        *Config
	batch      keccak.Batch
	hashes     []common.Hash
	plain      []plain
	signatures []secp256k1.Signature
	recovered  []secp256k1.Recovered
	which      []int // of the list each of plain is
	made       []*Tx // for each of plain
	places     []int // in hashes, of the signed message of each of plain; the hash follows
	believed   []believed
	hinted     *hinted
	lz         FastLZ
}

// believed is a plain transaction whose sender somebody vouches for.
type believed struct {
	tx   *Tx
	of   int // index in the list
	hash int // in hashes
}

// madeTogether transactions share an allocation. One that is kept keeps the others with it.
const madeTogether = 4

// NewDecoder makes a decoder for the chain of cfg.
func NewDecoder(cfg *Config) *Decoder { return &Decoder{cfg: cfg} }

// Decode does for each of raws what DecodeTx does. txs and errs must be as long as raws;
// of each index exactly one is set.
func (d *Decoder) Decode(raws [][]byte, txs []*Tx, errs []error) {
	d.DecodeHinted(raws, nil, txs, errs)
}

// DecodeHinted is Decode with hints: senders[i] is who is said to have signed raws[i],
// zero if nobody says so; nil is no hints. They change neither what is accepted nor who
// the senders are, only the cost: many signatures of a sender whose public key is known
// from an earlier transaction with a hint are proven to be by that key, instead of
// recovering it. With hints the decoder holds up to 8 MB.
func (d *Decoder) DecodeHinted(raws [][]byte, senders []common.Address, txs []*Tx, errs []error) {
	d.DecodeVouched(raws, senders, nil, txs, errs)
}

// DecodeVouched is DecodeHinted, but where vouched[i] is set senders[i] is taken to have
// signed raws[i], without looking at the signature: a Checker must do that later. Only plain
// transactions are, as nearly all are; it clears vouched[i] for the others. nil: nobody
// vouches.
func (d *Decoder) DecodeVouched(raws [][]byte, senders []common.Address, vouched []bool, txs []*Tx, errs []error) {
	d.plain, d.which, d.places = d.plain[:0], d.which[:0], d.places[:0]
	d.made, d.believed = d.made[:0], d.believed[:0]
	var some []Tx
	for i, raw := range raws {
		if len(some) == 0 {
			some = make([]Tx, min(madeTogether, len(raws)-i))
		}
		t := &some[0]
		some = some[1:]
		d.plain = append(d.plain, plain{})
		p := &d.plain[len(d.plain)-1]
		small := uint64(len(raw)) <= d.cfg.MaxTxBytes
		if !small || !t.readPlain(raw, p) || p.protected && p.chainID != d.cfg.ChainID {
			d.plain = d.plain[:len(d.plain)-1]
			txs[i], errs[i] = DecodeTx(raw, d.cfg)
			if vouched != nil {
				vouched[i] = false
			}
			continue
		}
		if vouched != nil && vouched[i] {
			d.plain = d.plain[:len(d.plain)-1]
			d.believed = append(d.believed, believed{t, i, d.batch.Len()})
			d.batch.Add(raw)
			continue
		}
		d.which, d.made, d.places = append(d.which, i), append(d.made, t), append(d.places, d.batch.Len())
		p.addSigned(t.typ, &d.batch)
		d.batch.Add(raw)
	}
	d.recover(senders)
	defer clear(d.made)
	defer clear(d.believed)
	for _, b := range d.believed {
		b.tx.hash, b.tx.from = d.hashes[b.hash], senders[b.of]
		txs[b.of], errs[b.of] = b.tx, nil
	}
	for k, i := range d.which {
		if !d.recovered[k].OK {
			txs[i], errs[i] = DecodeTx(raws[i], d.cfg)
			continue
		}
		t := d.made[k]
		t.hash, t.from = d.hashes[d.places[k]+1], d.recovered[k].Address
		txs[i], errs[i] = t, nil
	}
	for i, err := range errs[:len(raws)] {
		if err == nil {
			txs[i].FastLZ(&d.lz)
		}
	}
}

// recover hashes what is in the batch and finds who signed.
func (d *Decoder) recover(senders []common.Address) {
	d.hashes = d.batch.Sum(d.hashes[:0])
	d.signatures = d.signatures[:0]
	for k := range d.plain {
		s := &d.plain[k].signature
		s.Hash = d.hashes[d.places[k]]
		d.signatures = append(d.signatures, *s)
	}
	if n := len(d.signatures); cap(d.recovered) < n {
		d.recovered = make([]secp256k1.Recovered, n, 2*n)
	}
	d.recovered = d.recovered[:len(d.signatures)]
	if senders == nil {
		secp256k1.Recover(d.signatures, d.recovered)
		return
	}
	if d.hinted == nil {
		d.hinted = new(hinted)
	}
	d.hinted.recover(d.signatures, d.which, senders, d.recovered)
}

// RestoreTx decodes a transaction that this node validated before, deposits
// included, without recovering its sender again: from is what From returned. The
// result keeps raw.
func RestoreTx(raw []byte, from common.Address) (*Tx, error) {
	if len(raw) > 0 && raw[0] == DepositTxType {
		tx, err := DecodeAnyTx(raw, nil)
		if err != nil {
			return nil, err
		}
		if tx.from != from {
			return nil, fmt.Errorf("%w: deposit from %v, stored as from %v", ErrTxMalformed, tx.from, from)
		}
		return tx, nil
	}
	if t, p := new(Tx), new(plain); t.readPlain(raw, p) {
		t.from, t.hash = from, keccak.Sum256(raw)
		return t, nil
	}
	eth := new(types.Transaction)
	if err := eth.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTxMalformed, err)
	}
	if eth.Type() == types.BlobTxType {
		return nil, fmt.Errorf("%w: type %#x, allowed 0, 1, 2 and 4", ErrTxType, eth.Type())
	}
	return signedBy(from, eth, crypto.Keccak256Hash(raw), raw), nil
}
