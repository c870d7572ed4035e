package chain

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// BlockParams are what a block's header takes from the SystemConfig contract of L1.
type BlockParams struct {
	GasLimit    Gas    `json:"gasLimit"`    // per block
	Denominator uint32 `json:"denominator"` // EIP-1559, of the base fee of the block behind, 1..
	Elasticity  uint32 `json:"elasticity"`  // EIP-1559, of the base fee of the block behind, 1..
	MinBaseFee  uint64 `json:"minBaseFee"`  // wei per gas, floor of the base fee of the block behind
}

// DAMode says where batches are expected.
type DAMode uint8

// Modes of data availability.
const (
	DABlobs     DAMode = 0 // blobs or calldata
	DAAlt       DAMode = 1 // commitments to data on an alt-DA server
	DACommittee DAMode = 2 // certificates of the committee
)

// SystemConfig is what the SystemConfig contract of L1 can change while the chain
// lives. Derivation follows it block by block (docs/spec/derivation.md).
type SystemConfig struct {
	Batcher           common.Address `json:"batcher"`
	BaseFeeScalar     uint32         `json:"baseFeeScalar"`     // of the L1 data fee
	BlobBaseFeeScalar uint32         `json:"blobBaseFeeScalar"` // of the L1 data fee
	BlockParams
	Sequencer common.Address `json:"sequencer"` // signs mini-blocks
	DAMode    DAMode         `json:"daMode"`
	// GasTokenRate is zero where the native currency is ether.
	GasTokenRate TokenRate `json:"gasTokenRate,omitzero"`
}

// System is the configuration that the chain begins with.
func (c *Config) System() SystemConfig {
	return SystemConfig{
		Batcher: c.Batcher, BaseFeeScalar: c.BaseFeeScalar, BlobBaseFeeScalar: c.BlobBaseFeeScalar,
		BlockParams: c.BlockParams(), Sequencer: c.Sequencer, DAMode: c.DAMode,
		GasTokenRate: c.GasToken.Rate,
	}
}

// BlockParams are those that the chain begins with.
func (c *Config) BlockParams() BlockParams {
	return BlockParams{GasLimit: c.GasLimit, Denominator: c.BaseFeeDenominator, Elasticity: c.BaseFeeElasticity, MinBaseFee: c.MinBaseFee}
}

// ConfigUpdateTopic is the first topic of the SystemConfig contract's
// ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data)
// (OP Stack specification, "System Config").
var ConfigUpdateTopic = crypto.Keccak256Hash([]byte("ConfigUpdate(uint256,uint8,bytes)"))

// Update types. 0..6 are those of the OP Stack's specification; 5 has no meaning here.
const (
	updateBatcher    = 0
	updateScalars    = 1
	updateGasLimit   = 2
	updateSequencer  = 3
	updateEIP1559    = 4
	updateMinBaseFee = 6
	updateDAMode     = 0x80
	updateTokenRate  = 0x81
)

// MaxGasLimit is the largest gas limit of a block that an update may set.
const MaxGasLimit Gas = 1_000_000_000_000

// ErrUpdate is wrapped when a ConfigUpdate event changes nothing because it is
// malformed, unknown or out of range.
var ErrUpdate = errors.New("configuration update passed over")

