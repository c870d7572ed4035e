package sequencer

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/talaria-l2/talaria/derive"
)

// An L1 that stands for ten minutes keeps nobody from the chain. One that stands for longer
// than derive.MaxOriginLag does, and both are made up for by themselves.
func TestTenMinutesWithoutL1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWith(t, func(r *rig) {
			r.block, r.noSync = 2_000, true
			r.chain = newForkL1(r.g.Timestamp)
			r.chain.every = 12
		})
		nonce := uint64(0)
		pay := func() {
			t.Helper()
			if _, err := r.await(r.submit(r.transfer(0, nonce, 1))); err != nil {
				t.Fatal(err)
			}
			nonce++
		}
		passes := func(d time.Duration) {
			t.Helper()
			for range d / time.Minute {
				time.Sleep(time.Minute)
				pay()
			}
		}
		// comes makes the L1 blocks that came meanwhile known.
		comes := func() {
			t.Helper()
			missing := (uint64(time.Now().Unix())-r.chain.start)/12 - r.chain.tip().Number
			r.chain.grow(0, int(missing))
			synctest.Wait()
			r.reach(r.chain.tip())
		}
		for range 10 {
			time.Sleep(12 * time.Second)
			comes()
		}
		pay()

		at := r.node.PublishedHead().Number.Uint64()
		passes(10 * time.Minute)
		if n := r.node.PublishedHead().Number.Uint64(); n < at+290 {
			t.Errorf("%d blocks in ten minutes", n-at)
		}
		comes()
		pay()

		passes(29 * time.Minute)
		time.Sleep(2 * time.Minute)
		if err := r.seq.Ready(); err == nil || !strings.Contains(err.Error(), "lags too far") {
			t.Errorf("ready: %v", err)
		}
		if _, err := r.await(r.submit(r.transfer(0, nonce, 1))); err == nil {
			t.Error("a transaction was taken that nobody could derive")
		}
		head := r.headAt(r.node.PublishedHead().Number.Uint64())
		if lag := head.Timestamp - r.chain.block(head.Origin.Number).Timestamp; lag > derive.MaxOriginLag+12 || lag < derive.MaxOriginLag-12 {
			t.Errorf("it stopped %d s behind L1", lag)
		}
		time.Sleep(2 * time.Hour)
		comes()
		pay()
		passes(3 * time.Minute)
	})
}
