package committee

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

// MaxWeight bounds the weight of one operator, as the registry does.
const MaxWeight = 1 << 40

// Operator is one member.
type Operator struct {
	Key    *bls.PublicKey
	Weight uint64 // 1..MaxWeight
	URL    string // of its HTTP interface, without a slash at the end
}

// Committee is the operators of one epoch, in the order of the registry's snapshot.
type Committee struct {
	Epoch     uint64
	Domain    common.Hash // of what they sign
	Operators []Operator  // 1..da.MaxOperators
	// Threshold is the weight that L1 asks for, in 1/10,000, 5,001..10,000 [DefaultThreshold].
	Threshold uint16
}

// Source finds the committee of an epoch. Its errors wrap da.ErrNotFound for an epoch
// that was never sealed and da.ErrUnavailable when it cannot say.
type Source interface {
	Committee(ctx context.Context, epoch uint64) (*Committee, error)
	// Latest is the newest epoch.
	Latest(ctx context.Context) (*Committee, error)
}

// check returns why this is no committee.
func (c *Committee) check() error {
	if n := len(c.Operators); n == 0 || n > da.MaxOperators {
		return fmt.Errorf("committee of %d operators, allowed 1..%d", n, da.MaxOperators)
	}
	if c.Threshold != 0 && (c.Threshold <= 5_000 || c.Threshold > 10_000) {
		return fmt.Errorf("committee with threshold %d, allowed 5001..10000", c.Threshold)
	}
	for i, o := range c.Operators {
		if o.Weight == 0 || o.Weight > MaxWeight || o.Key == nil {
			return fmt.Errorf("operator %d has weight %d, allowed 1..%d", i, o.Weight, uint64(MaxWeight))
		}
	}
	return nil
}

// Total is the weight of all operators.
func (c *Committee) Total() uint64 {
	var sum uint64
	for _, o := range c.Operators {
		sum += o.Weight
	}
	return sum
}

// Find is the index of the operator with a key, -1 if there is none.
func (c *Committee) Find(key *bls.PublicKey) int {
	for i, o := range c.Operators {
		if o.Key.Equal(key) {
			return i
		}
	}
	return -1
}

// Cells is the range [from, to) of cells that operator i holds of every blob: those that
// its part of the weight, laid along the 128 cells, touches. So the cells of operators
// that have a part x of the weight together are at least 128·x different ones.
func (c *Committee) Cells(i int) (from, to int) {
	var before uint64
	for _, o := range c.Operators[:i] {
		before += o.Weight
	}
	total := c.Total()
	after := before + c.Operators[i].Weight
	return int(before * CellsPerBlob / total), int((after*CellsPerBlob + total - 1) / total)
}

// Holders are the operators that hold a cell.
func (c *Committee) Holders(cell int) []int {
	var out []int
	for i := range c.Operators {
		if from, to := c.Cells(i); from <= cell && cell < to {
			out = append(out, i)
		}
	}
	return out
}

// SignerWeight is the weight of a certificate's signers.
func (c *Committee) SignerWeight(cert *da.Certificate) uint64 {
	var sum uint64
	for i, o := range c.Operators {
		if cert.Signed(i) {
			sum += o.Weight
		}
	}
	return sum
}

// Needed is the weight that L1 asks for, in 1/10,000.
func (c *Committee) Needed() uint16 { return withDefault(c.Threshold, DefaultThreshold) }

// Reached reports whether weight is at least threshold/10,000 of the committee's. The
// verifier on L1 asks the same.
func (c *Committee) Reached(weight uint64, threshold uint16) bool {
	hi, lo := bits.Mul64(weight, 10_000)
	thi, tlo := bits.Mul64(c.Total(), uint64(threshold))
	return hi > thi || hi == thi && lo >= tlo
}

