package snapshots

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/snapshot"
)

// Options of a server. A zero field means its default, in brackets.
type Options struct {
	// Every is how old a snapshot may be that is handed to somebody who begins; then a new
	// one is made. Who has begun with one may finish while it is kept: the two newest are,
	// each until nobody has asked for it for that long [10 min].
	Every time.Duration
	// Rate bounds what is served in bytes a second [64 MiB].
	Rate int
	// PieceBytes is how large a piece is before it is compressed, about, 1.. [2 MiB].
	PieceBytes int
	// KeepFree is how many bytes of the disk stay free when a snapshot is made; far above
	// what a node needs to go on [4 GiB].
	KeepFree uint64
	Log      *slog.Logger // [slog.Default()]
}

const (
	// maxServing bounds the pieces that are read at once; more are refused.
	maxServing = 8
	// keepSnapshots bounds the disk that is used.
	keepSnapshots = 2
	// retryMaking is how long a failure to make a snapshot is the answer, retryRoom how long
	// that there is no room on the disk is.
	retryMaking = 2 * time.Second
	retryRoom   = time.Minute
)

// Server makes and serves snapshots of a node. It must be closed before the node.
type Server struct {
	node *node.Node
	opts Options
	log  *slog.Logger
	dir  string

	mu      sync.Mutex
	held    []*held // the newest last
	making  *progress
	failure error // of the last attempt
	failed  time.Time
	nextAt  time.Time // when the next piece may be served
	serving int

	free func() (uint64, error) // bytes of the disk

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// held is a snapshot on the disk.
type held struct {
	hash     common.Hash // of the block
	number   uint64
	pieces   int
	manifest []byte
	made     time.Time
	used     time.Time
}

// progress of a snapshot that is being made.
type progress struct {
	Accounts uint64 `json:"accounts"`
	Codes    uint64 `json:"codes"`
	Slots    uint64 `json:"slots"`
	Pieces   int    `json:"pieces"`
}

// Start serves snapshots of n, beginning with those that its data directory holds.
func Start(n *node.Node, opts Options) (*Server, error) {
	if opts.Every == 0 {
		opts.Every = 10 * time.Minute
	}
	if opts.Rate == 0 {
		opts.Rate = 64 << 20
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.KeepFree == 0 {
		opts.KeepFree = 4 << 30
	}
	s := &Server{node: n, opts: opts, log: opts.Log, free: n.Dir().Free, dir: filepath.Join(n.Dir().Path(), "snapshots")}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.tidy)
	return s, nil
}

// Close stops making a snapshot and waits for it. Those that are made stay.
func (s *Server) Close() {
	s.mu.Lock() // nothing begins behind it
	s.cancel()
	s.mu.Unlock()
	s.wg.Wait()
}

// open finds the snapshots that were made before, and removes what is left of others.
func (s *Server) open() error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		h, err := s.load(path)
		if err != nil || e.Name() != h.hash.Hex() {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		s.held = append(s.held, h)
	}
	s.drop(keepSnapshots, time.Time{})
	return nil
}

func (s *Server) load(path string) (*held, error) {
	info, err := os.Stat(filepath.Join(path, manifestFile))
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(path, manifestFile))
	if err != nil {
		return nil, err
	}
	m, err := snapshot.DecodeManifest(raw)
	if err != nil {
		return nil, err
	}
	return newHeld(m, raw, info.ModTime()), nil
}

func newHeld(m *snapshot.Manifest, raw []byte, made time.Time) *held {
	return &held{hash: m.Header.Hash(), number: m.Number(), pieces: len(m.Pieces), manifest: raw, made: made, used: time.Now()}
}

// drop removes all but the newest, and those that nobody has used since a time. s.mu is
// held, or nobody else has s.
func (s *Server) drop(keep int, since time.Time) {
	var left []*held
	for i, h := range s.held {
		if i >= len(s.held)-keep && (h.used.After(since) || h.made.After(since)) {
			left = append(left, h)
		} else if err := os.RemoveAll(filepath.Join(s.dir, h.hash.Hex())); err != nil {
			s.log.Error("an old snapshot cannot be removed", "block", h.number, "err", err)
		}
	}
	s.held = left
}

// tidy removes snapshots that nobody uses any more.
func (s *Server) tidy() {
	ticker := time.NewTicker(max(s.opts.Every/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-ticker.C:
			s.mu.Lock()
			s.drop(keepSnapshots, now.Add(-s.opts.Every))
			s.mu.Unlock()
		}
	}
}

