package rpc

import (
	"context"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// Explorer is the part of Backend that finds transactions by account, for a block
// explorer. The open block counts as far as it is published.
type Explorer interface {
	// AccountTxs finds the newest transactions up to block number from that concern the
	// account, or with forward the oldest from there on, in the order of the chain. It
	// takes whole blocks, until at least limit transactions are found. more tells that the
	// search did not reach its end.
	AccountTxs(ctx context.Context, addr common.Address, from uint64, forward bool, limit int) (found []*TxInfo, more bool, err error)
	// SenderTx is the transaction of the sender with the nonce, nil if there is none.
	SenderTx(ctx context.Context, sender common.Address, nonce uint64) (*TxInfo, error)
	// Creator finds who made a contract, and in which transaction; nil if the account is
	// none, or has been since genesis.
	Creator(ctx context.Context, addr common.Address) (*Creation, error)
}

// Creation is how a contract came to be.
type Creation struct {
	Tx      common.Hash
	Creator common.Address
}

// otterscanMethods are what the block explorer Otterscan asks for besides eth_….
func (s *Server) otterscanMethods(t methodTable) {
	const shapes, search = "rpc.TestOtterscanShapes", "role/node.TestAccountSearch"
	t.fixed("ots_getApiLevel", "8").doc("The version of the ots namespace", shapes)
	t.read("ots_hasCode", 2, s.otsHasCode).doc("Whether the account has code", shapes)
	t.slow("ots_getInternalOperations", 1, s.otsOperations).doc("Transfers, creations and destructions inside of a transaction that were not taken back", "role/node.TestOtterscanTraces")
	t.slow("ots_getTransactionError", 1, s.otsError).doc("The data with which a transaction reverted, else `0x`", "role/node.TestOtterscanTraces")
	t.slow("ots_traceTransaction", 1, s.otsTrace).doc("All calls of a transaction with their depths", "role/node.TestOtterscanTraces")
	t.read("ots_getBlockDetails", 1, s.otsBlockByNumber).doc("A block without its transactions, the number of them and what they paid", shapes)
	t.read("ots_getBlockDetailsByHash", 1, s.otsBlockByHash).doc("A block without its transactions, the number of them and what they paid", shapes)
	t.read("ots_getBlockTransactions", 3, s.otsBlockTransactions).doc("A page of a block's transactions, from the last one on, with receipts without logs", shapes)
	t.slow("ots_searchTransactionsBefore", 3, s.otsBefore).doc("A page of an account's transactions in blocks before a number; 0 is the newest page", search)
	t.slow("ots_searchTransactionsAfter", 3, s.otsAfter).doc("A page of an account's transactions in blocks after a number; 0 is the oldest page", search)
	t.slow("ots_getTransactionBySenderAndNonce", 2, s.otsSenderTx).doc("The hash of a sender's transaction with a nonce", "role/node.TestSenderAndCreatorSearch")
	t.slow("ots_getContractCreator", 1, s.otsCreator).doc("Who made a contract and in which transaction", "role/node.TestSenderAndCreatorSearch")
	t.read("erigon_getHeaderByNumber", 1, s.otsHeader).doc("A header, by the name under which Otterscan asks for it", shapes)
}

// maxOtsPage bounds the transactions of one page.
const maxOtsPage = 1000

func (s *Server) otsHasCode(c *call, a *args) (rawJSON, error) {
	addr, ref := a.address(0), readOr(a, 1, blockRef{tag: tagLatest}, decodeOtsState)
	if a.err != nil {
		return nil, a.err
	}
	st, err := s.stateRef(c.ctx, ref)
	if err != nil {
		return nil, err
	}
	code, err := s.backend.Code(c.ctx, addr, st)
	if err != nil {
		return nil, err
	}
	if len(code) > 0 {
		return rawJSON(jsonTrue), nil
	}
	return rawJSON(jsonFalse), nil
}

// otsForm traces the transaction of the first argument in one of Otterscan's forms.
func (s *Server) otsForm(c *call, a *args, form TraceForm) (rawJSON, error) {
	hash := a.hash(0)
	if a.err != nil {
		return nil, a.err
	}
	raw, err := s.backend.TraceTx(c.ctx, hash, &TraceOptions{Form: form, Timeout: defaultTraceTimeout, MaxBytes: s.opts.MaxResponseBytes})
	return rawJSON(raw), err
}

func (s *Server) otsOperations(c *call, a *args) (rawJSON, error) {
	return s.otsForm(c, a, TraceOperations)
}

func (s *Server) otsError(c *call, a *args) (rawJSON, error) { return s.otsForm(c, a, TraceRevertData) }

func (s *Server) otsTrace(c *call, a *args) (rawJSON, error) { return s.otsForm(c, a, TraceCallList) }

// object is a JSON object that is edited.
type object map[string]json.RawMessage

func editable(raw rawJSON) (object, error) {
	var m object
	return m, json.Unmarshal(raw, &m)
}

// otsBlock is the block as Otterscan wants it, with the transactions that it has.
func otsBlock(v *blockView, full bool) (object, error) {
	m, err := editable(blockJSON(v, full))
	if err != nil {
		return nil, err
	}
	m["logsBloom"] = json.RawMessage(jsonNull)
	m["transactionCount"] = json.RawMessage(quantity(uint64(len(v.txs))))
	return m, nil
}

func (s *Server) otsDetails(c *call, ref blockRef) (rawJSON, error) {
	v, err := s.block(c.ctx, ref)
	if err != nil || v == nil {
		return nil, err
	}
	block, err := otsBlock(v, false)
	if err != nil {
		return nil, err
	}
	delete(block, "transactions")
	fees, gas := new(big.Int), new(big.Int)
	for _, r := range v.receipts {
		if r.EffectiveGasPrice != nil {
			fees.Add(fees, gas.Mul(gas.SetUint64(r.GasUsed), r.EffectiveGasPrice))
		}
	}
	zero := (*hexutil.Big)(new(big.Int))
	return json.Marshal(map[string]any{
		"block":     block,
		"issuance":  map[string]*hexutil.Big{"blockReward": zero, "uncleReward": zero, "issuance": zero},
		"totalFees": (*hexutil.Big)(fees),
	})
}

func (s *Server) otsBlockByNumber(c *call, a *args) (rawJSON, error) {
	ref := read(a, 0, decodeOtsBlock)
	if a.err != nil {
		return nil, a.err
	}
	return s.otsDetails(c, ref)
}

func (s *Server) otsBlockByHash(c *call, a *args) (rawJSON, error) {
	ref := byHash(a, 0)
	if a.err != nil {
		return nil, a.err
	}
	return s.otsDetails(c, ref)
}

// decodeOtsBlock reads a block number that may be a JSON number, as Otterscan sends it.
func decodeOtsBlock(raw []byte) (blockRef, error) {
	if raw[0] == '"' {
		return decodeBlockNumber(raw)
	}
	n, err := decodeCount(raw)
	return blockRef{number: n}, err
}

// decodeOtsState reads a block of any form, or its number as a JSON number.
func decodeOtsState(raw []byte) (blockRef, error) {
	if raw[0] == '"' || raw[0] == '{' {
		return decodeBlockRef(raw)
	}
	return decodeOtsBlock(raw)
}

// otsHeader is what Otterscan asks for first of all, with 0, to see whether it can use
// the node.
func (s *Server) otsHeader(c *call, a *args) (rawJSON, error) {
	return s.found(c, a, read(a, 0, decodeOtsBlock), headerOf)
}

// otsReceipt is a receipt without logs.
func (s *Server) otsReceipt(t *TxInfo) (object, error) {
	m, err := editable(receiptJSON(t, s.tiers().of(t.BlockNumber, t.BlockHash != zeroHash)))
	if err != nil {
		return nil, err
	}
	m["logs"], m["logsBloom"] = json.RawMessage(jsonNull), json.RawMessage(jsonNull)
	return m, nil
}

// otsBlockTransactions counts pages from the end of the block, as Otterscan shows them.
func (s *Server) otsBlockTransactions(c *call, a *args) (rawJSON, error) {
	ref, page, size := read(a, 0, decodeOtsBlock), read(a, 1, decodeCount), read(a, 2, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	v, err := s.block(c.ctx, ref)
	if err != nil || v == nil {
		return nil, err
	}
	size = min(size, maxOtsPage)
	end := uint64(len(v.txs))
	if page > 0 && size > end/page {
		end = 0
	} else {
		end -= page * size
	}
	first := end - min(end, size)
	short := *v
	short.txs = nil
	block, err := otsBlock(&short, false)
	if err != nil {
		return nil, err
	}
	block["transactionCount"] = json.RawMessage(quantity(uint64(len(v.txs))))
	txs, receipts := []object{}, []object{}
	for i := first; i < end; i++ {
		t := v.place(int(i))
		tx, err := editable(txJSON(t))
		if err != nil {
			return nil, err
		}
		const selector = 4 // bytes of input that are shown
		tx["input"] = json.RawMessage(hexData(t.Tx.Data()[:min(selector, len(t.Tx.Data()))]))
		txs = append(txs, tx)
		if t.Receipt != nil {
			r, err := s.otsReceipt(t)
			if err != nil {
				return nil, err
			}
			receipts = append(receipts, r)
		}
	}
	if block["transactions"], err = json.Marshal(txs); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"fullblock": block, "receipts": receipts})
}

