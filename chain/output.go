package chain

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/talaria-l2/talaria/keccak"
)

// ErrNoPasserRoot is returned for a header that does not tell the storage root of the
// message passer.
var ErrNoPasserRoot = errors.New("header has no withdrawalsRoot")

// OutputRoot is what a claim about the chain says of a sealed block: keccak256 of a
// zero word (version 0), the state root, the storage root of the message passer and
// the block's hash. Withdrawals are proven against it. Source: OP Stack specification,
// "L2 output commitment construction".
func OutputRoot(h *types.Header) (common.Hash, error) {
	if h.WithdrawalsHash == nil {
		return common.Hash{}, ErrNoPasserRoot
	}
	hash := h.Hash()
	var text [4 * 32]byte
	copy(text[32:], h.Root[:])
	copy(text[64:], h.WithdrawalsHash[:])
	copy(text[96:], hash[:])
	return keccak.Sum256(text[:]), nil
}
