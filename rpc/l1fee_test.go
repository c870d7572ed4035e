package rpc

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// The fees are those of op-geth for the same prices (chain/testdata/l1fee.json): 100 bytes
// cost 100 × (16 × 1368 × 7123456789 + 810949 × 3456789) / 10^6 wei.
func TestReceiptsTellTheL1DataFee(t *testing.T) {
	prices := &chain.L1FeeParams{
		BaseFee: *uint256.NewInt(7_123_456_789), BlobBaseFee: *uint256.NewInt(3_456_789),
		BaseFeeScalar: 1368, BlobBaseFeeScalar: 810_949,
	}
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	cfg := chain.DefaultConfig()
	for what, tc := range map[string]struct {
		data     []byte
		fee, gas string
	}{
		"a transfer":            {nil, "0x3b20dcaa2", "0x640"},
		"500 bytes that repeat": {bytes.Repeat([]byte{1}, 500), "0x3b20dcaa2", "0x640"},
	} {
		to := common.Address{1}
		raw, err := types.MustSignNewTx(key, types.HomesteadSigner{}, &types.LegacyTx{To: &to, Gas: 21_000, GasPrice: common.Big1, Data: tc.data}).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		tx, err := chain.DecodeTx(raw, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(receiptJSON(&TxInfo{Tx: tx, Receipt: &chain.Receipt{L1Prices: prices}}, TierSequenced), &got); err != nil {
			t.Fatal(err)
		}
		for member, want := range map[string]string{
			"l1Fee": tc.fee, "l1GasUsed": tc.gas, "l1GasPrice": "0x1a8975315",
			"l1BlobBaseFee": "0x34bf15", "l1BaseFeeScalar": "0x558", "l1BlobBaseFeeScalar": "0xc5fc5",
		} {
			if got[member] != want {
				t.Errorf("%s: %s is %v, want %s", what, member, got[member], want)
			}
		}
	}
}
