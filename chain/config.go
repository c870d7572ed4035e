package chain

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Addresses that the protocol fixes. The 0x4200… predeploys are those of the OP
// Stack's public specification ("Predeploys").
var (
	MessagePasserAddr     = common.HexToAddress("0x4200000000000000000000000000000000000016")
	L1BlockAddr           = common.HexToAddress("0x4200000000000000000000000000000000000015")
	SequencerFeeVaultAddr = common.HexToAddress("0x4200000000000000000000000000000000000011")
	BaseFeeVaultAddr      = common.HexToAddress("0x4200000000000000000000000000000000000019")
	L1FeeVaultAddr        = common.HexToAddress("0x420000000000000000000000000000000000001A")
	// MiniBlockClockAddr is the first after the 2,048 that the OP Stack reserves.
	MiniBlockClockAddr = common.HexToAddress("0x4200000000000000000000000000000000000800")
	// L1AttributesDepositor is the sender of the first transaction of every block.
	L1AttributesDepositor = common.HexToAddress("0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001")
)

// Default limits and parameters; docs/spec/chain.md explains each.
const (
	DefaultL1ChainID       = 7410
	DefaultL2ChainID       = 7411
	DefaultGasLimit    Gas = 10_000_000_000
	DefaultTxGasCap    Gas = 1_000_000_000
	DefaultMaxCode         = 524_288
	DefaultMaxInitCode     = 1_048_576
	DefaultMaxTxBytes      = 2 * 1_048_576
	DefaultBaseFee         = 1_000_000
	DefaultDenominator     = 250
	DefaultElasticity      = 6
	// DefaultInclusionWindow is 12 hours of Ethereum's blocks.
	DefaultInclusionWindow = 3_600
	// MaxInclusionWindow bounds how many L1 blocks a node keeps.
	MaxInclusionWindow = 50_000

	// DepositGas is what a block keeps free for L1: the attributes deposit, and the
	// 20,000,000 gas of deposits that the portal lets into one L1 block.
	DepositGas Gas = 21_000_000
	// MaxBlockTxBytes bounds the raw user transactions of one block; a larger block
	// could not be posted.
	MaxBlockTxBytes = 32 << 20
)

// Config is everything that two nodes must share to compute the same blocks from
// the same inputs. It never changes during the life of a chain; what SystemConfig
// names is where the chain begins, and L1 may change it later.
type Config struct {
	ChainID   uint64 `json:"chainId"`   // 1..2^53
	L1ChainID uint64 `json:"l1ChainId"` // 1..2^53

	GasLimit    Gas    `json:"gasLimit"`    // per block, 30,000,000.. [10,000,000,000]
	TxGasCap    Gas    `json:"txGasCap"`    // per transaction, replaces EIP-7825's 2^24 [1,000,000,000]
	MaxCodeSize uint64 `json:"maxCodeSize"` // bytes, replaces EIP-170's 24,576 [524,288]
	MaxInitCode uint64 `json:"maxInitCode"` // bytes, replaces EIP-3860's 49,152 [1,048,576]
	MaxTxBytes  uint64 `json:"maxTxBytes"`  // bytes of one encoded transaction [2,097,152]

	BaseFeeDenominator uint32 `json:"baseFeeDenominator"` // EIP-1559 [250]
	BaseFeeElasticity  uint32 `json:"baseFeeElasticity"`  // EIP-1559 [6]
	MinBaseFee         uint64 `json:"minBaseFee"`         // wei per gas, floor of the base fee [1,000,000]

	// Sequencer signs mini-blocks. Batcher sends batches to BatchInbox on L1, and
	// derivation ignores everybody else's. Portal emits deposits.
	Sequencer  common.Address `json:"sequencer"`
	Batcher    common.Address `json:"batcher"`
	BatchInbox common.Address `json:"batchInbox"`
	Portal     common.Address `json:"portal"`
	// DisputeGameFactory takes claims of output roots. The two bridge contracts are the
	// other side of L2's.
	DisputeGameFactory     common.Address `json:"disputeGameFactory"`
	L1CrossDomainMessenger common.Address `json:"l1CrossDomainMessenger"`
	L1StandardBridge       common.Address `json:"l1StandardBridge"`

	// SystemConfig is the L1 contract whose events change the chain's parameters; zero:
	// there is none, and they stay.
	SystemConfig      common.Address `json:"systemConfig"`
	BaseFeeScalar     uint32         `json:"baseFeeScalar"`     // of the L1 data fee
	BlobBaseFeeScalar uint32         `json:"blobBaseFeeScalar"` // of the L1 data fee
	DAMode            DAMode         `json:"daMode"`            // 0..2
	// CertificateVerifier is the L1 contract whose events name the data that the committee
	// keeps; zero: there is no committee.
	CertificateVerifier common.Address `json:"certificateVerifier"`
	// AltDAGeneric takes commitments of alt-DA servers that nothing checks (type 1): the
	// chain trusts its server then.
	AltDAGeneric bool `json:"altDAGeneric,omitempty"`

	// GasToken is the native currency where that is not ether. It never changes; its rate
	// may.
	GasToken GasToken `json:"gasToken,omitzero"`

	// InclusionWindow is after how many L1 blocks a deposit enters the chain without the
	// sequencer, 10..50,000 [3,600].
	InclusionWindow uint64 `json:"inclusionWindow"`
}

