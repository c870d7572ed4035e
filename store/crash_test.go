package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// crashChildEnv makes the test binary the process that gets killed.
const crashChildEnv = "TALARIA_STORE_CRASH_CHILD"

const crashSegmentBytes = 256 << 10

// runCrashChild appends records and writes blocks until somebody kills it. It
// prints what was acknowledged: "w <seq>" for the log, "b <number>" for a block.
func runCrashChild() bool {
	dir := os.Getenv(crashChildEnv)
	if dir == "" {
		return false
	}
	if err := crashChild(dir); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	return true
}

func crashChild(path string) error {
	dir, err := OpenDir(path)
	if err != nil {
		return err
	}
	db, err := Open(dir.DBPath(), Options{})
	if err != nil {
		return err
	}
	chainOf := newTestChain(99)
	next := uint64(0)
	if head, ok, err := db.Head(); err != nil {
		return err
	} else if ok {
		next = head + 1
	}
	for range next {
		chainOf.next()
	}
	last := uint64(0)
	w, err := OpenWAL(dir.WALPath(), WALOptions{
		SegmentBytes: crashSegmentBytes,
		OnDurable:    func(seq uint64) { fmt.Println("w", seq) },
	}, func(seq uint64, kind byte, payload []byte) error {
		last = seq
		return checkCrashPayload(seq, payload)
	})
	if err != nil {
		return err
	}
	fmt.Println("open", last)
	for seq := last + 1; ; seq++ {
		if _, err := w.Append(1, crashPayload(seq)); err != nil {
			return err
		}
		if seq%20 == 0 { // keeps groups small
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if seq%100 == 0 {
			b := chainOf.next()
			if err := db.WriteBlock(b.block, b.sigs, b.diff, nil); err != nil {
				return err
			}
			if seq%300 == 0 {
				if err := db.Sync(); err != nil {
					return err
				}
				fmt.Println("b", b.block.Number())
				if err := w.Truncate(seq - 299); err != nil {
					return err
				}
			}
		}
	}
}

func crashPayload(seq uint64) []byte {
	rng := rand.New(rand.NewPCG(seq, 1))
	b := binary.LittleEndian.AppendUint64(nil, seq)
	return append(b, payloadOf(rng, 1000)...)
}

func checkCrashPayload(seq uint64, payload []byte) error {
	if want := crashPayload(seq); string(payload) != string(want) {
		return fmt.Errorf("record %d has another payload", seq)
	}
	return nil
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	rounds := 24
	if testing.Short() {
		rounds = 5
	}
	rng := rand.New(rand.NewPCG(8, 8))
	path := filepath.Join(t.TempDir(), "data")
	var acked, block uint64
	for round := range rounds {
		a, b := killRound(t, path, 20+rng.IntN(600))
		acked, block = max(acked, a), max(block, b)

		dir, err := OpenDir(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := OpenWAL(dir.WALPath(), WALOptions{SegmentBytes: crashSegmentBytes}, func(seq uint64, _ byte, payload []byte) error {
			return checkCrashPayload(seq, payload)
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if w.Recovery().LastSeq < acked {
			t.Fatalf("round %d: log ends at %d, %d was acknowledged", round, w.Recovery().LastSeq, acked)
		}
		mustClose(t, w)
		db, err := Open(dir.DBPath(), Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		head, _, err := db.Head()
		if err != nil || head < block {
			t.Fatalf("round %d: head %d, %d was synced (%v)", round, head, block, err)
		}
		if head > 0 {
			if _, err := db.Block(head); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := dir.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if acked == 0 || block == 0 {
		t.Fatalf("acknowledged %d records, %d blocks: nothing was tested", acked, block)
	}
}

// killRound starts the child, kills it after some acknowledgements, and returns the
// highest record and block that it had acknowledged.
func killRound(t *testing.T, path string, after int) (seq, block uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashChildEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		kind, arg, _ := strings.Cut(lines.Text(), " ")
		v, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			t.Errorf("child: %s", lines.Text())
			break
		}
		switch kind {
		case "w":
			seq = v
		case "b":
			block = v
		}
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	cmd.Wait() // it was killed
	return seq, block
}