// otsSearch gives a page of an account's transactions, the newest first.
func (s *Server) otsSearch(c *call, a *args, forward bool) (rawJSON, error) {
	addr, number, size := a.address(0), read(a, 1, decodeCount), read(a, 2, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	edge := number == 0
	switch {
	case forward:
		number++
	case edge:
		number = 1 << 62
	default:
		number--
	}
	found, more, err := s.backend.AccountTxs(c.ctx, addr, number, forward, int(min(size, maxOtsPage)))
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	txs, receipts := []json.RawMessage{}, []object{}
	total := 0
	for _, t := range found {
		r, err := s.otsReceipt(t)
		if err != nil {
			return nil, err
		}
		r["timestamp"] = json.RawMessage(quantity(t.BlockTime))
		tx := txJSON(t)
		if total += len(tx); total > s.opts.MaxResponseBytes {
			return nil, s.tooLarge()
		}
		txs, receipts = append(txs, json.RawMessage(tx)), append(receipts, r)
	}
	first, last := edge, !more
	if forward {
		first, last = !more, edge
	}
	return json.Marshal(map[string]any{"txs": txs, "receipts": receipts, "firstPage": first, "lastPage": last})
}

func (s *Server) otsBefore(c *call, a *args) (rawJSON, error) { return s.otsSearch(c, a, false) }

func (s *Server) otsAfter(c *call, a *args) (rawJSON, error) { return s.otsSearch(c, a, true) }

func (s *Server) otsSenderTx(c *call, a *args) (rawJSON, error) {
	addr, nonce := a.address(0), read(a, 1, decodeCount)
	if a.err != nil {
		return nil, a.err
	}
	t, err := s.backend.SenderTx(c.ctx, addr, nonce)
	if err != nil || t == nil {
		return nil, err
	}
	hash := t.Tx.Hash()
	return hexData(hash[:]), nil
}

func (s *Server) otsCreator(c *call, a *args) (rawJSON, error) {
	addr := a.address(0)
	if a.err != nil {
		return nil, a.err
	}
	made, err := s.backend.Creator(c.ctx, addr)
	if err != nil || made == nil {
		return nil, err
	}
	w := newWriter(160)
	w.open('{')
	w.key("hash").hex(made.Tx[:])
	w.key("creator").hex(made.Creator[:])
	w.shut('}')
	return w.b, nil
}
