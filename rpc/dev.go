package rpc

import (
	"context"
	"fmt"
	"maps"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
)

// DevChain tells whether the node's chain is a development chain, which takes the
// commands that test suites for local nodes send (docs/adr/0018-development-chain.md).
type DevChain interface {
	// Dev controls the development chain; nil: it is none.
	Dev() DevControls
}

// DevControls are the commands of a development chain. What they did is durable and
// can be queried when they return.
type DevControls interface {
	// Accounts are those whose keys the node holds.
	Accounts() []common.Address
	// Sign signs a hash with an account's key: r ‖ s ‖ v with v in {0, 1}.
	Sign(account common.Address, hash common.Hash) ([]byte, error)
	// Send executes a transaction of one of the accounts, or of an impersonated sender.
	Send(ctx context.Context, tx DevTx) (*TxInfo, error)
	// Mine seals blocks.
	Mine(ctx context.Context, order DevMine) error
	// Edit changes the state by no transaction.
	Edit(ctx context.Context, edit DevEdit) error
	// Snapshot seals what is open and remembers the chain as it is; Revert goes back to
	// that, and says false if it does not know the id. Each id is good once.
	Snapshot(ctx context.Context) (id uint64, err error)
	Revert(ctx context.Context, id uint64) (bool, error)
	// Reset goes back to genesis and forgets settings and snapshots.
	Reset(ctx context.Context) error
	// Change lets change read and alter the settings; its error leaves them as they
	// were. It returns the settings after.
	Change(ctx context.Context, change func(*DevSettings, DevNow) error) (DevSettings, error)
}

// DevTx is a transaction to sign and execute.
type DevTx struct {
	From  common.Address
	Nonce *uint64 // nil: the sender's next
	// Make makes the transaction with that nonce.
	Make func(nonce uint64) types.TxData
	// Unsigned asks for no signature even if the node holds the sender's key.
	Unsigned bool
}

// DevMine says which blocks to seal.
type DevMine struct {
	Blocks    uint64
	Timestamp uint64 // of the first, in seconds; 0: as the clock says
	Interval  uint64 // seconds from one to the next; 0: as the clock says
}

// MaxMineBlocks bounds DevMine.Blocks.
const MaxMineBlocks = 100_000

// DevEdit sets parts of one account; nil leaves a part.
type DevEdit struct {
	Address common.Address
	Balance *uint256.Int // wei
	Nonce   *uint64
	Code    *[]byte
	Slot    *common.Hash // set to Value
	Value   common.Hash
}

// DevSettings are what commands change beside the state. They are kept with the chain.
type DevSettings struct {
	OffsetMicros  int64  `json:"offsetMicros"`  // of the chain's clock to the machine's
	NextTimestamp uint64 `json:"nextTimestamp"` // of the next block, in seconds; 0: as the clock says
	Interval      uint64 `json:"interval"`      // seconds between blocks' timestamps; 0: as the clock says
	// NextBaseFee is the base fee in wei per gas of block BaseFeeBlock.
	NextBaseFee    *big.Int                `json:"nextBaseFee,omitempty"`
	BaseFeeBlock   uint64                  `json:"baseFeeBlock"`
	PrevRandao     *common.Hash            `json:"prevRandao,omitempty"` // of block RandaoBlock
	RandaoBlock    uint64                  `json:"randaoBlock"`
	Impersonated   map[common.Address]bool `json:"impersonated,omitempty"`
	ImpersonateAll bool                    `json:"impersonateAll"`
	Manual         bool                    `json:"manual"`         // blocks are sealed by command only
	IntervalMillis chain.Millis            `json:"intervalMillis"` // a block is sealed so often; 0: not by time
}

// DevNow is where the chain is when settings change.
type DevNow struct {
	Clock    chain.Micros // the machine's
	Head     uint64       // number of the last sealed block
	HeadTime uint64       // its timestamp in seconds
	OpenTxs  int          // user transactions in the open block
}

// CheckTimestamp refuses a time in seconds that the next block cannot have.
func (n DevNow) CheckTimestamp(seconds uint64) error {
	const most = 1 << 40 // that the clock in microseconds can show, with room
	switch {
	case seconds <= n.HeadTime:
		return fmt.Errorf("timestamp %d is not after that of block %d, %d", seconds, n.Head, n.HeadTime)
	case seconds > most:
		return fmt.Errorf("timestamp %d: at most %d seconds", seconds, uint64(most))
	}
	return nil
}

// Clone is a copy that shares nothing.
func (s *DevSettings) Clone() DevSettings {
	c := *s
	c.Impersonated = maps.Clone(s.Impersonated)
	if c.Impersonated == nil {
		c.Impersonated = make(map[common.Address]bool)
	}
	return c
}

// Clock is the chain's clock when the machine's shows that.
func (s *DevSettings) Clock(machine chain.Micros) chain.Micros {
	return chain.Micros(max(0, int64(machine)+s.OffsetMicros))
}
