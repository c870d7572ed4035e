package bridging

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/chain"
)

// deposited is the receipt of a deposit in a block of L1.
func deposited(portal common.Address, block common.Hash) *types.Receipt {
	opaque := make([]byte, 32+32+8+1)
	data := append(common.BigToHash(big.NewInt(32)).Bytes(), common.BigToHash(big.NewInt(int64(len(opaque)))).Bytes()...)
	data = append(append(data, opaque...), make([]byte, 32-len(opaque)%32)...)
	hash := common.Hash{0x11}
	return &types.Receipt{
		Status: 1, TxHash: hash, BlockHash: block, BlockNumber: big.NewInt(5), EffectiveGasPrice: new(big.Int),
		Logs: []*types.Log{{
			Address: portal, Topics: []common.Hash{chain.DepositEventTopic, {}, {}, {}}, Data: data,
			TxHash: hash, BlockHash: block, BlockNumber: 5,
		}},
	}
}

// arriving waits for a deposit that L1 has in block 0xa1, while L2 has executed the one of
// block 0xa2 only; now is what L1 says when it is asked again, nil: it has none.
func arriving(t *testing.T, now *types.Receipt) (c *Client, first *types.Receipt, onL1 *fakeLayer, wanted common.Hash) {
	t.Helper()
	portal := common.Address{0xa}
	onL1 = newFakeLayer(t, map[string]any{"eth_chainId": "0x7", "web3_clientVersion": "fake"})
	if now != nil {
		onL1.set("eth_getTransactionReceipt", now)
	}
	onL2 := newFakeLayer(t, map[string]any{})
	c = newFakeClient(t, onL1, onL2)
	c.at = map[string]common.Address{"portal": portal}
	wanted, err := c.firstDeposit(deposited(portal, common.Hash{0xa2}))
	if err != nil {
		t.Fatal(err)
	}
	onL2.set("eth_getTransactionReceipt "+wanted.Hex(), &types.Receipt{
		Status: 1, TxHash: wanted, BlockHash: common.Hash{0xb}, BlockNumber: big.NewInt(9), EffectiveGasPrice: new(big.Int), Logs: []*types.Log{},
	})
	return c, deposited(portal, common.Hash{0xa1}), onL1, wanted
}

func TestADepositArrivesAlsoWhenL1MovesItIntoAnotherBlock(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, first, onL1, wanted := arriving(t, nil)
	var told []string
	c.opts.Report = func(step string) {
		told = append(told, step)
		if strings.Contains(step, "has left the block") {
			onL1.set("eth_getTransactionReceipt", deposited(common.Address{0xa}, common.Hash{0xa2}))
		}
	}
	a, err := c.Arrive(ctx, first)
	if err != nil || !a.Arrived || a.L2Tx != wanted || a.L1Tx != first.TxHash {
		t.Fatalf("%+v %v; told %q", a, err, told)
	}
	if len(told) != 3 || !strings.Contains(told[2], "into another block") || !strings.Contains(told[2], wanted.Hex()) {
		t.Errorf("told %q", told)
	}
}

func TestADepositThatFailsInItsNewBlockOnL1IsNotAwaited(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	failed := deposited(common.Address{0xa}, common.Hash{0xa3})
	failed.Status, failed.Logs = 0, []*types.Log{}
	c, first, _, _ := arriving(t, failed)
	if a, err := c.Arrive(ctx, first); !errors.Is(err, ErrNoDeposit) {
		t.Errorf("%+v %v", a, err)
	}
}
