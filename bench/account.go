package bench

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// unit is what every transaction moves: 1 wei, or 1 unit of the token.
var unit = big.NewInt(1)

// pricing is how the transactions of a run are made and paid.
type pricing struct {
	signer  types.Signer
	chainID *big.Int
	tip     *big.Int // wei per gas
	feeCap  *big.Int // wei per gas
	gas     uint64   // limit of one transaction of the workload
	token   *common.Address
}

// account is one client's key, what it sent, and what it must hold afterwards.
// Keys and peers are new in every run, so that every sum starts from zero.
// One goroutine at a time uses an account.
type account struct {
	key     *ecdsa.PrivateKey
	addr    common.Address
	peer    common.Address // gets everything the account sends
	nonce   uint64         // of the next transaction
	funded  *big.Int       // wei
	spent   *big.Int       // wei: values and fees of confirmed transactions
	acked   []acked
	unknown int // transactions that may or may not be included
}

// acked is a transaction whose receipt the node gave us.
type acked struct {
	hash    common.Hash
	gasUsed uint64
}

func newAccount() (*account, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	peer, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return &account{
		key: key, addr: crypto.PubkeyToAddress(key.PublicKey), peer: crypto.PubkeyToAddress(peer.PublicKey),
		funded: new(big.Int), spent: new(big.Int),
	}, nil
}

// signed is a transaction ready to send.
type signed struct {
	raw   hexutil.Bytes
	hash  common.Hash
	nonce uint64
}

// next signs the account's next transaction of the workload.
func (a *account) next(p *pricing) (signed, error) {
	to, value, data := a.peer, unit, []byte(nil)
	if p.token != nil {
		to, value, data = *p.token, new(big.Int), transferData(a.peer, unit)
	}
	s, err := sign(a.key, p, a.nonce, &to, value, p.gas, data)
	if err == nil {
		a.nonce++
	}
	return s, err
}

// sign makes an EIP-1559 transaction; to is nil for a deployment.
func sign(key *ecdsa.PrivateKey, p *pricing, nonce uint64, to *common.Address, value *big.Int, gas uint64, data []byte) (signed, error) {
	tx, err := types.SignNewTx(key, p.signer, &types.DynamicFeeTx{
		ChainID: p.chainID, Nonce: nonce, GasTipCap: p.tip, GasFeeCap: p.feeCap,
		Gas: gas, To: to, Value: value, Data: data,
	})
	if err != nil {
		return signed{}, fmt.Errorf("sign nonce %d: %w", nonce, err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return signed{}, fmt.Errorf("encode nonce %d: %w", nonce, err)
	}
	return signed{raw: raw, hash: tx.Hash(), nonce: nonce}, nil
}

// check compares a receipt with what the account sent; "" means that it is right.
func (a *account) check(r *receipt, s signed, p *pricing) string {
	to := a.peer
	if p.token != nil {
		to = *p.token
	}
	switch {
	case r.TxHash != s.hash:
		return fmt.Sprintf("receipt of %s names transaction %s", s.hash, r.TxHash)
	case r.From != a.addr:
		return fmt.Sprintf("receipt of %s: from %s, sent by %s", s.hash, r.From, a.addr)
	case r.To == nil || *r.To != to:
		return fmt.Sprintf("receipt of %s: to %v, sent to %s", s.hash, r.To, to)
	case r.Status != 1:
		return fmt.Sprintf("receipt of %s: status %d", s.hash, r.Status)
	case r.GasUsed == 0 || uint64(r.GasUsed) > p.gas:
		return fmt.Sprintf("receipt of %s: gas used %d of %d", s.hash, r.GasUsed, p.gas)
	case p.token == nil && len(r.Logs) != 0:
		return fmt.Sprintf("receipt of %s: %d logs for a plain transfer", s.hash, len(r.Logs))
	case p.token != nil && (len(r.Logs) != 1 || !isTransfer(r.Logs[0], *p.token, a.addr, a.peer, unit)):
		return fmt.Sprintf("receipt of %s: not exactly one Transfer event of 1 unit", s.hash)
	}
	return ""
}

// confirm books a checked receipt.
func (a *account) confirm(r *receipt, s signed, p *pricing) {
	a.acked = append(a.acked, acked{hash: s.hash, gasUsed: uint64(r.GasUsed)})
	a.spent.Add(a.spent, r.fee())
	if p.token == nil {
		a.spent.Add(a.spent, unit)
	}
}
