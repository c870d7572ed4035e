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
	classCall              // a simulation or scan: like classRead over HTTP, beside the reader over WebSocket
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

// call adds a method that simulates or scans.
func (t methodTable) call(name string, maxArgs int, f reader) *method {
	return t.add(&method{name: name, maxArgs: maxArgs, class: classCall, read: f})
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
	s.poolMethods(t)
	s.accountMethods(t)
	s.feeMethods(t)
	s.logMethods(t)
	s.adminMethods(t)
	s.rawMethods(t)
	s.configMethods(t)
	s.traceMethods(t)
	s.simulationMethods(t)
	s.devMethods(t)
	s.parityMethods(t)
	s.otterscanMethods(t)
	s.accessMethods(t)
	s.witnessMethods(t)
	s.exitMethods(t)
	s.feedMethods(t)
	t.read("rpc_modules", 0, func(*call, *args) (rawJSON, error) { return modules(t), nil }).doc("The namespaces that the node serves", "rpc.TestFixedAnswers")
	return t
}

// nodeMethods are about the node and its chain.
func (s *Server) nodeMethods(t methodTable) {
	cfg := s.backend.Config()
	t.fixed("eth_chainId", string(quantity(cfg.ChainID))).doc("The chain's ID (EIP-155)", "rpc.TestGoEthereumsClientOverBothTransports")
	t.fixed("eth_blobBaseFee", `"0x1"`).doc("Always 1 wei: this layer takes no blobs, so that their price stays at its floor", "rpc.TestFixedAnswers") // no blobs on this layer: the price stays at its floor
	t.fixed("net_version", strconv.Quote(strconv.FormatUint(cfg.ChainID, 10))).doc("The chain's ID in decimal", "rpc.TestGoEthereumsClientOverBothTransports")
	t.fixed("net_listening", jsonTrue).doc("Always true", "rpc.TestFixedAnswers")
	t.fixed("net_peerCount", `"0x0"`).doc("Always zero: nodes follow the sequencer and L1, not peers", "rpc.TestFixedAnswers")
	t.fixed("web3_clientVersion", strconv.Quote(s.opts.ClientVersion)).doc("The node's name and version", "rpc.TestFixedAnswers")
	t.read("web3_sha3", 1, sha3).doc("Keccak-256 of the data", "rpc.TestJSONShapes")
	t.read("eth_blockNumber", 0, s.blockNumber).doc("The number of the last sealed block", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_syncing", 0, s.syncing).doc("False, or how far the node is behind", "rpc.TestSyncStatusTellsEveryHead")
	t.read("talaria_syncStatus", 0, s.syncStatus).doc("Every head of the node in one answer: sealed, safe, finalized and what is published of the open block", "rpc.TestSyncStatusTellsEveryHead")
	t.read("optimism_syncStatus", 0, s.rollupSyncStatus).doc("The heads of L1 and of this chain, as a rollup node of the OP Stack tells them", "rpc.TestARollupNodeTellsHeadsAndOutputs")
	t.read("optimism_outputAtBlock", 1, s.outputAtBlock).doc("The output root of a sealed block, what it is made of, and the heads", "rpc.TestARollupNodeTellsHeadsAndOutputs")
}

// blockMethods answer about blocks and mini-blocks.
func (s *Server) blockMethods(t methodTable) {
	t.read("eth_getBlockByNumber", 2, s.getBlockByNumber).doc("A block by number or tag, with hashes or whole transactions; `pending` is the open block", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getBlockByHash", 2, s.getBlockByHash).doc("A sealed block by hash, with hashes or whole transactions", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getHeaderByNumber", 1, s.getHeaderByNumber).doc("A block's header without its transactions", "rpc.TestHeadersAndCounts")
	t.read("eth_getHeaderByHash", 1, s.getHeaderByHash).doc("A sealed block's header without its transactions", "rpc.TestHeadersAndCounts")
	t.read("eth_getBlockTransactionCountByNumber", 1, s.txCountByNumber).doc("How many transactions a block has", "rpc.TestHeadersAndCounts")
	t.read("eth_getBlockTransactionCountByHash", 1, s.txCountByHash).doc("How many transactions a sealed block has", "rpc.TestHeadersAndCounts")
	t.read("eth_getUncleCountByBlockNumber", 1, s.uncleCountByNumber).doc("Zero for every block there is: there are no uncles", "rpc.TestHeadersAndCounts")
	t.read("eth_getUncleCountByBlockHash", 1, s.uncleCountByHash).doc("Zero for every block there is: there are no uncles", "rpc.TestHeadersAndCounts")
	t.read("eth_getBlockReceipts", 1, s.getBlockReceipts).doc("All receipts of a block; `pending` gives those of the open block so far", "rpc.TestAnswersAboveTheLimitAreRefused")
	t.read("talaria_getMiniBlock", 1, s.getMiniBlock).doc("A mini-block by number or hash, with transactions, receipts and signature", "rpc.TestJSONShapes")
	t.slow("talaria_getMiniBlockDiff", 1, s.getMiniBlockDiff).doc("What a mini-block changed in the state, encoded as its `diffHash` has it", "role/node.TestDiffsOfMiniBlocksAreServed")
}

// transactionMethods answer about transactions and send them.
func (s *Server) transactionMethods(t methodTable) {
	t.read("eth_getTransactionByHash", 1, s.getTransactionByHash).doc("A published transaction; `blockHash` is null until its block is sealed", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getTransactionByBlockNumberAndIndex", 2, s.getTransactionByNumberAndIndex).doc("A transaction by its place in a block", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getTransactionByBlockHashAndIndex", 2, s.getTransactionByHashAndIndex).doc("A transaction by its place in a sealed block", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getRawTransactionByHash", 1, s.getRawTransactionByHash).doc("The EIP-2718 encoding of a published transaction", "rpc.TestRawEncodings")
	t.read("eth_getTransactionReceipt", 1, s.getTransactionReceipt).doc("The receipt of a published transaction, with `miniBlockNumber` and `finality`", "rpc.TestTiersOfFinality")
	t.read("eth_pendingTransactions", 0, s.pendingTransactions).doc("The transactions published of the open block; nothing is pending before it is executed", "rpc.TestPendingTransactions")
	t.read("talaria_finality", 1, s.finality).doc("The tier of a published transaction, since when, when the next may come, and what it waits for", "role/node.TestFinalityTellsTheTimeOfEachTier")
	t.read("talaria_voidTransaction", 1, s.voidTransaction).doc("What became of a transaction whose block is void: where it was, why, and whether it waits to be executed again or is gone", "rpc.TestAVoidTransactionIsExplained")
	t.send("eth_sendRawTransaction", 1, s.sendRaw).doc("Takes a signed transaction and answers with its hash when it is executed and durable", "rpc.TestSendsOnOneConnectionKeepTheirOrder")
	t.send("eth_sendRawTransactionSync", 2, s.sendRawSync).doc("Takes a signed transaction and answers with its receipt (EIP-7966); the second parameter is the time to wait in ms", "rpc.TestASynchronousSendAnswersWithTheReceipt")
	t.send("realtime_sendRawTransaction", 2, s.sendRawSync).doc("The same as `eth_sendRawTransactionSync`", "rpc.TestASynchronousSendAnswersWithTheReceipt")
}

// accountMethods read the state and simulate on it.
func (s *Server) accountMethods(t methodTable) {
	t.read("eth_getBalance", 2, s.getBalance).doc("An account's balance in wei", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getTransactionCount", 2, s.getTransactionCount).doc("An account's nonce", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_getCode", 2, s.getCode).doc("An account's code", "rpc.TestGoEthereumsClientOverBothTransports")
	t.slow("eth_getProof", 3, s.getProof).doc("Merkle proofs of an account and its slots (EIP-1186) at a sealed block; `latest` is the last one", "role/node.TestProofsVerifyAtEveryHeight")
	t.call("eth_fillTransaction", 1, s.fillTransaction).doc("Completes a transaction for signing: nonce, gas and fees, which allow for the base fee to double", "role/node.TestFilledTransactions")
	t.read("eth_getStorageValues", 2, s.getStorageValues).doc("The values of many slots of many accounts at one block, at most 1024", "rpc.TestStorageValues")
	t.read("eth_getStorageAt", 3, s.getStorageAt).doc("The value of one storage slot", "rpc.TestGoEthereumsClientOverBothTransports")
	t.call("eth_call", 4, s.ethCall).doc("Runs a call without effect, with overrides of state and block", "evm.TestCallSeesBlockAndOverrides")
	t.call("eth_estimateGas", 4, s.estimateGas).doc("The least gas limit with which a call succeeds", "evm.TestEstimateGas")
	t.call("eth_createAccessList", 3, s.createAccessList).doc("The EIP-2930 list of what a call touches", "evm.TestCreateAccessList")
}

// feeMethods answer about fees.
func (s *Server) feeMethods(t methodTable) {
	t.read("eth_baseFee", 0, func(*call, *args) (rawJSON, error) { return bigQuantity(s.baseFee()), nil }).doc("The base fee in wei per gas that a transaction sent now meets: that of the open block", "rpc.TestFixedAnswers")
	t.read("eth_gasPrice", 0, s.gasPrice).doc("The base fee of the open block plus the suggested tip", "rpc.TestGoEthereumsClientOverBothTransports")
	t.read("eth_maxPriorityFeePerGas", 0, s.maxPriorityFee).doc("The suggested tip", "rpc.TestGoEthereumsClientOverBothTransports")
	t.call("eth_feeHistory", 3, s.feeHistory).doc("Base fees, gas used and tips of past blocks (EIP-1559); deposits count for no tip", "rpc.TestGoEthereumsClientOverBothTransports")
}

// logMethods are logs, filters and subscriptions.
func (s *Server) logMethods(t methodTable) {
	t.call("eth_getLogs", 1, s.getLogs).doc("Logs by block range, address and topics; a range to `latest` includes the open block", "rpc.TestLogsOfTheOpenBlockAndItsLimits")
	t.read("eth_newFilter", 1, s.newFilter).doc("Starts a polling filter of logs", "rpc.TestPollingFilters")
	t.read("eth_newBlockFilter", 0, s.newBlockFilter).doc("Starts a polling filter of sealed blocks' hashes", "rpc.TestPollingFilters")
	t.read("eth_newPendingTransactionFilter", 1, s.newPendingFilter).doc("Starts a polling filter of published transactions' hashes", "rpc.TestPollingFilters")
	t.read("eth_getFilterChanges", 1, s.getFilterChanges).doc("What a filter found since the last poll", "rpc.TestPollingFilters")
	t.call("eth_getFilterLogs", 1, s.getFilterLogs).doc("All logs that a filter's query selects", "rpc.TestPollingFilters")
	t.read("eth_uninstallFilter", 1, s.uninstallFilter).doc("Ends a polling filter", "rpc.TestPollingFilters")
	t.read("eth_subscribe", 3, s.subscribe).doc("Starts a subscription, live or from a cursor or block on; over WebSocket only", "rpc.TestAStreamResumesBehindAnyCursor")
	t.read("eth_unsubscribe", 1, s.unsubscribe).doc("Ends a subscription", "rpc.TestSubscriptionsPushWhatIsPublished")
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
