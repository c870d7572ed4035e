package light

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
)

// Block is a sealed block whose hash a signed mini-block commits to.
type Block struct {
	Header *types.Header
	Hash   common.Hash
	// Voucher is the first mini-block of the next block: its diff writes Hash into the
	// history contract.
	Voucher uint64
}

// Number is the block's.
func (b *Block) Number() uint64 { return b.Header.Number.Uint64() }

// LastMiniBlock is the hash of the block's last mini-block, by its extraData.
func (b *Block) LastMiniBlock() common.Hash {
	h, _ := lastMiniBlock(b.Header)
	return h
}

// historySlots is how many block hashes the history contract keeps (EIP-2935).
const historySlots = params.HistoryServeWindow

// historySlot is where the history contract keeps the hash of the block.
func historySlot(block uint64) common.Hash {
	var s common.Hash
	for i, n := common.HashLength-1, block%historySlots; n > 0; i, n = i-1, n>>8 {
		s[i] = byte(n)
	}
	return s
}

// The parts of a diff that are looked at (docs/spec/miniblock.md, EIP-7928).
type (
	diffAccount struct {
		Address common.Address
		Storage []diffSlot
		Rest    []rlp.RawValue `rlp:"tail"`
	}
	diffSlot struct {
		Slot    []byte
		Changes []diffChange
	}
	diffChange struct {
		Index uint64
		Value []byte
	}
)

// ParentBlock is the hash of the block before the header's, to which the header commits:
// its diff holds what the system call of EIP-2935 wrote. The header must be the first of
// its block.
func ParentBlock(h *Header, diff []byte) (hash common.Hash, err error) {
	if crypto.Keccak256Hash(diff) != h.DiffHash {
		return hash, fault(CodeContent, "mini-block %d: the diff is not that of diffHash", h.Number)
	}
	if h.Index != 0 || h.BlockNumber == 0 {
		return hash, fault(CodeBlock, "mini-block %d is not the first of its block", h.Number)
	}
	var accounts []diffAccount
	if err := rlp.DecodeBytes(diff, &accounts); err != nil {
		return hash, fault(CodeEncoding, "diff of mini-block %d: %v", h.Number, err)
	}
	want := historySlot(h.BlockNumber - 1)
	for _, a := range accounts {
		if a.Address != params.HistoryStorageAddress {
			continue
		}
		for _, s := range a.Storage {
			if common.BytesToHash(s.Slot) == want && len(s.Changes) > 0 && s.Changes[0].Index == 0 && len(s.Changes[0].Value) <= 32 {
				return common.BytesToHash(s.Changes[0].Value), nil
			}
		}
	}
	return hash, fault(CodeBlock, "mini-block %d does not commit to a block before its own", h.Number)
}

// extraDataSize is that of docs/spec/chain.md, version 1.
const extraDataSize = 49

// lastMiniBlock is the hash of the block's last mini-block.
func lastMiniBlock(h *types.Header) (common.Hash, bool) {
	if len(h.Extra) != extraDataSize || h.Extra[0] != 1 {
		return common.Hash{}, false
	}
	return common.Hash(h.Extra[extraDataSize-common.HashLength:]), true
}

// ParseHeader reads the header of a sealed block and checks that it has the hash.
func ParseHeader(raw []byte, hash common.Hash) (*types.Header, error) {
	h := new(types.Header)
	if err := json.Unmarshal(raw, h); err != nil {
		return nil, fault(CodeEncoding, "header of block %s: %v", hash, err)
	}
	if got := h.Hash(); got != hash {
		return nil, fault(CodeBlock, "header of block %d hashes to %s, wanted is %s", h.Number, got, hash)
	}
	return h, nil
}

// VerifyBlock checks that the header is the block before the one that voucher begins.
// voucher must be of the chain, and diff its diff.
func VerifyBlock(voucher *Header, diff, header []byte) (*Block, error) {
	hash, err := ParentBlock(voucher, diff)
	if err != nil {
		return nil, err
	}
	h, err := ParseHeader(header, hash)
	if err != nil {
		return nil, err
	}
	if !h.Number.IsUint64() || h.Number.Uint64() != voucher.BlockNumber-1 {
		return nil, fault(CodeBlock, "block %s has the number %d, wanted is %d", hash, h.Number, voucher.BlockNumber-1)
	}
	last, ok := lastMiniBlock(h)
	if h.Number.Sign() == 0 {
		last = hash // what mini-block 0 continues
	}
	if !ok || last != voucher.ParentHash {
		return nil, fault(CodeBlock, "extraData of block %d does not end with mini-block %s", h.Number, voucher.ParentHash)
	}
	return &Block{Header: h, Hash: hash, Voucher: voucher.Number}, nil
}

// VerifyReceipts checks all receipts and transactions of a block against its roots:
// receipts is the answer of eth_getBlockReceipts, block that of eth_getBlockByHash with
// whole transactions. There is no shorter proof by standard methods: the cost grows with
// the block.
func VerifyReceipts(h *types.Header, receipts, block []byte) ([]*Receipt, []*Transaction, error) {
	txs, err := VerifyTransactions(h, block)
	if err != nil {
		return nil, nil, err
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(receipts, &raws); err != nil {
		return nil, nil, fault(CodeEncoding, "receipts of block %d: %v", h.Number, err)
	}
	var out []*Receipt
	var list rawList
	for _, raw := range raws {
		r, err := parseReceipt(raw)
		if err != nil {
			return nil, nil, err
		}
		out, list = append(out, r), append(list, r.MarshalBinary())
	}
	if types.DeriveSha(list, trie.NewStackTrie(nil)) != h.ReceiptHash || len(out) != len(txs) {
		return nil, nil, fault(CodeContent, "receipts of block %d are not those of receiptsRoot", h.Number)
	}
	return out, txs, placeReceipts(out, txs, 0)
}

// VerifyTransactions checks all transactions of a block against its root: block is the
// answer of eth_getBlockByHash with whole transactions.
func VerifyTransactions(h *types.Header, block []byte) ([]*Transaction, error) {
	var body struct {
		Txs []json.RawMessage `json:"transactions"`
	}
	if err := json.Unmarshal(block, &body); err != nil {
		return nil, fault(CodeEncoding, "block %d: %v", h.Number, err)
	}
	var txs []*Transaction
	var list rawList
	for i, raw := range body.Txs {
		tx, err := ParseTransaction(raw)
		if err != nil {
			return nil, err
		}
		tx.BlockNumber, tx.Index = h.Number.Uint64(), uint64(i)
		txs, list = append(txs, tx), append(list, tx.Raw)
	}
	if types.DeriveSha(list, trie.NewStackTrie(nil)) != h.TxHash {
		return nil, fault(CodeContent, "transactions of block %d are not those of transactionsRoot", h.Number)
	}
	return txs, nil
}
