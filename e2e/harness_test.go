package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// How long the harness waits before it calls something broken. The promises that
// are tested are shorter and stand in their tests.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// binary is the talaria binary under test, built once.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("TALARIA_BIN"); path != "" {
		return path, nil
	}
	path, err := filepath.Abs(filepath.Join("..", "bin", "talaria"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "./cmd/talaria")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build talaria: %w\n%s", err, out)
	}
	return path, nil
})

// everyTest is the devnet that the tests which only use a chain have in common.
var everyTest struct {
	once sync.Once
	net  *devnet
	err  error
	dir  string
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e: skipped with -short")
		os.Exit(0)
	}
	code := m.Run()
	if everyTest.net != nil {
		if err := everyTest.net.interrupt(); err != nil {
			fmt.Println("the shared devnet:", err)
			code = 1
		}
		_ = os.RemoveAll(everyTest.dir)
	}
	os.Exit(code)
}

// sharedDevnet is one devnet for all tests that do not stop it.
func sharedDevnet(t *testing.T) *devnet {
	t.Helper()
	everyTest.once.Do(func() {
		if everyTest.dir, everyTest.err = os.MkdirTemp("", "talaria-e2e"); everyTest.err == nil {
			everyTest.net, everyTest.err = launchDevnet(everyTest.dir)
		}
	})
	if everyTest.err != nil {
		t.Fatal(everyTest.err)
	}
	return everyTest.net
}

// process is a started program whose output is kept.
type process struct {
	name   string
	cmd    *exec.Cmd
	lines  chan string // lines of standard output, closed at its end
	stderr *tail
	exited chan struct{} // closed when the process is gone; err is set before
	err    error
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (b *tail) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p...)
	if over := len(b.buf) - 16<<10; over > 0 {
		b.buf = append([]byte(nil), b.buf[over:]...)
	}
	return len(p), nil
}

func (b *tail) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(bytes.TrimSpace(b.buf))
}

// spawn starts a program. The caller kills or interrupts it.
func spawn(path string, args ...string) (*process, error) {
	return spawnWith(nil, path, args...)
}

// spawnWith starts a program with more variables, NAME=value, in its environment.
func spawnWith(env []string, path string, args ...string) (*process, error) {
	return spawnBy((*exec.Cmd).Start, env, path, args...)
}

