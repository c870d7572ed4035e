package l1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// ErrNoQuorum means that too few endpoints agree. It names what each of them says.
var ErrNoQuorum = errors.New("too few L1 endpoints agree")

// Endpoint is one L1 server of several.
type Endpoint struct {
	Name   string // in errors and metrics
	Source *Source
}

// QuorumOptions of a Quorum. The zero value of a field means its default.
type QuorumOptions struct {
	Need  int           // endpoints that must agree, 1..len(endpoints) [more than half]
	Grace time.Duration // how long those that have not answered are waited for behind a quorum [300 ms]
	// Report is told when an endpoint is at odds with the quorum, and with nil when it no
	// longer is. It must not block.
	Report func(endpoint string, err error)
}

// Quorum reads an L1 through several endpoints: what it gives is what enough of them
// agree on. One that lies, is on another fork, is stuck or is down is reported and changes
// nothing as long as enough others live. It is safe for concurrent use.
type Quorum struct {
	endpoints []Endpoint
	opts      QuorumOptions

	mu   sync.Mutex
	odd  []string // why an endpoint is at odds with the quorum, "" if it is not
	asks uint64
}

// patience is how often those at odds with the quorum get their time all the same, so that
// one that is slow, but answers again, is seen to: once in so many questions.
const patience = 16

// NewQuorum reads through the endpoints, whose clients stay the caller's to close.
func NewQuorum(endpoints []Endpoint, opts QuorumOptions) (*Quorum, error) {
	if opts.Need == 0 {
		opts.Need = len(endpoints)/2 + 1
	}
	if opts.Grace == 0 {
		opts.Grace = 300 * time.Millisecond
	}
	if opts.Report == nil {
		opts.Report = func(string, error) {}
	}
	if opts.Need < 1 || opts.Need > len(endpoints) {
		return nil, fmt.Errorf("quorum of %d among %d L1 endpoints: must be 1..%d", opts.Need, len(endpoints), len(endpoints))
	}
	return &Quorum{endpoints: endpoints, opts: opts, odd: make([]string, len(endpoints))}, nil
}

// answer is what an endpoint says of a header.
type answer struct {
	endpoint int
	header   *types.Header
	err      error
}

// HeaderByTag is the newest header of that kind of head that enough endpoints have.
func (q *Quorum) HeaderByTag(ctx context.Context, tag Tag) (*types.Header, error) {
	answers, pending := q.ask(ctx, func(ctx context.Context, s *Source) (*types.Header, error) { return s.HeaderByTag(ctx, tag) },
		func(answers []answer) bool { return len(headers(answers)) >= q.opts.Need })
	heads := headers(answers)
	if len(heads) < q.opts.Need {
		return nil, q.fail(ctx, "get L1 head", answers, pending)
	}
	slices.SortFunc(heads, func(a, b answer) int { return b.header.Number.Cmp(a.header.Number) })
	// So many are there; whether they agree on it is another question. If they do not, one
	// of them is alone, and the others may agree where the next one is.
	var err error
	for _, a := range heads[q.opts.Need-1:] {
		var h *types.Header
		if h, err = q.HeaderByNumber(ctx, a.header.Number.Uint64()); err == nil {
			if tag == Latest {
				q.noteHeads(answers, pending, h.Number.Uint64())
			}
			return h, nil
		}
		if !errors.Is(err, ErrNoQuorum) && !errors.Is(err, ErrNotFound) {
			break
		}
	}
	return nil, err
}

// HeaderByNumber is the header at a height that enough endpoints agree on; ErrNotFound if
// so many do not have it that the others are no quorum.
func (q *Quorum) HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error) {
	h, _, err := q.agreed(ctx, number)
	return h, err
}

