package light

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

var (
	// ErrNoBlock says that no sealed block is checked yet: the first is when the block
	// behind it begins.
	ErrNoBlock = errors.New("light: no sealed block is checked yet")
	// ErrNotFound says that no endpoint knows the transaction. Nobody can prove that.
	ErrNotFound = errors.New("light: no endpoint knows it")
)

// first asks the endpoints, the one that is followed first, until one gives an answer
// that holds.
func first[T any](ctx context.Context, c *Client, f func(context.Context, *conn) (T, error)) (T, error) {
	c.mu.Lock()
	list := []string{c.active}
	c.mu.Unlock()
	for _, e := range c.opts.Endpoints {
		if e != list[0] {
			list = append(list, e)
		}
	}
	var errs []error
	var none T
	for _, endpoint := range list {
		out, err := c.once(ctx, endpoint, func(ctx context.Context, a *conn) (any, error) { return f(ctx, a) })
		if err == nil {
			return out.(T), nil
		}
		if ctx.Err() != nil {
			return none, err
		}
		errs = append(errs, at(endpoint, err))
	}
	return none, errors.Join(errs...)
}

// once asks one endpoint.
func (c *Client) once(ctx context.Context, endpoint string, f func(context.Context, *conn) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	a, err := c.ask(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return f(ctx, a)
}

// Account is an account and slots of it after the newest block that was checked, which is
// returned, too.
func (c *Client) Account(ctx context.Context, addr common.Address, slots ...common.Hash) (*Account, *Block, error) {
	b := c.Block()
	if b == nil {
		return nil, nil, ErrNoBlock
	}
	a, err := c.AccountAt(ctx, b, addr, slots...)
	return a, b, err
}

// AccountAt is an account and slots of it after the block.
func (c *Client) AccountAt(ctx context.Context, b *Block, addr common.Address, slots ...common.Hash) (*Account, error) {
	return first(ctx, c, func(ctx context.Context, q *conn) (*Account, error) { return q.account(ctx, b, addr, slots) })
}

func (c *conn) account(ctx context.Context, b *Block, addr common.Address, slots []common.Hash) (*Account, error) {
	if slots == nil {
		slots = []common.Hash{}
	}
	raw, err := c.call(ctx, "eth_getProof", addr, slots, map[string]common.Hash{"blockHash": b.Hash})
	if err != nil {
		return nil, err
	}
	return VerifyAccount(b.Header.Root, addr, slots, raw)
}

// Code is the code of an account after the newest block that was checked.
func (c *Client) Code(ctx context.Context, addr common.Address) ([]byte, error) {
	a, b, err := c.Account(ctx, addr)
	if err != nil || a.CodeHash == types.EmptyCodeHash {
		return nil, err
	}
	return first(ctx, c, func(ctx context.Context, q *conn) ([]byte, error) {
		raw, err := q.call(ctx, "eth_getCode", addr, map[string]common.Hash{"blockHash": b.Hash})
		if err != nil {
			return nil, err
		}
		var code hexutil.Bytes
		if err := json.Unmarshal(raw, &code); err != nil {
			return nil, fault(CodeEncoding, "code of %s: %v", addr, err)
		}
		return code, VerifyCode(a, code)
	})
}

// BlockAt is the sealed block with the number, an ancestor of the newest that was checked.
// One that is not remembered is proven by the history contract (EIP-2935), in steps of
// 8,191 blocks; nodes prove as far back as their option says.
func (c *Client) BlockAt(ctx context.Context, number uint64) (*Block, error) {
	from := c.Block()
	if from == nil || number > from.Number() {
		return nil, ErrNoBlock
	}
	c.mu.Lock()
	if n := len(c.blocks); n > 0 && number >= c.blocks[0].Number() && number-c.blocks[0].Number() < uint64(n) {
		from = c.blocks[number-c.blocks[0].Number()]
	}
	c.mu.Unlock()
	return first(ctx, c, func(ctx context.Context, q *conn) (*Block, error) {
		b := from
		for b.Number() > number {
			to := number
			if far := b.Number() - number; far > historySlots {
				to = b.Number() - historySlots
			}
			a, err := q.account(ctx, b, params.HistoryStorageAddress, []common.Hash{historySlot(to)})
			if err != nil {
				return nil, err
			}
			hash := a.Storage[historySlot(to)]
			raw, err := q.await(ctx, "eth_getHeaderByHash", hash)
			if err != nil {
				return nil, err
			}
			h, err := ParseHeader(raw, hash)
			if err != nil {
				return nil, err
			}
			if h.Number.Uint64() != to {
				return nil, fault(CodeBlock, "block %s has the number %d, wanted is %d", hash, h.Number, to)
			}
			b = &Block{Header: h, Hash: hash, Voucher: from.Voucher}
		}
		return b, nil
	})
}

// Outcome is a transaction with its receipt.
type Outcome struct {
	Tx      *Transaction
	Receipt *Receipt
	// MiniBlock is the mini-block, by whose signature it was checked; nil if Block vouches.
	MiniBlock *Signed
	Block     *Block
}

// Transaction finds a transaction and its receipt: by its mini-block if the chain
// remembers that, else by the roots of its block, all of whose transactions and receipts
// are then fetched.
func (c *Client) Transaction(ctx context.Context, hash common.Hash) (*Outcome, error) {
	return first(ctx, c, func(ctx context.Context, q *conn) (*Outcome, error) {
		raw, err := q.call(ctx, "eth_getTransactionReceipt", hash)
		if err != nil {
			return nil, err
		}
		if absent(raw) {
			return nil, ErrNotFound
		}
		var hint struct {
			MiniBlock hexutil.Uint64 `json:"miniBlockNumber"`
			Block     hexutil.Uint64 `json:"blockNumber"`
		}
		if err := json.Unmarshal(raw, &hint); err != nil {
			return nil, fault(CodeEncoding, "receipt of %s: %v", hash, err)
		}
		c.mu.Lock()
		_, mini, ok := c.chain.At(uint64(hint.MiniBlock))
		c.mu.Unlock()
		if ok {
			return q.inMiniBlock(ctx, mini, hash)
		}
		b, err := c.BlockAt(ctx, uint64(hint.Block))
		if err != nil {
			return nil, err
		}
		return q.inBlock(ctx, b, hash)
	})
}

func (c *conn) inMiniBlock(ctx context.Context, mini, hash common.Hash) (*Outcome, error) {
	raw, err := c.call(ctx, "talaria_getMiniBlock", mini)
	if err != nil {
		return nil, err
	}
	m, err := ParseMiniBlock(raw)
	if err != nil {
		return nil, err
	}
	if m.Header.Hash() != mini {
		return nil, fault(CodeContent, "mini-block %s was asked for, not %s", mini, m.Header.Hash())
	}
	for i, tx := range m.Txs {
		if tx.Hash == hash {
			return &Outcome{Tx: tx, Receipt: m.Receipts[i], MiniBlock: &m.Signed}, nil
		}
	}
	return nil, fault(CodeContent, "transaction %s is not in mini-block %d, where the node says", hash, m.Header.Number)
}

func (c *conn) inBlock(ctx context.Context, b *Block, hash common.Hash) (*Outcome, error) {
	body, err := c.call(ctx, "eth_getBlockByHash", b.Hash, true)
	if err != nil {
		return nil, err
	}
	all, err := c.call(ctx, "eth_getBlockReceipts", b.Hash)
	if err != nil {
		return nil, err
	}
	receipts, txs, err := VerifyReceipts(b.Header, all, body)
	if err != nil {
		return nil, err
	}
	for i, tx := range txs {
		if tx.Hash == hash {
			return &Outcome{Tx: tx, Receipt: receipts[i], Block: b}, nil
		}
	}
	return nil, fault(CodeContent, "transaction %s is not in block %d, where the node says", hash, b.Number())
}
