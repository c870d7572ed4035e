package altda

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/da"
)

// DefaultMaxBytes bounds the data under one commitment: a channel with room to spare.
const DefaultMaxBytes = da.MaxAltDABytes

// ClientOptions configure a Client. The zero value of a field means its default.
type ClientOptions struct {
	URL     string // of the server, required
	Generic bool   // let the server make commitments (type 1); nothing checks them
	// ReadBack has Put return only when the server gives the data back: nothing on L1 proves
	// that it has them.
	ReadBack bool
	MaxBytes int           // of data to put, 1..DefaultMaxBytes [DefaultMaxBytes]
	Timeout  time.Duration // of a request [30 s]
	HTTP     *http.Client  // [one that follows no redirects]
}

// Client is a da.Store on an alt-DA server. Safe for concurrent use.
type Client struct {
	opts ClientOptions
}

var _ da.Store = (*Client)(nil)

// NewClient makes a Client; it does not connect.
func NewClient(opts ClientOptions) (*Client, error) {
	u, err := url.Parse(opts.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("alt-DA server %q: not an http or https URL", opts.URL)
	}
	opts.URL = strings.TrimRight(opts.URL, "/")
	if opts.MaxBytes == 0 || opts.MaxBytes > DefaultMaxBytes {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.Timeout == 0 {
		opts.Timeout = 30 * time.Second
	}
	if opts.HTTP == nil {
		opts.HTTP = da.NewHTTPClient()
	}
	return &Client{opts: opts}, nil
}

// Limit implements da.Store.
func (c *Client) Limit() int { return c.opts.MaxBytes }

// Put implements da.Store.
func (c *Client) Put(ctx context.Context, data []byte) (da.Commitment, error) {
	commitment, err := c.put(ctx, data)
	if err != nil || !c.opts.ReadBack {
		return commitment, err
	}
	got, err := c.Get(ctx, commitment)
	if err != nil {
		return nil, fmt.Errorf("alt-DA put, read back: %w", err)
	}
	if !bytes.Equal(got, data) {
		return nil, fmt.Errorf("alt-DA put, read back: %w: the server took %d bytes and gives other %d", da.ErrMismatch, len(data), len(got))
	}
	return commitment, nil
}

func (c *Client) put(ctx context.Context, data []byte) (da.Commitment, error) {
	if err := da.CheckSize("alt-DA put", data, c.opts.MaxBytes); err != nil {
		return nil, err
	}
	if c.opts.Generic {
		raw, err := c.do(ctx, http.MethodPost, "/put", data, da.MaxGenericBytes)
		if err != nil {
			return nil, fmt.Errorf("alt-DA put: %w", err)
		}
		return ownCommitment(raw, data)
	}
	commitment := da.NewKeccak(data)
	if _, err := c.do(ctx, http.MethodPut, "/put/"+hexutil.Encode(commitment.AltDA()), data, da.MaxGenericBytes); err != nil {
		return nil, fmt.Errorf("alt-DA put: %w", err)
	}
	return commitment, nil
}

// ownCommitment reads the server's answer. A server that makes keccak256 commitments
// must make the right one.
func ownCommitment(raw, data []byte) (da.Commitment, error) {
	commitment, err := da.ParseAltDA(raw)
	if err != nil {
		// The server's fault, not the data's: another may do better.
		return nil, fmt.Errorf("alt-DA put: %w: the server answers %d bytes that are no commitment", da.ErrMismatch, len(raw))
	}
	switch c := commitment.(type) {
	case *da.Keccak:
		c.Length = uint32(len(data))
		if err := c.Verify(data); err != nil {
			return nil, fmt.Errorf("alt-DA put: %w", err)
		}
	case *da.Generic:
		c.Length = uint32(len(data))
	}
	return commitment, nil
}

// Get implements da.Store.
func (c *Client) Get(ctx context.Context, commitment da.Commitment) ([]byte, error) {
	var key []byte
	keccak, checked := commitment.(*da.Keccak)
	switch generic, ok := commitment.(*da.Generic); {
	case checked:
		key = keccak.AltDA()
	case ok:
		key = generic.AltDA()
	default:
		return nil, da.WrongKind("alt-DA get", commitment)
	}
	// Whatever this client puts, it reads what any may have put.
	data, err := c.do(ctx, http.MethodGet, "/get/"+hexutil.Encode(key), nil, da.MaxAltDABytes)
	switch {
	case err != nil:
	case checked:
		err = keccak.Verify(data)
	case len(data) != int(da.DataLength(commitment)):
		err = fmt.Errorf("%w: %d bytes, L1 says %d", da.ErrMismatch, len(data), da.DataLength(commitment))
	}
	if err != nil {
		return nil, fmt.Errorf("alt-DA get %x: %w", key, err)
	}
	return data, nil
}

// do sends a request to the server and reads an answer of at most limit bytes.
func (c *Client) do(ctx context.Context, method, path string, body []byte, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	return da.Request(ctx, c.opts.HTTP, method, c.opts.URL+path, nil, body, limit)
}
