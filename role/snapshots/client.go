package snapshots

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/klauspost/compress/zstd"

	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/snapshot"
)

// errGone says that the server does not have the snapshot any more.
var errGone = errors.New("the server has dropped the snapshot")

// errLater says that asking again may help.
var errLater = errors.New("not now")

// FaultError says that a server sent what it cannot have believed itself.
type FaultError struct {
	Server string
	Why    error
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("snapshot of %s: %v (nothing of it was kept; ask another server with --snapshot-url)", e.Server, e.Why)
}

// Unwrap gives the cause.
func (e *FaultError) Unwrap() error { return e.Why }

// client asks a server over HTTP. It is for any number of goroutines.
type client struct {
	url  string // without a slash at the end
	http *http.Client
}

// readTimeout bounds one answer.
const readTimeout = 2 * time.Minute

func newClient(url string) *client {
	return &client{url: strings.TrimRight(url, "/"), http: &http.Client{
		Timeout:   readTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: maxParallel, DisableCompression: true, ResponseHeaderTimeout: 30 * time.Second},
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// get asks for a path, of which at most limit bytes are read.
func (c *client) get(ctx context.Context, path string, limit uint64) (body []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/snapshot/"+path, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errLater, err) // names the URL
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %s: %w", errLater, path, err)
	case res.StatusCode == http.StatusOK || res.StatusCode == http.StatusAccepted:
		if uint64(len(body)) > limit {
			return nil, 0, &FaultError{c.url, fmt.Errorf("%s has more than %d bytes", path, limit)}
		}
		return body, res.StatusCode, nil
	}
	text := strings.TrimSpace(string(body[:min(len(body), 200)]))
	switch err = fmt.Errorf("%s: %s: %s", path, res.Status, text); res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return nil, res.StatusCode, fmt.Errorf("%w: %w", errLater, err)
	case http.StatusNotFound:
		return nil, res.StatusCode, fmt.Errorf("%w: %w", errGone, err)
	}
	return nil, res.StatusCode, err
}

// manifest asks for that of a snapshot.
func (c *client) manifest(ctx context.Context, hash common.Hash) (*snapshot.Manifest, error) {
	raw, _, err := c.get(ctx, hash.Hex()+"/"+manifestFile, snapshot.MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	return c.decoded(raw)
}

func (c *client) decoded(raw []byte) (*snapshot.Manifest, error) {
	m, err := snapshot.DecodeManifest(raw)
	if err != nil {
		return nil, &FaultError{c.url, err}
	}
	return m, nil
}

// latest asks for the newest snapshot's manifest; nil and a text: it is being made.
func (c *client) latest(ctx context.Context) (*snapshot.Manifest, string, error) {
	raw, status, err := c.get(ctx, "latest", snapshot.MaxManifestBytes)
	if errors.Is(err, errGone) {
		return nil, "", fmt.Errorf("%s serves no snapshots (is --snapshot-url right, and does the node there have --snapshots?)", c.url)
	}
	if err != nil {
		return nil, "", err
	}
	if status == http.StatusAccepted {
		return nil, strings.TrimSpace(string(raw[:min(len(raw), 200)])), nil
	}
	m, err := c.decoded(raw)
	return m, "", err
}

// piece asks for a piece and decodes it. One that is not what the manifest says is asked
// for once more: it may have been damaged on the way.
func (c *client) piece(ctx context.Context, m *snapshot.Manifest, index int) (*snapshot.Content, error) {
	p := &m.Pieces[index]
	for try := 0; ; try++ {
		raw, _, err := c.get(ctx, m.Header.Hash().Hex()+"/"+strconv.Itoa(index), p.Size)
		if err != nil {
			return nil, err
		}
		if got := keccak.Sum256(raw); got != p.Hash {
			if try == 0 {
				continue
			}
			return nil, &FaultError{c.url, fmt.Errorf("piece %d of %d is wrong: hash %s, the manifest says %s", index, len(m.Pieces), got, p.Hash)}
		}
		content, err := unpack(raw, p.Raw)
		if err != nil {
			return nil, &FaultError{c.url, fmt.Errorf("piece %d of %d is wrong: %w", index, len(m.Pieces), err)}
		}
		return content, nil
	}
}

// unpack decodes the bytes of a piece, whose encoding has that many.
func unpack(packed []byte, size uint64) (*snapshot.Content, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(max(size, maxWindow)))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	if uint64(len(raw)) != size {
		return nil, fmt.Errorf("%d bytes, the manifest says %d", len(raw), size)
	}
	return snapshot.DecodeContent(raw)
}