// Fetch reads the block at a height that enough endpoints agree on, from any of them: all
// that is in it is checked against its hash.
func (q *Quorum) Fetch(ctx context.Context, number uint64, batcher common.Address) (*Block, error) {
	h, from, err := q.agreed(ctx, number)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, i := range from {
		b, err := q.endpoints[i].Source.FetchByHash(ctx, h.Hash(), batcher)
		if err == nil {
			return b, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", q.endpoints[i].Name, err))
	}
	return nil, errors.Join(errs...)
}

// agreed finds the header that enough endpoints agree on, and who does.
func (q *Quorum) agreed(ctx context.Context, number uint64) (*types.Header, []int, error) {
	answers, pending := q.ask(ctx, func(ctx context.Context, s *Source) (*types.Header, error) { return s.HeaderByNumber(ctx, number) },
		func(answers []answer) bool { return len(q.votes(answers)) >= q.opts.Need })
	winners := q.votes(answers)
	if len(winners) < q.opts.Need {
		missing := 0
		for _, a := range answers {
			if errors.Is(a.err, ErrNotFound) {
				missing++
			}
		}
		if len(q.endpoints)-missing < q.opts.Need {
			return nil, nil, fmt.Errorf("get L1 header %d: %w", number, ErrNotFound)
		}
		return nil, nil, q.fail(ctx, fmt.Sprintf("get L1 header %d", number), answers, pending)
	}
	header := winners[0].header
	for _, a := range answers {
		if a.err == nil && a.header.Hash() != header.Hash() {
			q.note(a.endpoint, fmt.Sprintf("says that L1 block %d is %s, a quorum says %s", number, a.header.Hash(), header.Hash()))
		}
	}
	from := make([]int, len(winners))
	for i, a := range winners {
		from[i] = a.endpoint
		if strings.HasPrefix(q.why(a.endpoint), "says") {
			q.note(a.endpoint, "")
		}
	}
	return header, from, nil
}

// votes are the answers that most endpoints share.
func (q *Quorum) votes(answers []answer) []answer {
	by := make(map[common.Hash][]answer)
	var best []answer
	for _, a := range headers(answers) {
		hash := a.header.Hash()
		by[hash] = append(by[hash], a)
		if len(by[hash]) > len(best) {
			best = by[hash]
		}
	}
	return best
}

func headers(answers []answer) []answer {
	var out []answer
	for _, a := range answers {
		if a.err == nil {
			out = append(out, a)
		}
	}
	return out
}

// ask asks every endpoint at once, until all have answered, or enough is true and the
// others have had their time: those that are known to be at odds get none. pending are
// the endpoints that have not answered.
func (q *Quorum) ask(ctx context.Context, question func(context.Context, *Source) (*types.Header, error), enough func([]answer) bool) (answers []answer, pending []int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan answer, len(q.endpoints))
	waiting := make(map[int]bool, len(q.endpoints))
	for i := range q.endpoints {
		waiting[i] = true
		go func() { // ends with ctx at the latest, which Client's calls obey
			h, err := question(ctx, q.endpoints[i].Source)
			results <- answer{i, h, err}
		}()
	}
	var grace <-chan time.Time
	for len(waiting) > 0 {
		if grace == nil && enough(answers) {
			if !q.anyGood(waiting) {
				break
			}
			grace = time.After(q.opts.Grace)
		}
		select {
		case a := <-results:
			delete(waiting, a.endpoint)
			answers = append(answers, a)
			continue
		case <-grace:
		case <-ctx.Done():
		}
		break
	}
	for i := range waiting {
		pending = append(pending, i)
	}
	slices.Sort(pending)
	slices.SortFunc(answers, func(a, b answer) int { return cmp.Compare(a.endpoint, b.endpoint) })
	return answers, pending
}

// anyGood tells whether one of the endpoints is worth waiting for.
func (q *Quorum) anyGood(endpoints map[int]bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asks++; q.asks%patience == 0 {
		return true
	}
	for i := range endpoints {
		if q.odd[i] == "" {
			return true
		}
	}
	return false
}

// stuckBlocks is how far an endpoint's head may be behind the quorum's before it is called
// stuck.
const stuckBlocks = 8

// noteHeads tells which endpoints keep up with the quorum's head.
func (q *Quorum) noteHeads(answers []answer, pending []int, head uint64) {
	for _, i := range pending {
		q.note(i, "does not answer")
	}
	for _, a := range answers {
		switch {
		case a.err != nil:
			q.note(a.endpoint, a.err.Error())
		case a.header.Number.Uint64()+stuckBlocks < head:
			q.note(a.endpoint, fmt.Sprintf("is stuck at L1 block %d, a quorum is at %d", a.header.Number, head))
		case q.why(a.endpoint) != "" && !strings.HasPrefix(q.why(a.endpoint), "says"):
			q.note(a.endpoint, "")
		}
	}
}

func (q *Quorum) why(endpoint int) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.odd[endpoint]
}

// note remembers and reports why an endpoint is at odds with the quorum; "": it is not.
func (q *Quorum) note(endpoint int, why string) {
	q.mu.Lock()
	was := q.odd[endpoint]
	q.odd[endpoint] = why
	q.mu.Unlock()
	switch name := q.endpoints[endpoint].Name; {
	case why == "" && was != "":
		q.opts.Report(name, nil)
	case why != "" && was == "":
		q.opts.Report(name, fmt.Errorf("L1 endpoint %s %s", name, why))
	}
}

// fail says what every endpoint answered.
func (q *Quorum) fail(ctx context.Context, what string, answers []answer, pending []int) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	var said []string
	for _, a := range answers {
		name := q.endpoints[a.endpoint].Name
		if a.err != nil {
			said = append(said, fmt.Sprintf("%s: %v", name, a.err))
			continue
		}
		said = append(said, fmt.Sprintf("%s: block %d is %s", name, a.header.Number, a.header.Hash()))
	}
	for _, i := range pending {
		said = append(said, q.endpoints[i].Name+": no answer")
	}
	return fmt.Errorf("%s: %w: %d are needed: %s", what, ErrNoQuorum, q.opts.Need, strings.Join(said, "; "))
}
