package bench

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// pollInterval is the first wait between two looks for a receipt; it doubles up
// to pollIntervalMax.
const (
	pollInterval    = time.Millisecond
	pollIntervalMax = 32 * time.Millisecond
)

// errNoReceipt says that a transaction was accepted but not included in time: it
// may still be.
var errNoReceipt = errors.New("no receipt in time")

// receipt is what the run needs of a transaction receipt. BlockHash is nil until
// the block seals.
type receipt struct {
	TxHash            common.Hash     `json:"transactionHash"`
	BlockHash         *common.Hash    `json:"blockHash"`
	From              common.Address  `json:"from"`
	To                *common.Address `json:"to"`
	Contract          *common.Address `json:"contractAddress"`
	Status            hexutil.Uint64  `json:"status"`
	GasUsed           hexutil.Uint64  `json:"gasUsed"`
	EffectiveGasPrice *hexutil.Big    `json:"effectiveGasPrice"`
	L1Fee             *hexutil.Big    `json:"l1Fee"` // OP Stack receipts
	Logs              []receiptLog    `json:"logs"`
}

type receiptLog struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
}

// fee is what the sender paid besides the value, in wei.
func (r *receipt) fee() *big.Int {
	fee := new(big.Int)
	if r.EffectiveGasPrice != nil {
		fee.Mul(r.EffectiveGasPrice.ToInt(), new(big.Int).SetUint64(uint64(r.GasUsed)))
	}
	if r.L1Fee != nil {
		fee.Add(fee, r.L1Fee.ToInt())
	}
	return fee
}

// node is a connection to the node under load.
type node struct {
	rpc     *rpc.Client
	http    *http.Transport // nil over WebSocket
	sync    bool
	timeout time.Duration
}

// dial connects with as many kept-alive connections as there are clients.
func dial(ctx context.Context, cfg *Config) (*node, error) {
	n := &node{timeout: cfg.Timeout}
	var options []rpc.ClientOption
	if strings.HasPrefix(cfg.URL, "http") {
		n.http = &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: cfg.Clients + 4, IdleConnTimeout: time.Minute, DisableCompression: true}
		options = append(options, rpc.WithHTTPClient(&http.Client{Transport: n.http}))
	} else {
		options = append(options, rpc.WithWebsocketMessageSizeLimit(64<<20))
	}
	client, err := rpc.DialOptions(ctx, cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.URL, err)
	}
	n.rpc = client
	return n, nil
}

func (n *node) close() {
	n.rpc.Close()
	if n.http != nil {
		n.http.CloseIdleConnections()
	}
}

// detectSync asks for the synchronous send with a transaction that cannot be
// valid: a node that knows the method complains about the transaction instead.
func (n *node) detectSync(ctx context.Context, want string) error {
	if want == Poll {
		return nil
	}
	var got any
	err := n.rpc.CallContext(ctx, &got, "eth_sendRawTransactionSync", hexutil.Bytes{})
	var coded rpc.Error
	known := err == nil || errors.As(err, &coded) && coded.ErrorCode() != -32601 && coded.ErrorCode() != -32004
	if want == Sync && !known {
		return fmt.Errorf("receipt %s: the node does not offer eth_sendRawTransactionSync: %w", Sync, err)
	}
	n.sync = known
	return nil
}

// outcome is what became of one sent transaction.
type outcome struct {
	receipt *receipt
	done    time.Time // when the receipt was here
	err     error
	unknown bool // err does not tell whether the transaction is or will be included
}

// send sends raw transactions in one request and waits for their receipts.
func (n *node) send(ctx context.Context, raws []hexutil.Bytes, hashes []common.Hash) []outcome {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	if n.sync {
		return n.sendSync(ctx, raws)
	}
	return n.sendPoll(ctx, raws, hashes)
}

func (n *node) sendSync(ctx context.Context, raws []hexutil.Bytes) []outcome {
	out := make([]outcome, len(raws))
	receipts := make([]*receipt, len(raws))
	errs := call(ctx, n.rpc, "eth_sendRawTransactionSync", len(raws), func(i int) ([]any, any) {
		return []any{raws[i]}, &receipts[i]
	})
	now := time.Now()
	for i := range out {
		out[i] = outcome{receipt: receipts[i], done: now, err: errs[i], unknown: uncertain(errs[i])}
		if errs[i] == nil && receipts[i] == nil {
			out[i].err, out[i].unknown = errors.New("eth_sendRawTransactionSync answered null"), true
		}
	}
	return out
}

