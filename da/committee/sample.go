package committee

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/da"
)

// SamplerOptions configure a Sampler. The zero value of a field means its default.
type SamplerOptions struct {
	Source  Source        // required
	Timeout time.Duration // for one cell [5 s]
	Slow    time.Duration // an answer that takes longer is reported [2 s]
	HTTP    *http.Client  // [one that follows no redirects]
	// Random is where choices come from: what operators cannot foresee, crypto/rand.Reader.
	Random io.Reader // required
}

// Sampler asks for random cells, to learn whether data can be had and who has lost some.
// Safe for concurrent use if Random is.
type Sampler struct {
	opts   SamplerOptions
	client client
}

// NewSampler makes a Sampler.
func NewSampler(opts SamplerOptions) *Sampler {
	opts.Timeout = withDefault(opts.Timeout, 5*time.Second)
	opts.Slow = withDefault(opts.Slow, 2*time.Second)
	return &Sampler{opts: opts, client: newClient(opts.HTTP)}
}

// Result is how an operator did with one cell.
type Result string

// Results.
const (
	ResultOK          Result = "ok"
	ResultSlow        Result = "slow"        // right, but late
	ResultMissing     Result = "missing"     // it says that it does not have the cell
	ResultWrong       Result = "wrong"       // it gave something else
	ResultUnreachable Result = "unreachable" // no answer, or none in time
	ResultRefused     Result = "refused"     // it answers, but not this
)

// Finding is one question to one operator and its outcome.
type Finding struct {
	Certificate common.Hash   `json:"certificate"`
	Epoch       uint64        `json:"epoch"`
	Operator    int           `json:"operator"`
	PublicKey   hexutil.Bytes `json:"publicKey"`
	URL         string        `json:"url"`
	Commitment  hexutil.Bytes `json:"commitment"` // KZG commitment of the blob
	Blob        int           `json:"blob"`
	Cell        int           `json:"cell"`
	Result      Result        `json:"result"`
	Millis      int64         `json:"millis"`
	Detail      string        `json:"detail,omitempty"`
}

// Healthy reports whether the operator gave the cell.
func (f *Finding) Healthy() bool { return f.Result == ResultOK || f.Result == ResultSlow }

// Sampling says how sure one may be that the data of a certificate can be had.
type Sampling struct {
	Certificate common.Hash `json:"certificate"`
	Blobs       int         `json:"blobs"`
	Cells       int         `json:"cells"` // of each blob, that the signers hold: samples are of these
	PerBlob     int         `json:"samplesPerBlob"`
	Got         int         `json:"got"`
	Missed      int         `json:"missed"`
	// Available says that every sample was had.
	Available bool `json:"available"`
	// ErrorBound is the probability, at most, that all samples are had of data that
	// cannot be recovered, if who withholds it does not know the samples beforehand.
	ErrorBound float64   `json:"errorBound"`
	Findings   []Finding `json:"findings"` // the questions that failed
}

// SampleBound is the probability that so many different random ones of a blob's cells, of
// which there are cells, are all had although at most 63 exist.
func SampleBound(samples, cells int) float64 {
	p := 1.0
	for i := range min(samples, cells) {
		p *= float64(max(CellsNeeded-1-i, 0)) / float64(max(cells-i, CellsNeeded-1-i))
	}
	return p
}

// signed are the cells of each blob that a certificate's signers hold. Who did not sign may
// never have got its own.
func signed(members *Committee, cert *da.Certificate) []int {
	var out []int
	for i := range members.Operators {
		if !cert.Signed(i) {
			continue
		}
		from, to := members.Cells(i)
		if n := len(out); n > 0 {
			from = max(from, out[n-1]+1)
		}
		for ; from < to; from++ {
			out = append(out, from)
		}
	}
	return out
}