// DefaultConfig is the configuration of a devnet before contracts are deployed.
func DefaultConfig() Config {
	return Config{
		ChainID: DefaultL2ChainID, L1ChainID: DefaultL1ChainID,
		GasLimit: DefaultGasLimit, TxGasCap: DefaultTxGasCap,
		MaxCodeSize: DefaultMaxCode, MaxInitCode: DefaultMaxInitCode, MaxTxBytes: DefaultMaxTxBytes,
		BaseFeeDenominator: DefaultDenominator, BaseFeeElasticity: DefaultElasticity,
		MinBaseFee: DefaultBaseFee, InclusionWindow: DefaultInclusionWindow,
	}
}

// Check returns what is wrong with the configuration, naming the field.
func (c *Config) Check() error {
	switch {
	case c.ChainID == 0 || c.ChainID > 1<<53:
		return fmt.Errorf("chainId %d: must be 1..2^53", c.ChainID)
	case c.L1ChainID == 0 || c.L1ChainID > 1<<53:
		return fmt.Errorf("l1ChainId %d: must be 1..2^53", c.L1ChainID)
	case c.ChainID == c.L1ChainID:
		return errors.New("chainId: must differ from l1ChainId")
	case c.GasLimit < 30_000_000:
		return fmt.Errorf("gasLimit %d: must be at least 30,000,000", c.GasLimit)
	case c.TxGasCap < 21_000 || c.TxGasCap > c.GasLimit-DepositGas:
		return fmt.Errorf("txGasCap %d: must be 21,000..gasLimit less %d for deposits", c.TxGasCap, DepositGas)
	case c.MaxCodeSize == 0 || c.MaxInitCode < c.MaxCodeSize:
		return fmt.Errorf("maxCodeSize %d, maxInitCode %d: must be positive and in order", c.MaxCodeSize, c.MaxInitCode)
	case c.MaxTxBytes < 1024 || c.MaxTxBytes > MaxBlockTxBytes:
		return fmt.Errorf("maxTxBytes %d: must be 1024..%d", c.MaxTxBytes, MaxBlockTxBytes)
	case c.InclusionWindow < 10 || c.InclusionWindow > MaxInclusionWindow:
		return fmt.Errorf("inclusionWindow %d: must be 10..%d L1 blocks", c.InclusionWindow, MaxInclusionWindow)
	case c.DAMode > DACommittee:
		return fmt.Errorf("daMode %d: must be 0..%d", c.DAMode, DACommittee)
	case c.BaseFeeDenominator == 0 || c.BaseFeeElasticity == 0:
		return errors.New("baseFeeDenominator, baseFeeElasticity: must be positive")
	}
	return c.GasToken.Check()
}
