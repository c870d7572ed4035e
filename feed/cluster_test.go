package feed

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// memberVariable makes this test's binary a server of a cluster.
const memberVariable = "TALARIA_FEED_MEMBER"

type memberSettings struct {
	Name   string
	Dir    string
	Port   int
	Route  int
	Routes []string
}

// runMember serves until its input ends.
func runMember(settings string) int {
	var m memberSettings
	err := json.Unmarshal([]byte(settings), &m)
	if err == nil {
		var s *Server
		s, err = StartServer(ServerOptions{
			ChainID: testChain, Name: m.Name, Dir: m.Dir, Host: "127.0.0.1", Port: m.Port, Users: testUsers, Public: true,
			Cluster: &Cluster{Name: "feed", Host: "127.0.0.1", Port: m.Route, Routes: m.Routes, User: "route", Password: "secret"},
		})
		if err == nil {
			fmt.Println(s.URL())
			_, _ = io.Copy(io.Discard, os.Stdin)
			s.Close()
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// member is a process of a cluster.
type member struct {
	settings string
	process  *exec.Cmd
	input    io.Closer
}

// start returns when the server takes connections.
func (m *member) start(t *testing.T) {
	t.Helper()
	m.process = exec.Command(os.Args[0])
	m.process.Env = append(os.Environ(), memberVariable+"="+m.settings)
	m.process.Stderr = os.Stderr
	var err error
	if m.input, err = m.process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := m.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.process.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("server of the cluster: %q, %v", line, err)
	}
}

// kill is SIGKILL.
func (m *member) kill(t *testing.T) {
	t.Helper()
	if err := m.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = m.process.Wait() // it was killed
	_ = m.input.Close()
	m.process = nil
}

// TestAClusterLosesNothingWhenAServerIsKilled: three processes; the one that leads the
// stream is killed in the middle of what is published, and, when it is back, the next.
func TestAClusterLosesNothingWhenAServerIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers take a while to agree")
	}
	const total = 6000
	ports, routes := make([]int, 3), make([]int, 3)
	for i := range ports {
		ports[i], routes[i] = freePort(t), freePort(t)
	}
	members, urls := make([]*member, 3), make([]string, 3)
	for i := range members {
		s := memberSettings{Name: strconv.Itoa(i), Dir: t.TempDir(), Port: ports[i], Route: routes[i]}
		for k, route := range routes {
			if k != i {
				s.Routes = append(s.Routes, fmt.Sprintf("nats-route://route:secret@127.0.0.1:%d", route))
			}
		}
		settings, err := json.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		members[i], urls[i] = &member{settings: string(settings)}, fmt.Sprintf("nats://127.0.0.1:%d", ports[i])
		members[i].start(t)
		t.Cleanup(func() {
			if members[i].process != nil {
				members[i].kill(t)
			}
		})
	}
	all := strings.Join(urls, ",")
	leader := dial(t, all, "leader", func(o *ClientOptions) { o.Publish.Replicas = 3 })

	got := make(chan []string, 3)
	for i := range members { // one at each
		reader := dial(t, urls[i]+","+all, "")
		go func() { got <- read(t, reader, 0, total) }()
	}
	feed := func(from, to uint64) {
		for n := from; n < to; n++ {
			publish(t, leader, small(1, n, 2000))
			if n%10 == 0 { // some are on the way at any moment
				pause(t.Context(), time.Millisecond)
			}
		}
	}
	feed(0, 1500)
	dead := members[leads(t, leader, 0)]
	dead.kill(t)
	feed(1500, 3500)
	flush(t, leader)
	dead.start(t)
	next := members[leads(t, leader, 2)] // when the one that came back holds all
	feed(3500, 4500)
	next.kill(t)
	feed(4500, total)
	flush(t, leader)
	for range members {
		want(t, <-got, [3]uint64{1, 0, total})
	}
	want(t, read(t, dial(t, all, ""), 0, total), [3]uint64{1, 0, total})
}

// leads is which server leads the stream, when that many others hold all of it.
func leads(t *testing.T, c *Client, current int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for pause(ctx, 50*time.Millisecond) {
		stream, err := c.js.Stream(ctx, c.names.stream(miniBlocks))
		if err != nil || stream.CachedInfo().Cluster == nil {
			continue
		}
		n := 0
		for _, p := range stream.CachedInfo().Cluster.Replicas {
			if p.Current && !p.Offline {
				n++
			}
		}
		if i, err := strconv.Atoi(stream.CachedInfo().Cluster.Leader); err == nil && n >= current {
			return i
		}
	}
	t.Fatal("no server leads the stream")
	return 0
}
