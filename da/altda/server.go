package altda

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/da"
)

// ServerOptions configure a Server. The zero value of a field means its default.
type ServerOptions struct {
	Dir      string // where the data is kept, required
	MaxBytes int    // of data under one commitment [DefaultMaxBytes]
	// Uploads are bodies that are read at once; more are told to wait [8]. One address has
	// UploadsPerAddress of them [half, rounded up].
	Uploads, UploadsPerAddress int
	// Generic answers POST /put with a generic commitment, whose payload is the keccak256
	// hash behind a zero byte, instead of a keccak256 commitment.
	Generic bool
}

// Server is an http.Handler. Safe for concurrent use.
type Server struct {
	opts    ServerOptions
	uploads *da.Slots
}

// NewServer opens or makes the directory.
func NewServer(opts ServerOptions) (*Server, error) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.Uploads == 0 {
		opts.Uploads = 8
	}
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open alt-DA directory: %w", err)
	}
	// What a crash left half written is gone for its writer too.
	parts, err := filepath.Glob(filepath.Join(opts.Dir, da.PartPattern))
	for _, p := range parts {
		err = errors.Join(err, os.Remove(p))
	}
	if err != nil {
		return nil, fmt.Errorf("open alt-DA directory: %w", err)
	}
	return &Server{opts: opts, uploads: da.NewSlots(opts.Uploads, opts.UploadsPerAddress)}, nil
}

// layerByte stands in generic commitments of this server for the layer: data by its
// keccak256 hash.
const layerByte = 0x00

// ServeHTTP implements http.Handler. Slashes at the end of paths are passed over, and PUT
// and POST mean the same, as clients in use have it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimRight(r.URL.Path, "/")
	key, get := strings.CutPrefix(path, "/get/")
	name, put := strings.CutPrefix(path, "/put/")
	if !put {
		name = ""
	}
	switch {
	case get && r.Method == http.MethodGet:
		s.get(w, key)
	case (put || path == "/put") && (r.Method == http.MethodPut || r.Method == http.MethodPost):
		release := s.uploads.Take(r.RemoteAddr)
		if release == nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, fmt.Sprintf("uploads under way, of all or of this address, are as many as are taken: %d", s.opts.Uploads), http.StatusTooManyRequests)
			return
		}
		defer release()
		s.put(w, r, name)
	case path == "/health" && r.Method == http.MethodGet:
		_, _ = io.WriteString(w, "ok\n")
	case get, put, path == "/put", path == "/health":
		http.Error(w, "the method is not one of this path", http.StatusMethodNotAllowed)
	default:
		http.NotFound(w, r)
	}
}

// put keeps a body; name is the commitment that the client has made, if any.
func (s *Server) put(w http.ResponseWriter, r *http.Request, name string) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.opts.MaxBytes)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("the body exceeds %d bytes", s.opts.MaxBytes), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the body is not whole: "+err.Error(), http.StatusBadRequest)
		return
	case len(data) == 0:
		http.Error(w, "no data", http.StatusBadRequest)
		return
	}
	commitment := s.commit(data, name)
	if name != "" && hexutil.Encode(commitment) != strings.ToLower(name) {
		http.Error(w, "the commitment is not the data's", http.StatusBadRequest)
		return
	}
	if err := da.WriteFile(filepath.Join(s.opts.Dir, hashOf(commitment)), data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(commitment)
}

// commit is the commitment of the type that the client asks for, else of the server's.
func (s *Server) commit(data []byte, name string) []byte {
	generic := s.opts.Generic
	if name != "" {
		generic = strings.HasPrefix(name, "0x01")
	}
	if generic {
		return (&da.Generic{Payload: append([]byte{layerByte}, crypto.Keccak256(data)...)}).AltDA()
	}
	return da.NewKeccak(data).AltDA()
}

// hashOf is the keccak256 hash in a commitment of this server, which ends with it.
func hashOf(commitment []byte) string { return hexutil.Encode(commitment[len(commitment)-32:])[2:] }

func (s *Server) get(w http.ResponseWriter, key string) {
	raw, err := hexutil.Decode(key)
	if err != nil {
		http.Error(w, "a commitment is hexadecimal with 0x", http.StatusBadRequest)
		return
	}
	commitment, err := da.ParseAltDA(raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if g, ok := commitment.(*da.Generic); ok && (len(g.Payload) != 33 || g.Payload[0] != layerByte) {
		http.Error(w, "not a commitment of this server", http.StatusNotFound)
		return
	}
	data, err := os.ReadFile(filepath.Join(s.opts.Dir, hashOf(raw)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, "not found", http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case hexutil.Encode(crypto.Keccak256(data))[2:] != hashOf(raw):
		http.Error(w, "the file is damaged", http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	}
}
