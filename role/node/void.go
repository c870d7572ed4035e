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
	// Until is the L1 origin up to which it is tried again when it is refused.
	Until uint64 `rlp:"optional"`

	Hash common.Hash `rlp:"-"` // SaveVoidTxs needs it, VoidTxs does not give it
}

// GoneTx is a transaction of a void block that could not be executed again. It says
// something only while the chain does not have the transaction.
type GoneTx struct {
	Place   VoidPlace
	Refusal string // why not

	Hash common.Hash `rlp:"-"` // SaveGoneTxs needs it
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

// SaveVoidTxs stores which transactions are to be executed again, in order, and forgets in
// the same step that one of them was gone. Like a block it is durable with the store's next
// Sync.
func (n *Node) SaveVoidTxs(list []VoidTx) error {
	edits := make([]store.MetaEdit, 1, 1+len(list))
	edits[0] = store.MetaEdit{Name: metaVoidTxs, Value: []byte{}}
	if len(list) > 0 {
		edits[0].Value = mustEncode(list)
	}
	for i := range list {
		edits = append(edits, store.MetaEdit{Name: goneName(list[i].Hash)})
	}
	return n.store.EditMeta(edits)
}

func goneName(hash common.Hash) string { return metaGone + string(hash[:]) }

// GoneTx is what SaveGoneTxs stored of the transaction, nil if nothing.
func (n *Node) GoneTx(hash common.Hash) (*GoneTx, error) {
	raw, err := n.store.Meta(goneName(hash))
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

// SaveGoneTxs stores why transactions are not in the chain any more. It is durable no
// later than any SaveVoidTxs behind it, which alone takes one back.
func (n *Node) SaveGoneTxs(list ...GoneTx) error {
	edits := make([]store.MetaEdit, len(list))
	for i := range list {
		edits[i] = store.MetaEdit{Name: goneName(list[i].Hash), Value: mustEncode(&list[i])}
	}
	return n.store.EditMeta(edits)
}
