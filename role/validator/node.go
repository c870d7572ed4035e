package validator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/feed"
)

// RPC is a Node behind JSON-RPC: the leader, or any replica. Nothing that it says is
// believed.
type RPC struct{ client *rpc.Client }

// DialNode connects to a node's JSON-RPC.
func DialNode(ctx context.Context, url string) (*RPC, error) {
	c, err := rpc.DialContext(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to the node at %s: %w", url, err)
	}
	return &RPC{c}, nil
}

// Close ends the connection.
func (r *RPC) Close() { r.client.Close() }

// MiniBlocks implements Node.
func (r *RPC) MiniBlocks(ctx context.Context, from uint64, most int) ([]*feed.RawMiniBlock, error) {
	var raws []hexutil.Bytes
	if err := r.client.CallContext(ctx, &raws, "talaria_feedMiniBlocks", hexutil.Uint64(from), hexutil.Uint64(most)); err != nil {
		return nil, fmt.Errorf("mini-blocks from %d: %w", from, err)
	}
	if len(raws) == 0 || len(raws) > most {
		return nil, fmt.Errorf("mini-blocks from %d: the node has %d", from, len(raws))
	}
	out := make([]*feed.RawMiniBlock, len(raws))
	for i, raw := range raws {
		m, err := feed.DecodeRawMiniBlock(raw)
		if err != nil {
			return nil, fmt.Errorf("mini-blocks from %d: %w", from, err)
		}
		out[i] = m
	}
	return out, nil
}

// Header implements Node.
func (r *RPC) Header(ctx context.Context, number uint64) (*types.Header, error) {
	var h *types.Header
	if err := r.client.CallContext(ctx, &h, "eth_getBlockByNumber", hexutil.Uint64(number), false); err != nil {
		return nil, fmt.Errorf("header %d: %w", number, err)
	}
	if h == nil || h.Number == nil || !h.Number.IsUint64() || h.Number.Uint64() != number {
		return nil, fmt.Errorf("header %d: the node does not have it", number)
	}
	return h, nil
}

// Witness implements Node (debug_executionWitness).
func (r *RPC) Witness(ctx context.Context, number uint64) (*chain.Witness, error) {
	var answer *struct {
		Headers      []json.RawMessage
		Codes, State []hexutil.Bytes
	}
	err := r.client.CallContext(ctx, &answer, "debug_executionWitness", hexutil.Uint64(number))
	if err == nil && (answer == nil || len(answer.Headers) == 0) {
		err = errors.New("the node has none")
	}
	if err != nil {
		return nil, fmt.Errorf("witness of block %d: %w", number, err)
	}
	w := new(chain.Witness)
	for _, raw := range answer.Headers {
		h, err := decodeHeader(raw)
		if err != nil {
			return nil, fmt.Errorf("witness of block %d: header: %w", number, err)
		}
		w.Headers = append(w.Headers, h)
	}
	for _, b := range answer.Codes {
		w.Codes = append(w.Codes, b)
	}
	for _, b := range answer.State {
		w.State = append(w.State, b)
	}
	return w, nil
}

// decodeHeader reads a header as RLP in hex, or as an object: both forms of
// debug_executionWitness are about.
func decodeHeader(raw json.RawMessage) (*types.Header, error) {
	h := new(types.Header)
	if len(raw) > 0 && raw[0] == '"' {
		var b hexutil.Bytes
		if err := json.Unmarshal(raw, &b); err != nil {
			return nil, err
		}
		return h, rlp.DecodeBytes(b, h)
	}
	return h, json.Unmarshal(raw, h)
}