// Verify checks a certificate as the verifier on L1 does, but for times: its signers
// have the threshold and have signed. Errors wrap da.ErrMalformed.
func (c *Committee) Verify(cert *da.Certificate, threshold uint16) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("verify certificate %v: %w: %s", cert.Hash(), da.ErrMalformed, fmt.Sprintf(format, args...))
	}
	if cert.Epoch != c.Epoch || int(cert.Operators) != len(c.Operators) {
		return fail("of epoch %d with %d operators, not %d with %d", cert.Epoch, cert.Operators, c.Epoch, len(c.Operators))
	}
	if weight := c.SignerWeight(cert); !c.Reached(weight, threshold) {
		return fail("signers have weight %d of %d", weight, c.Total())
	}
	signature, err := bls.ParseSignature(cert.Signature[:])
	if err != nil {
		return fail("%v", err)
	}
	var keys []*bls.PublicKey
	for i, o := range c.Operators {
		if cert.Signed(i) {
			keys = append(keys, o.Key)
		}
	}
	digest := cert.Digest(c.Domain)
	if !bls.AggregateKeys(keys).Verify(digest[:], signature) {
		return fail("the signature is not the signers'")
	}
	return nil
}

// recordBytes is an operator in the registry's snapshot: weight and key.
const recordBytes = 8 + bls.PublicKeyBytes

// ParseSnapshot reads the committee of an epoch from the registry's snapshot and the
// URLs that it gives.
func ParseSnapshot(epoch uint64, domain common.Hash, snapshot []byte, urls []string) (*Committee, error) {
	c := &Committee{Epoch: epoch, Domain: domain}
	if len(snapshot) < 1 || snapshot[0] != 0 || len(snapshot) != 1+len(urls)*recordBytes {
		return nil, fmt.Errorf("parse snapshot of epoch %d: %d bytes for %d operators", epoch, len(snapshot), len(urls))
	}
	for i, url := range urls {
		record := snapshot[1+i*recordBytes:][:recordBytes]
		key, err := bls.ParsePublicKey(record[8:])
		if err != nil {
			return nil, fmt.Errorf("parse snapshot of epoch %d, operator %d: %w", epoch, i, err)
		}
		c.Operators = append(c.Operators, Operator{Key: key, Weight: binary.BigEndian.Uint64(record), URL: url})
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("parse snapshot of epoch %d: %w", epoch, err)
	}
	return c, nil
}

// Fixed is a Source of one committee that never changes.
type Fixed struct{ Only *Committee }

// Committee implements Source.
func (f Fixed) Committee(_ context.Context, epoch uint64) (*Committee, error) {
	if epoch != f.Only.Epoch {
		return nil, fmt.Errorf("committee of epoch %d: %w: there is only %d", epoch, da.ErrNotFound, f.Only.Epoch)
	}
	return f.Only, nil
}

// Latest implements Source.
func (f Fixed) Latest(context.Context) (*Committee, error) { return f.Only, nil }

// committeeJSON is a committee in a file.
type committeeJSON struct {
	Epoch     uint64         `json:"epoch"`
	Domain    common.Hash    `json:"domain"`
	Threshold uint16         `json:"threshold,omitempty"`
	Operators []operatorJSON `json:"operators"`
}

type operatorJSON struct {
	PublicKey hexutil.Bytes `json:"publicKey"`
	Weight    uint64        `json:"weight"`
	URL       string        `json:"url"`
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c *Committee) MarshalJSON() ([]byte, error) {
	out := committeeJSON{Epoch: c.Epoch, Domain: c.Domain, Threshold: c.Threshold, Operators: []operatorJSON{}}
	for _, o := range c.Operators {
		key := o.Key.Bytes()
		out.Operators = append(out.Operators, operatorJSON{PublicKey: key[:], Weight: o.Weight, URL: o.URL})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads {"epoch", "domain", "threshold", "operators": [{"publicKey", "weight",
// "url"}]}; threshold may be missing.
func (c *Committee) UnmarshalJSON(raw []byte) error {
	var in committeeJSON
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("parse committee: %w", err)
	}
	out := Committee{Epoch: in.Epoch, Domain: in.Domain, Threshold: in.Threshold}
	for i, o := range in.Operators {
		key, err := bls.ParsePublicKey(o.PublicKey)
		if err != nil {
			return fmt.Errorf("parse committee, operator %d: %w", i, err)
		}
		out.Operators = append(out.Operators, Operator{Key: key, Weight: o.Weight, URL: o.URL})
	}
	if err := out.check(); err != nil {
		return fmt.Errorf("parse committee: %w", err)
	}
	for i, o := range out.Operators {
		if out.Find(o.Key) != i {
			return errors.New("parse committee: two operators have one key")
		}
	}
	*c = out
	return nil
}