// Sample asks for perBlob different random cells of every blob, 1..128, or all that signers
// hold, each from any of its holders.
func (s *Sampler) Sample(ctx context.Context, cert *da.Certificate, perBlob int) (*Sampling, error) {
	if perBlob < 1 || perBlob > CellsPerBlob {
		return nil, fmt.Errorf("sample: %d cells a blob, allowed 1..%d", perBlob, CellsPerBlob)
	}
	members, err := s.opts.Source.Committee(ctx, cert.Epoch)
	if err != nil {
		return nil, fmt.Errorf("sample %v: %w", cert.Hash(), err)
	}
	held := signed(members, cert)
	perBlob = min(perBlob, len(held))
	out := &Sampling{
		Certificate: cert.Hash(), Blobs: len(cert.Commitments), Cells: len(held), PerBlob: perBlob,
		ErrorBound: SampleBound(perBlob, len(held)), Findings: []Finding{},
	}
	for blob := range cert.Commitments {
		picks, err := s.draw(len(held), perBlob)
		if err != nil {
			return nil, err
		}
		for _, pick := range picks {
			cell, had := held[pick], false
			for _, holder := range members.Holders(cell) {
				f := s.ask(ctx, members, cert, holder, blob, cell)
				if had = f.Healthy(); had {
					break
				}
				out.Findings = append(out.Findings, f)
			}
			if had {
				out.Got++
			} else {
				out.Missed++
			}
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("sample %v: %w", cert.Hash(), err)
			}
		}
	}
	out.Available = out.Missed == 0 && len(held) >= CellsNeeded
	return out, nil
}

// Audit asks every operator that signed a certificate for random cells of those that it
// holds, samples of each, and reports every question. An operator that has lost the
// part x of its cells is found with probability 1-(1-x)^samples or more.
func (s *Sampler) Audit(ctx context.Context, cert *da.Certificate, samples int) ([]Finding, error) {
	members, err := s.opts.Source.Committee(ctx, cert.Epoch)
	if err != nil {
		return nil, fmt.Errorf("audit %v: %w", cert.Hash(), err)
	}
	var out []Finding
	for i := range members.Operators {
		if !cert.Signed(i) {
			continue
		}
		from, to := members.Cells(i)
		held := (to - from) * len(cert.Commitments)
		picks, err := s.draw(held, min(samples, held))
		if err != nil {
			return nil, err
		}
		for _, pick := range picks {
			out = append(out, s.ask(ctx, members, cert, i, pick/(to-from), from+pick%(to-from)))
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("audit %v: %w", cert.Hash(), err)
			}
		}
	}
	return out, nil
}

// ask asks one operator for one cell.
func (s *Sampler) ask(ctx context.Context, members *Committee, cert *da.Certificate, operator, blob, cell int) Finding {
	o := members.Operators[operator]
	key := o.Key.Bytes()
	f := Finding{
		Certificate: cert.Hash(), Epoch: cert.Epoch, Operator: operator, PublicKey: key[:], URL: o.URL,
		Commitment: cert.Commitments[blob][:], Blob: blob, Cell: cell,
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	begin := time.Now()
	err := s.client.cell(ctx, o.URL, cert.Digest(members.Domain), &cert.Statement, blob, cell)
	took := time.Since(begin)
	f.Millis = took.Milliseconds()
	switch {
	case err == nil && took > s.opts.Slow:
		f.Result = ResultSlow
	case err == nil:
		f.Result = ResultOK
	case errors.Is(err, da.ErrNotFound):
		f.Result = ResultMissing
	case errors.Is(err, da.ErrMismatch):
		f.Result = ResultWrong
	case errors.Is(err, da.ErrRefused):
		f.Result = ResultRefused
	default:
		f.Result = ResultUnreachable
	}
	if err != nil {
		f.Detail = err.Error()
	}
	return f
}

// draw gives k different numbers below n, each set of them as likely as any other.
func (s *Sampler) draw(n, k int) ([]int, error) {
	deck := make([]int, n)
	for i := range deck {
		deck[i] = i
	}
	for i := range k {
		var raw [8]byte
		if _, err := io.ReadFull(s.opts.Random, raw[:]); err != nil {
			return nil, fmt.Errorf("draw samples: %w", err)
		}
		// n is at most 8,192: the remainder's bias is below 2^-50.
		j := i + int(binary.BigEndian.Uint64(raw[:])%uint64(n-i))
		deck[i], deck[j] = deck[j], deck[i]
	}
	return deck[:k], nil
}
