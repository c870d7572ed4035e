package committee

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

// DefaultThreshold is the weight that must have signed, in 1/10,000: up to a sixth of
// the weight may lie and half is still honest, and up to a third may be gone.
const DefaultThreshold = 6_667

// DisperserOptions configure a Disperser. The zero value of a field means its default.
type DisperserOptions struct {
	Source    Source        // required
	Threshold uint16        // weight that must have signed, 1/10,000 [the committee's]
	Expiry    time.Duration // how long L1 may take to include the certificate [1 h]
	Timeout   time.Duration // for an operator to take its chunk and sign [10 s]
	// Linger is how long slower operators are waited for after the threshold [200 ms].
	// They get their chunks in any case.
	Linger time.Duration
	// Sign authenticates the disperser to operators that ask for it: the 65-byte
	// signature of a statement's digest. nil: it does not.
	Sign func(ctx context.Context, digest common.Hash) ([]byte, error)
	HTTP *http.Client     // [one that follows no redirects]
	Now  func() time.Time // [time.Now]
	// Failed hears of operators that did not sign. It is called from several goroutines.
	Failed func(operator int, err error)
}

// Disperser gives data to a committee. It is safe for concurrent use. Close it.
type Disperser struct {
	opts   DisperserOptions
	client client

	mu     sync.Mutex
	closed bool
	ctx    context.Context
	cancel context.CancelFunc
	sends  sync.WaitGroup
}

// NewDisperser makes a Disperser.
func NewDisperser(opts DisperserOptions) *Disperser {
	opts.Expiry = withDefault(opts.Expiry, time.Hour)
	opts.Timeout = withDefault(opts.Timeout, 10*time.Second)
	opts.Linger = withDefault(opts.Linger, 200*time.Millisecond)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Failed == nil {
		opts.Failed = func(int, error) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Disperser{opts: opts, client: newClient(opts.HTTP), ctx: ctx, cancel: cancel}
}

func withDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Close gives up on operators that have not answered yet.
func (d *Disperser) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.sends.Wait()
}

// vote is an operator's answer.
type vote struct {
	operator  int
	signature *bls.Signature
	err       error
}

// Put disperses data and returns the certificate. ErrUnavailable when operators with
// too little weight signed in time.
func (d *Disperser) Put(ctx context.Context, data []byte) (*da.Certificate, error) {
	if err := da.CheckSize("disperse", data, da.MaxCommitteeBytes); err != nil {
		return nil, err
	}
	members, err := d.opts.Source.Latest(ctx)
	if err != nil {
		return nil, fmt.Errorf("disperse: %w", err)
	}
	enc, err := encode(pack(data))
	if err != nil {
		return nil, fmt.Errorf("disperse %d bytes: %w", len(data), err)
	}
	s := &da.Statement{
		Epoch: members.Epoch, Expiry: uint64(d.opts.Now().Add(d.opts.Expiry).Unix()),
		Length: uint32(len(data)), Commitments: enc.commitments,
	}
	digest := s.Digest(members.Domain)
	var identity []byte
	if d.opts.Sign != nil {
		if identity, err = d.opts.Sign(ctx, digest); err != nil {
			return nil, fmt.Errorf("disperse: sign as disperser: %w", err)
		}
	}
	votes, err := d.send(members, s, enc, identity)
	if err != nil {
		return nil, err
	}
	return d.collect(ctx, members, s, votes)
}

// send starts handing out the chunks. Everybody's vote comes, within the timeout.
func (d *Disperser) send(members *Committee, s *da.Statement, enc *encoded, identity []byte) (<-chan vote, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.New("disperse: the disperser is closed")
	}
	digest := s.Digest(members.Domain)
	votes := make(chan vote, len(members.Operators))
	for i, o := range members.Operators {
		d.sends.Add(1)
		go func() {
			defer d.sends.Done()
			ctx, cancel := context.WithTimeout(d.ctx, d.opts.Timeout)
			defer cancel()
			body := enc.chunk(members.Cells(i)).appendTo(s.Bytes())
			signature, err := d.client.store(ctx, o.URL, body, identity)
			if err == nil && !o.Key.Verify(digest[:], signature) {
				err = fmt.Errorf("%w: the signature is not its own", da.ErrMismatch)
			}
			if err != nil {
				d.opts.Failed(i, err)
			}
			votes <- vote{operator: i, signature: signature, err: err}
		}()
	}
	return votes, nil
}

// collect makes the certificate of the votes.
func (d *Disperser) collect(ctx context.Context, members *Committee, s *da.Statement, votes <-chan vote) (*da.Certificate, error) {
	n := len(members.Operators)
	cert := &da.Certificate{Statement: *s, Operators: uint16(n), Signers: make([]byte, (n+7)/8)}
	threshold := withDefault(d.opts.Threshold, members.Needed())
	var (
		signatures []*bls.Signature
		weight     uint64
		failures   []error
		linger     <-chan time.Time
	)
	for waiting := n; waiting > 0; {
		select {
		case v := <-votes:
			waiting--
			if v.err != nil {
				failures = append(failures, fmt.Errorf("operator %d: %w", v.operator, v.err))
				continue
			}
			signatures = append(signatures, v.signature)
			weight += members.Operators[v.operator].Weight
			cert.Signers[v.operator/8] |= 1 << (v.operator % 8)
			if linger == nil && members.Reached(weight, threshold) {
				timer := time.NewTimer(d.opts.Linger)
				defer timer.Stop()
				linger = timer.C
			}
		case <-linger:
			waiting = 0
		case <-ctx.Done():
			return nil, fmt.Errorf("disperse: %w", ctx.Err())
		}
	}
	if !members.Reached(weight, threshold) {
		return nil, fmt.Errorf("disperse: %w: weight %d of %d signed: %w", da.ErrUnavailable, weight, members.Total(), errors.Join(failures...))
	}
	sum := bls.AggregateSignatures(signatures).Bytes()
	cert.Signature = sum
	return cert, nil
}
