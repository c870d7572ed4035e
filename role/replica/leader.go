package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/talaria-l2/talaria/exec"
	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
)

// Client asks another node by JSON-RPC over HTTP.
type Client struct {
	url  string
	http *http.Client
}

const (
	// maxAnswer bounds an answer in bytes: mini-blocks of 16 MiB in hex, and as much again.
	maxAnswer = 64 << 20
	// askTimeout bounds a question: a node may have to execute blocks again.
	askTimeout = 30 * time.Second
)

// NewClient asks the node at an HTTP URL. It connects when it is asked.
func NewClient(url string) *Client {
	return &Client{url: url, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: maxInFlight, IdleConnTimeout: time.Minute}}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// question is one call, answer what comes back.
type question struct {
	JSONRPC string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

type answer struct {
	ID     *int            `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	} `json:"error"`
}

// refusal is the error of the answer as this node tells it on; nil: there is none.
func (a *answer) refusal() error {
	if a.Error == nil {
		return nil
	}
	e := &rpc.Error{Code: a.Error.Code, Message: a.Error.Message}
	if len(a.Error.Data) > 0 {
		e.Data = a.Error.Data
	}
	return e
}

func (c *Client) post(ctx context.Context, body any, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err // names the URL
	}
	defer res.Body.Close()
	out, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("ask %s: %w", c.url, err)
	case len(out) > maxAnswer:
		return fmt.Errorf("ask %s: answer of more than %d bytes", c.url, maxAnswer)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("ask %s: %s: %w", c.url, res.Status, err)
	}
	return nil
}

// call asks one question.
func (c *Client) call(ctx context.Context, into any, method string, params ...any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var a answer
	if err := c.post(ctx, question{"2.0", 1, method, params}, &a); err != nil {
		return err
	}
	if err := a.refusal(); err != nil {
		return fmt.Errorf("%s at %s: %w", method, c.url, err)
	}
	if err := json.Unmarshal(a.Result, into); err != nil {
		return fmt.Errorf("%s at %s: %w", method, c.url, err)
	}
	return nil
}

// catchUpItems is how many mini-blocks or blocks are asked for at once.
const catchUpItems = 256

// miniBlocks are mini-blocks from a number on, none behind the newest.
func (c *Client) miniBlocks(ctx context.Context, from uint64, count int) ([]*feed.MiniBlock, error) {
	var encodings []hexutil.Bytes
	if err := c.call(ctx, &encodings, "talaria_feedMiniBlocks", hexutil.Uint64(from), count); err != nil {
		return nil, err
	}
	return decodeAll(encodings, feed.DecodeMiniBlock)
}

// blocks are sealed blocks from a number on.
func (c *Client) blocks(ctx context.Context, from uint64) ([]*feed.Block, error) {
	var encodings []hexutil.Bytes
	if err := c.call(ctx, &encodings, "talaria_feedBlocks", hexutil.Uint64(from), catchUpItems); err != nil {
		return nil, err
	}
	return decodeAll(encodings, feed.DecodeBlock)
}

func decodeAll[T any](encodings []hexutil.Bytes, decode func([]byte) (T, error)) ([]T, error) {
	out := make([]T, len(encodings))
	for i, enc := range encodings {
		var err error
		if out[i], err = decode(enc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// catchUp takes what the leader's RPC has from a number on; taken says that the chain went
// on, or back.
func (l *Live) catchUp(ctx context.Context, from uint64) (taken bool, err error) {
	at := l.tip()
	probed, again := false, false
	l.asking = true
	defer func() { l.asking = false }()
	for behind := uint64(0); ctx.Err() == nil; {
		count := catchUpItems
		if behind > 0 {
			count = 1 // does the leader have what this node has?
		}
		list, err := l.opts.Leader.miniBlocks(ctx, from-min(from, behind), count)
		if err != nil {
			return l.tip() != at, err
		}
		before := l.tip()
		next, err := l.takeAll(ctx, list, from)
		if errors.Is(err, exec.ErrContent) && !l.heard && !again {
			// What does not fit may be what the block began with: all of it is asked for.
			l.log.Warn("a block is given up and asked for again", "err", err)
			if l.chain.IsOpen() || l.complete != nil {
				if err := l.giveUp(); err != nil {
					return true, err
				}
				l.dropped = true
			}
			again, from, behind = true, l.tip().next, 0
			continue
		}
		if err != nil {
			return l.tip() != at, err
		}
		l.note()
		switch {
		case l.tip() != before:
			from, behind, again = l.tip().next, 0, false
		case next < from:
			from, behind = next, 0
		case len(list) == 0 && behind < from && !probed: // it may have gone back, and not yet on as far
			behind = max(1, 2*behind)
		case behind > 1: // it has what this node has there: what comes behind it?
			from, behind, probed = from-min(from, behind)+1, 0, true
		case behind == 1 || next == from:
			return l.tip() != at, l.sealedBlocks(ctx)
		default:
			from = next
		}
	}
	return l.tip() != at, ctx.Err()
}

// sealedBlocks takes sealed blocks from the leader, so that the newest ones need not wait
// for the next mini-block.
func (l *Live) sealedBlocks(ctx context.Context) error {
	blocks, err := l.opts.Leader.blocks(ctx, l.node.PublishedHead().Number.Uint64()+1)
	for i := 0; err == nil && i < len(blocks); i++ {
		err = l.sealed(blocks[i])
	}
	return err
}

// takeAll takes a list, and returns from where to go on.
func (l *Live) takeAll(ctx context.Context, list []*feed.MiniBlock, from uint64) (next uint64, err error) {
	for _, m := range list {
		if err = l.verify(ctx, m); err == nil {
			err = l.take(m)
		}
		var elsewhere *elsewhereError
		switch {
		case errors.As(err, &elsewhere) && elsewhere.from < from:
			return elsewhere.from, nil
		case err != nil:
			return from, err
		}
		from = max(from, m.Header.Number+1)
	}
	return from, nil
}
