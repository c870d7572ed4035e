package verify

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

// clone copies what a fault may change.
func clone(in *made) *made {
	out := *in
	out.Header = types.CopyHeader(in.Header)
	out.MiniBlocks = nil
	for _, m := range in.MiniBlocks {
		c := *m
		c.Txs, c.Diff = slices.Clone(m.Txs), bytes.Clone(m.Diff)
		c.Receipts = nil
		for _, r := range m.Receipts {
			copied, err := chain.UnmarshalReceipt(r.MarshalBinary())
			if err != nil {
				panic(err)
			}
			c.Receipts = append(c.Receipts, copied)
		}
		out.MiniBlocks = append(out.MiniBlocks, &c)
	}
	if in.Before != nil {
		before := *in.Before
		out.Before = &before
	}
	w := &chain.Witness{Headers: slices.Clone(in.Witness.Headers), Codes: slices.Clone(in.Witness.Codes)}
	for _, n := range in.Witness.State {
		w.State = append(w.State, bytes.Clone(n))
	}
	out.Witness = w
	return &out
}

// stand makes a liar's block consistent: counts, hashes, links and signatures of the
// leader are those of what it claims. Only the lie itself is left to be found.
func (l *lab) stand(in *made) {
	l.t.Helper()
	var txs, receipts [][]byte
	link, first, before := common.Hash{}, uint64(0), chain.Gas(0)
	in.Header.Bloom = types.Bloom{}
	for i, m := range in.MiniBlocks {
		h := &m.Header
		h.FirstTxIndex, h.TxCount, h.Index = first, uint64(len(m.Txs)), uint64(i)
		first += h.TxCount
		h.TxsHash, h.ReceiptsHash, h.DiffHash = chain.TxsHash(m.Txs), chain.ReceiptsHash(m.Receipts), keccak.Sum256(m.Diff)
		for _, tx := range m.Txs {
			txs = append(txs, tx.Raw())
		}
		after := before
		for _, r := range m.Receipts {
			receipts = append(receipts, r.MarshalBinary())
			after = r.CumulativeGasUsed
			for k := range in.Header.Bloom {
				in.Header.Bloom[k] |= r.Bloom[k]
			}
		}
		h.GasUsed, before = after-before, after
		if i > 0 {
			h.ParentHash = link
		}
		link = h.Hash()
	}
	in.Header.GasUsed = before
	in.Header.TxHash, in.Header.ReceiptHash = (*memory)(nil).listRoot(txs, new(keccak.Batch)), (*memory)(nil).listRoot(receipts, new(keccak.Batch))
	l.sign(in)
}

// sign links and signs the mini-blocks as they are.
func (l *lab) sign(in *made) {
	l.t.Helper()
	for i, m := range in.MiniBlocks {
		if i > 0 {
			m.Header.ParentHash = in.MiniBlocks[i-1].Header.Hash()
		}
		var err error
		if m.Signature, err = m.Header.Sign(l.leader); err != nil {
			l.t.Fatal(err)
		}
	}
	extra, err := chain.DecodeExtra(in.Header.Extra)
	if err != nil {
		l.t.Fatal(err)
	}
	extra.LastMiniBlock = in.MiniBlocks[len(in.MiniBlocks)-1].Header.Hash()
	in.Header.Extra = extra.Encode()
}

// diff changes the diff of a mini-block.
func diff(in *made, mini int, change func([]listedAccount) []listedAccount) {
	var list []listedAccount
	if err := rlp.DecodeBytes(in.MiniBlocks[mini].Diff, &list); err != nil {
		panic(err)
	}
	raw, err := rlp.EncodeToBytes(change(list))
	if err != nil {
		panic(err)
	}
	in.MiniBlocks[mini].Diff = raw
}

// of finds an account of a diff.
func of(list []listedAccount, addr common.Address) *listedAccount {
	for i := range list {
		if list[i].Address == addr {
			return &list[i]
		}
	}
	panic("not in the diff: " + addr.Hex())
}

