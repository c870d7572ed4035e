package replica

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/store"
	"github.com/talaria-l2/talaria/telemetry"
)

func TestHowFarAReplicaTrails(t *testing.T) {
	l := newLeader(t, 21)
	f := l.followAt(t.TempDir(), LiveOptions{})
	metrics, status := telemetry.New(), rpc.SyncStatus{}
	trail := StartTrail(f.node, func() rpc.SyncStatus { return status }, metrics)
	defer trail.Close()
	isAt := func(cut int64) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); trail.newest.Load() != cut; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("its newest mini-block is of %d, want %d", trail.newest.Load(), cut)
			}
		}
		before := time.Since(time.UnixMicro(cut))
		age := trail.Now().Age
		if after := time.Since(time.UnixMicro(cut)); age < before || age > after {
			t.Errorf("it is %v old, want %v to %v", age, before, after)
		}
	}
	isAt(int64(l.now) * 1e6) // genesis
	l.work(10)
	m := l.mini()
	f.reaches(l)
	isAt(int64(m.Header.TimestampMicros))
	l.rewind()
	l.work(1)
	m = l.mini()
	f.reaches(l)
	isAt(int64(m.Header.TimestampMicros))

	for want, s := range map[uint64]rpc.SyncStatus{0: {Current: 7, Highest: 8}, 4: {Current: 7, Highest: 12}} {
		if status = s; trail.Now().Blocks != want {
			t.Errorf("%+v: %d blocks behind, want %d", s, trail.Now().Blocks, want)
		}
	}
	status = rpc.SyncStatus{Current: 7, Highest: 7}
	if trail.Now().Blocks != 0 {
		t.Errorf("%+v: %d blocks behind", status, trail.Now().Blocks)
	}
	page := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"talaria_replica_blocks_behind 0\n", "talaria_replica_newest_age_seconds ", "talaria_replica_trailing_seconds_count "} {
		if _, value, found := strings.Cut(page.Body.String(), "\n"+want); !found || strings.HasPrefix(value, "0\n") {
			t.Errorf("%q is not in the metrics, or nothing was counted", want)
		}
	}
}

// A replica that executes may record what blocks read: what it has then is what execution
// of a block for the second time gives.
func TestAnExecutingReplicaRecordsWitnesses(t *testing.T) {
	l := newLeader(t, 22)
	dir, err := store.OpenDir(filepath.Join(t.TempDir(), "replica"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(dir, node.Options{Genesis: l.g, Witness: true, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	f := &followerNode{t: t, node: n}
	published := n.Subscribe(10_000)
	defer published.Close()
	if f.live, err = StartLive(n, LiveOptions{Feed: l.feed, Execute: true, Retry: 20 * time.Millisecond, Log: quiet()}); err != nil {
		t.Fatal(err)
	}
	defer f.stop()
	l.work(40)
	l.rewind() // what it made anew records, too
	l.work(20)
	l.seal()
	head := l.node.PublishedHead()
	f.reaches(l)
	seen := 0
	for last := uint64(0); last < head.Number.Uint64(); {
		select {
		case ev := <-published.Events():
			if ev.Witness == nil {
				continue
			}
			last = ev.Witness.Number
			h, err := l.node.HeaderByNumber(t.Context(), last)
			if err != nil {
				t.Fatal(err)
			}
			if h == nil || h.Hash() != ev.Witness.Hash {
				continue // of the branch that was taken back
			}
			want, err := l.node.ExecutionWitness(t.Context(), last, h.Hash())
			if err != nil {
				t.Fatal(err)
			}
			if encoded(ev.Witness.Witness) != encoded(want) {
				t.Fatalf("witness of block %d is another than the leader's", last)
			}
			seen++
		case <-time.After(20 * time.Second):
			t.Fatalf("the last witness is of block %d of %d", last, head.Number)
		}
	}
	if seen < 3 {
		t.Errorf("%d witnesses", seen)
	}
}

func encoded(w *chain.Witness) string {
	numbers := make([]string, len(w.Headers))
	for i, h := range w.Headers {
		numbers[i] = h.Hash().Hex()
	}
	return fmt.Sprintf("%v %x %x", numbers, w.Codes, w.State)
}
