package bench

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// fundingBatch is how many funding transactions travel in one request.
const fundingBatch = 50

// payer sends the transactions that prepare a run.
type payer struct {
	node  *node
	key   *ecdsa.PrivateKey
	addr  common.Address
	nonce uint64
	p     *pricing
}

// order is one transaction of the payer.
type order struct {
	to    *common.Address // nil deploys data
	value *big.Int
	gas   uint64
	data  []byte
}

// price reads the chain id and the fees.
func price(ctx context.Context, n *node) (*pricing, error) {
	id, err := chainID(ctx, n)
	if err != nil {
		return nil, err
	}
	tip, feeCap, err := n.fees(ctx)
	if err != nil {
		return nil, err
	}
	return &pricing{signer: types.LatestSignerForChainID(id), chainID: id, tip: tip, feeCap: feeCap, gas: 21_000}, nil
}

func chainID(ctx context.Context, n *node) (*big.Int, error) {
	var id hexutil.Big
	if err := n.rpc.CallContext(ctx, &id, "eth_chainId"); err != nil {
		return nil, fmt.Errorf("chain id: %w", err)
	}
	return id.ToInt(), nil
}

// setUp makes the accounts, gives each what it will spend and, for ERC20, deploys
// the token and hands it out.
func setUp(ctx context.Context, cfg *Config, n *node) (*pricing, []*account, error) {
	p, err := price(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	key, err := cfg.payer()
	if err != nil {
		return nil, nil, err
	}
	pay := &payer{node: n, key: key, addr: crypto.PubkeyToAddress(key.PublicKey), p: p}
	if pay.nonce, err = n.nonce(ctx, pay.addr); err != nil {
		return nil, nil, err
	}
	if cfg.Workload == ERC20 {
		if err := pay.deploy(ctx); err != nil {
			return nil, nil, err
		}
	}
	accounts := make([]*account, cfg.Clients)
	for i := range accounts {
		if accounts[i], err = newAccount(); err != nil {
			return nil, nil, err
		}
	}
	return p, accounts, pay.fund(ctx, accounts, cfg.perClient())
}

// deploy creates the token and measures what a transfer of it costs.
func (y *payer) deploy(ctx context.Context) error {
	var gas hexutil.Uint64
	msg := map[string]any{"from": y.addr, "input": hexutil.Bytes(tokenCode())}
	if err := y.node.rpc.CallContext(ctx, &gas, "eth_estimateGas", msg); err != nil {
		return fmt.Errorf("estimate the token's deployment: %w", err)
	}
	receipts, err := y.send(ctx, []order{{value: new(big.Int), gas: uint64(gas), data: tokenCode()}})
	if err != nil {
		return fmt.Errorf("deploy the token: %w", err)
	}
	if receipts[0].Contract == nil {
		return errors.New("deploy the token: the receipt has no contract address")
	}
	y.p.token = receipts[0].Contract
	msg = map[string]any{"from": y.addr, "to": y.p.token, "input": hexutil.Bytes(transferData(common.Address{1}, unit))}
	if err := y.node.rpc.CallContext(ctx, &gas, "eth_estimateGas", msg); err != nil {
		return fmt.Errorf("estimate a token transfer: %w", err)
	}
	y.p.gas = uint64(gas) + uint64(gas)/4
	return nil
}

// fund sends every account the wei, and the tokens, for txs transactions.
func (y *payer) fund(ctx context.Context, accounts []*account, txs uint64) error {
	each := new(big.Int).Mul(y.p.feeCap, new(big.Int).SetUint64(y.p.gas))
	each.Add(each, unit)
	each.Mul(each, new(big.Int).SetUint64(txs+1))
	var have hexutil.Big
	if err := y.node.rpc.CallContext(ctx, &have, "eth_getBalance", y.addr, "latest"); err != nil {
		return fmt.Errorf("balance of %s: %w", y.addr, err)
	}
	need := new(big.Int).Mul(each, big.NewInt(int64(len(accounts))))
	// Most of a long run's allowance is never used: share what there is.
	if half := new(big.Int).Rsh(have.ToInt(), 1); need.Cmp(half) > 0 {
		each.Div(half, big.NewInt(int64(len(accounts))))
	}
	if each.Sign() == 0 {
		return fmt.Errorf("fund %d accounts: %s holds nothing", len(accounts), y.addr)
	}
	var orders []order
	for _, a := range accounts {
		a.funded.Set(each)
		orders = append(orders, order{to: &a.addr, value: each, gas: 21_000})
		if y.p.token != nil {
			data := transferData(a.addr, new(big.Int).SetUint64(txs))
			orders = append(orders, order{to: y.p.token, value: new(big.Int), gas: y.p.gas, data: data})
		}
	}
	if _, err := y.send(ctx, orders); err != nil {
		return fmt.Errorf("fund %d accounts from %s: %w", len(accounts), y.addr, err)
	}
	return nil
}

// send sends orders in batches and fails unless every one succeeds.
func (y *payer) send(ctx context.Context, orders []order) ([]*receipt, error) {
	var receipts []*receipt
	for len(orders) > 0 {
		n := min(len(orders), fundingBatch)
		raws, hashes := make([]hexutil.Bytes, n), make([]common.Hash, n)
		for i, o := range orders[:n] {
			s, err := sign(y.key, y.p, y.nonce, o.to, o.value, o.gas, o.data)
			if err != nil {
				return nil, err
			}
			y.nonce++
			raws[i], hashes[i] = s.raw, s.hash
		}
		for i, o := range y.node.send(ctx, raws, hashes) {
			if o.err != nil {
				return nil, fmt.Errorf("transaction %s: %w", hashes[i], o.err)
			}
			if o.receipt.Status != 1 {
				return nil, fmt.Errorf("transaction %s: status %d", hashes[i], o.receipt.Status)
			}
			receipts = append(receipts, o.receipt)
		}
		orders = orders[n:]
	}
	return receipts, nil
}
