package l1

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// maxBeaconBody bounds one answer of the beacon API: 128 blobs in hexadecimal.
const maxBeaconBody = 128*2*131_072 + 1<<20

// beacon reads the standard beacon API (ethereum/beacon-APIs).
type beacon struct {
	base string
	http *http.Client

	mu    sync.Mutex
	clock *slotClock // nil until the first answer
}

// slotClock maps timestamps to block ids.
type slotClock struct {
	genesisTime    uint64 // seconds
	secondsPerSlot uint64 // 0: the server has no slots and takes execution block numbers
}

// id is the block_id under which the beacon API knows the block that h heads.
func (s *slotClock) id(h *types.Header) (string, error) {
	if s.secondsPerSlot == 0 {
		return h.Number.String(), nil
	}
	if h.Time < s.genesisTime {
		return "", fmt.Errorf("%w: block time %d is before the beacon chain's genesis at %d", ErrMismatch, h.Time, s.genesisTime)
	}
	return strconv.FormatUint((h.Time-s.genesisTime)/s.secondsPerSlot, 10), nil
}

// Blobs fetches the blobs with the versioned hashes that a transaction of the block
// headed by h names, in the order of hashes. Every blob's commitment is recomputed and
// checked. ErrNotFound: the server does not have them, or no longer.
func (c *Client) Blobs(ctx context.Context, h *types.Header, hashes []common.Hash) ([]Blob, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	var out []Blob
	err := c.retry(ctx, fmt.Sprintf("get %d blobs of L1 block %v", len(hashes), h.Number), func(ctx context.Context) error {
		clock, err := c.beacon.slots(ctx)
		if err != nil {
			return err
		}
		id, err := clock.id(h)
		if err != nil {
			return err
		}
		list, err := c.beacon.fetch(ctx, id, hashes)
		if err != nil {
			return err
		}
		out, err = selectBlobs(list, hashes)
		return err
	})
	return out, err
}

// slots asks once for genesis time and slot length.
func (b *beacon) slots(ctx context.Context) (*slotClock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clock != nil {
		return b.clock, nil
	}
	var genesis struct {
		Data struct {
			Time string `json:"genesis_time"`
		} `json:"data"`
	}
	if err := b.get(ctx, "/eth/v1/beacon/genesis", &genesis); err != nil {
		return nil, err
	}
	var spec struct {
		Data map[string]any `json:"data"`
	}
	clock := new(slotClock)
	var err error
	if clock.genesisTime, err = strconv.ParseUint(genesis.Data.Time, 10, 63); err != nil {
		return nil, fmt.Errorf("%w: beacon genesis_time %q", ErrMismatch, genesis.Data.Time)
	}
	// Anvil has no slots: it serves no spec and takes execution block numbers.
	err = b.get(ctx, "/eth/v1/config/spec", &spec)
	switch {
	case refused(err):
	case err != nil:
		return nil, err
	default:
		text, _ := spec.Data["SECONDS_PER_SLOT"].(string)
		if clock.secondsPerSlot, err = strconv.ParseUint(text, 10, 31); err != nil || clock.secondsPerSlot == 0 {
			return nil, fmt.Errorf("%w: beacon SECONDS_PER_SLOT %q", ErrMismatch, text)
		}
	}
	b.clock = clock
	return clock, nil
}

// fetch returns the blobs of a block, in any order and perhaps more than asked for:
// from the endpoint of the Fulu fork, or from its predecessor where that is missing.
func (b *beacon) fetch(ctx context.Context, id string, hashes []common.Hash) ([]hexutil.Bytes, error) {
	query := make(url.Values)
	for _, h := range hashes {
		query.Add("versioned_hashes", h.Hex())
	}
	var blobs struct {
		Data []hexutil.Bytes `json:"data"`
	}
	path := "/eth/v1/beacon/blobs/" + id
	err := b.get(ctx, path+"?"+query.Encode(), &blobs)
	if err == nil && len(blobs.Data) < len(hashes) {
		// Anvil heeds only one of several hashes: ask for all blobs of the block.
		err = b.get(ctx, path, &blobs)
	}
	if err == nil {
		return blobs.Data, nil
	}
	if !refused(err) {
		return nil, err
	}
	var sidecars struct {
		Data []struct {
			Blob hexutil.Bytes `json:"blob"`
		} `json:"data"`
	}
	if oldErr := b.get(ctx, "/eth/v1/beacon/blob_sidecars/"+id, &sidecars); oldErr != nil {
		if refused(oldErr) {
			return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return nil, oldErr
	}
	list := make([]hexutil.Bytes, len(sidecars.Data))
	for i, s := range sidecars.Data {
		list[i] = s.Blob
	}
	return list, nil
}

// refused reports that the server answered and does not serve this.
func refused(err error) bool {
	var se *statusError
	return errors.As(err, &se) && !retryStatus(se.code)
}

// get reads one JSON answer.
func (b *beacon) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return fmt.Errorf("beacon request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBeaconBody+1))
	if err != nil {
		return err
	}
	if len(body) > maxBeaconBody {
		return fmt.Errorf("%w: beacon answer to %s exceeds %d bytes", ErrMismatch, path, maxBeaconBody)
	}
	if res.StatusCode != http.StatusOK {
		return &statusError{code: res.StatusCode, body: strings.TrimSpace(string(body[:min(len(body), 200)]))}
	}
	if len(body) == 0 {
		return &statusError{code: http.StatusNotFound, body: "empty answer"}
	}
	if err := unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: beacon answer to %s: %w", ErrMismatch, path, err)
	}
	return nil
}

// selectBlobs puts blobs in the order of hashes, trusting only commitments that it has
// computed itself.
func selectBlobs(list []hexutil.Bytes, hashes []common.Hash) ([]Blob, error) {
	byHash := make(map[common.Hash]*Blob, len(list))
	for i, raw := range list {
		if len(raw) != len(Blob{}) {
			return nil, fmt.Errorf("%w: blob %d has %d bytes", ErrMismatch, i, len(raw))
		}
		blob := (*Blob)(raw)
		commitment, err := kzg4844.BlobToCommitment(blob)
		if err != nil {
			return nil, fmt.Errorf("%w: blob %d: %w", ErrMismatch, i, err)
		}
		byHash[kzg4844.CalcBlobHashV1(sha256.New(), &commitment)] = blob
	}
	out := make([]Blob, len(hashes))
	for i, h := range hashes {
		blob := byHash[h]
		if blob == nil {
			return nil, fmt.Errorf("%w: no blob with versioned hash %v among the %d served", ErrNotFound, h, len(list))
		}
		out[i] = *blob
	}
	return out, nil
}
