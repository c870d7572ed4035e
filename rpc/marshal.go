package rpc

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
)

// Tiers of finality, as receipts and talaria_finality name them.
const (
	TierSequenced = "sequenced" // signed and durable at the sequencer
	TierPosted    = "posted"    // its data is on L1
	TierFinal     = "final"     // and L1 is final there
)

// depositReceiptVersion is the OP Stack's since Canyon.
const depositReceiptVersion = 1

// tiers tells finality by block number.
type tiers struct{ safe, finalized uint64 }

func (t tiers) of(number uint64, sealed bool) string {
	switch {
	case !sealed || number > t.safe && number > t.finalized:
		return TierSequenced
	case number > t.finalized:
		return TierPosted
	}
	return TierFinal
}

// headerFields writes the members of go-ethereum's header object.
func (w *writer) headerFields(h *types.Header, hash common.Hash, pending bool) {
	w.key("number").big(h.Number)
	if pending {
		w.key("hash").null()
		w.key("nonce").null()
	} else {
		w.key("hash").hex(hash[:])
		w.key("nonce").hex(h.Nonce[:])
	}
	w.key("parentHash").hex(h.ParentHash[:])
	w.key("mixHash").hex(h.MixDigest[:])
	w.key("sha3Uncles").hex(h.UncleHash[:])
	w.key("logsBloom").hex(h.Bloom[:])
	w.key("stateRoot").hex(h.Root[:])
	w.key("miner").hex(h.Coinbase[:])
	w.key("difficulty").big(h.Difficulty)
	w.key("extraData").hex(h.Extra)
	w.key("gasLimit").qty(h.GasLimit)
	w.key("gasUsed").qty(h.GasUsed)
	w.key("timestamp").qty(h.Time)
	w.key("transactionsRoot").hex(h.TxHash[:])
	w.key("receiptsRoot").hex(h.ReceiptHash[:])
	if h.BaseFee != nil {
		w.key("baseFeePerGas").big(h.BaseFee)
	}
	if h.WithdrawalsHash != nil {
		w.key("withdrawalsRoot").hex(h.WithdrawalsHash[:])
	}
	if h.BlobGasUsed != nil {
		w.key("blobGasUsed").qty(*h.BlobGasUsed)
	}
	if h.ExcessBlobGas != nil {
		w.key("excessBlobGas").qty(*h.ExcessBlobGas)
	}
	if h.ParentBeaconRoot != nil {
		w.key("parentBeaconBlockRoot").hex(h.ParentBeaconRoot[:])
	}
	if h.RequestsHash != nil {
		w.key("requestsHash").hex(h.RequestsHash[:])
	}
}

// newHeadJSON is what newHeads subscribers get.
func newHeadJSON(b *chain.Block) rawJSON {
	w := newWriter(2048)
	w.open('{')
	w.headerFields(b.Header, b.Hash(), false)
	w.key("miniBlockCount").qty(uint64(len(b.MiniBlocks)))
	w.shut('}')
	return w.b
}

// blockSize is the length of the block's RLP encoding.
func blockSize(h *types.Header, txs []*chain.Tx) uint64 {
	enc, err := rlp.EncodeToBytes(h)
	if err != nil {
		return 0
	}
	var body uint64
	for _, tx := range txs {
		if raw := tx.Raw(); tx.Type() == types.LegacyTxType {
			body += uint64(len(raw))
		} else {
			body += rlp.BytesSize(raw)
		}
	}
	const empties = 2 // no uncles, no withdrawals
	return rlp.ListSize(uint64(len(enc)) + rlp.ListSize(body) + empties)
}

// blockJSON is go-ethereum's block object with miniBlockCount.
func blockJSON(v *blockView, full bool) rawJSON {
	per := 70
	if full {
		per = 900
	}
	w := newWriter(2048 + per*len(v.txs))
	w.open('{')
	w.blockFields(v, full)
	w.key("miniBlockCount").qty(uint64(len(v.minis)))
	w.shut('}')
	return w.b
}

// blockFields writes the members of go-ethereum's block object.
func (w *writer) blockFields(v *blockView, full bool) {
	w.headerFields(v.header, v.hash, v.open)
	w.key("size").qty(blockSize(v.header, v.txs))
	w.key("uncles").raw("[]")
	w.key("withdrawals").raw("[]")
	w.key("transactions").open('[')
	for i, tx := range v.txs {
		if full {
			w.tx(v.place(i))
			continue
		}
		hash := tx.Hash()
		w.hex(hash[:])
	}
	w.shut(']')
}

