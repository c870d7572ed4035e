package snapshot

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// Base is the block that a chain begins with which was loaded from a snapshot, with what
// is needed of the blocks before.
type Base struct {
	Block      *chain.Block
	Signatures []chain.Signature // of its mini-blocks
	// Ancestors are the headers before the block's, ascending, without genesis's.
	Ancestors []*types.Header
}

// NewBase checks what the pieces hold of the block and its ancestors against the block's
// header, which Manifest.Check has checked, and returns it. signer is the leader.
func NewBase(cfg *chain.Config, signer common.Address, m *Manifest, headers []*types.Header, minis []MiniBlock) (*Base, error) {
	fail := func(err error) (*Base, error) {
		return nil, fmt.Errorf("block %d of the snapshot: %w", m.Number(), err)
	}
	if err := checkAncestors(m.Header, headers); err != nil {
		return fail(err)
	}
	extra, err := chain.DecodeExtra(m.Header.Extra)
	if err != nil {
		return fail(err)
	}
	if len(minis) == 0 || minis[len(minis)-1].Header.Hash() != extra.LastMiniBlock {
		return fail(errors.New("its last mini-block is another one"))
	}
	// Of the last the hash is known; so is then what the others are, before any memory is
	// taken for what they hold.
	for i := len(minis) - 1; i > 0; i-- {
		if minis[i].Header.ParentHash != minis[i-1].Header.Hash() {
			return fail(fmt.Errorf("mini-block %d does not follow the one before", i))
		}
	}
	if err := CheckSigned(minis, signer); err != nil {
		return fail(err)
	}
	b := &Base{Ancestors: headers}
	var txs []*chain.Tx
	var receipts []*chain.Receipt
	var heads []chain.MiniBlockHeader
	for i := range minis {
		mini := &minis[i]
		t, r, err := mini.check(cfg, m.Number(), i, len(txs))
		if err != nil {
			return fail(fmt.Errorf("mini-block %d: %w", i, err))
		}
		txs, receipts, heads = append(txs, t...), append(receipts, r...), append(heads, mini.Header)
		b.Signatures = append(b.Signatures, mini.Signature)
	}
	b.Block = chain.NewBlock(m.Header, txs, receipts, heads)
	return b, nil
}

// CheckSigned checks that the leader signed each mini-block of a block. One that is alone in
// its block and holds deposits only need not be signed: it may come from L1.
func CheckSigned(minis []MiniBlock, signer common.Address) error {
	for i := range minis {
		m := &minis[i]
		if m.Signature == (chain.Signature{}) && len(minis) == 1 && onlyDeposits(m.Txs) {
			continue
		}
		by, err := m.Header.Signer(m.Signature)
		if err == nil && by != signer {
			err = fmt.Errorf("signed by %s, the leader is %s", by, signer)
		}
		if err != nil {
			return fmt.Errorf("mini-block %d: %w", i, err)
		}
	}
	return nil
}

func onlyDeposits(txs [][]byte) bool {
	for _, raw := range txs {
		if len(raw) == 0 || raw[0] != chain.DepositTxType {
			return false
		}
	}
	return true
}

// checkAncestors checks that the headers are those before the one given, as many as there
// must be.
func checkAncestors(of *types.Header, headers []*types.Header) error {
	number := of.Number.Uint64()
	if want := min(number-1, Ancestors); uint64(len(headers)) != want {
		return fmt.Errorf("%d ancestors, want %d", len(headers), want)
	}
	for i := len(headers) - 1; i >= 0; i-- {
		h := headers[i]
		if number--; h.Hash() != of.ParentHash || h.Number == nil || !h.Number.IsUint64() || h.Number.Uint64() != number {
			return fmt.Errorf("ancestor %d is another one", number)
		}
		of = h
	}
	return nil
}

// check decodes transactions and receipts of a mini-block with a header that is known to
// be right, and finds out who signed them.
func (m *MiniBlock) check(cfg *chain.Config, block uint64, index, first int) ([]*chain.Tx, []*chain.Receipt, error) {
	h := &m.Header
	if h.BlockNumber != block || h.Index != uint64(index) || h.FirstTxIndex != uint64(first) ||
		h.TxCount != uint64(len(m.Txs)) || h.TxCount != uint64(len(m.Receipts)) {
		return nil, nil, fmt.Errorf("%d transactions and %d receipts from %d on, the header says otherwise", len(m.Txs), len(m.Receipts), first)
	}
	txs, receipts := make([]*chain.Tx, len(m.Txs)), make([]*chain.Receipt, len(m.Receipts))
	for i, raw := range m.Txs {
		var err error
		if txs[i], err = chain.DecodeAnyTx(raw, cfg); err != nil {
			return nil, nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		if receipts[i], err = chain.UnmarshalStoredReceipt(m.Receipts[i]); err != nil {
			return nil, nil, fmt.Errorf("receipt %d: %w", i, err)
		}
	}
	if chain.TxsHash(txs) != h.TxsHash || chain.ReceiptsHash(receipts) != h.ReceiptsHash {
		return nil, nil, errors.New("transactions or receipts are not those of its header")
	}
	return txs, receipts, nil
}
