package devl1

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// versionedHash is the hash by which a transaction names a blob (EIP-4844).
func versionedHash(c kzg4844.Commitment) common.Hash {
	return kzg4844.CalcBlobHashV1(sha256.New(), &c)
}

// beaconAPI serves the part of the standard beacon API (ethereum/beacon-APIs) that
// rollup nodes read.
type beaconAPI struct {
	chain       *core.BlockChain
	blobs       *blobStore
	genesisTime uint64
}

func (b *beaconAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /eth/v1/beacon/genesis", b.genesis)
	mux.HandleFunc("GET /eth/v1/config/spec", b.spec)
	mux.HandleFunc("GET /eth/v1/node/version", b.version)
	mux.HandleFunc("GET /eth/v1/beacon/blobs/{block_id}", b.getBlobs)
	mux.HandleFunc("GET /eth/v1/beacon/blob_sidecars/{block_id}", b.getSidecars)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		beaconError(w, http.StatusNotFound, "NOT_FOUND: not served by a development L1")
	})
	return mux
}

func (b *beaconAPI) genesis(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"data": map[string]string{
		"genesis_time":            strconv.FormatUint(b.genesisTime, 10),
		"genesis_validators_root": common.Hash{}.Hex(),
		"genesis_fork_version":    "0x00000000",
	}})
}

func (b *beaconAPI) spec(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"data": map[string]string{
		"CONFIG_NAME":                           "talaria-devnet",
		"PRESET_BASE":                           "mainnet",
		"SECONDS_PER_SLOT":                      "1",
		"SLOT_DURATION_MS":                      "1000",
		"SLOTS_PER_EPOCH":                       "32",
		"MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS": strconv.FormatUint(b.blobs.keep/32, 10),
		"DEPOSIT_CHAIN_ID":                      b.chain.Config().ChainID.String(),
		"DEPOSIT_NETWORK_ID":                    b.chain.Config().ChainID.String(),
	}})
}

func (b *beaconAPI) version(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"data": map[string]string{"version": "talaria-devl1"}})
}

// block resolves a block_id: a slot, or a named head.
func (b *beaconAPI) block(id string) *types.Header {
	switch id {
	case "head":
		return b.chain.CurrentBlock()
	case "finalized":
		return b.chain.CurrentFinalBlock()
	case "justified":
		return b.chain.CurrentSafeBlock()
	case "genesis":
		return b.chain.Genesis().Header()
	}
	slot, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return nil
	}
	// Timestamps grow with numbers: search for the block of that second.
	target := b.genesisTime + slot
	low, high := uint64(0), b.chain.CurrentBlock().Number.Uint64()
	for low < high {
		mid := (low + high + 1) / 2
		h := b.chain.GetHeaderByNumber(mid)
		if h == nil || h.Time > target {
			high = mid - 1
		} else {
			low = mid
		}
	}
	if h := b.chain.GetHeaderByNumber(low); h != nil && h.Time == target {
		return h
	}
	return nil
}

// selected answers with the error itself when it returns false.
func (b *beaconAPI) selected(w http.ResponseWriter, r *http.Request) (*types.Header, []storedBlob, bool) {
	h := b.block(r.PathValue("block_id"))
	if h == nil {
		beaconError(w, http.StatusNotFound, "NOT_FOUND: no block at "+strconv.Quote(r.PathValue("block_id")))
		return nil, nil, false
	}
	list, err := b.blobs.get(h.Time - b.genesisTime)
	if err != nil {
		beaconError(w, http.StatusInternalServerError, err.Error())
		return nil, nil, false
	}
	return h, list, true
}

func (b *beaconAPI) getBlobs(w http.ResponseWriter, r *http.Request) {
	h, list, ok := b.selected(w, r)
	if !ok {
		return
	}
	want := make(map[common.Hash]bool)
	for _, v := range r.URL.Query()["versioned_hashes"] {
		for s := range strings.SplitSeq(v, ",") {
			want[common.HexToHash(s)] = true
		}
	}
	data := []hexutil.Bytes{}
	for _, blob := range list {
		if len(want) == 0 || want[blob.Hash] {
			data = append(data, blob.Blob)
		}
	}
	reply(w, map[string]any{"execution_optimistic": false, "finalized": b.finalized(h), "data": data})
}

// getSidecars is what clients from before the Fulu fork ask for. A development chain
// has no beacon blocks, so the sidecars come without header and inclusion proof.
func (b *beaconAPI) getSidecars(w http.ResponseWriter, r *http.Request) {
	h, list, ok := b.selected(w, r)
	if !ok {
		return
	}
	want := make(map[string]bool)
	for _, v := range r.URL.Query()["indices"] {
		for s := range strings.SplitSeq(v, ",") {
			want[s] = true
		}
	}
	type sidecar struct {
		Index      string             `json:"index"`
		Blob       hexutil.Bytes      `json:"blob"`
		Commitment kzg4844.Commitment `json:"kzg_commitment"`
		Proof      kzg4844.Proof      `json:"kzg_proof"`
	}
	data := []sidecar{}
	for i, blob := range list {
		index := strconv.Itoa(i)
		if len(want) > 0 && !want[index] {
			continue
		}
		proof, err := kzg4844.ComputeBlobProof((*kzg4844.Blob)(blob.Blob), blob.Commitment)
		if err != nil {
			beaconError(w, http.StatusInternalServerError, err.Error())
			return
		}
		data = append(data, sidecar{index, blob.Blob, blob.Commitment, proof})
	}
	reply(w, map[string]any{"execution_optimistic": false, "finalized": b.finalized(h), "data": data})
}

func (b *beaconAPI) finalized(h *types.Header) bool {
	f := b.chain.CurrentFinalBlock()
	return f != nil && h.Number.Cmp(f.Number) <= 0
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	// A failed write means that the reader has gone: there is nobody to tell.
	_ = json.NewEncoder(w).Encode(v)
}

func beaconError(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message})
}
