package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
)

// devAccounts are the methods about accounts whose keys the node holds, about senders
// without a key, and about the node itself.
func (s *Server) devAccounts(t methodTable) {
	t.read("eth_accounts", 0, s.accounts).doc("Lists the accounts whose keys the node holds: those of a development chain, else none", "e2e.TestDevelopmentChain")
	s.dev(t, "eth_sendTransaction", 1, "Signs and executes a transaction of one of eth_accounts, or executes that of an impersonated sender", "e2e.TestDevelopmentChain",
		func(c *call, a *args, d DevControls) (rawJSON, error) { return s.sendUnsigned(c, a, d, false) })
	s.dev(t, "eth_sendUnsignedTransaction", 1, "Executes a transaction of an impersonated sender", "role/sequencer.TestAnImpersonatedContractSends",
		func(c *call, a *args, d DevControls) (rawJSON, error) { return s.sendUnsigned(c, a, d, true) })
	s.dev(t, "eth_signTransaction", 1, "Signs a transaction of one of eth_accounts and returns its encoding", "rpc.TestDevelopmentAccountsSign", s.signTransaction)
	s.dev(t, "eth_sign", 2, "Signs data as EIP-191 says with the key of one of eth_accounts", "rpc.TestDevelopmentAccountsSign",
		func(_ *call, a *args, d DevControls) (rawJSON, error) {
			return signText(a, d, a.address(0), a.bytes(1))
		})
	s.dev(t, "personal_sign", 3, "Is eth_sign with the data before the account", "rpc.TestDevelopmentAccountsSign",
		func(_ *call, a *args, d DevControls) (rawJSON, error) {
			return signText(a, d, a.address(1), a.bytes(0))
		})
	s.dev(t, "eth_signTypedData_v4 eth_signTypedData", 2, "Signs structured data as EIP-712 says with the key of one of eth_accounts", "rpc.TestDevelopmentAccountsSign", signTyped)
	s.dev(t, both("impersonateAccount"), 1, "Lets an account send without signature", "role/sequencer.TestAnImpersonatedContractSends",
		impersonation(func(set *DevSettings, account common.Address) { set.Impersonated[account] = true }))
	s.dev(t, both("stopImpersonatingAccount"), 1, "Ends anvil_impersonateAccount", "role/sequencer.TestAnImpersonatedContractSends",
		impersonation(func(set *DevSettings, account common.Address) { delete(set.Impersonated, account) }))
	s.dev(t, both("autoImpersonateAccount"), 1, "Says whether every account may send without signature", "rpc.TestDevelopmentSettings",
		func(c *call, a *args, d DevControls) (rawJSON, error) {
			on := read(a, 0, decodeBool)
			if a.err != nil {
				return nil, a.err
			}
			_, err := d.Change(c.ctx, func(set *DevSettings, _ DevNow) error {
				set.ImpersonateAll = on
				return nil
			})
			return rawJSON(jsonTrue), err
		})
	s.dev(t, both("setLoggingEnabled"), 1, "Changes nothing: the node's log has a level of its own", "rpc.TestDevelopmentSettings",
		func(*call, *args, DevControls) (rawJSON, error) { return rawJSON(jsonTrue), nil })
	s.dev(t, "anvil_nodeInfo", 0, "Tells about the node in anvil's form", "rpc.TestDevelopmentCommands", s.nodeInfo)
	s.dev(t, "hardhat_metadata anvil_metadata", 0, "Tells about the node in Hardhat's form", "rpc.TestDevelopmentCommands", s.metadata)
}

func (s *Server) accounts(*call, *args) (rawJSON, error) {
	w := newWriter(512)
	w.open('[')
	if d := s.backend.Dev(); d != nil {
		for _, a := range d.Accounts() {
			w.hex(a[:])
		}
	}
	w.shut(']')
	return w.b, nil
}

