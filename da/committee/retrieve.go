package committee

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/da"
)

// RetrieverOptions configure a Retriever. The zero value of a field means its default.
type RetrieverOptions struct {
	Source  Source        // required
	Timeout time.Duration // for one operator's answer [10 s]
	// Hedge is after how long without an answer one more operator is asked [300 ms].
	Hedge time.Duration
	HTTP  *http.Client // [one that follows no redirects]
	// Failed hears of operators that did not give what they should hold. It is called
	// from one goroutine per call of Get.
	Failed func(operator int, err error)
}

// Retriever reads what a committee keeps. It is safe for concurrent use and leaves no
// goroutines behind.
type Retriever struct {
	opts   RetrieverOptions
	client client
}

// NewRetriever makes a Retriever.
func NewRetriever(opts RetrieverOptions) *Retriever {
	opts.Timeout = withDefault(opts.Timeout, 10*time.Second)
	opts.Hedge = withDefault(opts.Hedge, 300*time.Millisecond)
	if opts.Failed == nil {
		opts.Failed = func(int, error) {}
	}
	return &Retriever{opts: opts, client: newClient(opts.HTTP)}
}

// Get returns the data of a certificate, from whichever operators give 64 cells of each
// blob first. Every cell is checked, so that an operator can withhold but not deceive.
// ErrUnavailable: too few gave theirs.
func (r *Retriever) Get(ctx context.Context, cert *da.Certificate) ([]byte, error) {
	members, err := r.opts.Source.Committee(ctx, cert.Epoch)
	if err != nil {
		return nil, fmt.Errorf("retrieve %v: %w", cert.Hash(), err)
	}
	blobs, err := r.blobs(ctx, members, cert)
	if err != nil {
		return nil, fmt.Errorf("retrieve %v: %w", cert.Hash(), err)
	}
	data, err := unpack(blobs, int(cert.Length))
	if err != nil {
		return nil, fmt.Errorf("retrieve %v: %w", cert.Hash(), err)
	}
	return data, nil
}

// gift is what an operator gave.
type gift struct {
	operator int
	chunk    *Chunk
	err      error
}

// blobs gathers cells until they suffice. At first as many operators are asked as are
// needed; for each one that fails, and for every pause, another.
func (r *Retriever) blobs(ctx context.Context, members *Committee, cert *da.Certificate) ([]kzg4844.Blob, error) {
	ctx, cancel := context.WithCancel(ctx)
	digest := cert.Digest(members.Domain)
	queue := order(members, cert)
	answers := make(chan gift)
	asked := 0
	defer func() {
		cancel()
		for ; asked > 0; asked-- {
			<-answers
		}
	}()
	ask := func() {
		i := queue[0]
		queue = queue[1:]
		asked++
		go func() {
			ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
			defer cancel()
			from, to := members.Cells(i)
			chunk, err := r.client.chunk(ctx, members.Operators[i].URL, digest, &cert.Statement, from, to)
			answers <- gift{operator: i, chunk: chunk, err: err}
		}()
	}
	var (
		got      = make(map[int]*Chunk) // by operator
		expected = make(map[int]bool)   // operators whose cells are there or on their way
		failures []error
	)
	hedge := time.NewTicker(r.opts.Hedge)
	defer hedge.Stop()
	for {
		for len(queue) > 0 && distinct(members, expected) < CellsNeeded {
			expected[queue[0]] = true
			ask()
		}
		if asked == 0 {
			return nil, fmt.Errorf("%w: operators gave %d of the %d cells needed: %w", da.ErrUnavailable,
				distinct(members, expected), CellsNeeded, errors.Join(failures...))
		}
		select {
		case a := <-answers:
			asked--
			if a.err != nil {
				if ctx.Err() == nil {
					r.opts.Failed(a.operator, a.err)
				}
				failures = append(failures, fmt.Errorf("operator %d: %w", a.operator, a.err))
				delete(expected, a.operator)
				continue
			}
			got[a.operator] = a.chunk
			expected[a.operator] = true
			if blobs, ok, err := recoverBlobs(got, len(cert.Commitments)); ok {
				return blobs, err
			}
		case <-hedge.C:
			if len(queue) > 0 {
				ask() // in addition: what is on its way still counts
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// order is in which order operators are asked: those that signed first, and among them
// those with the first half of the cells, which is the data itself.
func order(members *Committee, cert *da.Certificate) []int {
	var signed, rest []int
	for i := range members.Operators {
		if cert.Signed(i) {
			signed = append(signed, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(signed, rest...)
}

// distinct is how many cells a set of operators holds together.
func distinct(members *Committee, set map[int]bool) int {
	n, end := 0, 0
	for i := range members.Operators {
		if set[i] {
			from, to := members.Cells(i)
			n += max(to-max(from, end), 0)
			end = max(end, to)
		}
	}
	return n
}

// recoverBlobs puts verified chunks together; ok says that they suffice.
func recoverBlobs(chunks map[int]*Chunk, blobs int) (out []kzg4844.Blob, ok bool, err error) {
	var at [CellsPerBlob]*Chunk
	for _, c := range chunks {
		for i := c.From; i < c.To(); i++ {
			at[i] = c
		}
	}
	var indices []uint64
	for i, c := range at {
		if c != nil {
			indices = append(indices, uint64(i))
		}
	}
	if len(indices) < CellsNeeded {
		return nil, false, nil
	}
	cells := make([]kzg4844.Cell, 0, blobs*len(indices))
	for b := range blobs {
		for _, i := range indices {
			cells = append(cells, at[i].Cells[b][int(i)-at[i].From])
		}
	}
	out, err = kzg4844.RecoverBlobs(cells, indices)
	if err != nil {
		return nil, true, fmt.Errorf("recover blobs from %d cells: %w", len(indices), err)
	}
	return out, true, nil
}
