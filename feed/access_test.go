package feed

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func TestWhoMayWhat(t *testing.T) {
	s := serve(t)
	leader := dial(t, s.URL(), "leader")
	publish(t, leader, run(1, 0, 3, 10)...)
	flush(t, leader)
	for _, user := range []string{"", "friend", "validator"} {
		t.Run("user "+user, func(t *testing.T) {
			c := dial(t, s.URL(), user)
			refused := make(chan error, 64)
			c.nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
			expect := func(subject string) {
				t.Helper()
				for {
					select {
					case err := <-refused:
						if strings.Contains(err.Error(), subject) {
							return
						}
					case <-time.After(5 * time.Second):
						t.Fatalf("%s is not refused", subject)
					}
				}
			}
			stream := c.names.stream(miniBlocks)
			for _, subject := range []string{
				c.names.publish(miniBlocks), c.names.publish(blocks), c.names.live(miniBlocks), c.names.direct(miniBlocks), "_INBOX.of.another",
				"$JS.API.STREAM.DELETE." + stream, "$JS.API.STREAM.PURGE." + stream, "$JS.API.STREAM.CREATE.MINE", "$JS.API.CONSUMER.CREATE." + stream, "$SYS.REQ.SERVER.PING",
			} {
				if err := c.nc.PublishRequest(subject, c.nc.NewInbox(), []byte("{}")); err != nil {
					t.Fatal(err)
				}
				expect(subject)
			}
			for _, subject := range []string{">", "$JS.>", "_FEED.>", c.names.get(miniBlocks), c.names.publish(attestations)} {
				if _, err := c.nc.SubscribeSync(subject); err != nil {
					t.Fatal(err)
				}
				expect(subject)
			}
			if user == "validator" {
				if err := c.PublishAttestation(&Attestation{Number: 1}); err != nil {
					t.Fatal(err)
				}
				flush(t, c)
			} else {
				_ = c.nc.Publish(c.names.publish(attestations), nil)
				expect(c.names.publish(attestations))
			}
			want(t, read(t, c, 0, 3), [3]uint64{1, 0, 3})
		})
	}
	if _, err := Dial(t.Context(), ClientOptions{ChainID: testChain, URL: s.URL(), Credentials: Credentials{User: "leader", Password: "wrong"}}); err == nil {
		t.Error("a wrong password is taken")
	}
	private := serve(t, func(o *ServerOptions) { o.Public = false })
	if _, err := Dial(t.Context(), ClientOptions{ChainID: testChain, URL: private.URL()}); err == nil {
		t.Error("a server that is not public takes anybody")
	}
	dial(t, private.URL(), "friend")
}