// sendUnsigned is eth_sendTransaction and eth_sendUnsignedTransaction.
func (s *Server) sendUnsigned(c *call, a *args, d DevControls, unsigned bool) (rawJSON, error) {
	tx, err := s.devTx(c, a, d)
	if err != nil {
		return nil, err
	}
	tx.Unsigned = unsigned
	info, err := d.Send(c.ctx, tx)
	if err != nil {
		return nil, err
	}
	hash := info.Tx.Hash()
	return hexData(hash[:]), nil
}

// devTx reads a transaction to sign and fills in what it leaves open: the first account
// as the sender, the gas that it takes, and fees that it can pay for some blocks.
func (s *Server) devTx(c *call, a *args, d DevControls) (DevTx, error) {
	var in callArgs
	a.object(0, &in, false)
	if a.err != nil {
		return DevTx{}, a.err
	}
	m, err := in.message(s.backend.Config().ChainID)
	if err != nil {
		return DevTx{}, err
	}
	if in.From == nil {
		if len(d.Accounts()) == 0 {
			return DevTx{}, errors.New("transaction without from, and the node holds no keys")
		}
		m.From = d.Accounts()[0]
	}
	if m.Gas == 0 {
		req := &CallRequest{Msg: m, GasCap: s.opts.CallGasCap, State: StateRef{Newest: true}}
		req.Msg.Nonce = nil
		if m.Gas, err = s.backend.EstimateGas(c.ctx, req); err != nil {
			return DevTx{}, err
		}
	}
	s.devFees(&m)
	return DevTx{From: m.From, Nonce: m.Nonce, Make: func(nonce uint64) types.TxData { return m.data(s.backend.Config().ChainID, nonce) }}, nil
}

// devFees fills in fees that are not given.
func (s *Server) devFees(m *CallMsg) {
	if m.GasPrice != nil {
		return
	}
	if m.GasTipCap == nil {
		m.GasTipCap = new(big.Int).SetUint64(s.opts.SuggestedTipWei)
		if m.GasFeeCap != nil && m.GasFeeCap.Cmp(m.GasTipCap) < 0 {
			m.GasTipCap = m.GasFeeCap
		}
	}
	if m.GasFeeCap == nil {
		m.GasFeeCap = new(big.Int).Lsh(s.backend.Head().BaseFee, 1)
		m.GasFeeCap.Add(m.GasFeeCap, m.GasTipCap)
	}
}

// data is the message as a transaction of the type that fits it.
func (m *CallMsg) data(chainID, nonce uint64) types.TxData {
	id := new(big.Int).SetUint64(chainID)
	switch {
	case m.AuthList != nil:
		u := func(b *big.Int) *uint256.Int { v, _ := uint256.FromBig(b); return v }
		to := common.Address{}
		if m.To != nil {
			to = *m.To
		}
		return &types.SetCodeTx{ChainID: u(id), Nonce: nonce, GasTipCap: u(m.GasTipCap), GasFeeCap: u(m.GasFeeCap), Gas: m.Gas, To: to,
			Value: u(m.Value), Data: m.Data, AccessList: m.AccessList, AuthList: m.AuthList,
			V: new(uint256.Int), R: new(uint256.Int), S: new(uint256.Int)}
	case m.GasPrice == nil:
		return &types.DynamicFeeTx{ChainID: id, Nonce: nonce, GasTipCap: m.GasTipCap, GasFeeCap: m.GasFeeCap, Gas: m.Gas, To: m.To,
			Value: m.Value, Data: m.Data, AccessList: m.AccessList}
	case m.AccessList != nil:
		return &types.AccessListTx{ChainID: id, Nonce: nonce, GasPrice: m.GasPrice, Gas: m.Gas, To: m.To, Value: m.Value, Data: m.Data, AccessList: m.AccessList}
	}
	return &types.LegacyTx{Nonce: nonce, GasPrice: m.GasPrice, Gas: m.Gas, To: m.To, Value: m.Value, Data: m.Data}
}

