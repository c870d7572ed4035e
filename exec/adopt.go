package exec

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/evm"
	"github.com/talaria-l2/talaria/keccak"
	"github.com/talaria-l2/talaria/state"
)

// ErrMismatch is wrapped when a mini-block that was to be adopted does not fit the chain,
// or does not hold what its header commits to.
var ErrMismatch = errors.New("does not fit")

// ErrContent is wrapped, too, when the header may be right, and what came with it is not:
// whoever passed the mini-block on changed it.
var ErrContent = errors.New("content is not what the header commits to")

// Adopt adds a mini-block whose effects are known, without executing it, and returns the
// version of the state after it. Index 0 opens a block with the attributes; further ones
// must name the same. The header must follow the last one, and transactions, receipts
// and diff must be those that it commits to; that the leader signed the header is the
// caller's to know. Seal then computes roots as ever.
//
// What no hash covers is checked against what one does: senders against the nonces of the
// diff, else against the signatures; the timestamp and the beacon root of the block, and
// its parent's hash, against what the system calls left in the diff. PrevRandao and Params
// show when the block is sealed.
//
// The chain takes the mini-block over and fills in the context of its receipts. On an
// error, which wraps ErrMismatch, the chain is as it was.
func (c *Chain) Adopt(m *chain.MiniBlock, a chain.Attributes) (version uint64, err error) {
	b, err := c.adoptive(&m.Header, a)
	if err != nil {
		return 0, c.misfit(m, err)
	}
	list, err := c.commitments(m, b)
	if err != nil {
		return 0, c.misfit(m, err)
	}
	if err := c.clock(&m.Header, list); err != nil {
		return 0, c.misfit(m, err)
	}
	if err := c.senders(m, list); err != nil {
		return 0, c.misfit(m, fmt.Errorf("%w: %w", ErrContent, err))
	}
	if m.Header.Index == 0 {
		if err := c.systemCalls(list, b); err != nil {
			return 0, c.misfit(m, err)
		}
		c.roots.reset()
		c.list.Reset()
		c.rec.begin()
		c.open = b
	}
	c.rec.on = false // nothing tells what was read
	c.epoch = m.Header.Epoch
	c.rec.stop()
	c.context(m, list)
	b.txs, b.receipts = append(b.txs, m.Txs...), append(b.receipts, m.Receipts...)
	b.gasUsed += m.Header.GasUsed
	diff := list.Final()
	b.changes.Add(0, diff)
	version = c.db.Apply(diff)
	c.noteL1(diff)
	c.finish(m)
	return version, nil
}

func (c *Chain) misfit(m *chain.MiniBlock, why error) error {
	return fmt.Errorf("adopt mini-block %d of block %d: %w: %w", m.Header.Number, m.Header.BlockNumber, ErrMismatch, why)
}

// adoptive is the block that a mini-block belongs to: the open one, or the next, which
// is not open yet.
func (c *Chain) adoptive(h *chain.MiniBlockHeader, a chain.Attributes) (*openBlock, error) {
	switch {
	case h.ChainID != c.cfg.ChainID:
		return nil, fmt.Errorf("it is of chain %d, this is %d", h.ChainID, c.cfg.ChainID)
	case h.Number != c.nextMini:
		return nil, fmt.Errorf("the next one is %d", c.nextMini)
	case h.ParentHash != c.lastMiniHash:
		return nil, fmt.Errorf("it follows %s, the last one is %s", h.ParentHash, c.lastMiniHash)
	case h.Epoch < c.epoch:
		return nil, fmt.Errorf("it is of epoch %d, the last one of %d", h.Epoch, c.epoch)
	case h.TxCount > chain.MaxMiniBlockTxs:
		return nil, fmt.Errorf("it has %d transactions, at most %d are allowed", h.TxCount, chain.MaxMiniBlockTxs)
	case c.Edited():
		return nil, errors.New("the state was edited")
	}
	b := c.open
	if b == nil {
		var err error
		if b, err = c.begin(a); err != nil {
			return nil, err
		}
	} else if len(b.minis) == 0 || c.MiniTxs() > 0 {
		return nil, errors.New("the open mini-block is being executed")
	} else if err := c.sameAttributes(b, a); err != nil {
		return nil, err
	}
	switch {
	case h.BlockNumber != b.env.Number:
		return nil, fmt.Errorf("the block is number %d", b.env.Number)
	case h.Index != uint64(len(b.minis)):
		return nil, fmt.Errorf("it is number %d of its block, expected is %d", h.Index, len(b.minis))
	case h.FirstTxIndex != uint64(len(b.txs)):
		return nil, fmt.Errorf("it begins with transaction %d of its block, expected is %d", h.FirstTxIndex, len(b.txs))
	case h.GasUsed > b.header.GasLimit-b.gasUsed:
		return nil, fmt.Errorf("it used %d gas, the block has %d left of %d", h.GasUsed, b.header.GasLimit-b.gasUsed, b.header.GasLimit)
	}
	return b, nil
}

