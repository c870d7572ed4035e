package committee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/talaria-l2/talaria/bls"
	"github.com/talaria-l2/talaria/da"
)

// HandlerOptions configure a Handler. The zero value of a field means its default.
type HandlerOptions struct {
	Key    *bls.SecretKey // required
	Source Source         // required
	Shelf  *Shelf         // required
	// Dispersers are the accounts that may write; empty: anybody.
	Dispersers []common.Address
	MaxExpiry  time.Duration // of a statement from now on [24 h]
	// Uploads are chunks that are read and verified at once; more are told to wait [4]. One
	// address has UploadsPerAddress of them [half, rounded up].
	Uploads, UploadsPerAddress int
	// Restores is the weight in 1/10,000 whose certificate lets anybody give back a chunk
	// that was lost [what L1 asks for].
	Restores uint16
	// Retention is how long after its expiry a chunk is wanted back; 0: for ever.
	Retention time.Duration
	Now       func() time.Time // [time.Now]
}

// Handler is an operator's HTTP interface, version 1 (docs/spec/da.md). Safe for
// concurrent use.
type Handler struct {
	opts    HandlerOptions
	public  *bls.PublicKey
	uploads *da.Slots
	mux     *http.ServeMux
}

// NewHandler makes the interface of one operator.
func NewHandler(opts HandlerOptions) *Handler {
	opts.MaxExpiry = withDefault(opts.MaxExpiry, 24*time.Hour)
	opts.Uploads = withDefault(opts.Uploads, 4)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	h := &Handler{opts: opts, public: opts.Key.Public(), uploads: da.NewSlots(opts.Uploads, opts.UploadsPerAddress), mux: http.NewServeMux()}
	h.mux.HandleFunc("POST /v1/chunks", h.upload(h.store))
	h.mux.HandleFunc("POST /v1/restore", h.upload(h.restore))
	h.mux.HandleFunc("GET /v1/chunks/{digest}", h.chunk)
	h.mux.HandleFunc("GET /v1/chunks/{digest}/{blob}/{cell}", h.cell)
	h.mux.HandleFunc("GET /v1/status", h.status)
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// refusal is an answer other than 200.
type refusal struct {
	code int
	text string
}

func (e *refusal) Error() string { return e.text }

func refuse(code int, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// fail answers with an error. What is not a refusal is our own fault.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	var r *refusal
	switch {
	case errors.As(err, &r):
		code = r.code
	case errors.Is(err, da.ErrMalformed), errors.Is(err, da.ErrMismatch):
		code = http.StatusBadRequest
	case errors.Is(err, da.ErrNotFound):
		code = http.StatusNotFound
	case errors.Is(err, da.ErrUnavailable):
		code = http.StatusServiceUnavailable
	case errors.Is(err, ErrFull):
		code = http.StatusInsufficientStorage
	}
	http.Error(w, err.Error(), code)
}

// upload answers a request that brings something.
func (h *Handler) upload(f func(http.ResponseWriter, *http.Request) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(w, r)
		if err != nil {
			fail(w, err)
			return
		}
		answer(w, out)
	}
}

// slot is asked for once it is known that a chunk is wanted, and from whom: until then a
// request costs a connection and a few kilobytes.
func (h *Handler) slot(w http.ResponseWriter, r *http.Request) (release func(), err error) {
	if release = h.uploads.Take(r.RemoteAddr); release == nil {
		w.Header().Set("Retry-After", "1")
		return nil, refuse(http.StatusTooManyRequests, "uploads under way, of all or of this address, are as many as are taken: %d", h.opts.Uploads)
	}
	return release, nil
}

func answer(w http.ResponseWriter, raw []byte) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, _ = w.Write(raw) // a client that is gone gets nothing
}

// store verifies a chunk, keeps it and signs.
func (h *Handler) store(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	s, err := readStatement(r.Body)
	if err != nil {
		return nil, err
	}
	now := h.opts.Now()
	switch {
	case s.Expiry < uint64(now.Unix()):
		return nil, refuse(http.StatusBadRequest, "the statement expired at %d", s.Expiry)
	case s.Expiry > uint64(now.Add(h.opts.MaxExpiry).Unix()):
		return nil, refuse(http.StatusBadRequest, "the statement expires at %d, more than %v from now", s.Expiry, h.opts.MaxExpiry)
	}
	members, index, err := h.place(r.Context(), s.Epoch)
	if err != nil {
		return nil, err
	}
	digest := s.Digest(members.Domain)
	if err := h.authorise(r, digest); err != nil {
		return nil, err
	}
	release, err := h.slot(w, r)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := h.keep(r.Body, members, index, s); err != nil {
		return nil, err
	}
	signature := h.opts.Key.Sign(digest[:]).Bytes()
	return signature[:], nil
}

// restore takes a chunk back that a certificate names: what the committee has signed for is
// this operator's to hold, for as long as it keeps anything.
func (h *Handler) restore(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	cert, err := readCertificate(r.Body)
	if err != nil {
		return nil, err
	}
	if keep := h.opts.Retention; keep > 0 && cert.Expiry < uint64(max(h.opts.Now().Add(-keep).Unix(), 0)) {
		return nil, refuse(http.StatusGone, "it expired at %d and was kept %v longer", cert.Expiry, keep)
	}
	members, index, err := h.place(r.Context(), cert.Epoch)
	if err != nil {
		return nil, err
	}
	if err := members.Verify(cert, withDefault(h.opts.Restores, members.Needed())); err != nil {
		return nil, err
	}
	release, err := h.slot(w, r)
	if err != nil {
		return nil, err
	}
	defer release()
	return []byte("ok"), h.keep(r.Body, members, index, &cert.Statement)
}

