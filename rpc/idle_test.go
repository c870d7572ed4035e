package rpc

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Environment of the process that holds the idle connections: a process of its own,
// because both ends in one would need twice the file descriptors.
const (
	envIdleAddr  = "TALARIA_TEST_IDLE_ADDR"
	envIdleCount = "TALARIA_TEST_IDLE_COUNT"
)

// clientProcess opens connections and keeps them until its input closes.
func clientProcess() bool {
	addr := os.Getenv(envIdleAddr)
	if addr == "" {
		return false
	}
	count, err := strconv.Atoi(os.Getenv(envIdleCount))
	if err != nil {
		panic(err)
	}
	conns := make([]net.Conn, 0, count)
	for range count {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println("dial:", err)
			os.Exit(1)
		}
		conns = append(conns, conn)
	}
	fmt.Println("open", len(conns))
	bufio.NewReader(os.Stdin).ReadByte()
	return true
}

func TestTenThousandIdleConnectionsDoNotHurt(t *testing.T) {
	want := 10_000
	if testing.Short() {
		want = 500
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	lim.Cur = lim.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Logf("raise the limit of open files: %v", err)
	}
	if room := int(min(lim.Cur, 1<<20)) - 200; room < want {
		t.Logf("only %d open files are allowed: scaling down", lim.Cur)
		want = room
	}
	_, addr := serve(t, newFake(t), Options{})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envIdleAddr+"="+addr, envIdleCount+"="+strconv.Itoa(want))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != fmt.Sprintf("open %d\n", want) {
		t.Errorf("client process: %q %v", line, err)
	}
	for range 100 {
		if r := ask(t, addr, "eth_chainId", "[]"); string(r.Result) != `"0x1cf3"` {
			t.Fatalf("answer %s", r.Result)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
