package bridge

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/keccak"
)

// MessagePassedTopic is the first topic of the message passer's
// MessagePassed(uint256 indexed nonce, address indexed sender, address indexed target,
// uint256 value, uint256 gasLimit, bytes data, bytes32 withdrawalHash).
var MessagePassedTopic = crypto.Keccak256Hash([]byte("MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)"))

// ErrNotWithdrawal is wrapped for a log that is no well-formed event of a withdrawal.
var ErrNotWithdrawal = errors.New("not a withdrawal")

// Withdrawal is a message from L2 to L1 as the message passer recorded it.
type Withdrawal struct {
	Nonce    *big.Int // version in the top two bytes
	Sender   common.Address
	Target   common.Address
	Value    *big.Int // wei of the chain's currency
	GasLimit *big.Int // L1 gas of the call, at least
	Data     []byte
}

// ParseWithdrawal reads a withdrawal from the log of its event, and holds it against the
// hash that the event names.
func ParseWithdrawal(l *types.Log) (*Withdrawal, error) {
	if l.Address != chain.MessagePasserAddr || len(l.Topics) != 4 || l.Topics[0] != MessagePassedTopic {
		return nil, fmt.Errorf("%w: not an event of the message passer", ErrNotWithdrawal)
	}
	// value, gas limit, offset of data (128), hash; then length and data, padded.
	d := l.Data
	if len(d) < 5*32 {
		return nil, fmt.Errorf("%w: %d bytes of data", ErrNotWithdrawal, len(d))
	}
	size := new(big.Int).SetBytes(d[4*32 : 5*32])
	if !size.IsUint64() || size.Uint64() > uint64(len(d)-5*32) {
		return nil, fmt.Errorf("%w: %v bytes announced, %d there", ErrNotWithdrawal, size, len(d)-5*32)
	}
	w := &Withdrawal{
		Nonce:    new(big.Int).SetBytes(l.Topics[1][:]),
		Sender:   common.BytesToAddress(l.Topics[2][:]),
		Target:   common.BytesToAddress(l.Topics[3][:]),
		Value:    new(big.Int).SetBytes(d[:32]),
		GasLimit: new(big.Int).SetBytes(d[32:64]),
		Data:     common.CopyBytes(d[5*32 : 5*32+size.Uint64()]),
	}
	if got, want := w.Hash(), common.BytesToHash(d[3*32:4*32]); got != want {
		return nil, fmt.Errorf("%w: its hash is %s, the event says %s", ErrNotWithdrawal, got, want)
	}
	return w, nil
}

// Withdrawals are the withdrawals of a receipt, in order.
func Withdrawals(logs []*types.Log) []*Withdrawal {
	var out []*Withdrawal
	for _, l := range logs {
		if w, err := ParseWithdrawal(l); err == nil {
			out = append(out, w)
		}
	}
	return out
}

// Hash names the withdrawal on both layers: keccak256 of its fields, ABI-encoded.
func (w *Withdrawal) Hash() common.Hash {
	text := make([]byte, 0, 7*32+len(w.Data)+31)
	text = appendWord(text, w.Nonce)
	text = append(append(text, make([]byte, 12)...), w.Sender[:]...)
	text = append(append(text, make([]byte, 12)...), w.Target[:]...)
	text = appendWord(text, w.Value)
	text = appendWord(text, w.GasLimit)
	text = appendWord(text, big.NewInt(6*32)) // where the data stand
	text = appendWord(text, big.NewInt(int64(len(w.Data))))
	text = append(text, w.Data...)
	text = append(text, make([]byte, (32-len(w.Data)%32)%32)...)
	return keccak.Sum256(text)
}

func appendWord(text []byte, v *big.Int) []byte {
	var word [32]byte
	v.FillBytes(word[:])
	return append(text, word[:]...)
}

// Slot is the storage slot of the message passer that says that the withdrawal with the
// hash was made: it holds 1. Its proof against an output's storage root proves the
// withdrawal.
func Slot(withdrawal common.Hash) common.Hash {
	return keccak.Sum256(append(withdrawal[:], make([]byte, 32)...)) // mapping of slot 0
}

// MessageHash names the message that a withdrawal carries between the messengers of both
// layers; false: it carries none. messenger is the one on L1. The withdrawal's data are
// the call that delivers the message, which names it.
func (w *Withdrawal) MessageHash(messenger common.Address) (common.Hash, bool) {
	if w.Sender != L2Messenger || w.Target != messenger {
		return common.Hash{}, false
	}
	return keccak.Sum256(w.Data), true
}

// L2Messenger is the predeploy that sends and delivers messages on L2.
var L2Messenger = common.HexToAddress("0x4200000000000000000000000000000000000007")
