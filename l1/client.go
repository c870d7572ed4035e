package l1

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/trie"
)

// Blob is 4096 field elements of 32 bytes (EIP-4844).
type Blob = kzg4844.Blob

// Tag names a head of the L1 chain.
type Tag rpc.BlockNumber

// The heads, from the newest to the one that can no longer change.
const (
	Latest    = Tag(rpc.LatestBlockNumber)
	Safe      = Tag(rpc.SafeBlockNumber)
	Finalized = Tag(rpc.FinalizedBlockNumber)
)

// Options configure a Client.
type Options struct {
	URL       string // JSON-RPC: http, https, ws or wss
	BeaconURL string // beacon API [URL, with http for ws]

	Timeout  time.Duration // of one request [10 s]
	Attempts int           // of one read, 1.. [5]
}

// Client reads from an L1. It is safe for concurrent use and must be closed.
type Client struct {
	rpc    *rpc.Client
	eth    *ethclient.Client
	http   *http.Client
	beacon *beacon

	timeout  time.Duration
	attempts int
	chainID  *big.Int
	fees     *blobFees
	anvil    bool // see rootCovers
}

// Dial connects and asks for the chain id.
func Dial(ctx context.Context, opts Options) (*Client, error) {
	if opts.Timeout <= 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.Attempts <= 0 {
		opts.Attempts = 5
	}
	if opts.BeaconURL == "" {
		opts.BeaconURL = opts.URL
		if rest, ok := strings.CutPrefix(opts.URL, "ws"); ok {
			opts.BeaconURL = "http" + rest // ws → http, wss → https
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	hc := &http.Client{Transport: transport}
	c := &Client{
		http: hc, timeout: opts.Timeout, attempts: opts.Attempts,
		beacon: &beacon{base: strings.TrimRight(opts.BeaconURL, "/"), http: hc},
	}
	err := c.retry(ctx, "connect to L1 "+opts.URL, func(ctx context.Context) error {
		r, err := rpc.DialOptions(ctx, opts.URL, rpc.WithHTTPClient(hc))
		if err != nil {
			return err
		}
		id, err := ethclient.NewClient(r).ChainID(ctx)
		if err != nil {
			r.Close()
			return err
		}
		var version string
		if err := r.CallContext(ctx, &version, "web3_clientVersion"); err == nil {
			c.anvil = strings.HasPrefix(strings.ToLower(version), "anvil/")
		}
		c.rpc, c.eth, c.chainID = r, ethclient.NewClient(r), id
		return nil
	})
	if err != nil {
		hc.CloseIdleConnections()
		return nil, err
	}
	c.fees = newBlobFees(c.chainID)
	return c, nil
}

// Close drops the connections. Calls in flight fail.
func (c *Client) Close() {
	c.rpc.Close()
	c.http.CloseIdleConnections()
}

// ChainID is the L1's chain id.
func (c *Client) ChainID() *big.Int { return new(big.Int).Set(c.chainID) }

// Eth is the underlying go-ethereum client, for contract bindings. Its calls are
// neither retried nor checked.
func (c *Client) Eth() *ethclient.Client { return c.eth }

// BlobBaseFee is what a unit of blob gas costs in the block with the header, in wei.
func (c *Client) BlobBaseFee(h *types.Header) *big.Int { return c.fees.of(h) }

// HeaderByNumber is the canonical header at a height.
func (c *Client) HeaderByNumber(ctx context.Context, number uint64) (*types.Header, error) {
	what := fmt.Sprintf("get L1 header %d", number)
	return c.header(ctx, what, "eth_getBlockByNumber", hexutil.EncodeUint64(number), func(h *types.Header) error {
		if !h.Number.IsUint64() || h.Number.Uint64() != number {
			return fmt.Errorf("%w: got number %v", ErrMismatch, h.Number)
		}
		return nil
	})
}

// HeaderByHash is the header with that hash.
func (c *Client) HeaderByHash(ctx context.Context, hash common.Hash) (*types.Header, error) {
	what := fmt.Sprintf("get L1 header %v", hash)
	return c.header(ctx, what, "eth_getBlockByHash", hash, func(h *types.Header) error {
		if h.Hash() != hash {
			return fmt.Errorf("%w: got hash %v", ErrMismatch, h.Hash())
		}
		return nil
	})
}

// HeaderByTag is the header of a head. A chain too young for it has none: ErrNotFound.
func (c *Client) HeaderByTag(ctx context.Context, tag Tag) (*types.Header, error) {
	name, err := rpc.BlockNumber(tag).MarshalText()
	if err != nil {
		return nil, fmt.Errorf("get L1 head: %w", err)
	}
	return c.header(ctx, fmt.Sprintf("get L1 %s header", name), "eth_getBlockByNumber", string(name), nil)
}

// header fetches one header and checks that it hashes to what the server says.
func (c *Client) header(ctx context.Context, what, method string, arg any, check func(*types.Header) error) (*types.Header, error) {
	var out *types.Header
	err := c.retry(ctx, what, func(ctx context.Context) error {
		var body *checkedHeader
		if err := c.rpc.CallContext(ctx, &body, method, arg, false); err != nil {
			return notFound(err)
		}
		if body == nil {
			return ethereum.NotFound
		}
		if err := body.check(); err != nil {
			return err
		}
		out = body.Header
		if check == nil {
			return nil
		}
		return check(out)
	})
	return out, err
}

// notFound maps the answer of go-ethereum to a head that does not exist yet.
func notFound(err error) error {
	if s := err.Error(); strings.Contains(s, "safe block not found") || strings.Contains(s, "finalized block not found") {
		return ethereum.NotFound
	}
	return err
}

// checkedHeader is a header as JSON-RPC gives it, with the hash that goes with it.
type checkedHeader struct {
	*types.Header
	hash common.Hash
}

func (h *checkedHeader) UnmarshalJSON(raw []byte) error {
	var extra struct {
		Hash common.Hash `json:"hash"`
	}
	h.Header = new(types.Header)
	if err := h.Header.UnmarshalJSON(raw); err != nil {
		return err
	}
	if err := unmarshal(raw, &extra); err != nil {
		return err
	}
	h.hash = extra.Hash
	return nil
}

func (h *checkedHeader) check() error {
	if got := h.Hash(); got != h.hash {
		return fmt.Errorf("%w: header %v hashes to %v, not %v", ErrMismatch, h.Number, got, h.hash)
	}
	return nil
}

// fullBlock is a header with its transactions, which are checked against its root.
type fullBlock struct {
	Header *types.Header
	Txs    types.Transactions
}

// block fetches a block by number or hash.
func (c *Client) block(ctx context.Context, what, method string, arg any) (*fullBlock, error) {
	var out *fullBlock
	err := c.retry(ctx, what, func(ctx context.Context) error {
		var raw rawMessage
		if err := c.rpc.CallContext(ctx, &raw, method, arg, true); err != nil {
			return err
		}
		if len(raw) == 0 || string(raw) == "null" {
			return ethereum.NotFound
		}
		var head checkedHeader
		var body struct {
			Txs types.Transactions `json:"transactions"`
		}
		if err := head.UnmarshalJSON(raw); err != nil {
			return fmt.Errorf("%w: %w", ErrMismatch, err)
		}
		if err := unmarshal(raw, &body); err != nil {
			return fmt.Errorf("%w: %w", ErrMismatch, err)
		}
		if err := head.check(); err != nil {
			return err
		}
		if root := types.DeriveSha(body.Txs, trie.NewStackTrie(nil)); root != head.TxHash && c.rootCovers(body.Txs) {
			return fmt.Errorf("%w: block %v: transactions root %v, header has %v", ErrMismatch, head.Number, root, head.TxHash)
		}
		out = &fullBlock{Header: head.Header, Txs: body.Txs}
		return nil
	})
	return out, err
}

// rootCovers reports whether the header's transactions root can be recomputed. Anvil
// computes it with the blob sidecars inside, so its blocks with blob transactions go
// unchecked. No public network is excepted, whatever the server calls itself.
func (c *Client) rootCovers(txs types.Transactions) bool {
	if !c.anvil || c.fees.public {
		return true
	}
	return !slices.ContainsFunc(txs, func(tx *types.Transaction) bool { return tx.Type() == types.BlobTxType })
}

// Receipts are the receipts of the block that h heads, checked against its root. Log
// indexes count through the block.
func (c *Client) Receipts(ctx context.Context, h *types.Header) (types.Receipts, error) {
	var out types.Receipts
	hash := h.Hash()
	err := c.retry(ctx, fmt.Sprintf("get L1 receipts of block %v", h.Number), func(ctx context.Context) error {
		var list types.Receipts
		if err := c.rpc.CallContext(ctx, &list, "eth_getBlockReceipts", hash); err != nil {
			return err
		}
		if list == nil {
			return ethereum.NotFound
		}
		if root := types.DeriveSha(list, trie.NewStackTrie(nil)); root != h.ReceiptHash {
			return fmt.Errorf("%w: block %v: receipts root %v, header has %v", ErrMismatch, h.Number, root, h.ReceiptHash)
		}
		// Position in the block is not part of the root: count it here.
		index := uint(0)
		for i, r := range list {
			for _, log := range r.Logs {
				log.Index, log.TxIndex = index, uint(i)
				log.BlockHash, log.BlockNumber = hash, h.Number.Uint64()
				index++
			}
		}
		out = list
		return nil
	})
	return out, err
}

// Balance is an account's balance in wei in the newest block.
func (c *Client) Balance(ctx context.Context, addr common.Address) (*big.Int, error) {
	var out *big.Int
	err := c.retry(ctx, fmt.Sprintf("get L1 balance of %v", addr), func(ctx context.Context) (err error) {
		out, err = c.eth.BalanceAt(ctx, addr, nil)
		return err
	})
	return out, err
}

// Nonce is the number of an account's transactions in the newest block.
func (c *Client) Nonce(ctx context.Context, addr common.Address) (uint64, error) {
	var out uint64
	err := c.retry(ctx, fmt.Sprintf("get L1 nonce of %v", addr), func(ctx context.Context) (err error) {
		out, err = c.eth.NonceAt(ctx, addr, nil)
		return err
	})
	return out, err
}

// PendingNonce counts an account's transactions including those in the server's pool.
func (c *Client) PendingNonce(ctx context.Context, addr common.Address) (uint64, error) {
	var out uint64
	err := c.retry(ctx, fmt.Sprintf("get L1 pending nonce of %v", addr), func(ctx context.Context) (err error) {
		out, err = c.eth.PendingNonceAt(ctx, addr)
		return err
	})
	return out, err
}

// Code is an account's contract code in the newest block; empty for none.
func (c *Client) Code(ctx context.Context, addr common.Address) ([]byte, error) {
	var out []byte
	err := c.retry(ctx, fmt.Sprintf("get L1 code of %v", addr), func(ctx context.Context) (err error) {
		out, err = c.eth.CodeAt(ctx, addr, nil)
		return err
	})
	return out, err
}

// Receipt is the receipt of an included transaction, else ErrNotFound.
func (c *Client) Receipt(ctx context.Context, tx common.Hash) (*types.Receipt, error) {
	var out *types.Receipt
	err := c.retry(ctx, fmt.Sprintf("get L1 receipt of %v", tx), func(ctx context.Context) (err error) {
		out, err = c.eth.TransactionReceipt(ctx, tx)
		return err
	})
	return out, err
}
