package verify

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Kind names what a block got wrong.
type Kind string

// Kinds of the header.
const (
	KindParent      Kind = "parent"      // the parent's hash, or its header
	KindNumber      Kind = "number"      // of the block
	KindTimestamp   Kind = "timestamp"   // of the block
	KindBaseFee     Kind = "baseFee"     // EIP-1559
	KindGasLimit    Kind = "gasLimit"    // of the block
	KindExtraData   Kind = "extraData"   // form, parameters, last mini-block
	KindHeaderField Kind = "headerField" // a field that is the same in every header, or follows from the L1 origin
)

// Kinds of mini-blocks.
const (
	KindMiniBlock          Kind = "miniBlock"          // chain id, number, index, block number, counts
	KindMiniBlockParent    Kind = "miniBlockParent"    // the link to the mini-block before
	KindMiniBlockTimestamp Kind = "miniBlockTimestamp" // before the last, or before the block
	KindEpoch              Kind = "epoch"              // below the last, or too far above
	KindLeaderSignature    Kind = "leaderSignature"    // not the leader's
	KindMiniBlockGas       Kind = "miniBlockGas"       // gasUsed
	KindTxsHash            Kind = "txsHash"            // of transactions that are there
	KindReceiptsHash       Kind = "receiptsHash"       // of receipts that are right, or of those that are there
	KindDiffHash           Kind = "diffHash"           // of a diff that is right, or of that which is there
)

// Kinds of transactions and of what L1 has a part in.
const (
	KindTxEncoding   Kind = "txEncoding"   // malformed, too large, of a type that is not allowed
	KindTxChainID    Kind = "txChainId"    // of another chain
	KindTxSignature  Kind = "txSignature"  // no valid one
	KindSender       Kind = "sender"       // the claimed sender did not sign
	KindTxInvalid    Kind = "txInvalid"    // not valid where it stands: nonce, balance, gas, …
	KindTxRoot       Kind = "txRoot"       // transactions root
	KindL1Attributes Kind = "l1Attributes" // the first deposit is missing or not well-formed
	KindL1Origin     Kind = "l1Origin"     // neither the parent's nor the next, or its values changed
	KindDeposit      Kind = "deposit"      // where none may be, or not as L1 makes them
)

// Kinds of effects.
const (
	KindReceiptCount  Kind = "receiptCount"
	KindReceiptStatus Kind = "receiptStatus"
	KindReceiptGas    Kind = "receiptGas" // cumulative
	KindReceiptBloom  Kind = "receiptBloom"
	KindReceiptType   Kind = "receiptType"
	KindDepositNonce  Kind = "depositNonce"
	KindLogCount      Kind = "logCount"
	KindLogAddress    Kind = "logAddress"
	KindLogTopics     Kind = "logTopics"
	KindLogData       Kind = "logData"

	KindDiffNonce    Kind = "diffNonce"
	KindDiffBalance  Kind = "diffBalance"
	KindDiffCode     Kind = "diffCode"
	KindDiffStorage  Kind = "diffStorage"
	KindDiffMissing  Kind = "diffMissing"  // an account, slot or change is not listed
	KindDiffSurplus  Kind = "diffSurplus"  // one is listed that nothing changed
	KindDiffEncoding Kind = "diffEncoding" // not canonical, or no diff at all

	KindGasUsed         Kind = "gasUsed" // of the block
	KindBloom           Kind = "bloom"   // of the block
	KindReceiptsRoot    Kind = "receiptsRoot"
	KindWithdrawalsRoot Kind = "withdrawalsRoot"
	KindStateRoot       Kind = "stateRoot"
)

// Kinds of the witness: they leave open whether the block is right.
const (
	KindWitnessNode   Kind = "witnessNode"   // a node of the state is missing, or is none
	KindWitnessCode   Kind = "witnessCode"   // a code is missing
	KindWitnessHeader Kind = "witnessHeader" // an ancestor is missing, or is none
)

// Undecided reports whether the fault is one of the witness: what was given does not
// suffice to tell whether the block is right, and another witness may.
func (k Kind) Undecided() bool {
	return k == KindWitnessNode || k == KindWitnessCode || k == KindWitnessHeader
}

// Fault is what is wrong: the first thing found.
type Fault struct {
	Kind  Kind   `json:"kind"`
	Where string `json:"where"` // block, mini-block, transaction, account, slot, path
	Want  string `json:"want"`  // what follows from the parent
	Have  string `json:"have"`  // what is claimed
}

// Error implements error.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s: want %s, have %s", f.Kind, f.Where, f.Want, f.Have)
}

// fault makes one.
func fault(kind Kind, want, have any, where string, args ...any) *Fault {
	return &Fault{Kind: kind, Where: fmt.Sprintf(where, args...), Want: text(want), Have: text(have)}
}

// text is how a value is written in a fault.
func text(v any) string {
	switch v := v.(type) {
	case []byte:
		const most = 256
		if len(v) > most {
			return fmt.Sprintf("%#x… (%d bytes)", v[:most], len(v))
		}
		return fmt.Sprintf("%#x", v)
	case common.Address:
		return v.Hex()
	default:
		return fmt.Sprint(v)
	}
}
