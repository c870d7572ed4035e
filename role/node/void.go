package node

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/store"
)

// Where the store keeps transactions of void blocks.
const (
	metaVoidTxs = "voidTxs"
	metaGone    = "gone/" // and the hash
)

// VoidPlace is where a transaction was before its block became void.
type VoidPlace struct {
	Block, MiniBlock, Index uint64
	Why                     string // its block is void
	Since                   uint64 // Unix time in ms
}

// VoidTx is a transaction of a void block that is to be executed again.
type VoidTx struct {
	Raw   []byte
	From  common.Address
	Place VoidPlace
}

// GoneTx is a transaction of a void block that could not be executed again.
type GoneTx struct {
	Place   VoidPlace
	Refusal string // why not
}

// VoidTxs is what SaveVoidTxs stored last.
func (n *Node) VoidTxs() ([]VoidTx, error) {
	raw, err := n.store.Meta(metaVoidTxs)
	if errors.Is(err, store.ErrNotFound) || err == nil && len(raw) == 0 {
		return nil, nil
	}
	var list []VoidTx
	if err == nil {
		err = rlp.DecodeBytes(raw, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("transactions of void blocks, in the store: %w", err)
	}
	return list, nil
}

// SaveVoidTxs stores which transactions are to be executed again, in order. Like a block
// it is durable with the store's next Sync.
func (n *Node) SaveVoidTxs(list []VoidTx) error {
	var raw []byte
	if len(list) > 0 {
		raw = mustEncode(list)
	}
	return n.store.PutMeta(metaVoidTxs, raw)
}

// GoneTx is what SaveGoneTx stored of the transaction, nil if nothing.
func (n *Node) GoneTx(hash common.Hash) (*GoneTx, error) {
	raw, err := n.store.Meta(metaGone + string(hash[:]))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	gone := new(GoneTx)
	if err := rlp.DecodeBytes(raw, gone); err != nil {
		return nil, fmt.Errorf("transaction %s of a void block, in the store: %w", hash, err)
	}
	return gone, nil
}

// SaveGoneTx stores why a transaction is not in the chain any more, for good. It is
// durable no later than any SaveVoidTxs behind it.
func (n *Node) SaveGoneTx(hash common.Hash, gone *GoneTx) error {
	return n.store.PutMeta(metaGone+string(hash[:]), mustEncode(gone))
}
