package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/chain"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(memberVariable); settings != "" {
		os.Exit(runMember(settings))
	}
	goleak.VerifyTestMain(m,
		// A member of a cluster that is stopped while it makes a stream forgets the stream's files.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

// small is a mini-block without transactions whose diff has that many bytes, which do not
// compress.
func small(epoch, number uint64, bytes int) *MiniBlock {
	m := &MiniBlock{MiniBlock: &chain.MiniBlock{Diff: make([]byte, bytes)}}
	rng := rand.New(rand.NewPCG(epoch, number))
	for i := range m.Diff {
		m.Diff[i] = byte(rng.Uint32())
	}
	m.Header.ChainID, m.Header.Epoch, m.Header.Number = testChain, epoch, number
	m.Header.ParentHash = common.Hash{byte(epoch), byte(number)}
	return m
}

func testLog(t testing.TB) *slog.Logger {
	if os.Getenv("TALARIA_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// testUsers are one of each role.
var testUsers = []User{
	{Role: RolePublisher, Name: "leader", Password: "secret"},
	{Role: RoleAttestor, Name: "validator", Password: "secret"},
	{Role: RoleReader, Name: "friend", Password: "secret"},
}

func serve(t testing.TB, change ...func(*ServerOptions)) *Server {
	t.Helper()
	opts := ServerOptions{ChainID: testChain, Dir: t.TempDir(), Host: "127.0.0.1", Users: testUsers, Public: true, Log: testLog(t)}
	for _, f := range change {
		f(&opts)
	}
	s, err := StartServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dial(t testing.TB, url, user string, change ...func(*ClientOptions)) *Client {
	t.Helper()
	opts := ClientOptions{ChainID: testChain, URL: url, Log: testLog(t)}
	if user != "" {
		opts.Credentials = Credentials{User: user, Password: "secret"}
	}
	if user == "leader" {
		opts.Publish = &StreamOptions{}
	}
	for _, f := range change {
		f(&opts)
	}
	c, err := Dial(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// publish publishes mini-blocks, waiting while the queue is full.
func publish(t testing.TB, c *Client, list ...*MiniBlock) {
	t.Helper()
	for _, m := range list {
		for {
			err := c.PublishMiniBlock(m)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrBehind) || !pause(t.Context(), time.Millisecond) {
				t.Fatalf("publish %d: %v", m.Header.Number, err)
			}
		}
	}
}

func flush(t testing.TB, c *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := c.Flush(ctx); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func run(epoch, from, to uint64, bytes int) (list []*MiniBlock) {
	for n := from; n < to; n++ {
		list = append(list, small(epoch, n, bytes))
	}
	return list
}

var errEnough = errors.New("enough")

// read reads n mini-blocks from a number on, as "epoch.number".
func read(t testing.TB, c Source, from uint64, n int) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	err := c.MiniBlocks(ctx, from, func(m *MiniBlock) error {
		names = append(names, fmt.Sprintf("%d.%d", m.Header.Epoch, m.Header.Number))
		if len(names) == n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("read from %d: %d of %d (last %v): %v", from, len(names), n, names[max(len(names)-3, 0):], err)
	}
	return names
}

// want compares with runs of numbers of an epoch, each "epoch" from, to.
func want(t testing.TB, got []string, runs ...[3]uint64) {
	t.Helper()
	var names []string
	for _, r := range runs {
		for n := r[1]; n < r[2]; n++ {
			names = append(names, fmt.Sprintf("%d.%d", r[0], n))
		}
	}
	if len(got) != len(names) {
		t.Fatalf("%d mini-blocks, want %d: %v", len(got), len(names), got)
	}
	for i := range got {
		if got[i] != names[i] {
			t.Fatalf("mini-block %d is %s, want %s", i, got[i], names[i])
		}
	}
}

// freePort is one that nobody had a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