// place finds the committee and this operator in it.
func (h *Handler) place(ctx context.Context, epoch uint64) (*Committee, int, error) {
	members, err := h.opts.Source.Committee(ctx, epoch)
	if err != nil {
		return nil, 0, err
	}
	index := members.Find(h.public)
	if index < 0 {
		return nil, 0, refuse(http.StatusConflict, "not a member of the committee of epoch %d", epoch)
	}
	return members, index, nil
}

// authorise checks who disperses, where that matters.
func (h *Handler) authorise(r *http.Request, digest common.Hash) error {
	if len(h.opts.Dispersers) == 0 {
		return nil
	}
	signature, err := hexutil.Decode(r.Header.Get(disperserHeader))
	if err != nil || len(signature) != crypto.SignatureLength {
		return refuse(http.StatusUnauthorized, "%s: 65 bytes in hexadecimal are required", disperserHeader)
	}
	key, err := crypto.SigToPub(digest[:], signature)
	if err != nil || !slices.Contains(h.opts.Dispersers, crypto.PubkeyToAddress(*key)) {
		return refuse(http.StatusUnauthorized, "%s: not the signature of a disperser that is known here", disperserHeader)
	}
	return nil
}

// keep reads the chunk that is the rest of the body, verifies it and puts it on the
// shelf.
func (h *Handler) keep(body io.Reader, members *Committee, index int, s *da.Statement) error {
	from, to := members.Cells(index)
	raw, err := readExactly(body, chunkBytes(len(s.Commitments), to-from), true)
	if err != nil {
		return err
	}
	chunk, err := parseChunk(raw, len(s.Commitments))
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if chunk.From != from || chunk.To() != to {
		return refuse(http.StatusBadRequest, "cells %d..%d, but this operator holds %d..%d", chunk.From, chunk.To()-1, from, to-1)
	}
	if err := chunk.Verify(s.Commitments); err != nil {
		return err
	}
	digest := s.Digest(members.Domain)
	if _, _, err := h.opts.Shelf.Get(digest); err == nil {
		return nil // it is there already
	}
	return h.opts.Shelf.Put(digest, s, chunk)
}

// readStatement reads the statement at the front of a body.
func readStatement(body io.Reader) (*da.Statement, error) {
	fixed := len((&da.Statement{}).Bytes())
	raw, err := readExactly(body, fixed, false)
	if err != nil {
		return nil, err
	}
	count := int(raw[fixed-2])<<8 | int(raw[fixed-1])
	if count > da.MaxCommitteeBlobs {
		return nil, refuse(http.StatusRequestEntityTooLarge, "%d blobs, limit %d", count, da.MaxCommitteeBlobs)
	}
	rest, err := readExactly(body, count*len(kzg4844.Commitment{}), false)
	if err != nil {
		return nil, err
	}
	s, _, err := da.ParseStatement(append(raw, rest...))
	return s, err
}

// readCertificate reads a certificate behind its length (4 bytes).
func readCertificate(body io.Reader) (*da.Certificate, error) {
	head, err := readExactly(body, 4, false)
	if err != nil {
		return nil, err
	}
	size := common.BytesToHash(head).Big().Uint64()
	if size > maxCertificateBytes {
		return nil, refuse(http.StatusRequestEntityTooLarge, "a certificate of %d bytes, limit %d", size, maxCertificateBytes)
	}
	raw, err := readExactly(body, int(size), false)
	if err != nil {
		return nil, err
	}
	return da.ParseCertificate(raw)
}

// maxCertificateBytes bounds an encoded certificate generously.
const maxCertificateBytes = 8_192

// readExactly reads n bytes; last says that nothing may follow.
func readExactly(body io.Reader, n int, last bool) ([]byte, error) {
	raw := make([]byte, n)
	if got, err := io.ReadFull(body, raw); err != nil {
		return nil, refuse(http.StatusBadRequest, "the body ends after %d of %d bytes: %v", got, n, err)
	}
	if last {
		if more, _ := io.ReadFull(body, make([]byte, 1)); more != 0 {
			return nil, refuse(http.StatusRequestEntityTooLarge, "the body goes on behind its end")
		}
	}
	return raw, nil
}

// chunk serves what is kept of a statement.
func (h *Handler) chunk(w http.ResponseWriter, r *http.Request) {
	digest, err := digestOf(r)
	if err != nil {
		fail(w, err)
		return
	}
	_, chunk, err := h.opts.Shelf.Get(digest)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, chunk.appendTo(make([]byte, 0, chunkBytes(len(chunk.Cells), chunk.To()-chunk.From))))
}

// cell serves one cell and its proof.
func (h *Handler) cell(w http.ResponseWriter, r *http.Request) {
	digest, err := digestOf(r)
	blob, berr := strconv.ParseUint(r.PathValue("blob"), 10, 16)
	cell, cerr := strconv.ParseUint(r.PathValue("cell"), 10, 16)
	if err = errors.Join(err, berr, cerr); err != nil {
		fail(w, refuse(http.StatusBadRequest, "%v", err))
		return
	}
	raw, err := h.opts.Shelf.Cell(digest, int(blob), int(cell))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, raw)
}

func digestOf(r *http.Request) (common.Hash, error) {
	raw, err := hexutil.Decode(r.PathValue("digest"))
	if err != nil || len(raw) != common.HashLength {
		return common.Hash{}, refuse(http.StatusBadRequest, "a digest has 0x and 64 digits")
	}
	return common.Hash(raw), nil
}

// status says who this is and how full it is.
func (h *Handler) status(w http.ResponseWriter, _ *http.Request) {
	key := h.public.Bytes()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"version": 1, "publicKey": hexutil.Bytes(key[:]), "usedBytes": h.opts.Shelf.Used(),
	})
}