// signTransaction is eth_signTransaction.
func (s *Server) signTransaction(c *call, a *args, d DevControls) (rawJSON, error) {
	t, err := s.devTx(c, a, d)
	if err != nil {
		return nil, err
	}
	if t.Nonce == nil {
		nonce, err := s.backend.Nonce(c.ctx, t.From, StateRef{Newest: true})
		if err != nil {
			return nil, err
		}
		t.Nonce = &nonce
	}
	tx := types.NewTx(t.Make(*t.Nonce))
	signer := types.NewPragueSigner(new(big.Int).SetUint64(s.backend.Config().ChainID))
	signature, err := d.Sign(t.From, signer.Hash(tx))
	if err != nil {
		return nil, err
	}
	if tx, err = tx.WithSignature(signer, signature); err != nil {
		return nil, err
	}
	raw, err := tx.MarshalBinary()
	return hexData(raw), err
}

// sign answers with a signature as wallets give it: v is 27 or 28.
func sign(d DevControls, account common.Address, hash []byte) (rawJSON, error) {
	signature, err := d.Sign(account, common.Hash(hash))
	if err != nil {
		return nil, err
	}
	signature[crypto.RecoveryIDOffset] += 27
	return hexData(signature), nil
}

func signText(a *args, d DevControls, account common.Address, text []byte) (rawJSON, error) {
	if a.err != nil {
		return nil, a.err
	}
	return sign(d, account, accounts.TextHash(text))
}

// signTyped is eth_signTypedData_v4; the data is an object, or one in a string.
func signTyped(_ *call, a *args, d DevControls) (rawJSON, error) {
	account := a.address(0)
	if !a.need(1) {
		return nil, a.err
	}
	raw := a.raw[1]
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			a.fail(1, err)
			return nil, a.err
		}
		raw = []byte(text)
	}
	var data apitypes.TypedData
	if err := json.Unmarshal(raw, &data); err != nil {
		a.fail(1, err)
		return nil, a.err
	}
	hash, _, err := apitypes.TypedDataAndHash(data)
	if err != nil {
		a.fail(1, err)
		return nil, a.err
	}
	return sign(d, account, hash)
}

// nodeInfo is anvil_nodeInfo.
func (s *Server) nodeInfo(c *call, _ *args, d DevControls) (rawJSON, error) {
	var now DevNow
	set, err := d.Change(c.ctx, func(_ *DevSettings, n DevNow) error { now = n; return nil })
	if err != nil {
		return nil, err
	}
	head, cfg := s.backend.Head(), s.backend.Config()
	hash := head.Hash()
	w := newWriter(1024)
	w.open('{')
	w.key("currentBlockNumber").qty(head.Number.Uint64())
	w.key("currentBlockTimestamp").raw(u64(head.Time))
	w.key("currentBlockHash").hex(hash[:])
	w.key("hardFork").str("osaka")
	w.key("transactionOrder").str("fifo")
	w.key("environment").open('{')
	w.key("baseFee").big(head.BaseFee)
	w.key("chainId").raw(u64(cfg.ChainID))
	w.key("gasLimit").qty(head.GasLimit)
	w.key("gasPrice").big(new(big.Int).Add(head.BaseFee, new(big.Int).SetUint64(s.opts.SuggestedTipWei)))
	w.shut('}')
	w.key("forkConfig").raw("{}")
	w.key("clock").raw(u64(set.Clock(now.Clock).Seconds()))
	w.key("automine").bool(!set.Manual)
	w.shut('}')
	return w.b, nil
}

// metadata is hardhat_metadata. There is no forkedNetwork; the instance is the chain.
func (s *Server) metadata(c *call, _ *args, _ DevControls) (rawJSON, error) {
	genesis, err := s.backend.HeaderByNumber(c.ctx, 0)
	if err != nil {
		return nil, err
	}
	if genesis == nil {
		return nil, fmt.Errorf("block 0: not held")
	}
	instance, head := genesis.Hash(), s.backend.Head()
	hash := head.Hash()
	w := newWriter(512)
	w.open('{')
	w.key("clientVersion").raw(strconv.Quote(s.opts.ClientVersion))
	w.key("chainId").raw(u64(s.backend.Config().ChainID))
	w.key("instanceId").hex(instance[:])
	w.key("latestBlockNumber").raw(u64(head.Number.Uint64()))
	w.key("latestBlockHash").hex(hash[:])
	w.shut('}')
	return w.b, nil
}
