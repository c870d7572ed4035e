package e2e

import (
	"context"
	be "encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// space is a network namespace without a name: it is there as long as its thread, the
// processes that were started in it, and this one live. Whatever ends the test, nothing is
// left behind: the kernel kills those processes with the thread that started them.
type space struct {
	ip   net.IP
	work chan func()
	tun  *os.File
}

// newSpace makes a namespace with a loopback and one address on a wire's device.
func newSpace(t *testing.T, ip net.IP) *space {
	t.Helper()
	s := &space{ip: ip, work: make(chan func())}
	made := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		made <- err
		if err != nil {
			return
		}
		for f := range s.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	t.Cleanup(func() { close(s.work); <-gone })
	if err := s.inside(s.plug); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.tun.Close() })
	return s
}

// inside runs f on a thread of the namespace.
func (s *space) inside(f func() error) error {
	done := make(chan error, 1)
	s.work <- func() { done <- f() }
	return <-done
}

// plug opens the device of the wire and gives it the address.
func (s *space) plug() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq("wire")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("make a TUN device: %w", err)
	}
	s.tun = os.NewFile(uintptr(fd), "wire of "+s.ip.String())
	for _, args := range [][]string{
		{"link", "set", "lo", "up"}, {"addr", "add", s.ip.String() + "/24", "dev", "wire"}, {"link", "set", "wire", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// start starts a command in the namespace. It is killed with the test.
func (s *space) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return s.inside(cmd.Start)
}

// dial connects from the namespace: addresses are as its processes see them, 127.0.0.1
// among them, and no wire lies between.
func (s *space) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err = s.inside(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// wire connects namespaces: packets between any two of them arrive after a delay, and some
// not at all. It is in user space, as a kernel need not have netem.
type wire struct {
	delay time.Duration
	loss  float64 // 0..1

	ends map[[4]byte]*wireEnd
	mu   sync.Mutex // of random
	rnd  *rand.Rand

	sent, lost, full atomic.Uint64 // packets
}

// wireEnd is where packets to one namespace wait.
type wireEnd struct {
	space *space
	queue chan packet
	cut   atomic.Bool // nothing goes in or out
}

type packet struct {
	due  time.Time
	data []byte
}

// wireQueue bounds the packets on the way to one end; more are lost.
const wireQueue = 1 << 14

func newWire(t *testing.T, seed uint64, delay time.Duration, loss float64, spaces ...*space) *wire {
	t.Helper()
	w := &wire{delay: delay, loss: loss, ends: map[[4]byte]*wireEnd{}, rnd: rand.New(rand.NewPCG(seed, 0))}
	for _, s := range spaces {
		w.ends[[4]byte(s.ip.To4())] = &wireEnd{space: s, queue: make(chan packet, wireQueue)}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, e := range w.ends {
		wg.Add(2)
		go func() { defer wg.Done(); w.receive(e) }()
		clock := newAlarm(t)
		go func() { defer wg.Done(); e.deliver(clock, stop) }()
	}
	t.Cleanup(func() {
		close(stop)
		for _, e := range w.ends {
			_ = e.space.tun.Close()
		}
		wg.Wait()
	})
	return w
}

// receive takes what a namespace sends.
func (w *wire) receive(from *wireEnd) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.space.tun.Read(buf)
		if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil || n < 20 || buf[0]>>4 != 4 {
			continue // not IPv4
		}
		to := w.ends[[4]byte(buf[16:20])]
		if to == nil {
			continue
		}
		w.sent.Add(1)
		if w.loses() || from.cut.Load() {
			w.lost.Add(1)
			continue
		}
		select {
		case to.queue <- packet{time.Now().Add(w.delay), append([]byte(nil), buf[:n]...)}:
		default:
			w.full.Add(1)
		}
	}
}

func (w *wire) loses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rnd.Float64() < w.loss
}

// deliver gives a namespace what has come for it, when it is due.
func (e *wireEnd) deliver(clock *alarm, stop <-chan struct{}) {
	defer clock.close()
	for {
		select {
		case p := <-e.queue:
			clock.sleepUntil(p.due)
			if !e.cut.Load() {
				_, _ = e.space.tun.Write(p.data)
			}
		case <-stop:
			return
		}
	}
}