// sameAttributes says what differs from the attributes that the block was opened with.
func (c *Chain) sameAttributes(b *openBlock, a chain.Attributes) error {
	if a.Params == (chain.BlockParams{}) {
		a.Params = c.cfg.BlockParams()
	}
	if a.BaseFee == nil {
		a.BaseFee = chain.NextBaseFee(c.cfg, c.parent)
	}
	if a.Timestamp != b.header.Time || a.PrevRandao != b.header.MixDigest || a.ParentBeacon != *b.header.ParentBeaconRoot ||
		a.Params != b.params || a.BaseFee.Cmp(b.header.BaseFee) != 0 {
		return fmt.Errorf("%w: the block was opened with other attributes than %+v", ErrContent, a)
	}
	return nil
}

// commitments checks that the mini-block holds what its header commits to, and decodes
// its diff.
func (c *Chain) commitments(m *chain.MiniBlock, b *openBlock) (*state.AccessList, error) {
	h := &m.Header
	if uint64(len(m.Txs)) != h.TxCount || len(m.Receipts) != len(m.Txs) {
		return nil, fmt.Errorf("%w: %d transactions and %d receipts, the header says %d", ErrContent, len(m.Txs), len(m.Receipts), h.TxCount)
	}
	var list *state.AccessList
	var diffHash common.Hash
	var bad error
	wait := c.beside(len(m.Txs), func() {
		if diffHash = keccak.Sum256(m.Diff); diffHash == h.DiffHash {
			list, bad = state.DecodeAccessList(m.Diff)
		}
	})
	txs, receipts := chain.TxsHash(m.Txs), c.receiptsHash(m.Receipts)
	wait()
	switch {
	case txs != h.TxsHash:
		return nil, fmt.Errorf("%w: hash of the transactions is %s, the header says %s", ErrContent, txs, h.TxsHash)
	case receipts != h.ReceiptsHash:
		return nil, fmt.Errorf("%w: hash of the receipts is %s, the header says %s", ErrContent, receipts, h.ReceiptsHash)
	case diffHash != h.DiffHash:
		return nil, fmt.Errorf("%w: hash of the diff is %s, the header says %s", ErrContent, diffHash, h.DiffHash)
	case bad != nil:
		return nil, bad
	case uint64(list.Steps()) > h.TxCount:
		return nil, fmt.Errorf("the diff has step %d, there are %d transactions", list.Steps(), h.TxCount)
	}
	gas := b.gasUsed
	for i, r := range m.Receipts {
		if r.Type != m.Txs[i].Type() || r.CumulativeGasUsed < gas {
			return nil, fmt.Errorf("receipt %d is of type %d and ends at %d gas, the transaction is of type %d and begins at %d", i, r.Type, r.CumulativeGasUsed, m.Txs[i].Type(), gas)
		}
		gas = r.CumulativeGasUsed
	}
	if gas-b.gasUsed != h.GasUsed {
		return nil, fmt.Errorf("receipts tell of %d gas, the header of %d", gas-b.gasUsed, h.GasUsed)
	}
	return list, nil
}

