package proposer

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/talaria-l2/talaria/telemetry"
)

func TestWhatNeedsHelpIsAnAlarmInTheMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.New()
		g := &games{safe: 20}
		g.add(Root{0xad}, 500)
		g.list[0].Closes = time.Now().Add(time.Hour)
		g.add(Root{0xae}, 3)
		c := &purse{games: g, left: 101, staked: true}
		p := Start(Options{Chain: &stalled{g, time.Now()}, Claims: c, Interval: 10 * time.Second, Metrics: m.Claims(), Log: quiet})
		defer p.Close()
		has := func(lines ...string) {
			t.Helper()
			synctest.Wait()
			w := httptest.NewRecorder()
			m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			for _, line := range lines {
				if !strings.Contains(w.Body.String(), "\n"+line+"\n") {
					t.Errorf("no line %s", line)
				}
			}
		}
		time.Sleep(12 * time.Second)
		has(`talaria_proposer_alarm{reason="unchecked"} 0`, `talaria_proposer_alarm{reason="reserve"} 1`, `talaria_proposer_alarm{reason="failing"} 0`,
			`talaria_claims_challenged_total 1`, `talaria_claims_total 0`)
		g.set(func() { c.left = 1000 })
		time.Sleep(46 * time.Minute)
		has(`talaria_proposer_alarm{reason="unchecked"} 1`, `talaria_proposer_alarm{reason="reserve"} 0`, `talaria_claims_unchecked 1`, `talaria_claims_total 1`, `talaria_claimed_block_number 20`)
		time.Sleep(5 * time.Minute)
		g.set(func() { g.list[0].Held = true })
		time.Sleep(time.Minute)
		has(`talaria_proposer_alarm{reason="unchecked"} 0`, `talaria_claims_challenged_total 2`, `talaria_proposer_alarm{reason="missed"} 0`)
	})
}