// tx writes go-ethereum's transaction object, or the OP Stack's of a deposit.
func (w *writer) tx(t *TxInfo) {
	tx := t.Tx
	w.open('{')
	w.key("blockHash").hashOrNull(t.BlockHash)
	w.key("blockNumber").qty(t.BlockNumber)
	w.key("blockTimestamp").qty(t.BlockTime)
	w.key("transactionIndex").qty(t.Index)
	w.txFields(tx)
	if d := tx.Deposit; d != nil {
		var nonce uint64
		if t.Receipt != nil {
			nonce = t.Receipt.DepositNonce
		}
		w.key("nonce").qty(nonce)
		w.key("gasPrice").qty(0)
		w.key("sourceHash").hex(d.SourceHash[:])
		w.key("mint").big(d.Mint)
		w.key("isSystemTx").bool(d.IsSystem)
		w.key("depositReceiptVersion").qty(depositReceiptVersion)
		w.key("v").qty(0)
		w.key("r").qty(0)
		w.key("s").qty(0)
		w.shut('}')
		return
	}
	w.signedFields(tx.Eth(), t.BaseFee)
	w.shut('}')
}

// txFields writes the members that every transaction has, but for its nonce.
func (w *writer) txFields(tx *chain.Tx) {
	from, hash := tx.From(), tx.Hash()
	w.key("type").qty(uint64(tx.Type()))
	w.key("hash").hex(hash[:])
	w.key("from").hex(from[:])
	w.key("to").addressOrNull(tx.To())
	w.key("gas").qty(tx.Gas())
	w.key("value").big(tx.Value())
	w.key("input").hex(tx.Data())
}

// signedFields writes the members that depend on the type of a signed transaction.
func (w *writer) signedFields(eth *types.Transaction, baseFee *big.Int) {
	w.typedFields(eth, baseFee)
	v, r, s := eth.RawSignatureValues()
	if eth.Type() != types.LegacyTxType {
		w.key("yParity").qty(uint64(v.Sign()))
	} else if id := eth.ChainId(); id.Sign() != 0 {
		w.key("chainId").big(id)
	}
	w.key("v").big(v)
	w.key("r").big(r)
	w.key("s").big(s)
}

// typedFields are those of signedFields that are no part of a signature.
func (w *writer) typedFields(eth *types.Transaction, baseFee *big.Int) {
	w.key("nonce").qty(eth.Nonce())
	typ := eth.Type()
	if typ >= types.DynamicFeeTxType {
		price := eth.GasFeeCap()
		if baseFee != nil {
			if tipped := new(big.Int).Add(eth.GasTipCap(), baseFee); tipped.Cmp(price) < 0 {
				price = tipped
			}
		}
		w.key("gasPrice").big(price)
		w.key("maxFeePerGas").big(eth.GasFeeCap())
		w.key("maxPriorityFeePerGas").big(eth.GasTipCap())
	} else {
		w.key("gasPrice").big(eth.GasPrice())
	}
	if typ != types.LegacyTxType {
		w.key("chainId").big(eth.ChainId())
		w.key("accessList").accessList(eth.AccessList())
	}
	if typ == types.SetCodeTxType {
		w.key("authorizationList").authList(eth.SetCodeAuthorizations())
	}
}

func (w *writer) accessList(list types.AccessList) {
	w.open('[')
	for i := range list {
		w.open('{')
		w.key("address").hex(list[i].Address[:])
		w.key("storageKeys").open('[')
		for _, k := range list[i].StorageKeys {
			w.hex(k[:])
		}
		w.shut(']')
		w.shut('}')
	}
	w.shut(']')
}

func (w *writer) authList(list []types.SetCodeAuthorization) {
	w.open('[')
	for i := range list {
		a := &list[i]
		w.open('{')
		w.key("chainId").big(a.ChainID.ToBig())
		w.key("address").hex(a.Address[:])
		w.key("nonce").qty(a.Nonce)
		w.key("yParity").qty(uint64(a.V))
		w.key("r").big(a.R.ToBig())
		w.key("s").big(a.S.ToBig())
		w.shut('}')
	}
	w.shut(']')
}

// receipt writes go-ethereum's receipt object with miniBlockNumber and finality, and
// the OP Stack's members of a deposit.
func (w *writer) receipt(t *TxInfo, tier string) {
	r, tx := t.Receipt, t.Tx
	from, hash := tx.From(), tx.Hash()
	w.open('{')
	w.key("blockHash").hex(t.BlockHash[:])
	w.key("blockNumber").qty(t.BlockNumber)
	w.key("transactionHash").hex(hash[:])
	w.key("transactionIndex").qty(t.Index)
	w.key("from").hex(from[:])
	w.key("to").addressOrNull(tx.To())
	w.key("type").qty(uint64(tx.Type()))
	w.key("status").qty(r.Status)
	w.key("gasUsed").qty(r.GasUsed)
	w.key("cumulativeGasUsed").qty(r.CumulativeGasUsed)
	w.key("effectiveGasPrice").big(r.EffectiveGasPrice)
	w.key("contractAddress")
	if r.ContractAddress == (common.Address{}) {
		w.null()
	} else {
		w.hex(r.ContractAddress[:])
	}
	w.key("logs").open('[')
	for i, l := range r.Logs {
		w.log(l, t, uint64(i))
	}
	w.shut(']')
	w.key("logsBloom").hex(r.Bloom[:])
	if tx.IsDeposit() {
		w.key("depositNonce").qty(r.DepositNonce)
		w.key("depositReceiptVersion").qty(depositReceiptVersion)
	} else if r.L1Prices != nil {
		w.l1Fee(tx, r.L1Prices)
	}
	w.key("miniBlockNumber").qty(t.MiniBlock)
	w.key("finality").str(tier)
	w.shut('}')
}