// alarm is a timer of the kernel. It is exact to some 0.1 ms, where time.Sleep may be late
// by a millisecond; and whoever waits for it leaves the processor to others, which a
// goroutine that sleeps by a system call of its own does only when the runtime notices,
// up to 10 ms later.
type alarm struct {
	fd   int
	file *os.File
}

func newAlarm(t *testing.T) *alarm {
	t.Helper()
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		t.Fatalf("timer: %v", err)
	}
	return &alarm{fd, os.NewFile(uintptr(fd), "timer")}
}

func (a *alarm) close() { _ = a.file.Close() }

func (a *alarm) sleepUntil(due time.Time) {
	left := time.Until(due)
	if left <= 0 {
		return
	}
	var expirations [8]byte
	err := unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}, nil)
	if err == nil {
		_, err = a.file.Read(expirations[:])
	}
	if err != nil {
		panic(fmt.Sprintf("timer: %v", err)) // nothing that is measured over the wire would hold
	}
}

// cut takes a namespace off the wire, or puts it back.
func (w *wire) cut(s *space, off bool) { w.ends[[4]byte(s.ip.To4())].cut.Store(off) }

// needNamespaces skips the test, and says why, where namespaces and wires cannot be made.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root may make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("skipped: `ip` (iproute2) is not installed")
	}
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		t.Skipf("skipped: TUN devices cannot be made: %v", err)
	} else {
		_ = f.Close()
	}
	err := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err <- unix.Unshare(unix.CLONE_NEWNET)
	}()
	if err := <-err; err != nil {
		t.Skipf("skipped: this process may not make network namespaces: %v", err)
	}
}

// TestTheWire: what the other tests rest on. Between two namespaces a datagram takes the
// delay, a hundredth is lost, and none arrives while the wire is cut.
func TestTheWire(t *testing.T) {
	needNamespaces(t)
	const delay, loss, count = 20 * time.Millisecond, 0.01, 4000
	a, b := newSpace(t, net.IPv4(10, 77, 0, 1)), newSpace(t, net.IPv4(10, 77, 0, 2))
	w := newWire(t, 1, delay, loss, a, b)
	var in, out net.PacketConn
	listen := func(s *space, conn *net.PacketConn) {
		if err := s.inside(func() (err error) {
			*conn, err = net.ListenPacket("udp4", s.ip.String()+":9000")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = (*conn).Close() })
	}
	listen(a, &out)
	listen(b, &in)
	var took []time.Duration
	received := make(chan struct{})
	go func() {
		defer close(received)
		buf := make([]byte, 64)
		for {
			_ = in.SetReadDeadline(time.Now().Add(time.Second))
			n, _, err := in.ReadFrom(buf)
			if err != nil {
				return
			}
			if n == 8 {
				took = append(took, time.Duration(time.Now().UnixNano()-int64(be.BigEndian.Uint64(buf))))
			}
		}
	}()
	send := func() {
		if _, err := out.WriteTo(be.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())), in.LocalAddr()); err != nil {
			t.Error(err)
		}
	}
	clock := newAlarm(t)
	defer clock.close()
	for i := range count {
		send()
		if i%4 == 3 {
			clock.sleepUntil(time.Now().Add(time.Millisecond))
		}
	}
	clock.sleepUntil(time.Now().Add(10 * delay)) // what is on the way when a wire is cut does not arrive
	w.cut(b, true)
	for range 100 {
		send()
	}
	<-received
	lost := float64(count-len(took)) / count
	q := quantiles(took)
	t.Logf("%d of %d datagrams, %.1f %% lost; delay p50 %v, p99 %v", len(took), count, 100*lost, q(0.5), q(0.99))
	if lost < loss/2 || lost > 2*loss {
		t.Errorf("%.2f %% lost, want about %.0f %%", 100*lost, 100*loss)
	}
	if p := q(0.5); p < delay || p > delay+5*time.Millisecond {
		t.Errorf("median delay %v, want %v", p, delay)
	}
}
