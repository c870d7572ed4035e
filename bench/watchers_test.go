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

// TestWatchersMeasureWhatTheyHear: each hears ten mini-blocks of a node that leaves one out,
// half of them old by a second.
func TestWatchersMeasureWhatTheyHear(t *testing.T) {
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
		for i := range 11 {
			if i == 5 {
				continue
			}
			at := time.Now().Add(-time.Duration(i%2) * time.Second).UnixMicro()
			send(fmt.Sprintf(`{"params":{"result":{"epoch":"0x1","number":"0x%x","timestampMicros":"0x%x","transactions":[%q]}}}`, 100+i, at, strings.Repeat("x", 1<<i)))
		}
		<-ctx.Done()
	}))
	defer node.Close()
	r, err := Watch(t.Context(), WatchConfig{URL: "ws" + strings.TrimPrefix(node.URL, "http"), Watchers: 3, Duration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != 30 || r.MiniBlocks != 10 || r.Missing != 3 || r.Watchers != 3 {
		t.Errorf("%+v", r)
	}
	if l := r.Latency; l.P50 > 500 || l.P99 < 1000 || l.P99 > 1500 {
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
