package rpc

import (
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var zeroHash common.Hash

// table is the dispatch table.
func (s *Server) table() map[string]*method {
	type reader = func(c *call, a *args) (rawJSON, error)
	t := make(map[string]*method)
	read := func(name string, maxArgs int, f reader) { t[name] = &method{maxArgs: maxArgs, read: f} }
	fixed := func(name, json string) {
		result := rawJSON(json)
		read(name, 0, func(*call, *args) (rawJSON, error) { return result, nil })
	}
	cfg := s.backend.Config()

	fixed("eth_chainId", string(quantity(cfg.ChainID)))
	fixed("eth_accounts", "[]")
	fixed("eth_blobBaseFee", `"0x1"`) // no blobs on this layer: the price stays at its floor
	fixed("net_version", strconv.Quote(strconv.FormatUint(cfg.ChainID, 10)))
	fixed("net_listening", jsonTrue)
	fixed("net_peerCount", `"0x0"`)
	fixed("web3_clientVersion", strconv.Quote(s.opts.ClientVersion))
	fixed("rpc_modules", `{"eth":"1.0","net":"1.0","realtime":"1.0","rpc":"1.0","talaria":"1.0","web3":"1.0"}`)
	read("web3_sha3", 1, sha3)

	read("eth_blockNumber", 0, s.blockNumber)
	read("eth_syncing", 0, s.syncing)
	read("eth_getBlockByNumber", 2, s.getBlockByNumber)
	read("eth_getBlockByHash", 2, s.getBlockByHash)
	read("eth_getHeaderByNumber", 1, s.getHeaderByNumber)
	read("eth_getHeaderByHash", 1, s.getHeaderByHash)
	read("eth_getBlockTransactionCountByNumber", 1, s.txCountByNumber)
	read("eth_getBlockTransactionCountByHash", 1, s.txCountByHash)
	read("eth_getUncleCountByBlockNumber", 1, s.uncleCountByNumber)
	read("eth_getUncleCountByBlockHash", 1, s.uncleCountByHash)
	read("eth_getBlockReceipts", 1, s.getBlockReceipts)
	read("talaria_getMiniBlock", 1, s.getMiniBlock)

	read("eth_getTransactionByHash", 1, s.getTransactionByHash)
	read("eth_getTransactionByBlockNumberAndIndex", 2, s.getTransactionByNumberAndIndex)
	read("eth_getTransactionByBlockHashAndIndex", 2, s.getTransactionByHashAndIndex)
	read("eth_getRawTransactionByHash", 1, s.getRawTransactionByHash)
	read("eth_getTransactionReceipt", 1, s.getTransactionReceipt)
	read("talaria_finality", 1, s.finality)
	read("talaria_syncStatus", 0, s.syncStatus)

	read("eth_getBalance", 2, s.getBalance)
	read("eth_getTransactionCount", 2, s.getTransactionCount)
	read("eth_getCode", 2, s.getCode)
	read("eth_getStorageAt", 3, s.getStorageAt)
	read("eth_call", 4, s.ethCall)
	read("eth_estimateGas", 4, s.estimateGas)
	read("eth_createAccessList", 3, s.createAccessList)

	read("eth_gasPrice", 0, s.gasPrice)
	read("eth_maxPriorityFeePerGas", 0, s.maxPriorityFee)
	read("eth_feeHistory", 3, s.feeHistory)

	read("eth_getLogs", 1, s.getLogs)
	read("eth_newFilter", 1, s.newFilter)
	read("eth_newBlockFilter", 0, s.newBlockFilter)
	read("eth_newPendingTransactionFilter", 1, s.newPendingFilter)
	read("eth_getFilterChanges", 1, s.getFilterChanges)
	read("eth_getFilterLogs", 1, s.getFilterLogs)
	read("eth_uninstallFilter", 1, s.uninstallFilter)
	read("eth_subscribe", 2, s.subscribe)
	read("eth_unsubscribe", 1, s.unsubscribe)

	t["eth_sendRawTransaction"] = &method{maxArgs: 1, send: s.sendRaw}
	t["eth_sendRawTransactionSync"] = &method{maxArgs: 2, send: s.sendRawSync}
	t["realtime_sendRawTransaction"] = &method{maxArgs: 2, send: s.sendRawSync}
	return t
}

func sha3(_ *call, a *args) (rawJSON, error) {
	data := a.bytes(0)
	if a.err != nil {
		return nil, a.err
	}
	return hexData(crypto.Keccak256(data)), nil
}

func (s *Server) blockNumber(*call, *args) (rawJSON, error) {
	return quantity(s.backend.Head().Number.Uint64()), nil
}

func (s *Server) syncing(*call, *args) (rawJSON, error) {
	st := s.backend.Sync()
	if !st.Syncing {
		return rawJSON(jsonFalse), nil
	}
	w := newWriter(128)
	w.open('{')
	w.key("startingBlock").qty(st.Starting)
	w.key("currentBlock").qty(st.Current)
	w.key("highestBlock").qty(st.Highest)
	w.shut('}')
	return w.b, nil
}

// syncStatus is talaria_syncStatus: every head of the node in one answer.
func (s *Server) syncStatus(*call, *args) (rawJSON, error) {
	st, head := s.backend.Sync(), s.backend.Head()
	safe, finalized := s.backend.Finality()
	w := newWriter(512)
	w.open('{')
	w.key("syncing").bool(st.Syncing)
	w.key("currentBlock").qty(st.Current)
	w.key("highestBlock").qty(st.Highest)
	hash := head.Hash()
	w.key("head").open('{')
	w.key("number").qty(head.Number.Uint64())
	w.key("hash").hex(hash[:])
	w.key("timestamp").qty(head.Time)
	w.shut('}')
	w.key("safe").qty(safe)
	w.key("finalized").qty(finalized)
	w.key("openBlock")
	if p := s.backend.Pending(); p != nil {
		w.open('{')
		w.key("number").big(p.Header.Number)
		w.key("transactions").qty(uint64(len(p.Txs)))
		w.key("miniBlock")
		if n := len(p.MiniBlocks); n > 0 {
			w.qty(p.MiniBlocks[n-1].Number)
		} else {
			w.null()
		}
		w.shut('}')
	} else {
		w.null()
	}
	w.shut('}')
	return w.b, nil
}
