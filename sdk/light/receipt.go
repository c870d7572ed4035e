package light

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// DepositType is the type of transactions that L1 ordered (OP Stack specification,
// "Deposits").
const DepositType = 0x7E

// Receipt is the outcome of a transaction: what a hash covers, and what follows from it.
type Receipt struct {
	Type              byte
	Status            uint64 // 1: success, 0: failure
	CumulativeGasUsed uint64 // in the block up to here
	Bloom             types.Bloom
	Logs              []Log
	DepositNonce      uint64 // deposits: the sender's nonce before it

	TxHash      common.Hash
	GasUsed     uint64
	BlockNumber uint64
	Index       uint64 // in the block
}

// Log is an event of a contract.
type Log struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
}

// depositReceiptVersion is the OP Stack's since Canyon.
const depositReceiptVersion = 1

// MarshalBinary is the consensus encoding (EIP-2718; docs/spec/chain.md for deposits).
func (r *Receipt) MarshalBinary() []byte {
	body := []any{r.Status, r.CumulativeGasUsed, r.Bloom, r.Logs}
	if r.Type == DepositType {
		body = append(body, r.DepositNonce, uint64(depositReceiptVersion))
	}
	enc, err := rlp.EncodeToBytes(body)
	if err != nil {
		panic(err) // integers and bytes: cannot fail
	}
	if r.Type == types.LegacyTxType {
		return enc
	}
	return append([]byte{r.Type}, enc...)
}

// parseReceipt reads the consensus members of a receipt's JSON.
func parseReceipt(raw []byte) (*Receipt, error) {
	var j struct {
		Type         *hexutil.Uint64 `json:"type"`
		Status       *hexutil.Uint64 `json:"status"`
		Cumulative   *hexutil.Uint64 `json:"cumulativeGasUsed"`
		Bloom        *types.Bloom    `json:"logsBloom"`
		Logs         *[]Log          `json:"logs"`
		DepositNonce *hexutil.Uint64 `json:"depositNonce"`
	}
	if err := json.Unmarshal(raw, &j); err != nil {
		return nil, fault(CodeEncoding, "receipt: %v", err)
	}
	if j.Type == nil || j.Status == nil || j.Cumulative == nil || j.Bloom == nil || j.Logs == nil || *j.Type >= 0x80 || *j.Status > 1 {
		return nil, fault(CodeEncoding, "receipt: type, status, cumulativeGasUsed, logsBloom or logs is missing or out of range")
	}
	r := &Receipt{Type: byte(*j.Type), Status: uint64(*j.Status), CumulativeGasUsed: uint64(*j.Cumulative), Bloom: *j.Bloom, Logs: *j.Logs}
	if r.Type == DepositType {
		if j.DepositNonce == nil {
			return nil, fault(CodeEncoding, "receipt of a deposit lacks depositNonce")
		}
		r.DepositNonce = uint64(*j.DepositNonce)
	}
	return r, nil
}