// senders checks who sent the transactions. Whoever sends one has another nonce after it:
// if nobody else has, that is the proof; else the signature is.
func (c *Chain) senders(m *chain.MiniBlock, list *state.AccessList) error {
	type raised struct {
		by    *common.Address
		times int
	}
	nonces := make([]raised, len(m.Txs)+1)
	list.Nonces(func(addr *common.Address, index uint32, _ uint64) {
		nonces[index].by = addr
		nonces[index].times++
	})
	for i, tx := range m.Txs {
		if tx.IsDeposit() { // L1 names the sender, and the hash covers that
			continue
		}
		n := nonces[i+1]
		if n.times == 1 && *n.by == tx.From() {
			continue
		}
		if n.times < 2 {
			return fmt.Errorf("transaction %s: its sender is said to be %s, whose nonce does not change", tx.Hash(), tx.From())
		}
		if tx.Unsigned() { // its encoding names the sender
			continue
		}
		signed, err := chain.DecodeTx(tx.Raw(), c.cfg)
		if err != nil {
			return fmt.Errorf("transaction %s: %w", tx.Hash(), err)
		}
		if signed.From() != tx.From() {
			return fmt.Errorf("transaction %s: its sender is said to be %s, signed has %s", tx.Hash(), tx.From(), signed.From())
		}
	}
	return nil
}

// clock checks that the diff ends with what the end of the mini-block changes.
func (c *Chain) clock(h *chain.MiniBlockHeader, list *state.AccessList) error {
	for _, d := range evm.EndMiniBlock(&c.newest, h.Number, h.TimestampMicros) {
		for _, s := range d.Storage {
			if got, _ := list.StorageAfter(d.Address, s.Slot, list.Steps()); got != s.Value {
				return fmt.Errorf("the clock is %s in the diff, the header gives %s", got, s.Value)
			}
		}
	}
	return nil
}

// Ring buffers of the system contracts (EIP-4788, EIP-2935).
const (
	beaconRootsLength = 8191
	historyLength     = 8191
)

// systemCalls compares what the system calls of a block left in the diff with what they
// are called with. The block is not open yet.
func (c *Chain) systemCalls(list *state.AccessList, b *openBlock) error {
	for _, s := range []struct {
		of   common.Address
		slot uint64
		want common.Hash
		what string
		err  error // that the attributes are wrong; else the leader signed another parent
	}{
		{evm.BeaconRootsAddr, b.env.Timestamp % beaconRootsLength, uint256.NewInt(b.env.Timestamp).Bytes32(), "timestamp", ErrContent},
		{evm.BeaconRootsAddr, b.env.Timestamp%beaconRootsLength + beaconRootsLength, b.env.ParentBeaconRoot, "parent beacon root", ErrContent},
		{evm.HistoryAddr, (b.env.Number - 1) % historyLength, c.parentHash, "hash of the parent", nil},
	} {
		if c.newest.CodeHash(s.of) == types.EmptyCodeHash {
			continue
		}
		slot := common.Hash(uint256.NewInt(s.slot).Bytes32())
		got, ok := list.StorageAfter(s.of, slot, 0)
		if !ok {
			got = c.newest.Storage(s.of, slot)
		}
		if got != s.want {
			return errors.Join(s.err, fmt.Errorf("%s of the block is %s, the diff has %s", s.what, s.want, got))
		}
	}
	return nil
}

// context fills in what receipts do not commit to. The block is open, without them.
func (c *Chain) context(m *chain.MiniBlock, list *state.AccessList) {
	b := c.open
	gas, stale := b.gasUsed, true // of the prices of the L1 data fee
	for i, r := range m.Receipts {
		tx := m.Txs[i]
		r.Follow(tx, gas)
		gas = r.CumulativeGasUsed
		r.EffectiveGasPrice = tx.EffectiveGasPrice(b.header.BaseFee)
		for _, l := range r.Logs {
			l.TxHash, l.BlockNumber, l.TxIndex, l.Index = r.TxHash, b.env.Number, uint(len(b.txs)+i), uint(b.logs)
			b.logs++
		}
		if tx.IsDeposit() { // which may change them
			r.L1Prices, stale = nil, true
			continue
		}
		if stale {
			c.pricesAfter(list, uint32(i))
			stale = false
		}
		r.L1Prices = c.l1Fees.Params()
	}
}

// pricesAfter makes the prices after a step of the diff those of the next transaction.
func (c *Chain) pricesAfter(list *state.AccessList, index uint32) {
	p := chain.ReadL1FeeParams(func(slot common.Hash) common.Hash {
		if value, ok := list.StorageAfter(chain.L1BlockAddr, slot, index); ok {
			return value
		}
		return c.newest.Storage(chain.L1BlockAddr, slot)
	})
	if p != *c.l1Fees.Params() {
		c.l1Fees = chain.NewL1FeeSchedule(p)
	}
}
