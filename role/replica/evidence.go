package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/feed"
	"github.com/talaria-l2/talaria/rpc"
)

// Divergence is why a replica stops: what the leader signed or published is not what
// follows from what it published before. File holds what shows it.
type Divergence struct {
	Kind string // what differs, in a word
	File string // in the data directory; empty: it could not be written
	Err  error
}

func (d *Divergence) Error() string {
	where := "no file could be written"
	if d.File != "" {
		where = "evidence in " + d.File
	}
	return fmt.Sprintf("the leader is wrong or this node is (%s): %v (%s; ask other nodes before this one is started again)", d.Kind, d.Err, where)
}

// Unwrap is the difference.
func (d *Divergence) Unwrap() error { return d.Err }

// evidence is the content of the file. MiniBlock and Held are encodings of the feed
// (docs/spec/feed.md), with the leader's signatures.
type evidence struct {
	Kind      string        `json:"kind"`
	Why       string        `json:"why"`
	ChainID   uint64        `json:"chainId"`
	MiniBlock hexutil.Bytes `json:"miniBlock,omitempty"` // as it came
	Held      hexutil.Bytes `json:"held,omitempty"`      // with the same number, as it came before
	Parent    *types.Header `json:"parent,omitempty"`    // of the block before, as this node computed it
}

// diverged writes down what shows that a mini-block is wrong.
func (l *Live) diverged(kind string, m *feed.MiniBlock, why error) error {
	return l.testify(fmt.Sprintf("evidence-%s-%d.json", kind, m.Header.Number), &evidence{Kind: kind, MiniBlock: m.Encode()}, why)
}

// contradicted is diverged for what does not follow from the chain here, with the block
// before if the mini-block begins one. For the driving goroutine.
func (l *Live) contradicted(kind string, m *feed.MiniBlock, why error) error {
	e := &evidence{Kind: kind, MiniBlock: m.Encode()}
	if l.complete != nil {
		e.Parent = l.complete.block.Header
	}
	return l.testify(fmt.Sprintf("evidence-%s-%d.json", kind, m.Header.Number), e, why)
}

// equivocation writes down two mini-blocks of one number and epoch, both signed.
func (l *Live) equivocation(m *feed.MiniBlock, held *rpc.MiniBlock) error {
	e := &evidence{Kind: "equivocation", MiniBlock: m.Encode(), Held: (&feed.MiniBlock{MiniBlock: held.MiniBlock, Attributes: held.Attributes}).Encode()}
	return l.testify(fmt.Sprintf("evidence-equivocation-%d.json", m.Header.Number), e,
		fmt.Errorf("the leader signed two mini-blocks %d of epoch %d: %s and %s", m.Header.Number, m.Header.Epoch, held.Hash, m.Header.Hash()))
}

// otherBlock says in what a block is not what its mini-blocks give.
func otherBlock(b *feed.Block, ours *types.Header) error {
	errs := []error{fmt.Errorf("block %d is %s in the feed, its mini-blocks give %s", ours.Number, b.Header.Hash(), ours.Hash())}
	note := func(what string, theirs, mine any) {
		if theirs != mine {
			errs = append(errs, fmt.Errorf("%s: theirs %v, ours %v", what, theirs, mine))
		}
	}
	h := b.Header
	note("parent", h.ParentHash, ours.ParentHash)
	note("state root", h.Root, ours.Root)
	note("root of transactions", h.TxHash, ours.TxHash)
	note("root of receipts", h.ReceiptHash, ours.ReceiptHash)
	note("bloom", h.Bloom, ours.Bloom)
	note("gas used", h.GasUsed, ours.GasUsed)
	note("gas limit", h.GasLimit, ours.GasLimit)
	note("timestamp", h.Time, ours.Time)
	note("randomness", h.MixDigest, ours.MixDigest)
	note("base fee", fmt.Sprint(h.BaseFee), fmt.Sprint(ours.BaseFee))
	note("extra data", string(h.Extra), string(ours.Extra))
	return errors.Join(errs...)
}

func (l *Live) testify(name string, e *evidence, why error) error {
	d := &Divergence{Kind: e.Kind, Err: why}
	e.Why, e.ChainID = why.Error(), l.node.Config().ChainID
	raw, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = l.node.Dir().WriteFile(name, append(raw, '\n'))
	}
	if err != nil {
		l.log.Error("evidence could not be written", "err", err)
		return d
	}
	d.File = filepath.Join(l.node.Dir().Path(), name)
	return d
}