// Apply gives the configuration after a ConfigUpdate event; on an error, which wraps
// ErrUpdate, it is unchanged.
func (s SystemConfig) Apply(cfg *Config, log *types.Log) (SystemConfig, error) {
	fail := func(format string, args ...any) (SystemConfig, error) {
		return s, fmt.Errorf("log %d: %w: %s", log.Index, ErrUpdate, fmt.Sprintf(format, args...))
	}
	if len(log.Topics) != 3 || log.Topics[0] != ConfigUpdateTopic {
		return fail("no ConfigUpdate event")
	}
	if log.Topics[1] != (common.Hash{}) {
		return fail("version %x is not known", log.Topics[1])
	}
	kind := new(uint256.Int).SetBytes(log.Topics[2][:])
	words, err := eventWords(log.Data)
	if err != nil {
		return fail("%v", err)
	}
	want := 1
	if kind.IsUint64() && kind.Uint64() == updateScalars {
		want = 2
	}
	if len(words) != want {
		return fail("type %s with %d words", kind, len(words))
	}
	word := words[want-1]
	value := new(uint256.Int).SetBytes(word[:])
	switch {
	case !kind.IsUint64():
		return fail("type %s is not known", kind)
	case kind.Uint64() == updateScalars:
		if word[0] != 1 || common.Hash(word) != scalarWord(word) {
			return fail("scalar %x is not of version 1", word)
		}
		s.BlobBaseFeeScalar, s.BaseFeeScalar = binary.BigEndian.Uint32(word[24:]), binary.BigEndian.Uint32(word[28:])
		return s, nil
	case kind.Uint64() == updateBatcher, kind.Uint64() == updateSequencer:
		if value.BitLen() > 160 {
			return fail("%x is no address", word)
		}
		if kind.Uint64() == updateBatcher {
			s.Batcher = common.Address(word[12:])
		} else {
			s.Sequencer = common.Address(word[12:])
		}
		return s, nil
	case kind.Uint64() == updateTokenRate:
		rate := TokenRateOf(word)
		if cfg.GasToken.IsZero() || value.BitLen() > 192 || rate.Rate == 0 || rate.Then == 0 {
			return fail("rate %x, native currency %s", word, cfg.GasToken.CurrencySymbol())
		}
		s.GasTokenRate = rate
		return s, nil
	case !value.IsUint64():
		return fail("type %s with %x", kind, word)
	}
	v := value.Uint64()
	switch kind.Uint64() {
	case updateGasLimit:
		if v < cfg.TxGasCap+DepositGas || v > MaxGasLimit {
			return fail("gas limit %d, allowed %d..%d", v, cfg.TxGasCap+DepositGas, MaxGasLimit)
		}
		s.GasLimit = v
	case updateEIP1559:
		if v>>32 == 0 || uint32(v) == 0 {
			return fail("denominator %d, elasticity %d: must be positive", v>>32, uint32(v))
		}
		s.Denominator, s.Elasticity = uint32(v>>32), uint32(v)
	case updateMinBaseFee:
		s.MinBaseFee = v
	case updateDAMode:
		if v > uint64(DACommittee) {
			return fail("mode of data availability %d is not known", v)
		}
		s.DAMode = DAMode(v)
	default:
		return fail("type %s is not known", kind)
	}
	return s, nil
}

// scalarWord keeps of a scalar what version 1 gives a meaning.
func scalarWord(word [32]byte) (out common.Hash) {
	out[0] = word[0]
	copy(out[24:], word[24:])
	return out
}

// CertifiedTopic is the first topic of the CertificateVerifier contract's
// BatchCertified(bytes32 indexed certificateHash, address indexed batcher, bytes commitment).
var CertifiedTopic = crypto.Keccak256Hash([]byte("BatchCertified(bytes32,address,bytes)"))

// CertifiedBatch reads a BatchCertified event: who sent the certificate, and its encoding.
func CertifiedBatch(log *types.Log) (batcher common.Address, certificate []byte, err error) {
	if len(log.Topics) != 3 || log.Topics[0] != CertifiedTopic {
		return batcher, nil, fmt.Errorf("log %d: no BatchCertified event", log.Index)
	}
	if certificate, err = eventBytes(log.Data); err != nil {
		return batcher, nil, fmt.Errorf("log %d: %w", log.Index, err)
	}
	return common.Address(log.Topics[2][12:]), certificate, nil
}

// eventWords reads the one dynamic argument of an event that is a whole number of words.
func eventWords(data []byte) ([][32]byte, error) {
	opaque, err := eventBytes(data)
	if err != nil {
		return nil, err
	}
	if len(opaque)%32 != 0 {
		return nil, fmt.Errorf("%d bytes of content are no words", len(opaque))
	}
	words := make([][32]byte, len(opaque)/32)
	for i := range words {
		words[i] = [32]byte(opaque[i*32:])
	}
	return words, nil
}

// eventBytes reads the one dynamic argument of an event in the ABI's encoding: offset,
// length, content padded to words.
func eventBytes(data []byte) ([]byte, error) {
	if len(data) < 64 || len(data)%32 != 0 {
		return nil, fmt.Errorf("%d bytes of event data", len(data))
	}
	offset, length := new(uint256.Int).SetBytes(data[:32]), new(uint256.Int).SetBytes(data[32:64])
	if !offset.IsUint64() || offset.Uint64() != 32 || !length.IsUint64() || length.Uint64() > uint64(len(data)-64) {
		return nil, errors.New("malformed event data")
	}
	return data[64 : 64+length.Uint64()], nil
}