// spawnBy is spawnWith with another way to start.
func spawnBy(start func(*exec.Cmd) error, env []string, path string, args ...string) (*process, error) {
	p := &process{
		name: filepath.Base(path), cmd: exec.Command(path, args...),
		lines: make(chan string, 1024), stderr: new(tail), exited: make(chan struct{}),
	}
	p.cmd.Stderr, p.cmd.Env = p.stderr, append(os.Environ(), env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := start(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go func() {
		defer close(p.exited)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			select {
			case p.lines <- scanner.Text():
			default: // nobody reads: keep the oldest
			}
		}
		close(p.lines)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// line returns the next line of standard output.
func (p *process) line(timeout time.Duration) (string, error) {
	select {
	case line, ok := <-p.lines:
		if ok {
			return line, nil
		}
		<-p.exited
		return "", fmt.Errorf("%s ended early (%v): %s", p.name, p.err, p.stderr)
	case <-time.After(timeout):
		return "", fmt.Errorf("%s printed nothing in %s: %s", p.name, timeout, p.stderr)
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// interrupt sends SIGINT and expects exit code 0.
func (p *process) interrupt() error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("interrupt %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
		return fmt.Errorf("%s did not stop in %s after SIGINT: %s", p.name, stopTimeout, p.stderr)
	}
	if p.err != nil {
		return fmt.Errorf("%s after SIGINT: %w: %s", p.name, p.err, p.stderr)
	}
	return nil
}

// devnet is a running `talaria devnet`.
type devnet struct {
	*process
	*DevnetInfo
	readyAfter time.Duration
}

// launchDevnet starts `talaria devnet` on free ports and waits for its line.
func launchDevnet(datadir string, args ...string) (*devnet, error) {
	bin, err := binary()
	if err != nil {
		return nil, err
	}
	all := append([]string{"devnet", "--datadir", datadir, "--port", "0", "--l1-port", "0",
		"--web-port", "0", "--metrics-port", "0", "--ingest-port", "0", "--feed-port", "0", "--json"}, args...)
	start := time.Now()
	p, err := spawn(bin, all...)
	if err != nil {
		return nil, err
	}
	line, err := p.line(startTimeout)
	if err != nil {
		p.kill()
		return nil, err
	}
	info, err := decodeDevnetInfo([]byte(line))
	if err != nil {
		p.kill()
		return nil, err
	}
	return &devnet{p, info, time.Since(start)}, nil
}

// startDevnet is launchDevnet for one test: it is killed at the end if it still runs.
func startDevnet(t *testing.T, datadir string, args ...string) *devnet {
	t.Helper()
	d, err := launchDevnet(datadir, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	return d
}

// follower is a running `talaria replica`.
type follower struct {
	*process
	HTTPURL string
}

// startReplica starts an L1-only follower on a free port.
func startReplica(t *testing.T, datadir, l1URL, beaconURL, genesis string, args ...string) *follower {
	t.Helper()
	var info struct {
		L2 L2Info `json:"l2"`
	}
	p := startRole(t, &info, append([]string{"replica", "--l1-url", l1URL, "--l1-beacon-url", beaconURL, "--genesis", genesis,
		"--datadir", datadir, "--port", "0"}, args...)...)
	if info.L2.HTTPURL == "" {
		t.Fatal("replica does not say where it serves")
	}
	return &follower{p, info.L2.HTTPURL}
}

// startRole starts the binary with --json and decodes its ready line into info.
func startRole(t *testing.T, info any, args ...string) *process {
	t.Helper()
	return startRoleWith(t, nil, info, args...)
}

// startRoleWith is startRole with more variables, NAME=value, in the environment.
func startRoleWith(t *testing.T, env []string, info any, args ...string) *process {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p, err := spawnWith(env, bin, append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := p.line(startTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), info); err != nil {
		t.Fatalf("%s line %q: %v", args[0], line, err)
	}
	return p
}

// npmTool is the path of a native program from an npm package of ours.
func npmTool(t *testing.T, name string) string {
	t.Helper()
	arch := runtime.GOARCH
	path, err := filepath.Abs(fmt.Sprintf("node_modules/@foundry-rs/%s-%s-%s/bin/%s", name, runtime.GOOS, arch, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed: run `make e2e`, or `npm ci` in e2e/ and contracts/ (%v)", name, err)
	}
	return path
}

// anvil is another node of the same kind: an L1 by URL, and the proof that the
// client scripts are right.
type anvil struct {
	*process
	url string
}

func startAnvil(t *testing.T, args ...string) *anvil {
	t.Helper()
	port := freePort(t)
	p, err := spawn(npmTool(t, "anvil"), append([]string{"--silent", "--port", fmt.Sprint(port)}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	a := &anvil{p, fmt.Sprintf("http://127.0.0.1:%d", port)}
	awaitRPC(t, a.url, startTimeout)
	return a
}

// givenPorts are those that freePort has returned.
var givenPorts sync.Map

// freePort is a port that nobody listened on a moment ago, another one each time.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, given := givenPorts.LoadOrStore(port, true); !given {
			return port
		}
	}
}

// awaitRPC waits until url answers eth_chainId and says how long that took.
func awaitRPC(t *testing.T, url string, timeout time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	eventually(t, timeout, url+" answers", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := rpc.DialContext(ctx, url)
		if err != nil {
			return err
		}
		defer c.Close()
		var id string
		return c.CallContext(ctx, &id, "eth_chainId")
	})
	return time.Since(start)
}

// eventually calls check until it succeeds.
func eventually(t *testing.T, timeout time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("did not happen in %s: %s: %v", timeout, what, err)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
}

// dialEth connects a client of go-ethereum.
func dialEth(t *testing.T, url string) *ethclient.Client {
	t.Helper()
	c, err := ethclient.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// runTool runs a program to its end and returns its standard output.
func runTool(t *testing.T, timeout time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", filepath.Base(name), strings.Join(args, " "), err, last(stdout.String()), last(stderr.String()))
	}
	return stdout.String()
}

func last(s string) string {
	const most = 4000
	return s[max(0, len(s)-most):]
}

// exitOf runs talaria to its end and returns its exit code and standard error.
func exitOf(t *testing.T, args ...string) (int, string) {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("talaria %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(stderr.String())
}
