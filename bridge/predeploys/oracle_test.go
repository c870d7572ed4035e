package predeploys_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
)

// The oracle knows a transaction without its signature and adds 68 bytes for it.
const signatureBytes = 68

func TestTheOracleAnswersWhatExecutionCharges(t *testing.T) {
	w := newL2(t, predeploys.Settings{})
	prices := chain.L1FeeParams{
		BaseFee: *uint256.NewInt(7_123_456_789), BlobBaseFee: *uint256.NewInt(3_456_789),
		BaseFeeScalar: 1368, BlobBaseFeeScalar: 810_949,
	}
	attributes := chain.L1Attributes{Number: 5, BaseFee: prices.BaseFee.ToBig(), BlobBaseFee: prices.BlobBaseFee.ToBig()}
	deposit := attributes.Tx().Deposit
	data := common.CopyBytes(deposit.Data)
	binary.BigEndian.PutUint32(data[4:], prices.BaseFeeScalar)
	binary.BigEndian.PutUint32(data[8:], prices.BlobBaseFeeScalar)
	if r := w.deposit(deposit.From, *deposit.To, 0, data); r.Status != 1 {
		t.Fatal("attributes not set")
	}
	check := func(name string, data []byte) {
		t.Helper()
		length := chain.FastLZLength(data) + signatureBytes
		fee := prices.Fee(length)
		if got, err := w.ask(predeploys.GasPriceOracleAddr, encode(t, "getL1Fee(bytes)", data)); err != nil || new(big.Int).SetBytes(got).Cmp(fee.ToBig()) != 0 {
			t.Errorf("%s: getL1Fee = %x, %v; want %x", name, got, err, fee.ToBig())
		}
		used := chain.EstimatedSize(length) * 16 / 1_000_000
		if got, err := w.ask(predeploys.GasPriceOracleAddr, encode(t, "getL1GasUsed(bytes)", data)); err != nil || new(big.Int).SetBytes(got).Uint64() != used {
			t.Errorf("%s: getL1GasUsed = %x, %v; want %x", name, got, err, used)
		}
		got, err := w.ask(predeploys.GasPriceOracleAddr, encode(t, "getL1FeeUpperBound(uint256)", big.NewInt(int64(len(data)))))
		if err != nil || new(big.Int).SetBytes(got).Cmp(fee.ToBig()) < 0 {
			t.Errorf("%s: getL1FeeUpperBound = %x, %v; below the fee %x", name, got, err, fee.ToBig())
		}
	}
	raw, err := os.ReadFile("../../chain/testdata/l1fee.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Data string }
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 100 {
		t.Fatal(len(vectors), err)
	}
	for i, v := range vectors {
		data, err := hex.DecodeString(v.Data)
		if err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("vector %d", i), data)
	}
	r := rand.New(rand.NewSource(3))
	for range 300 {
		data := make([]byte, r.Intn(700))
		for i := range data {
			if data[i] = byte(r.Intn(4)); i > 40 && r.Intn(3) > 0 {
				data[i] = data[i-r.Intn(40)]
			}
		}
		check(hex.EncodeToString(data), data)
	}
}
