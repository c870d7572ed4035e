package exits

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/talaria-l2/talaria/rpc"
)

func TestQuestionsToL1WaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := &turns{perSecond: 200}
		begin := time.Now()
		at := func(n int, want time.Duration) {
			t.Helper()
			if err := turn.wait(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(begin); got != want {
				t.Errorf("asked after %v, want %v", got, want)
			}
		}
		at(150, 0)
		at(50, 0)
		at(100, 500*time.Millisecond)
		at(20, 600*time.Millisecond)
		time.Sleep(time.Minute)
		at(200, time.Minute+600*time.Millisecond)

		// What waits is bounded.
		answers := make(chan error, 12)
		for range cap(answers) {
			go func() { answers <- turn.wait(t.Context(), 100) }()
		}
		synctest.Wait()
		for range 2 {
			var e *rpc.Error
			select {
			case err := <-answers:
				if !errors.As(err, &e) || e.Code != rpc.CodeLimit || !strings.Contains(e.Message, "200 questions a second") {
					t.Errorf("error %v", err)
				}
			default:
				t.Fatal("nothing is refused")
			}
		}
		for range 10 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		at(100, time.Minute+6100*time.Millisecond)
	})
}