// attributes replaces the L1-attributes deposit.
func attributes(in *made, change func(*chain.L1Attributes)) {
	a, err := chain.ParseL1Attributes(in.MiniBlocks[0].Txs[0])
	if err != nil {
		panic(err)
	}
	change(&a)
	in.MiniBlocks[0].Txs[0] = a.Tx()
}

// anyLog is a log of the block.
func anyLog(in *made) *types.Log {
	for _, m := range in.MiniBlocks {
		for _, r := range m.Receipts {
			if len(r.Logs) > 0 {
				return r.Logs[0]
			}
		}
	}
	panic("no log")
}

func rebloom(in *made) {
	for _, m := range in.MiniBlocks {
		for _, r := range m.Receipts {
			r.Bloom = chain.LogsBloom(r.Logs)
		}
	}
}

// insert puts a transaction and a receipt of nothing where they are not expected.
func insert(in *made, mini, at int, tx *chain.Tx) {
	m := in.MiniBlocks[mini]
	r := &chain.Receipt{Type: tx.Type(), Status: 1}
	if at > 0 {
		r.CumulativeGasUsed = m.Receipts[at-1].CumulativeGasUsed
	}
	m.Txs, m.Receipts = slices.Insert(m.Txs, at, tx), slices.Insert(m.Receipts, at, r)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// How a lie is told.
const (
	bare   = iota // nothing else is changed
	signed        // links and signatures fit
	whole         // all hashes fit, too
)

// TestFaults tells lies in the second of the lab's rich blocks, each as well as it can be
// told, and wants each to be found for what it is.
func TestFaults(t *testing.T) {
	l := newLab(t)
	in := l.rich()[1]
	stranger := labKey(t, 99)
	foreign := func(n uint64) *chain.Tx {
		to := l.user(0)
		id := new(big.Int).SetUint64(n)
		tx := types.MustSignNewTx(l.keys[1], types.LatestSignerForChainID(id), &types.DynamicFeeTx{ChainID: id, Nonce: 2, Gas: 21_000, To: &to, GasFeeCap: big.NewInt(20_000_000), GasTipCap: common.Big1})
		return must(chain.RestoreTx(must(tx.MarshalBinary()), l.user(1)))
	}
	valid := l.transfer(5, 1, 9)
	for _, c := range []struct {
		name string
		how  int
		kind Kind
		lie  func(in *made)
	}{
		{"status of a receipt", whole, KindReceiptStatus, func(in *made) { in.MiniBlocks[1].Receipts[0].Status = 0 }},
		{"gas of a receipt", whole, KindReceiptGas, func(in *made) { in.MiniBlocks[1].Receipts[0].CumulativeGasUsed++ }},
		{"type of a receipt", whole, KindReceiptType, func(in *made) { in.MiniBlocks[1].Receipts[0].Type = 1 }},
		{"bloom of a receipt", whole, KindReceiptBloom, func(in *made) { in.MiniBlocks[1].Receipts[0].Bloom[9] ^= 1 }},
		{"nonce of a deposit's receipt", whole, KindDepositNonce, func(in *made) { in.MiniBlocks[0].Receipts[0].DepositNonce++ }},
		{"data of a log", whole, KindLogData, func(in *made) { anyLog(in).Data[0] ^= 1 }},
		{"address of a log", whole, KindLogAddress, func(in *made) { anyLog(in).Address[3] ^= 1; rebloom(in) }},
		{"topic of a log", whole, KindLogTopics, func(in *made) { anyLog(in).Topics[0][5] ^= 1; rebloom(in) }},
		{"log left out", whole, KindLogCount, func(in *made) { r := in.MiniBlocks[1].Receipts[0]; r.Logs = nil; rebloom(in) }},
		{"receipt left out", whole, KindReceiptCount, func(in *made) { m := in.MiniBlocks[1]; m.Receipts = m.Receipts[:len(m.Receipts)-1] }},
		{"receipts that the header does not name", bare, KindReceiptsHash, func(in *made) { in.MiniBlocks[1].Receipts[0].Status = 0 }},
		{"hash of the receipts", signed, KindReceiptsHash, func(in *made) { in.MiniBlocks[1].Header.ReceiptsHash[0] ^= 1 }},
		{"receipts root", bare, KindReceiptsRoot, func(in *made) { in.Header.ReceiptHash[0] ^= 1 }},
		{"bloom of the block", bare, KindBloom, func(in *made) { in.Header.Bloom[7] ^= 1 }},
		{"gas of the block", bare, KindGasUsed, func(in *made) { in.Header.GasUsed++ }},
		{"gas of a mini-block", signed, KindMiniBlockGas, func(in *made) { in.MiniBlocks[1].Header.GasUsed++ }},

		{"nonce in a diff", whole, KindDiffNonce, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount { of(d, l.user(1)).Nonce[0].Value = []byte{9}; return d })
		}},
		{"balance in a diff", whole, KindDiffBalance, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount { of(d, l.user(1)).Balance[0].Value[0] ^= 1; return d })
		}},
		{"storage in a diff", whole, KindDiffStorage, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount {
				of(d, storer).Storage[1].Steps[0].Value = []byte{99}
				return d
			})
		}},
		{"slot left out of a diff", whole, KindDiffMissing, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount {
				a := of(d, storer)
				a.Storage = a.Storage[1:]
				return d
			})
		}},
		{"account left out of a diff", whole, KindDiffMissing, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount { return d[1:] })
		}},
		{"account too many in a diff", whole, KindDiffSurplus, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount {
				return append([]listedAccount{{Address: common.Address{19: 1}, Nonce: []listedStep{{1, []byte{1}}}}}, d...)
			})
		}},
		{"change at another step of a diff", whole, KindDiffMissing, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount { of(d, l.user(1)).Nonce[0].Index++; return d })
		}},
		{"diff that is none", whole, KindDiffEncoding, func(in *made) { in.MiniBlocks[1].Diff = []byte("diff") }},
		{"diff that the header does not name", bare, KindDiffHash, func(in *made) {
			diff(in, 1, func(d []listedAccount) []listedAccount { return d[1:] })
		}},
		{"hash of a diff", signed, KindDiffHash, func(in *made) { in.MiniBlocks[1].Header.DiffHash[0] ^= 1; in.MiniBlocks[1].Diff = nil }},
		{"state root", bare, KindStateRoot, func(in *made) { in.Header.Root[0] ^= 1 }},
		{"withdrawals root", bare, KindWithdrawalsRoot, func(in *made) { h := common.Hash{1}; in.Header.WithdrawalsHash = &h }},
		{"transactions root", bare, KindTxRoot, func(in *made) { in.Header.TxHash[0] ^= 1 }},
		{"hash of transactions", signed, KindTxsHash, func(in *made) { in.MiniBlocks[1].Header.TxsHash[0] ^= 1 }},

		{"node of the witness left out", bare, KindWitnessNode, func(in *made) { in.Witness.State = in.Witness.State[1:] }},
		{"node of the witness forged", bare, KindWitnessNode, func(in *made) { n := in.Witness.State[len(in.Witness.State)/2]; n[len(n)-2] ^= 1 }},
		{"code left out", bare, KindWitnessCode, func(in *made) { in.Witness.Codes = nil }},
		{"code forged", bare, KindWitnessCode, func(in *made) {
			for i, c := range in.Witness.Codes {
				in.Witness.Codes[i] = append([]byte{0x5b}, c...)
			}
		}},
		{"ancestor left out", bare, KindWitnessHeader, func(in *made) { in.Witness.Headers = in.Witness.Headers[1:] }},
		{"ancestor forged", bare, KindWitnessHeader, func(in *made) {
			h := types.CopyHeader(in.Witness.Headers[0])
			h.Time++
			in.Witness.Headers = []*types.Header{h, in.Witness.Headers[1]}
		}},

		{"transactions in another order", whole, KindReceiptStatus, func(in *made) {
			txs := in.MiniBlocks[2].Txs
			txs[1], txs[2] = txs[2], txs[1]
		}},
		{"transactions of one sender in another order", whole, KindTxInvalid, func(in *made) {
			txs := in.MiniBlocks[2].Txs
			txs[0], txs[1] = txs[1], txs[0]
		}},
		{"transaction dropped, nobody told", bare, KindMiniBlock, func(in *made) { m := in.MiniBlocks[2]; m.Txs = m.Txs[:1] }},
		{"transaction dropped, its receipt kept", whole, KindReceiptCount, func(in *made) { m := in.MiniBlocks[2]; m.Txs = m.Txs[:2] }},
		{"transaction dropped, its effects kept", whole, KindDiffSurplus, func(in *made) {
			m := in.MiniBlocks[2]
			m.Txs, m.Receipts = m.Txs[:2], m.Receipts[:2]
		}},
		{"transaction added", whole, KindReceiptGas, func(in *made) { insert(in, 2, 3, valid) }},
		{"transaction twice", whole, KindTxInvalid, func(in *made) { insert(in, 2, 3, in.MiniBlocks[2].Txs[2]) }},
		{"signature of a transaction", whole, KindTxSignature, func(in *made) {
			tx := in.MiniBlocks[1].Txs[0]
			var inner types.Transaction
			if err := inner.UnmarshalBinary(tx.Raw()); err != nil {
				panic(err)
			}
			forged := types.NewTx(&types.DynamicFeeTx{ChainID: inner.ChainId(), Nonce: inner.Nonce(), Gas: inner.Gas(), To: inner.To(), Data: inner.Data(),
				GasFeeCap: inner.GasFeeCap(), GasTipCap: inner.GasTipCap(), R: new(big.Int), S: common.Big1, V: new(big.Int)})
			in.MiniBlocks[1].Txs[0] = must(chain.RestoreTx(must(forged.MarshalBinary()), tx.From()))
		}},
		{"sender of a transaction", bare, KindSender, func(in *made) {
			in.MiniBlocks[1].Txs[0] = must(chain.RestoreTx(in.MiniBlocks[1].Txs[0].Raw(), l.user(3)))
		}},
		{"transaction of another chain", whole, KindTxChainID, func(in *made) { in.MiniBlocks[2].Txs[2] = foreign(1) }},
		{"transaction that is none", whole, KindTxEncoding, func(in *made) {
			inner := &types.DynamicFeeTx{ChainID: new(big.Int).SetUint64(l.g.Config.ChainID), GasFeeCap: common.Big1, GasTipCap: common.Big1, Data: make([]byte, l.g.Config.MaxTxBytes)}
			large := must(types.MustSignNewTx(l.keys[0], types.LatestSignerForChainID(inner.ChainID), inner).MarshalBinary())
			in.MiniBlocks[2].Txs[2] = must(chain.RestoreTx(large, l.user(0)))
		}},

		{"timestamp of the block", bare, KindTimestamp, func(in *made) { in.Header.Time = labTime - 1 }},
		{"timestamp before the L1 origin", bare, KindTimestamp, func(in *made) { in.Header.Time = in.Witness.Headers[1].Time }},
		{"timestamp of a mini-block before the last", signed, KindMiniBlockTimestamp, func(in *made) {
			in.MiniBlocks[1].Header.TimestampMicros = in.MiniBlocks[0].Header.TimestampMicros - 1
		}},
		{"timestamp of a mini-block before the block", signed, KindMiniBlockTimestamp, func(in *made) {
			in.MiniBlocks[0].Header.TimestampMicros = chain.Micros(in.Header.Time)*1_000_000 - 1
		}},
		{"timestamp of a mini-block", signed, KindDiffStorage, func(in *made) { in.MiniBlocks[2].Header.TimestampMicros++ }},
		{"L1 origin that skips one", whole, KindL1Origin, func(in *made) { attributes(in, func(a *chain.L1Attributes) { a.Number++ }) }},
		{"sequence number", whole, KindL1Origin, func(in *made) { attributes(in, func(a *chain.L1Attributes) { a.SequenceNumber = 4 }) }},
		{"batcher of another", whole, KindL1Attributes, func(in *made) { attributes(in, func(a *chain.L1Attributes) { a.Batcher[0]++ }) }},
		{"price of L1 data", whole, KindDiffBalance, func(in *made) {
			attributes(in, func(a *chain.L1Attributes) { a.BaseFee = new(big.Int).Lsh(a.BaseFee, 1) })
		}},
		{"no L1 attributes", whole, KindL1Attributes, func(in *made) {
			m := in.MiniBlocks[0]
			m.Txs, m.Receipts = m.Txs[1:], m.Receipts[1:]
		}},
		{"L1 attributes with more gas", whole, KindL1Attributes, func(in *made) {
			d := *in.MiniBlocks[0].Txs[0].Deposit
			d.Gas++
			in.MiniBlocks[0].Txs[0] = chain.NewDepositTx(&d)
		}},
		{"deposit changed", whole, KindDiffBalance, func(in *made) {
			d := *in.MiniBlocks[0].Txs[1].Deposit
			d.Mint = big.NewInt(1_000_000)
			in.MiniBlocks[0].Txs[1] = chain.NewDepositTx(&d)
		}},
		{"deposit added behind users", whole, KindDeposit, func(in *made) { insert(in, 1, 1, in.MiniBlocks[0].Txs[1]) }},
		{"deposit in the name of L1", whole, KindDeposit, func(in *made) {
			d := *in.MiniBlocks[0].Txs[1].Deposit
			d.From = chain.L1AttributesDepositor
			in.MiniBlocks[0].Txs[1] = chain.NewDepositTx(&d)
		}},

		{"base fee", bare, KindBaseFee, func(in *made) { in.Header.BaseFee.Add(in.Header.BaseFee, common.Big1) }},
		{"gas limit", bare, KindGasLimit, func(in *made) { in.Header.GasLimit++ }},
		{"version of extraData", bare, KindExtraData, func(in *made) { in.Header.Extra[0]++ }},
		{"parameters in extraData", bare, KindExtraData, func(in *made) { in.Header.Extra[4]++ }},
		{"last mini-block in extraData", bare, KindExtraData, func(in *made) { in.Header.Extra[48]++ }},
		{"coinbase", bare, KindHeaderField, func(in *made) { in.Header.Coinbase[0]++ }},
		{"number", bare, KindNumber, func(in *made) { in.Header.Number.Add(in.Header.Number, common.Big1) }},
		{"parent of the block", bare, KindParent, func(in *made) { in.Header.ParentHash[0]++ }},
		{"mini-block before those of the block", bare, KindParent, func(in *made) { in.Before.Number++ }},
		{"parent of the first mini-block", signed, KindMiniBlockParent, func(in *made) { in.MiniBlocks[0].Header.ParentHash[0]++ }},
		{"link between mini-blocks", bare, KindMiniBlockParent, func(in *made) { in.MiniBlocks[1].Header.ParentHash[0]++ }},
		{"signature of the leader", bare, KindLeaderSignature, func(in *made) { in.MiniBlocks[1].Signature[7] ^= 1 }},
		{"signature of somebody else", bare, KindLeaderSignature, func(in *made) {
			m := in.MiniBlocks[1]
			m.Signature = must(m.Header.Sign(stranger))
		}},
		{"no signature", bare, KindLeaderSignature, func(in *made) { in.MiniBlocks[1].Signature = chain.Signature{} }},
		{"epoch too high", signed, KindEpoch, func(in *made) { in.MiniBlocks[2].Header.Epoch = 1<<20 + 1 }},
		{"number of a mini-block", signed, KindMiniBlock, func(in *made) { in.MiniBlocks[1].Header.Number++ }},
		{"chain of a mini-block", signed, KindMiniBlock, func(in *made) { in.MiniBlocks[1].Header.ChainID++ }},
		{"no mini-blocks", bare, KindMiniBlock, func(in *made) { in.MiniBlocks = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			lie := clone(in)
			c.lie(lie)
			switch c.how {
			case signed:
				l.sign(lie)
			case whole:
				l.stand(lie)
			}
			wantFault(t, l, lie, c.kind)
		})
	}
}
