package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestWatchersMeasureWhatTheyHear: a node tells of mini-blocks 300 ms after they were cut, and
// leaves every tenth out. What was cut before all watchers were there does not count, nor
// what is cut after their time.
func TestWatchersMeasureWhatTheyHear(t *testing.T) {
	const late, every = 300 * time.Millisecond, 10 * time.Millisecond
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		if _, text, err := conn.Read(r.Context()); err != nil || !strings.Contains(string(text), `"miniBlocks"`) {
			t.Errorf("it asked %s: %v", text, err)
		}
		send := func(text string) { _ = conn.Write(r.Context(), websocket.MessageText, []byte(text)) }
		send(`{"jsonrpc":"2.0","id":1,"result":"0x1"}`)
		ctx := conn.CloseRead(r.Context())
		if err := conn.Ping(ctx); err != nil { // waits for the pong
			t.Errorf("ping: %v", err)
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			if <-tick.C; i%10 == 5 {
				continue
			}
			send(fmt.Sprintf(`{"params":{"result":{"epoch":"0x1","number":"0x%x","timestampMicros":"0x%x","transactions":[%q]}}}`,
				100+i, time.Now().Add(-late).UnixMicro(), strings.Repeat("x", 1<<(i%17))))
		}
	}))
	defer node.Close()
	r, err := Watch(t.Context(), WatchConfig{URL: "ws" + strings.TrimPrefix(node.URL, "http"), Watchers: 3, Duration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.MiniBlocks; r.Watchers != 3 || n < 5 || n > uint64(time.Second/every) || r.Events > 3*n || r.Events <= n {
		t.Errorf("%+v", r)
	}
	if r.Missing < 3 || r.Missing > r.Events/3 {
		t.Errorf("%d of %d missing", r.Missing, r.Events)
	}
	if l, least := r.Latency, float64(late.Milliseconds()); l.P50 < least || l.P50 > 10*least {
		t.Errorf("latency %+v", l)
	}
}

func TestAWatchOfNoWebSocketFails(t *testing.T) {
	node := httptest.NewServer(http.NotFoundHandler())
	defer node.Close()
	if _, err := Watch(t.Context(), WatchConfig{URL: "ws" + strings.TrimPrefix(node.URL, "http"), Watchers: 1, Duration: time.Second}); err == nil {
		t.Error("it was taken for a node")
	}
	for _, url := range []string{"http://127.0.0.1:1", "ws://", "wss://127.0.0.1:1"} {
		if _, err := Watch(t.Context(), WatchConfig{URL: url, Watchers: 1, Duration: time.Second}); err == nil {
			t.Errorf("%s was taken", url)
		}
	}
}