// Answer is the answer to GET of a path below /snapshot/. It waits, for a moment, where
// more is asked for than Options.Rate allows.
func (s *Server) Answer(ctx context.Context, path string) (status int, kind string, body []byte) {
	const plain, binary = "text/plain; charset=utf-8", "application/octet-stream"
	refuse := func(status int, format string, args ...any) (int, string, []byte) {
		return status, plain, fmt.Appendf(nil, format+"\n", args...)
	}
	name, part, ok := strings.Cut(strings.TrimPrefix(path, "/snapshot/"), "/")
	if !ok && name == "latest" {
		h, making, err := s.latest(ctx)
		switch {
		case err != nil:
			return refuse(http.StatusServiceUnavailable, "%v", err)
		case h == nil:
			body, err := json.Marshal(making)
			if err != nil {
				return refuse(http.StatusInternalServerError, "%v", err)
			}
			return http.StatusAccepted, "application/json", append(body, '\n')
		}
		return http.StatusOK, binary, h.manifest
	}
	h := s.find(name)
	if !ok || h == nil || !s.current(ctx, h) {
		return refuse(http.StatusNotFound, "no such snapshot: ask for /snapshot/latest")
	}
	if part == manifestFile {
		return http.StatusOK, binary, h.manifest
	}
	index, err := strconv.Atoi(part)
	if err != nil || index < 0 || index >= h.pieces || strconv.Itoa(index) != part {
		return refuse(http.StatusNotFound, "no such piece: there are %d", h.pieces)
	}
	if !s.enter() {
		return refuse(http.StatusTooManyRequests, "%d pieces are being served: ask again", maxServing)
	}
	defer s.leave()
	if body, err = os.ReadFile(s.piece(h.hash, index)); err != nil {
		return refuse(http.StatusNotFound, "no such snapshot: ask for /snapshot/latest")
	}
	if err := s.await(ctx, len(body)); err != nil {
		return refuse(http.StatusServiceUnavailable, "%v", err)
	}
	return http.StatusOK, binary, body
}

func (s *Server) piece(hash common.Hash, index int) string {
	return filepath.Join(s.dir, hash.Hex(), strconv.Itoa(index))
}

// find returns the snapshot of the block with the hash, and notes that it is used.
func (s *Server) find(hash string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if h.hash.Hex() == hash {
			h.used = time.Now()
			return h
		}
	}
	return nil
}

// current tells whether the chain has the block of a snapshot: it may have been taken back.
func (s *Server) current(ctx context.Context, h *held) bool {
	header, err := s.node.HeaderByNumber(ctx, h.number)
	return err == nil && header != nil && header.Hash() == h.hash
}

// latest is the newest snapshot if it is fresh, else how far a new one is, which begins to
// be made.
func (s *Server) latest(ctx context.Context) (*held, *progress, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if n := len(s.held); n > 0 {
		if h := s.held[n-1]; now.Sub(h.made) < s.opts.Every && s.current(ctx, h) {
			h.used = now
			return h, nil, nil
		}
	}
	switch {
	case s.ctx.Err() != nil:
		return nil, nil, errors.New("the node is stopping")
	case s.making != nil:
	case s.failure != nil && (now.Sub(s.failed) < retryMaking || errors.Is(s.failure, errNoRoom) && now.Sub(s.failed) < retryRoom):
		return nil, nil, s.failure
	default:
		s.making = new(progress)
		s.wg.Go(s.make)
	}
	copied := *s.making
	return nil, &copied, nil
}

// errNoRoom says that a snapshot would take what is kept free of the disk.
var errNoRoom = errors.New("no room for a snapshot")

// room checks that so many bytes may be written.
func (s *Server) room(bytes uint64) error {
	free, err := s.free()
	if err == nil && (free < bytes || free-bytes < s.opts.KeepFree) {
		err = fmt.Errorf("%w: the disk has %d MiB free, it would take some %d MiB, and %d MiB are kept free", errNoRoom, free>>20, bytes>>20, s.opts.KeepFree>>20)
	}
	return err
}

// enter takes a place among those who are served.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving == maxServing {
		return false
	}
	s.serving++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving--
}

// await waits until so many bytes may be served.
func (s *Server) await(ctx context.Context, bytes int) error {
	s.mu.Lock()
	now := time.Now()
	if s.nextAt.Before(now) {
		s.nextAt = now
	}
	wait := s.nextAt.Sub(now)
	took := time.Duration(bytes) * time.Second / time.Duration(s.opts.Rate)
	s.nextAt = s.nextAt.Add(took)
	s.mu.Unlock()
	err := pause(ctx, wait)
	if err != nil { // what is not served takes nothing from the others
		s.mu.Lock()
		s.nextAt = s.nextAt.Add(-took)
		s.mu.Unlock()
	}
	return err
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// ancestors are the headers before a block, ascending, without genesis's.
func ancestors(ctx context.Context, n *node.Node, number uint64) ([]*types.Header, error) {
	first := uint64(1)
	if number > snapshot.Ancestors {
		first = number - snapshot.Ancestors
	}
	list := make([]*types.Header, 0, snapshot.Ancestors)
	for i := first; i < number; i++ {
		h, err := n.HeaderByNumber(ctx, i)
		if err != nil {
			return nil, err
		}
		if h == nil {
			return nil, errMoved
		}
		list = append(list, h)
	}
	return list, nil
}
