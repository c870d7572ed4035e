package e2e

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// history is what a new account did, over three blocks or more, for explorers to show.
type history struct {
	t                         *testing.T
	d                         *devnet
	client                    *rpc.Client
	user, peer, paid          common.Address
	token, hub, child         common.Address
	made, tokenTx, call, fail common.Hash
	all                       []common.Hash // that concern the user, in order
	receipts                  map[common.Hash]*types.Receipt
	s                         *sender
}

// hubCode is a contract's code: with calldata it reverts with deadbeef; else it sends one
// wei to paid, keeps the call's value in slot 0, creates a contract of one byte and logs.
func hubCode(paid common.Address) []byte {
	return slices.Concat(common.FromHex("3615601157"+"63deadbeef5f526004601cfd"+"5b"+"5f5f5f5f600173"), paid[:],
		common.FromHex("5af150"+"345f55"+"67605b5f5360015ff35f52600860185ff050"+"5f5fa0"+"00"))
}

// deploying is initcode that leaves the code.
func deploying(code []byte) []byte {
	return append(common.FromHex(fmt.Sprintf("61%04x80600a5f395ff3", len(code))), code...)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ask calls a method and fails the test if it is answered with an error.
func ask[T any](t *testing.T, c *rpc.Client, method string, params ...any) T {
	t.Helper()
	var out T
	if err := c.CallContext(t.Context(), &out, method, params...); err != nil {
		t.Fatalf("%s%v: %v", method, params, err)
	}
	return out
}

// equal fails the test if an answer is not the one that is wanted.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func newHistory(t *testing.T) *history {
	t.Helper()
	d := sharedDevnet(t)
	client, err := rpc.DialContext(t.Context(), d.L2.HTTPURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	fresh := func() common.Address { return crypto.PubkeyToAddress(newKey(t).PublicKey) }
	h := &history{t: t, d: d, client: client, peer: fresh(), paid: fresh(), receipts: map[common.Hash]*types.Receipt{}}
	key := newKey(t)
	h.user = crypto.PubkeyToAddress(key.PublicKey)
	funder := newSender(t, d.L2.HTTPURL, d.Accounts[7].PrivateKey)
	h.send(funder.sign(t, &h.user, big.NewInt(1e18), 21_000, nil))
	s := newSender(t, d.L2.HTTPURL, hexutil.Encode(crypto.FromECDSA(key)))
	h.s = s
	h.token, h.hub = crypto.CreateAddress(h.user, 0), crypto.CreateAddress(h.user, 1)
	h.child = crypto.CreateAddress(h.hub, 1)
	h.send(s.sign(t, nil, nil, 2_000_000, tokenCode(t)))
	h.made = h.send(s.sign(t, nil, nil, 1_000_000, deploying(hubCode(h.paid))))
	h.seal()
	h.tokenTx = h.send(s.sign(t, &h.token, nil, 100_000, tokenTransfer(h.peer, big.NewInt(77))))
	h.call = h.send(s.sign(t, &h.hub, big.NewInt(9), 300_000, nil))
	h.fail = h.send(s.sign(t, &h.hub, big.NewInt(3), 300_000, []byte{1}))
	h.seal()
	h.send(s.sign(t, &h.peer, big.NewInt(5), 21_000, nil))
	h.send(s.sign(t, &h.token, nil, 100_000, tokenTransfer(h.peer, big.NewInt(78))))
	h.seal()
	for _, hash := range h.all {
		r := ask[*types.Receipt](t, client, "eth_getTransactionReceipt", hash)
		equal(t, "status of "+hash.Hex(), r.Status == types.ReceiptStatusSuccessful, hash != h.fail)
		h.receipts[hash] = r
	}
	return h
}

func (h *history) send(tx *types.Transaction) common.Hash {
	h.t.Helper()
	if _, err := sendSync(h.t.Context(), h.client, tx); err != nil {
		h.t.Fatal(err)
	}
	h.all = append(h.all, tx.Hash())
	return tx.Hash()
}

// seal waits until the newest transaction's block is sealed.
func (h *history) seal() {
	h.t.Helper()
	hash := h.all[len(h.all)-1]
	eventually(h.t, 30*time.Second, "the block is sealed", func() error {
		r := ask[*syncReceipt](h.t, h.client, "eth_getTransactionReceipt", hash)
		if n := hexutil.Uint64(sealedHead(h.t, h.client)); r == nil || n < r.Number {
			return fmt.Errorf("the newest block is %d", n)
		}
		return nil
	})
}

// blocks are the numbers of the blocks of everything, in order.
func (h *history) blocks() (numbers []uint64) {
	for _, hash := range h.all {
		numbers = append(numbers, h.receipts[hash].BlockNumber.Uint64())
	}
	return slices.Compact(numbers)
}

// plainTx is what is read of a transaction.
type plainTx struct {
	Hash  common.Hash    `json:"hash"`
	From  common.Address `json:"from"`
	Index hexutil.Uint64 `json:"transactionIndex"`
	Block hexutil.Uint64 `json:"blockNumber"`
}

// plainBlock is what is read of a block with its transactions.
type plainBlock struct {
	Hash         common.Hash    `json:"hash"`
	Number       hexutil.Uint64 `json:"number"`
	GasUsed      hexutil.Uint64 `json:"gasUsed"`
	Miner        common.Address `json:"miner"`
	Transactions []plainTx      `json:"transactions"`
}

func (h *history) block(number uint64) plainBlock {
	h.t.Helper()
	return ask[plainBlock](h.t, h.client, "eth_getBlockByNumber", hexutil.Uint64(number), true)
}

// TestOtterscan asks what the block explorer Otterscan asks.
func TestOtterscan(t *testing.T) {
	h := newHistory(t)
	c := h.client
	for _, first := range []any{0, "latest"} { // how it finds out whether it can use the node
		ask[plainBlock](t, c, "erigon_getHeaderByNumber", first)
	}
	equal(t, "ots_getApiLevel", ask[uint64](t, c, "ots_getApiLevel"), 8)
	equal(t, "ots_hasCode of a contract", ask[bool](t, c, "ots_hasCode", h.hub, "latest"), true)
	equal(t, "ots_hasCode of an account", ask[bool](t, c, "ots_hasCode", h.user, "latest"), false)
	equal(t, "ots_hasCode before it was made", ask[bool](t, c, "ots_hasCode", h.child, h.receipts[h.made].BlockNumber.Uint64()), false)
	for _, n := range h.blocks() {
		h.otterscanBlock(n)
	}
	h.otterscanPages()
	h.otterscanTransaction()

	for nonce, hash := range h.all[1:] {
		equal(t, "ots_getTransactionBySenderAndNonce", ask[common.Hash](t, c, "ots_getTransactionBySenderAndNonce", h.user, nonce), hash)
	}
	if got := ask[*common.Hash](t, c, "ots_getTransactionBySenderAndNonce", h.user, 99); got != nil {
		t.Errorf("a nonce that was not used: %s", got)
	}
	type creation struct {
		Hash    common.Hash    `json:"hash"`
		Creator common.Address `json:"creator"`
	}
	equal(t, "creator of a contract", ask[creation](t, c, "ots_getContractCreator", h.hub), creation{h.made, h.user})
	equal(t, "creator of a contract's contract", ask[creation](t, c, "ots_getContractCreator", h.child), creation{h.call, h.hub})
	if got := ask[*creation](t, c, "ots_getContractCreator", h.user); got != nil {
		t.Errorf("creator of an account: %v", got)
	}
}

func (h *history) otterscanBlock(number uint64) {
	t := h.t
	t.Helper()
	want := h.block(number)
	type details struct {
		Block struct {
			Hash  common.Hash    `json:"hash"`
			Count hexutil.Uint64 `json:"transactionCount"`
		} `json:"block"`
		Fees *hexutil.Big `json:"totalFees"`
	}
	got := ask[details](t, h.client, "ots_getBlockDetails", number)
	fees := new(big.Int)
	for _, r := range ask[[]*types.Receipt](t, h.client, "eth_getBlockReceipts", hexutil.Uint64(number)) {
		fees.Add(fees, new(big.Int).Mul(new(big.Int).SetUint64(r.GasUsed), r.EffectiveGasPrice))
	}
	equal(t, "hash in ots_getBlockDetails", got.Block.Hash, want.Hash)
	equal(t, "count in ots_getBlockDetails", int(got.Block.Count), len(want.Transactions))
	equal(t, "fees in ots_getBlockDetails", got.Fees.ToInt().String(), fees.String())
	byHash := ask[details](t, h.client, "ots_getBlockDetailsByHash", want.Hash)
	equal(t, "ots_getBlockDetailsByHash", byHash.Block, got.Block)
	equal(t, "erigon_getHeaderByNumber", ask[plainBlock](t, h.client, "erigon_getHeaderByNumber", number).Hash, want.Hash)

	// Pages of two, the last transactions first: together they are the block.
	var all []plainTx
	for page := 0; page*2 < len(want.Transactions); page++ {
		part := ask[struct {
			Block    plainBlock  `json:"fullblock"`
			Receipts []plainHash `json:"receipts"`
		}](t, h.client, "ots_getBlockTransactions", number, page, 2)
		for i, tx := range part.Block.Transactions {
			equal(t, "receipt of ots_getBlockTransactions", part.Receipts[i].Hash, tx.Hash)
		}
		all = append(part.Block.Transactions, all...)
	}
	if !slices.Equal(all, want.Transactions) {
		t.Errorf("pages of block %d: %v, want %v", number, all, want.Transactions)
	}
}

// plainHash is what is read of a receipt.
type plainHash struct {
	Hash common.Hash `json:"transactionHash"`
}

// otterscanPages goes through an account's pages as Otterscan does, in both directions.
func (h *history) otterscanPages() {
	t := h.t
	t.Helper()
	type page struct {
		Txs      []plainTx   `json:"txs"`
		Receipts []plainHash `json:"receipts"`
		First    bool        `json:"firstPage"`
		Last     bool        `json:"lastPage"`
	}
	pages := func(addr common.Address, forward bool, size int) (found []common.Hash) {
		t.Helper()
		for at, turn := uint64(0), 0; turn <= len(h.all); turn++ {
			method := "ots_searchTransactionsBefore"
			if forward {
				method = "ots_searchTransactionsAfter"
			}
			p := ask[page](t, h.client, method, addr, at, size)
			equal(t, "receipts of "+method, len(p.Receipts), len(p.Txs))
			var hashes []common.Hash
			for i, tx := range p.Txs {
				equal(t, "receipt of "+method, p.Receipts[i].Hash, tx.Hash)
				hashes = append(hashes, tx.Hash)
			}
			slices.Reverse(hashes) // the newest is first on a page
			if forward {
				found = append(found, hashes...)
			} else {
				found = append(hashes, found...)
			}
			equal(t, "first page of "+method, !forward && p.First || forward && p.Last, turn == 0)
			if p.First && forward || p.Last && !forward || len(p.Txs) == 0 {
				return found
			}
			if at = uint64(p.Txs[len(p.Txs)-1].Block); forward {
				at = uint64(p.Txs[0].Block)
			}
		}
		t.Fatalf("pages of %s have no end", addr)
		return nil
	}
	peers := []common.Hash{h.tokenTx, h.all[len(h.all)-2], h.all[len(h.all)-1]}
	for _, forward := range []bool{false, true} {
		for _, size := range []int{2, 25} {
			if got := pages(h.user, forward, size); !slices.Equal(got, h.all) {
				t.Errorf("pages of %d, forward %v, of the user: %v, want %v", size, forward, got, h.all)
			}
		}
		if got := pages(h.paid, forward, 25); !slices.Equal(got, []common.Hash{h.call}) {
			t.Errorf("pages of who was paid inside of a call: %v, want %v", got, h.call)
		}
		for _, hash := range pages(h.peer, forward, 25) {
			if !slices.Contains(peers, hash) {
				t.Errorf("%s does not concern the peer", hash)
			}
		}
	}
}

// otterscanTransaction asks what the page of a transaction needs.
func (h *history) otterscanTransaction() {
	t := h.t
	t.Helper()
	type step struct {
		Type  string         `json:"type"`
		Depth int            `json:"depth"`
		From  common.Address `json:"from"`
		To    common.Address `json:"to"`
	}
	steps := ask[[]step](t, h.client, "ots_traceTransaction", h.call)
	if want := []step{{"CALL", 0, h.user, h.hub}, {"CALL", 1, h.hub, h.paid}, {"CREATE", 1, h.hub, h.child}}; !slices.Equal(steps, want) {
		t.Errorf("ots_traceTransaction: %v, want %v", steps, want)
	}
	type operation struct {
		Type     int
		From, To common.Address
		Value    string
	}
	operations := ask[[]operation](t, h.client, "ots_getInternalOperations", h.call)
	const transfer, create = 0, 2
	if want := []operation{{transfer, h.hub, h.paid, "0x1"}, {create, h.hub, h.child, "0x0"}}; !slices.Equal(operations, want) {
		t.Errorf("ots_getInternalOperations: %v, want %v", operations, want)
	}
	equal(t, "operations of a transaction that reverted", len(ask[[]operation](t, h.client, "ots_getInternalOperations", h.fail)), 0)
	equal(t, "ots_getTransactionError of one that reverted", ask[string](t, h.client, "ots_getTransactionError", h.fail), "0xdeadbeef")
	equal(t, "ots_getTransactionError of one that did not", ask[string](t, h.client, "ots_getTransactionError", h.call), "0x")
}
