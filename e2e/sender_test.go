package e2e

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"
)

// sender signs the transactions of one account. One goroutine at a time uses it.
type sender struct {
	key     *ecdsa.PrivateKey
	addr    common.Address
	chainID *big.Int
	feeCap  *big.Int
	tip     *big.Int
	nonce   uint64
}

// newSender reads the chain id, the fees and the nonce of a key's account from url.
func newSender(t *testing.T, url, key string) *sender {
	t.Helper()
	return newSenderBy(t, dialEth(t, url), key)
}

// newSenderBy is newSender with a client.
func newSenderBy(t *testing.T, client *ethclient.Client, key string) *sender {
	t.Helper()
	k, err := crypto.HexToECDSA(strings.TrimPrefix(key, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{key: k, addr: crypto.PubkeyToAddress(k.PublicKey)}
	if s.chainID, err = client.ChainID(t.Context()); err != nil {
		t.Fatal(err)
	}
	price, err := client.SuggestGasPrice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.feeCap = new(big.Int).Mul(price, big.NewInt(4))
	if s.tip, err = client.SuggestGasTipCap(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.feeCap.Add(s.feeCap, s.tip)
	if s.nonce, err = client.PendingNonceAt(t.Context(), s.addr); err != nil {
		t.Fatal(err)
	}
	return s
}

// tx makes the account's next transaction without signing it; to is nil for a deployment.
func (s *sender) tx(to *common.Address, value *big.Int, gas uint64, data []byte) *types.DynamicFeeTx {
	return &types.DynamicFeeTx{
		ChainID: s.chainID, Nonce: s.nonce, GasTipCap: s.tip, GasFeeCap: s.feeCap,
		Gas: gas, To: to, Value: value, Data: data,
	}
}

// sign signs the account's next transaction and moves its nonce on.
func (s *sender) sign(t *testing.T, to *common.Address, value *big.Int, gas uint64, data []byte) *types.Transaction {
	t.Helper()
	tx, err := types.SignNewTx(s.key, types.LatestSignerForChainID(s.chainID), s.tx(to, value, gas, data))
	if err != nil {
		t.Fatal(err)
	}
	s.nonce++
	return tx
}

// syncReceipt is what the tests read of a receipt.
type syncReceipt struct {
	TxHash    common.Hash     `json:"transactionHash"`
	BlockHash *common.Hash    `json:"blockHash"`
	Number    hexutil.Uint64  `json:"blockNumber"`
	From      common.Address  `json:"from"`
	Status    hexutil.Uint64  `json:"status"`
	Contract  *common.Address `json:"contractAddress"`
}

// sendSync sends a signed transaction with eth_sendRawTransactionSync.
func sendSync(ctx context.Context, c *rpc.Client, tx *types.Transaction) (*syncReceipt, error) {
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, err
	}
	var r *syncReceipt
	if err := c.CallContext(ctx, &r, "eth_sendRawTransactionSync", hexutil.Bytes(raw)); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("eth_sendRawTransactionSync of %s answered null", tx.Hash())
	}
	return r, nil
}

// tokenCode is the creation bytecode of the load generator's ERC-20.
func tokenCode(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("../bench/token.hex")
	if err != nil {
		t.Fatal(err)
	}
	return common.FromHex(strings.TrimSpace(string(raw)))
}

// tokenTransfer encodes transfer(to, value).
func tokenTransfer(to common.Address, value *big.Int) []byte {
	data := append([]byte{}, crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]...)
	data = append(data, common.LeftPadBytes(to[:], 32)...)
	return append(data, common.LeftPadBytes(value.Bytes(), 32)...)
}

func mustRLP(t *testing.T, v any) []byte {
	t.Helper()
	out, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