func (n *node) sendPoll(ctx context.Context, raws []hexutil.Bytes, hashes []common.Hash) []outcome {
	out := make([]outcome, len(raws))
	sent := make([]common.Hash, len(raws))
	errs := call(ctx, n.rpc, "eth_sendRawTransaction", len(raws), func(i int) ([]any, any) {
		return []any{raws[i]}, &sent[i]
	})
	var waiting []int
	for i, err := range errs {
		switch {
		case err != nil:
			out[i] = outcome{err: err, unknown: uncertain(err)}
		case sent[i] != hashes[i]:
			out[i] = outcome{err: errors.New("eth_sendRawTransaction answered another transaction hash"), unknown: true}
		default:
			waiting = append(waiting, i)
		}
	}
	n.await(ctx, hashes, waiting, out)
	return out
}

// await polls until every waiting index of hashes has its receipt in out.
func (n *node) await(ctx context.Context, hashes []common.Hash, waiting []int, out []outcome) {
	for wait := pollInterval; len(waiting) > 0; wait = min(2*wait, pollIntervalMax) {
		found := make([]*receipt, len(waiting))
		errs := call(ctx, n.rpc, "eth_getTransactionReceipt", len(waiting), func(i int) ([]any, any) {
			return []any{hashes[waiting[i]]}, &found[i]
		})
		now := time.Now()
		var left []int
		for k, i := range waiting {
			switch {
			case found[k] != nil && errs[k] == nil:
				out[i] = outcome{receipt: found[k], done: now}
			case ctx.Err() != nil:
				out[i] = outcome{err: errNoReceipt, unknown: true}
			default: // some nodes answer with an error while they index
				left = append(left, i)
			}
		}
		waiting = left
		if len(waiting) == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// call makes n calls of method, as one plain request or one batch.
func call(ctx context.Context, c *rpc.Client, method string, n int, at func(i int) (args []any, result any)) []error {
	errs := make([]error, n)
	if n == 1 {
		args, result := at(0)
		errs[0] = c.CallContext(ctx, result, method, args...)
		return errs
	}
	batch := make([]rpc.BatchElem, n)
	for i := range batch {
		args, result := at(i)
		batch[i] = rpc.BatchElem{Method: method, Args: args, Result: result}
	}
	err := c.BatchCallContext(ctx, batch)
	for i := range batch {
		errs[i] = batch[i].Error
		if err != nil {
			errs[i] = err
		}
	}
	return errs
}

// uncertain says whether err leaves open that the transaction is included: it does
// unless the node itself refused it. Code 4 is EIP-7966's timeout.
func uncertain(err error) bool {
	if err == nil {
		return false
	}
	var coded rpc.Error
	return !errors.As(err, &coded) || coded.ErrorCode() == 4
}

// nonce is the number of transactions of an account in the newest state.
func (n *node) nonce(ctx context.Context, a common.Address) (uint64, error) {
	var v hexutil.Uint64
	if err := n.rpc.CallContext(ctx, &v, "eth_getTransactionCount", a, "pending"); err != nil {
		return 0, fmt.Errorf("nonce of %s: %w", a, err)
	}
	return uint64(v), nil
}

// fees proposes a tip and a fee cap in wei that leave room for the base fee to rise.
func (n *node) fees(ctx context.Context) (tip, feeCap *big.Int, err error) {
	var head struct {
		BaseFee *hexutil.Big `json:"baseFeePerGas"`
	}
	if err := n.rpc.CallContext(ctx, &head, "eth_getBlockByNumber", "latest", false); err != nil {
		return nil, nil, fmt.Errorf("base fee: %w", err)
	}
	if head.BaseFee == nil {
		return nil, nil, errors.New("base fee: the newest block has none; the node must be past London")
	}
	var suggested hexutil.Big
	tip = big.NewInt(1)
	if err := n.rpc.CallContext(ctx, &suggested, "eth_maxPriorityFeePerGas"); err == nil && suggested.ToInt().Sign() > 0 {
		tip = suggested.ToInt()
	}
	feeCap = new(big.Int).Mul(head.BaseFee.ToInt(), big.NewInt(4))
	return tip, feeCap.Add(feeCap, tip), nil
}