func TestUsersAndCredentialsAreRead(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users, err := LoadUsers(file("# who may what\n\npublisher leader secret\nreader " + public + "\n"))
	if err != nil || len(users) != 2 {
		t.Fatalf("%v, %v", users, err)
	}
	s := serve(t, func(o *ServerOptions) { o.Users, o.Public = users, false })
	for _, content := range []string{"leader secret\n", string(seed) + "\n"} {
		credentials, err := LoadCredentials(file(content))
		if err != nil {
			t.Fatal(err)
		}
		dial(t, s.URL(), "", func(o *ClientOptions) { o.Credentials = credentials })
	}
	for _, bad := range []string{"king name secret", "reader name", "reader", "publisher a b c"} {
		if _, err := LoadUsers(file(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, bad := range []string{"", "name", "a b c"} {
		if _, err := LoadCredentials(file(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for list, good := range map[string]bool{"nats://a:1": true, "tls://a:1,nats://b:2": true, "": false, "http://a": false, "nats://u:p@a:1": false, "a:1": false} {
		if err := CheckURL(list); err == nil != good {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// raw speaks NATS by itself.
func raw(t *testing.T, s *Server) net.Conn {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil { // INFO
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestReadersWhoTakeNothingHurtNobody: they subscribe, ask for all that is stored, and
// read not a byte.
func TestReadersWhoTakeNothingHurtNobody(t *testing.T) {
	s := serve(t)
	leader := dial(t, s.URL(), "leader")
	publish(t, leader, run(1, 0, 200, 100_000)...)
	flush(t, leader)
	for range 20 {
		conn := raw(t, s)
		fmt.Fprintf(conn, "SUB %s 1\r\nSUB _INBOX.x 2\r\n", leader.names.live(miniBlocks))
		for range 200 {
			request := `{"seq":1,"batch":1000000000,"max_bytes":9000000000000}`
			fmt.Fprintf(conn, "PUB %s _INBOX.x %d\r\n%s\r\n", leader.names.get(miniBlocks), len(request), request)
		}
	}
	reader := dial(t, s.URL(), "")
	got := make(chan []string)
	go func() { got <- read(t, reader, 150, 250) }()
	publish(t, leader, run(1, 200, 400, 100_000)...)
	want(t, <-got, [3]uint64{1, 150, 400})
	for n := 0; s.Connections() > 3; n++ { // the leader's, the reader's, its own
		if n == 200 {
			t.Fatalf("%d connections are still there", s.Connections())
		}
		pause(t.Context(), 50*time.Millisecond)
		publish(t, leader, small(1, uint64(400+n), 700_000))
	}
}

// TestAnswersGoToWhoAsksOnly: what a reader has the server send cannot end in a stream.
func TestAnswersGoToWhoAsksOnly(t *testing.T) {
	s := serve(t)
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 3, 10)...)
	flush(t, leader)
	for _, reply := range []string{leader.names.publish(blocks), leader.names.live(miniBlocks), "$JS.API.STREAM.DELETE." + leader.names.stream(miniBlocks)} {
		if err := reader.nc.PublishRequest(reader.names.get(miniBlocks), reply, []byte(`{"seq":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, read(t, reader, 0, 3), [3]uint64{1, 0, 3})
	if _, _, err := leader.newest(t.Context(), blocks); !errors.Is(err, errNothing) {
		t.Errorf("the stream of blocks: %v", err)
	}
}

func TestRequestsAreWithinLimits(t *testing.T) {
	s := serve(t)
	leader, reader := dial(t, s.URL(), "leader"), dial(t, s.URL(), "")
	publish(t, leader, run(1, 0, 100, 200_000)...)
	flush(t, leader)
	for _, req := range []getRequest{{Seq: 1, Batch: 1 << 40, MaxBytes: 1 << 40}, {Seq: 1, Batch: 1 << 40, MaxBytes: -5}} {
		size, n := 0, 0
		if _, err := reader.fetch(t.Context(), miniBlocks, req, func(_ uint64, m *nats.Msg) error {
			size, n = size+len(m.Data), n+1
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if size > maxBatchBytes+maxPart || n < 2 {
			t.Errorf("%+v is answered with %d bytes in %d messages", req, size, n)
		}
	}
	for _, bad := range []string{"", "{", strings.Repeat(" ", maxRequest) + "{}", `{"seq":-1}`} {
		if m, err := reader.nc.Request(reader.names.get(miniBlocks), []byte(bad), 300*time.Millisecond); err == nil {
			t.Errorf("%q is answered with %q", bad, m.Data)
		}
	}
}

func TestThereAreAsManyConnectionsAsAllowed(t *testing.T) {
	s := serve(t, func(o *ServerOptions) { o.MaxConnections = 3 })
	dial(t, s.URL(), "leader")
	for range 3 {
		dial(t, s.URL(), "")
	}
	if _, err := Dial(t.Context(), ClientOptions{ChainID: testChain, URL: s.URL()}); err == nil {
		t.Error("one too many is taken")
	}
}

// TestAClusterOfOthersIsReadDirectly: where nobody limits requests, JetStream answers them.
func TestAClusterOfOthersIsReadDirectly(t *testing.T) {
	s := serve(t)
	s.history.close()
	leader := dial(t, s.URL(), "leader")
	publish(t, leader, run(1, 0, 300, 1000)...)
	flush(t, leader)
	reader := dial(t, s.URL(), "leader", func(o *ClientOptions) { o.Publish = nil })
	want(t, read(t, reader, 20, 280), [3]uint64{1, 20, 300})
	if !reader.direct.Load() {
		t.Error("somebody answers")
	}
}
