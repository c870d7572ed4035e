package evm

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// noL1Fees charges nothing.
var noL1Fees chain.L1FeeSchedule

// l1Fees are the L1 data fees of a transaction that begins over view.
func l1Fees(view state.View, env *Env) *chain.L1FeeSchedule {
	if env.L1Fees != nil {
		return env.L1Fees
	}
	return L1Fees(view)
}

// L1Fees are the L1 data fees at the prices that L1Block holds. Who records what a
// transaction reads sets Env.L1Fees to them: the transaction itself does not read the prices.
func L1Fees(view state.View) *chain.L1FeeSchedule {
	p := chain.ReadL1FeeParams(func(slot common.Hash) common.Hash { return view.Storage(chain.L1BlockAddr, slot) })
	if p.BaseFeeScalar == 0 && p.BlobBaseFeeScalar == 0 {
		return &noL1Fees
	}
	return chain.NewL1FeeSchedule(p)
}

func (m *Machine) fastLZ() *chain.FastLZ {
	if m.lz == nil {
		m.lz = new(chain.FastLZ)
	}
	return m.lz
}

// estimateL1Fee sets the L1 data fee of a call: that of the transaction which the call
// would be, with a signature. It is what the transaction will pay but for the lucky whose
// signature is shorter or compresses. A call without a price pays none.
func (m *Machine) estimateL1Fee(msg *message, view state.View, env *Env) {
	msg.l1Fee.Clear()
	if msg.free {
		return
	}
	fees := l1Fees(view, env)
	if fees.Free() {
		return
	}
	nonce := msg.nonce
	if !msg.strict {
		sender, _ := view.Account(msg.from)
		nonce = sender.Nonce
	}
	raw, err := m.likely(msg, nonce).MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("encode the transaction that a call would be: %v", err)) // of our own making
	}
	msg.l1Fee = fees.FeeOf(raw, m.fastLZ())
}

// Halves of a signature as most are: 32 bytes in which FastLZ finds nothing.
var (
	likelyR = new(big.Int).SetBytes(crypto.Keccak256([]byte("r")))
	likelyS = new(big.Int).SetBytes(crypto.Keccak256([]byte("s")))
)

// likely is the transaction that a call would be.
func (m *Machine) likely(msg *message, nonce uint64) *types.Transaction {
	id, value := new(big.Int).SetUint64(m.cfg.ChainID), msg.value.ToBig()
	switch {
	case msg.setCode && msg.to != nil:
		return types.NewTx(&types.SetCodeTx{
			ChainID: uint256.MustFromBig(id), Nonce: nonce, GasTipCap: &msg.tipCap, GasFeeCap: &msg.feeCap, Gas: msg.gas, To: *msg.to,
			Value: &msg.value, Data: msg.data, AccessList: msg.accessList, AuthList: msg.auths,
			V: new(uint256.Int), R: uint256.MustFromBig(likelyR), S: uint256.MustFromBig(likelyS),
		})
	case !msg.priced:
		return types.NewTx(&types.DynamicFeeTx{
			ChainID: id, Nonce: nonce, GasTipCap: msg.tipCap.ToBig(), GasFeeCap: msg.feeCap.ToBig(), Gas: msg.gas, To: msg.to,
			Value: value, Data: msg.data, AccessList: msg.accessList, V: new(big.Int), R: likelyR, S: likelyS,
		})
	case len(msg.accessList) > 0:
		return types.NewTx(&types.AccessListTx{
			ChainID: id, Nonce: nonce, GasPrice: msg.feeCap.ToBig(), Gas: msg.gas, To: msg.to,
			Value: value, Data: msg.data, AccessList: msg.accessList, V: new(big.Int), R: likelyR, S: likelyS,
		})
	}
	v := new(big.Int).SetUint64(35) // EIP-155
	return types.NewTx(&types.LegacyTx{
		Nonce: nonce, GasPrice: msg.feeCap.ToBig(), Gas: msg.gas, To: msg.to, Value: value, Data: msg.data,
		V: v.Add(v, id.Lsh(id, 1)), R: likelyR, S: likelyS,
	})
}
