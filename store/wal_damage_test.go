package store

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// smallLog is a closed log of n records, each proving the one before.
func smallLog(t testing.TB, n int) (*memFS, []logged) {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	fs := newMemFS()
	w, _ := mustOpen(t, fs, WALOptions{})
	var all []logged
	for i := range n {
		all = append(all, logged{byte(i), payloadOf(rng, 60)})
	}
	appendEach(t, w, all)
	<-prepared(w)
	mustClose(t, w)
	return fs, all
}

func segmentPath(index uint64) string { return filepath.Join(testDir, segmentName(index)) }

// ends lists the offsets behind each record of a segment.
func ends(recs []logged) []int {
	out := []int{segmentHeaderLen}
	for _, r := range recs {
		out = append(out, out[len(out)-1]+recordLen(len(r.payload)))
	}
	return out
}

func TestWALTruncatedFileKeepsWholeRecords(t *testing.T) {
	fs, all := smallLog(t, 8)
	offsets := ends(all)
	for size := 0; size <= offsets[len(all)]+3; size++ {
		c := fs.clone()
		d := c.files[segmentPath(1)]
		d.now = d.now[:size]
		w, got, err := openTest(c, WALOptions{})
		if size < segmentHeaderLen {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("size %d: %v, want a damaged header", size, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		whole := 0
		for whole < len(all) && offsets[whole+1] <= size {
			whole++
		}
		if !equalRecords(got, all[:whole]) {
			t.Fatalf("size %d: %d records, want %d", size, len(got), whole)
		}
		appendEach(t, w, all[whole:])
		mustClose(t, w)
		w, got = mustOpen(t, c, WALOptions{})
		if !equalRecords(got, all) || w.Recovery().CutFile != "" {
			t.Fatalf("size %d: after repair %d records, %+v", size, len(got), w.Recovery())
		}
		mustClose(t, w)
	}
}

func TestWALGarbageBehindTheTailIsCut(t *testing.T) {
	fs, all := smallLog(t, 5)
	end := ends(all)[5]
	rng := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		c := fs.clone()
		at := end
		path := segmentPath(1)
		if rng.IntN(4) == 0 { // in the prepared segment
			path, at = segmentPath(2), segmentHeaderLen
		}
		d := c.files[path]
		at += rng.IntN(300)
		if rng.IntN(4) == 0 {
			at = len(d.now)
		}
		garbage := append(payloadOf(rng, 300), 1)
		d.now = append(d.now[:at:at], append(garbage, d.now[min(at+len(garbage), len(d.now)):]...)...)
		w, got := mustOpen(t, c, WALOptions{})
		if !equalRecords(got, all) {
			t.Fatalf("%d records, want %d", len(got), len(all))
		}
		if r := w.Recovery(); path == segmentPath(1) && (r.CutBytes == 0 || r.CutOffset != int64(end)) {
			t.Fatalf("not reported: %+v", r)
		}
		mustClose(t, w)
		w, got = mustOpen(t, c, WALOptions{})
		if !equalRecords(got, all) || w.Recovery().CutBytes != 0 {
			t.Fatalf("not repaired: %+v", w.Recovery())
		}
		mustClose(t, w)
	}
}

func TestWALBitFlips(t *testing.T) {
	fs, all := smallLog(t, 6)
	offsets := ends(all)
	for bit := 0; bit < offsets[6]*8; bit++ {
		c := fs.clone()
		c.files[segmentPath(1)].now[bit/8] ^= 1 << (bit % 8)
		w, got, err := openTest(c, WALOptions{})
		hit := 0 // record, from 1; 0: header
		for hit < 6 && bit/8 >= offsets[hit] {
			hit++
		}
		if hit < 6 { // header, or a record that the next one proves
			var ce *CorruptError
			if !errors.As(err, &ce) {
				t.Fatalf("bit %d in record %d: %v, want a refusal", bit, hit, err)
			}
			if hit > 0 && (ce.Seq != uint64(hit) || ce.Offset != int64(offsets[hit-1]) || ce.File != segmentPath(1)) {
				t.Fatalf("bit %d in record %d: %v", bit, hit, ce)
			}
			if strings.Contains(ce.Error(), "\n") || !strings.Contains(ce.Error(), "hint") {
				t.Fatalf("message %q", ce)
			}
			continue
		}
		if err != nil {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if !equalRecords(got, all[:5]) {
			t.Fatalf("bit %d: %d records, want 5", bit, len(got))
		}
		mustClose(t, w)
	}
}

func TestWALMissingSegmentIsRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	fs := newMemFS()
	w, _ := mustOpen(t, fs, WALOptions{})
	for range 200 {
		appendEach(t, w, []logged{{1, payloadOf(rng, 3000)}})
	}
	mustClose(t, w)
	c := fs.clone()
	delete(c.files, segmentPath(3))
	_, _, err := openTest(c, WALOptions{})
	var ce *CorruptError
	if !errors.As(err, &ce) || ce.File != segmentPath(3) || ce.Seq == 0 {
		t.Fatalf("got %v", err)
	}
}

// place is where a record of a multi-segment log stands.
type place struct {
	path       string
	start, end int
	synced     uint64
}

func places(t *testing.T, fs *memFS, id logID) []place {
	var out []place
	for index := uint64(1); fs.files[segmentPath(index)] != nil; index++ {
		path := segmentPath(index)
		pos := segmentHeaderLen
		_, _, err := walkRecords(fs.files[path].now, id, 0, func(r record) error {
			n := recordLen(len(r.payload))
			out = append(out, place{path, pos, pos + n, r.synced})
			pos += n
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Whatever is overwritten, the log that opens is a prefix of what was appended,
// ends where damage begins, and nothing behind it proves that more was durable.
func TestWALDamageAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	fs := newMemFS()
	w, _ := mustOpen(t, fs, WALOptions{})
	var all []logged
	for i := range 220 {
		r := logged{byte(i), payloadOf(rng, 2000)}
		all = append(all, r)
		if _, err := w.Append(r.kind, r.payload); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(3) == 0 && i < 200 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, w)
	where := places(t, fs, w.id)
	if len(where) != len(all) {
		t.Fatalf("found %d records, want %d", len(where), len(all))
	}
	refused, cut := 0, 0
	for range 400 {
		c := fs.clone()
		hitHeader := false
		damaged := make(map[int]bool)
		for range 1 + rng.IntN(3) {
			p := where[len(where)-1-rng.IntN(min(len(where), 1+rng.IntN(len(where))))]
			d := c.files[p.path].now
			at := p.start + rng.IntN(p.end-p.start)
			if rng.IntN(20) == 0 {
				at = rng.IntN(segmentHeaderLen)
			}
			end := min(at+1+rng.IntN(1500), len(d))
			for i := at; i < end; i++ {
				d[i] ^= byte(1 + rng.IntN(255))
			}
			hitHeader = hitHeader || at < segmentHeaderLen
			for i, q := range where {
				if q.path == p.path && q.start < end && at < q.end {
					damaged[i] = true
				}
			}
		}
		w, got, err := openTest(c, WALOptions{})
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			refused++
			continue
		}
		mustClose(t, w)
		n := len(got)
		if !equalRecords(got, all[:n]) {
			t.Fatalf("%d records that are not what was appended", n)
		}
		if n == len(all) {
			continue
		}
		cut++
		if !damaged[n] && !hitHeader {
			t.Fatalf("cut at undamaged record %d", n+1)
		}
		for i := n; i < len(all); i++ {
			if !damaged[i] && where[i].synced > uint64(n) {
				t.Fatalf("cut back to %d, but record %d knew %d to be durable", n, i+1, where[i].synced)
			}
		}
	}
	if refused == 0 || cut == 0 {
		t.Fatalf("one-sided test: %d refused, %d cut", refused, cut)
	}
}
