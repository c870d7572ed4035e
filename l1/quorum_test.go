package l1_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/l1"
)

// fakeServer is an L1 endpoint with a chain of empty blocks.
type fakeServer struct {
	mu      sync.Mutex
	headers []*types.Header // by number
	silent  chan struct{}   // not nil: questions are not answered before it is closed
}

// chainOf makes a chain that leaves the honest one behind block shared.
func chainOf(blocks, shared int) []*types.Header {
	var out []*types.Header
	for n := range blocks {
		h := &types.Header{Number: big.NewInt(int64(n)), Difficulty: new(big.Int), Time: uint64(n), BaseFee: big.NewInt(7),
			TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash, UncleHash: types.EmptyUncleHash}
		if n > shared {
			h.Extra = []byte("another fork")
		}
		if n > 0 {
			h.ParentHash = out[n-1].Hash()
		}
		out = append(out, h)
	}
	return out
}

func (s *fakeServer) set(headers []*types.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers = headers
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	silent, headers := s.silent, s.headers
	s.mu.Unlock()
	if silent != nil && req.Method != "eth_chainId" && req.Method != "web3_clientVersion" {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
		return
	}
	var result any
	switch req.Method {
	case "eth_chainId":
		result = "0x1cf2"
	case "web3_clientVersion":
		result = "fake"
	case "eth_getBlockByNumber", "eth_getBlockByHash":
		var which string
		_ = json.Unmarshal(req.Params[0], &which)
		for _, h := range headers {
			if which == hexutil.EncodeBig(h.Number) || which == h.Hash().Hex() || which == "latest" && h == headers[len(headers)-1] {
				result = blockJSON(h)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result})
}

func blockJSON(h *types.Header) map[string]any {
	raw, _ := json.Marshal(h)
	var out map[string]any
	_ = json.Unmarshal(raw, &out)
	maps.Copy(out, map[string]any{"hash": h.Hash(), "transactions": []any{}})
	return out
}

// quorumRig is a quorum of fake endpoints called a, b, c ….
type quorumRig struct {
	*l1.Quorum
	servers []*fakeServer
	mu      sync.Mutex
	odd     map[string]string
}

func newQuorum(t *testing.T, need int, chains ...[]*types.Header) *quorumRig {
	t.Helper()
	rig := &quorumRig{odd: make(map[string]string)}
	var endpoints []l1.Endpoint
	for i, headers := range chains {
		s := &fakeServer{headers: headers}
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		c, err := l1.Dial(t.Context(), l1.Options{URL: server.URL, Attempts: 1, Timeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		rig.servers = append(rig.servers, s)
		endpoints = append(endpoints, l1.Endpoint{Name: string(rune('a' + i)), Source: l1.NewSource(c, l1.SourceConfig{})})
	}
	q, err := l1.NewQuorum(endpoints, l1.QuorumOptions{Need: need, Grace: 100 * time.Millisecond, Report: func(endpoint string, err error) {
		rig.mu.Lock()
		defer rig.mu.Unlock()
		delete(rig.odd, endpoint)
		if err != nil {
			rig.odd[endpoint] = err.Error()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	rig.Quorum = q
	return rig
}

func (r *quorumRig) why(endpoint string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.odd[endpoint]
}

func TestAQuorumGivesWhatEnoughEndpointsAgreeOn(t *testing.T) {
	honest := chainOf(40, 100)
	for _, test := range []struct {
		name   string
		need   int
		chains [][]*types.Header
		head   int64
		odd    string // endpoint that is named, with what
		why    string
	}{
		{"all agree", 2, [][]*types.Header{honest, honest, honest}, 39, "", ""},
		{"one is on another fork", 2, [][]*types.Header{honest, chainOf(40, 20), honest}, 39, "b", "says that L1 block 39"},
		{"one is far ahead", 2, [][]*types.Header{honest, chainOf(60, 30), honest[:39]}, 38, "b", "says that L1 block 38"},
		{"one is stuck", 2, [][]*types.Header{honest, honest[:10], honest}, 39, "b", "is stuck at L1 block 9"},
		{"one is a little behind", 2, [][]*types.Header{honest, honest[:37], honest}, 39, "", ""},
		{"all must agree, and one is behind", 3, [][]*types.Header{honest, honest[:37], honest}, 36, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQuorum(t, test.need, test.chains...)
			h, err := q.HeaderByTag(t.Context(), l1.Latest)
			if err != nil || h.Number.Int64() != test.head || h.Hash() != honest[test.head].Hash() {
				t.Fatalf("head %v, %v", h, err)
			}
			b, err := q.Fetch(t.Context(), uint64(test.head), common.Address{})
			if err != nil || b.Hash != honest[test.head].Hash() {
				t.Fatalf("block %v, %v", b, err)
			}
			if test.odd != "" && !strings.Contains(q.why(test.odd), test.why) {
				t.Errorf("%s is said to be %q", test.odd, q.why(test.odd))
			}
			if len(q.odd) != map[bool]int{true: 1}[test.odd != ""] {
				t.Errorf("at odds: %v", q.odd)
			}
			if _, err := q.HeaderByNumber(t.Context(), 1000); !errors.Is(err, l1.ErrNotFound) {
				t.Errorf("block of the future: %v", err)
			}
		})
	}
}

func TestNoQuorumIsAnErrorThatNamesEverybody(t *testing.T) {
	honest := chainOf(40, 100)
	q := newQuorum(t, 2, honest, chainOf(40, 20))
	if _, err := q.HeaderByNumber(t.Context(), 15); err != nil {
		t.Fatal(err)
	}
	_, err := q.HeaderByNumber(t.Context(), 30)
	if !errors.Is(err, l1.ErrNoQuorum) || !strings.Contains(err.Error(), fmt.Sprintf("a: block 30 is %s", honest[30].Hash())) || !strings.Contains(err.Error(), "b: block 30") {
		t.Fatal(err)
	}
}

func TestASilentEndpointIsNamedAndDoesNotHoldUpTheOthers(t *testing.T) {
	honest := chainOf(40, 100)
	q := newQuorum(t, 2, honest, honest, honest)
	answer := make(chan struct{})
	q.servers[1].mu.Lock()
	q.servers[1].silent = answer
	q.servers[1].mu.Unlock()
	if h, err := q.HeaderByTag(t.Context(), l1.Latest); err != nil || h.Number.Int64() != 39 {
		t.Fatalf("head %v, %v", h, err)
	}
	if !strings.Contains(q.why("b"), "does not answer") {
		t.Fatalf("b is said to be %q", q.why("b"))
	}
	begin := time.Now()
	for range 20 { // those that are known to be silent get no grace
		if _, err := q.HeaderByNumber(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 20*100*time.Millisecond {
		t.Errorf("20 questions took %s", took)
	}
	q.servers[1].mu.Lock()
	q.servers[1].silent = nil
	q.servers[1].mu.Unlock()
	close(answer)
	for range 1000 {
		if _, err := q.HeaderByTag(t.Context(), l1.Latest); err != nil {
			t.Fatal(err)
		}
		if q.why("b") == "" {
			return
		}
	}
	t.Error("b is still called silent")
}
