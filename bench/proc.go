package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

// usage is what a process had used at one moment.
type usage struct {
	cpu time.Duration // user and system
	rss uint64        // bytes
}

// clockTick is the unit of /proc/<pid>/stat: USER_HZ is 100 on every Linux.
const clockTick = 10 * time.Millisecond

// usageOf reads /proc/<pid>/stat.
func usageOf(pid int) (usage, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	// The second field is a name in brackets, which may hold anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 22 {
		return usage{}, fmt.Errorf("processor time of process %d: /proc/%d/stat is too short", pid, pid)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	pages, err3 := strconv.ParseUint(fields[21], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return usage{}, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return usage{cpu: time.Duration(user+system) * clockTick, rss: pages * uint64(os.Getpagesize())}, nil
}

// ownerOf finds the process that listens on a URL's port of this machine, 0 if it is
// elsewhere or not to be seen.
func ownerOf(rawURL string) int {
	u, err := url.Parse(rawURL)
	if err != nil || !local(u.Hostname()) {
		return 0
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return 0
	}
	inodes := listening(uint16(port))
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err == nil && slices.Contains(inodes, target) {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			return pid
		}
	}
	return 0
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listening lists the sockets that listen on a TCP port, as /proc/<pid>/fd shows them.
func listening(port uint16) (sockets []string) {
	const stateListen = "0A"
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == stateListen && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				sockets = append(sockets, "socket:["+f[9]+"]")
			}
		}
	}
	return sockets
}

// recoverMicros is the median time of one recovery of a signer with libsecp256k1, on
// one processor, in microseconds: the yardstick of what a transaction costs.
func recoverMicros() (float64, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return 0, fmt.Errorf("generate a key: %w", err)
	}
	const rounds = 1001
	took := make([]time.Duration, rounds)
	for i := range took {
		digest := crypto.Keccak256([]byte{byte(i), byte(i >> 8)})
		sig, err := crypto.Sign(digest, key)
		if err != nil {
			return 0, fmt.Errorf("sign: %w", err)
		}
		start := time.Now()
		if _, err := crypto.Ecrecover(digest, sig); err != nil {
			return 0, fmt.Errorf("recover: %w", err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return float64(took[rounds/2]) / float64(time.Microsecond), nil
}