// l1Fee writes what a transaction paid for its data on L1 and why, as op-geth's receipts
// tell it as of Fjord. Where the native currency is a token, the fee is in it, and
// gasTokenRate says for how much of it a gwei of ether counted.
func (w *writer) l1Fee(tx *chain.Tx, p *chain.L1FeeParams) {
	size := tx.FastLZ(nil)
	fee := p.Fee(size)
	w.key("l1Fee").wei(&fee)
	w.key("l1GasUsed").qty(chain.L1GasUsed(size))
	w.key("l1GasPrice").wei(&p.BaseFee)
	w.key("l1BaseFeeScalar").qty(uint64(p.BaseFeeScalar))
	w.key("l1BlobBaseFee").wei(&p.BlobBaseFee)
	w.key("l1BlobBaseFeeScalar").qty(uint64(p.BlobBaseFeeScalar))
	if p.Rate != 0 {
		w.key("gasTokenRate").qty(p.Rate)
	}
}

// log writes the log at position i of the transaction. In an open block its block
// hash is the zero hash: clients refuse null there.
func (w *writer) log(l *types.Log, t *TxInfo, i uint64) {
	hash := t.Tx.Hash()
	w.open('{')
	w.key("address").hex(l.Address[:])
	w.key("topics").open('[')
	for _, topic := range l.Topics {
		w.hex(topic[:])
	}
	w.shut(']')
	w.key("data").hex(l.Data)
	w.key("blockNumber").qty(t.BlockNumber)
	w.key("blockHash").hex(t.BlockHash[:])
	w.key("blockTimestamp").qty(t.BlockTime)
	w.key("transactionHash").hex(hash[:])
	w.key("transactionIndex").qty(t.Index)
	w.key("logIndex").qty(t.FirstLogIndex + i)
	w.key("removed").bool(false)
	w.shut('}')
}

// miniBlockJSON is a mini-block with its transactions and receipts.
func miniBlockJSON(m *MiniBlock, t tiers) rawJSON {
	w := newWriter(1024 + 2400*len(m.Txs))
	w.open('{')
	w.miniBlockFields(m)
	places := m.places()
	w.key("transactions").open('[')
	for i := range places {
		w.tx(&places[i])
	}
	w.shut(']')
	w.key("receipts").open('[')
	tier := t.of(m.Header.BlockNumber, m.BlockHash != common.Hash{})
	for i := range places {
		w.receipt(&places[i], tier)
	}
	w.shut(']')
	w.shut('}')
	return w.b
}

// miniHashesJSON is a mini-block with the hashes of its transactions.
func miniHashesJSON(m *MiniBlock) rawJSON {
	w := newWriter(1024 + 80*len(m.Txs))
	w.open('{')
	w.miniBlockFields(m)
	w.key("transactions").open('[')
	for _, tx := range m.Txs {
		hash := tx.Hash()
		w.hex(hash[:])
	}
	w.shut(']')
	w.shut('}')
	return w.b
}

// miniBlockFields writes the members of a mini-block's header, its hash and signature.
func (w *writer) miniBlockFields(m *MiniBlock) {
	h := &m.Header
	w.key("chainId").qty(h.ChainID)
	w.key("epoch").qty(h.Epoch)
	w.key("number").qty(h.Number)
	w.key("parentHash").hex(h.ParentHash[:])
	w.key("blockNumber").qty(h.BlockNumber)
	w.key("index").qty(h.Index)
	w.key("timestampMicros").qty(uint64(h.TimestampMicros))
	w.key("firstTxIndex").qty(h.FirstTxIndex)
	w.key("txCount").qty(h.TxCount)
	w.key("gasUsed").qty(h.GasUsed)
	w.key("txsHash").hex(h.TxsHash[:])
	w.key("receiptsHash").hex(h.ReceiptsHash[:])
	w.key("diffHash").hex(h.DiffHash[:])
	w.key("hash").hex(m.Hash[:])
	w.key("signature").hex(m.Signature[:])
}

func receiptJSON(t *TxInfo, tier string) rawJSON {
	size := 1700
	for _, l := range t.Receipt.Logs {
		size += 800 + 2*len(l.Data)
	}
	w := newWriter(size)
	w.receipt(t, tier)
	return w.b
}

func txJSON(t *TxInfo) rawJSON {
	w := newWriter(1024 + 2*len(t.Tx.Data()))
	w.tx(t)
	return w.b
}
