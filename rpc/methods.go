package rpc

import (
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var zeroHash common.Hash

// reader is the handler of a method that answers at once.
type reader = func(c *call, a *args) (rawJSON, error)

// sender is the handler of a method that starts something and answers later.
type sender = func(c *call, a *args) *future

// class says where a method runs.
type class uint8

const (
	classRead class = iota // at once, in the goroutine of its message
	classSlow              // in the pool of slow methods, with a deadline
	classSend              // submits a transaction; order matters
)

// method is one entry of the dispatch table. Exactly one of read and send is set.
type method struct {
	name    string
	maxArgs int
	class   class
	admin   bool // needs the operator's token
	read    reader
	send    sender
	about   string // one sentence without a full stop, for docs/rpc.md
	test    string // the test that shows it, as "room.TestName", for docs/rpc.md
}

// methodTable is the dispatch table while it is filled.
type methodTable map[string]*method

func (t methodTable) add(m *method) *method {
	t[m.name] = m
	return m
}

// read adds a method that answers at once.
func (t methodTable) read(name string, maxArgs int, f reader) *method {
	return t.add(&method{name: name, maxArgs: maxArgs, read: f})
}

// slow adds a method that runs in the pool of slow methods.
func (t methodTable) slow(name string, maxArgs int, f reader) *method {
	return t.add(&method{name: name, maxArgs: maxArgs, class: classSlow, read: f})
}

// send adds a method that submits a transaction.
func (t methodTable) send(name string, maxArgs int, f sender) *method {
	return t.add(&method{name: name, maxArgs: maxArgs, class: classSend, send: f})
}

// fixed adds a method that always gives the same answer.
func (t methodTable) fixed(name, json string) *method {
	result := rawJSON(json)
	return t.read(name, 0, func(*call, *args) (rawJSON, error) { return result, nil })
}

// doc says what the method does and which test shows it.
func (m *method) doc(about, test string) { m.about, m.test = about, test }

// table is the dispatch table. Each group of methods adds its own.
func (s *Server) table() methodTable {
	t := make(methodTable)
	s.nodeMethods(t)
	s.blockMethods(t)
	s.transactionMethods(t)
	s.accountMethods(t)
	s.feeMethods(t)
	s.logMethods(t)
	return t
}

// nodeMethods are about the node and its chain.
func (s *Server) nodeMethods(t methodTable) {
	cfg := s.backend.Config()
	t.fixed("eth_chainId", string(quantity(cfg.ChainID)))
	t.fixed("eth_accounts", "[]")
	t.fixed("eth_blobBaseFee", `"0x1"`) // no blobs on this layer: the price stays at its floor
	t.fixed("net_version", strconv.Quote(strconv.FormatUint(cfg.ChainID, 10)))
	t.fixed("net_listening", jsonTrue)
	t.fixed("net_peerCount", `"0x0"`)
	t.fixed("web3_clientVersion", strconv.Quote(s.opts.ClientVersion))
	t.fixed("rpc_modules", `{"eth":"1.0","net":"1.0","realtime":"1.0","rpc":"1.0","talaria":"1.0","web3":"1.0"}`)
	t.read("web3_sha3", 1, sha3)
	t.read("eth_blockNumber", 0, s.blockNumber)
	t.read("eth_syncing", 0, s.syncing)
	t.read("talaria_syncStatus", 0, s.syncStatus)
}

// blockMethods answer about blocks and mini-blocks.
func (s *Server) blockMethods(t methodTable) {
	t.read("eth_getBlockByNumber", 2, s.getBlockByNumber)
	t.read("eth_getBlockByHash", 2, s.getBlockByHash)
	t.read("eth_getHeaderByNumber", 1, s.getHeaderByNumber)
	t.read("eth_getHeaderByHash", 1, s.getHeaderByHash)
	t.read("eth_getBlockTransactionCountByNumber", 1, s.txCountByNumber)
	t.read("eth_getBlockTransactionCountByHash", 1, s.txCountByHash)
	t.read("eth_getUncleCountByBlockNumber", 1, s.uncleCountByNumber)
	t.read("eth_getUncleCountByBlockHash", 1, s.uncleCountByHash)
	t.read("eth_getBlockReceipts", 1, s.getBlockReceipts)
	t.read("talaria_getMiniBlock", 1, s.getMiniBlock)
}

// transactionMethods answer about transactions and send them.
func (s *Server) transactionMethods(t methodTable) {
	t.read("eth_getTransactionByHash", 1, s.getTransactionByHash)
	t.read("eth_getTransactionByBlockNumberAndIndex", 2, s.getTransactionByNumberAndIndex)
	t.read("eth_getTransactionByBlockHashAndIndex", 2, s.getTransactionByHashAndIndex)
	t.read("eth_getRawTransactionByHash", 1, s.getRawTransactionByHash)
	t.read("eth_getTransactionReceipt", 1, s.getTransactionReceipt)
	t.read("talaria_finality", 1, s.finality)
	t.send("eth_sendRawTransaction", 1, s.sendRaw)
	t.send("eth_sendRawTransactionSync", 2, s.sendRawSync)
	t.send("realtime_sendRawTransaction", 2, s.sendRawSync)
}

// accountMethods read the state and simulate on it.
func (s *Server) accountMethods(t methodTable) {
	t.read("eth_getBalance", 2, s.getBalance)
	t.read("eth_getTransactionCount", 2, s.getTransactionCount)
	t.read("eth_getCode", 2, s.getCode)
	t.read("eth_getStorageAt", 3, s.getStorageAt)
	t.read("eth_call", 4, s.ethCall)
	t.read("eth_estimateGas", 4, s.estimateGas)
	t.read("eth_createAccessList", 3, s.createAccessList)
}

// feeMethods answer about fees.
func (s *Server) feeMethods(t methodTable) {
	t.read("eth_gasPrice", 0, s.gasPrice)
	t.read("eth_maxPriorityFeePerGas", 0, s.maxPriorityFee)
	t.read("eth_feeHistory", 3, s.feeHistory)
}

// logMethods are logs, filters and subscriptions.
func (s *Server) logMethods(t methodTable) {
	t.read("eth_getLogs", 1, s.getLogs)
	t.read("eth_newFilter", 1, s.newFilter)
	t.read("eth_newBlockFilter", 0, s.newBlockFilter)
	t.read("eth_newPendingTransactionFilter", 1, s.newPendingFilter)
	t.read("eth_getFilterChanges", 1, s.getFilterChanges)
	t.read("eth_getFilterLogs", 1, s.getFilterLogs)
	t.read("eth_uninstallFilter", 1, s.uninstallFilter)
	t.read("eth_subscribe", 2, s.subscribe)
	t.read("eth_unsubscribe", 1, s.unsubscribe)
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
