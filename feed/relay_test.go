package feed

import (
	"testing"
	"time"
)

func relay(t testing.TB, from string, to *Server) *Relay {
	t.Helper()
	r, err := StartRelay(t.Context(), RelayOptions{From: dial(t, from, ""), To: to, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestARelayServesWhatItsSourceDoes(t *testing.T) {
	source := serve(t)
	leader := dial(t, source.URL(), "leader", func(o *ClientOptions) { o.Publish.MaxBytes = 4 << 20 })
	publish(t, leader, run(1, 0, 200, 50_000)...) // the first are gone
	flush(t, leader)
	first := serve(t)
	relay(t, source.URL(), first)
	second := serve(t) // of a relay
	relay(t, first.URL(), second)
	far := dial(t, second.URL(), "")
	for _, err := far.MiniBlockAt(t.Context(), 199); err != nil; _, err = far.MiniBlockAt(t.Context(), 199) {
		time.Sleep(10 * time.Millisecond) // a reader that is ahead of its feed gets what is newest there
	}

	want(t, read(t, far, 195, 5), [3]uint64{1, 195, 200})
	got := make(chan []string)
	go func() { got <- read(t, far, 190, 40) }()
	publish(t, leader, run(1, 200, 210, 900_000)...)
	publish(t, leader, run(2, 200, 220, 10)...)
	want(t, <-got, [3]uint64{1, 190, 210}, [3]uint64{2, 200, 220})
	if n := source.Connections(); n > 4 {
		t.Errorf("the source has %d connections", n)
	}
}

func TestARelayGoesOnWhereItWas(t *testing.T) {
	source := serve(t)
	leader := dial(t, source.URL(), "leader")
	publish(t, leader, run(1, 0, 50, 1000)...)
	flush(t, leader)
	dir := t.TempDir()
	serveCopy := func() *Server { return serve(t, func(o *ServerOptions) { o.Dir = dir }) }
	to := serveCopy()
	r := relay(t, source.URL(), to)
	want(t, read(t, dial(t, to.URL(), ""), 0, 50), [3]uint64{1, 0, 50})
	r.Close()
	to.Close()
	publish(t, leader, run(1, 50, 100, 1000)...)
	flush(t, leader)
	to = serveCopy()
	began := time.Now()
	relay(t, source.URL(), to)
	want(t, read(t, dial(t, to.URL(), ""), 20, 80), [3]uint64{1, 20, 100})
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestARelayThatWasAwayTooLongBeginsAnew: its source holds the next message no more.
func TestARelayThatWasAwayTooLongBeginsAnew(t *testing.T) {
	source := serve(t)
	leader := dial(t, source.URL(), "leader", func(o *ClientOptions) { o.Publish.MaxBytes = 1 << 20 })
	publish(t, leader, run(1, 0, 10, 50_000)...)
	flush(t, leader)
	to := serve(t)
	r := relay(t, source.URL(), to)
	reader := dial(t, to.URL(), "")
	want(t, read(t, reader, 0, 10), [3]uint64{1, 0, 10})
	r.Close()
	publish(t, leader, run(1, 10, 200, 50_000)...)
	flush(t, leader)
	relay(t, source.URL(), to)
	for n := uint64(0); ; n++ {
		if _, m, err := reader.newest(t.Context(), miniBlocks); err == nil {
			if l, err := readLabel(m.Header); err == nil && l.number == 199 {
				break
			}
		}
		if n == 500 || !pause(t.Context(), 20*time.Millisecond) {
			t.Fatal("the copy does not come to the end")
		}
	}
	want(t, read(t, reader, 190, 10), [3]uint64{1, 190, 200})
}
