// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

/// @title SystemConfig
/// @notice Parameters of the chain that may change while it runs. Each change is an event
///         that derivation reads: it holds from the first L2 block whose L1 origin is the
///         event's block or later.
/// @dev Functions and event as in the OP Stack specification, "System config", except for
///      the data availability mode, whose update type is this project's own.
contract SystemConfig is OwnableUpgradeable {
    /// @notice The address must not be zero.
    error ZeroAddress();
    /// @notice A batcher hash has bits above an address.
    error BadBatcherHash(bytes32 batcherHash);
    /// @notice A value is outside of its range.
    /// @param updateType Which parameter, by its update type.
    /// @param value      What was asked for.
    /// @param min        Smallest value allowed.
    /// @param max        Largest value allowed.
    error OutOfRange(uint8 updateType, uint256 value, uint256 min, uint256 max);

    /// @notice A parameter was set.
    /// @param version    Version of the event: always 0.
    /// @param updateType Which parameter: one of the constants below.
    /// @param data       Its value, ABI-encoded.
    event ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data);

    /// @notice Everything that the owner sets.
    /// @param batcher            Account on L1 whose batches count.
    /// @param sequencer          Account that signs mini-blocks.
    /// @param basefeeScalar      Weight of the L1 base fee in the L1 data fee, in millionths.
    /// @param blobbasefeeScalar  Weight of the L1 blob base fee, in millionths.
    /// @param gasLimit           Gas of an L2 block.
    /// @param eip1559Denominator How slowly the base fee moves.
    /// @param eip1559Elasticity  Gas limit over gas target.
    /// @param minBaseFee         Floor of the base fee, in wei per gas.
    /// @param daMode             Where batches lie: 0 blobs or calldata, 1 alt-DA, 2 committee.
    struct Settings {
        address batcher;
        address sequencer;
        uint32 basefeeScalar;
        uint32 blobbasefeeScalar;
        uint64 gasLimit;
        uint32 eip1559Denominator;
        uint32 eip1559Elasticity;
        uint64 minBaseFee;
        uint8 daMode;
    }

    /// @notice Version of `ConfigUpdate`.
    uint256 public constant VERSION = 0;
    /// @notice Update types; data is one ABI-encoded word, two for the scalars.
    uint8 public constant BATCHER = 0;
    uint8 public constant FEE_SCALARS = 1;
    uint8 public constant GAS_LIMIT = 2;
    uint8 public constant UNSAFE_BLOCK_SIGNER = 3;
    uint8 public constant EIP_1559_PARAMS = 4;
    uint8 public constant MIN_BASE_FEE = 6;
    uint8 public constant DA_MODE = 0x80;

    /// @notice Smallest and largest gas limit of a block; the smallest has room for all
    ///         deposits of one L1 block.
    uint64 public constant MIN_GAS_LIMIT = 30_000_000;
    uint64 public constant MAX_GAS_LIMIT = 100_000_000_000;
    /// @notice Largest fee scalar, in millionths.
    uint32 public constant MAX_SCALAR = 1_000_000_000;
    /// @notice Bounds of the EIP-1559 parameters.
    uint32 public constant MIN_DENOMINATOR = 2;
    uint32 public constant MAX_DENOMINATOR = 100_000;
    uint32 public constant MAX_ELASTICITY = 100;
    /// @notice Largest floor of the base fee: 1,000 gwei, in wei per gas.
    uint64 public constant MAX_MIN_BASE_FEE = 1e12;
    /// @notice Largest data availability mode.
    uint8 public constant MAX_DA_MODE = 2;

    /// @notice Where batches are sent to on L1; no contract is there.
    address public immutable BATCH_INBOX;
    /// @notice Chain id of L2.
    uint64 public immutable L2_CHAIN_ID;

    /// @dev Slots 0 to 2, in the order of `Settings`.
    Settings internal settings;

    constructor(address batchInbox_, uint64 l2ChainId_) {
        BATCH_INBOX = batchInbox_;
        L2_CHAIN_ID = l2ChainId_;
        _disableInitializers();
    }

    /// @param owner_   Who may change the settings.
    /// @param settings_ What they are at first; each is checked and announced.
    function initialize(address owner_, Settings calldata settings_) external initializer {
        __Ownable_init(owner_);
        _setBatcher(settings_.batcher);
        _setSequencer(settings_.sequencer);
        _setScalars(settings_.basefeeScalar, settings_.blobbasefeeScalar);
        _setGasLimit(settings_.gasLimit);
        _setEIP1559(settings_.eip1559Denominator, settings_.eip1559Elasticity);
        _setMinBaseFee(settings_.minBaseFee);
        _setDAMode(settings_.daMode);
    }

    /// @notice Replaces the batcher.
    /// @param batcherHash_ Its address in the low 20 bytes, zeros above.
    function setBatcherHash(bytes32 batcherHash_) external onlyOwner {
        if (uint256(batcherHash_) >> 160 != 0) revert BadBatcherHash(batcherHash_);
        _setBatcher(address(uint160(uint256(batcherHash_))));
    }

    /// @notice Replaces the account that signs mini-blocks.
    function setUnsafeBlockSigner(address sequencer_) external onlyOwner {
        _setSequencer(sequencer_);
    }

    /// @notice Sets the weights of the L1 fees in the L1 data fee, in millionths.
    function setGasConfigEcotone(uint32 basefeeScalar_, uint32 blobbasefeeScalar_) external onlyOwner {
        _setScalars(basefeeScalar_, blobbasefeeScalar_);
    }

    /// @notice Sets the gas limit of L2 blocks.
    function setGasLimit(uint64 gasLimit_) external onlyOwner {
        _setGasLimit(gasLimit_);
    }

    /// @notice Sets how the base fee moves.
    function setEIP1559Params(uint32 denominator_, uint32 elasticity_) external onlyOwner {
        _setEIP1559(denominator_, elasticity_);
    }

    /// @notice Sets the floor of the base fee, in wei per gas.
    function setMinBaseFee(uint64 minBaseFee_) external onlyOwner {
        _setMinBaseFee(minBaseFee_);
    }

    /// @notice Sets where batches lie: 0 blobs or calldata, 1 alt-DA, 2 committee.
    function setDAMode(uint8 daMode_) external onlyOwner {
        _setDAMode(daMode_);
    }

    /// @notice The batcher's address in the low 20 bytes.
    function batcherHash() external view returns (bytes32) {
        return bytes32(uint256(uint160(settings.batcher)));
    }

    /// @notice The account that signs mini-blocks.
    function unsafeBlockSigner() external view returns (address) {
        return settings.sequencer;
    }

    /// @notice Weight of the L1 base fee, in millionths.
    function basefeeScalar() external view returns (uint32) {
        return settings.basefeeScalar;
    }

    /// @notice Weight of the L1 blob base fee, in millionths.
    function blobbasefeeScalar() external view returns (uint32) {
        return settings.blobbasefeeScalar;
    }

    /// @notice Both weights as L1Block packs them: version 1 in the top byte, then the blob's
    ///         in bits 32..63 and the base fee's in bits 0..31.
    function scalar() public view returns (uint256) {
        return (uint256(1) << 248) | (uint256(settings.blobbasefeeScalar) << 32) | settings.basefeeScalar;
    }

    /// @notice Gas of an L2 block.
    function gasLimit() external view returns (uint64) {
        return settings.gasLimit;
    }

    /// @notice How slowly the base fee moves.
    function eip1559Denominator() external view returns (uint32) {
        return settings.eip1559Denominator;
    }

    /// @notice Gas limit over gas target.
    function eip1559Elasticity() external view returns (uint32) {
        return settings.eip1559Elasticity;
    }

    /// @notice Floor of the base fee, in wei per gas.
    function minBaseFee() external view returns (uint64) {
        return settings.minBaseFee;
    }

    /// @notice Where batches lie: 0 blobs or calldata, 1 alt-DA, 2 committee.
    function daMode() external view returns (uint8) {
        return settings.daMode;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    function _setBatcher(address batcher) internal {
        if (batcher == address(0)) revert ZeroAddress();
        settings.batcher = batcher;
        emit ConfigUpdate(VERSION, BATCHER, abi.encode(batcher));
    }

    function _setSequencer(address sequencer) internal {
        if (sequencer == address(0)) revert ZeroAddress();
        settings.sequencer = sequencer;
        emit ConfigUpdate(VERSION, UNSAFE_BLOCK_SIGNER, abi.encode(sequencer));
    }

    function _setScalars(uint32 base, uint32 blob) internal {
        _check(FEE_SCALARS, base, 0, MAX_SCALAR);
        _check(FEE_SCALARS, blob, 0, MAX_SCALAR);
        settings.basefeeScalar = base;
        settings.blobbasefeeScalar = blob;
        emit ConfigUpdate(VERSION, FEE_SCALARS, abi.encode(uint256(0), scalar()));
    }

    function _setGasLimit(uint64 limit) internal {
        _check(GAS_LIMIT, limit, MIN_GAS_LIMIT, MAX_GAS_LIMIT);
        settings.gasLimit = limit;
        emit ConfigUpdate(VERSION, GAS_LIMIT, abi.encode(limit));
    }

    function _setEIP1559(uint32 denominator, uint32 elasticity) internal {
        _check(EIP_1559_PARAMS, denominator, MIN_DENOMINATOR, MAX_DENOMINATOR);
        _check(EIP_1559_PARAMS, elasticity, 1, MAX_ELASTICITY);
        settings.eip1559Denominator = denominator;
        settings.eip1559Elasticity = elasticity;
        emit ConfigUpdate(VERSION, EIP_1559_PARAMS, abi.encode((uint256(denominator) << 32) | elasticity));
    }

    function _setMinBaseFee(uint64 fee) internal {
        _check(MIN_BASE_FEE, fee, 0, MAX_MIN_BASE_FEE);
        settings.minBaseFee = fee;
        emit ConfigUpdate(VERSION, MIN_BASE_FEE, abi.encode(fee));
    }

    function _setDAMode(uint8 mode) internal {
        _check(DA_MODE, mode, 0, MAX_DA_MODE);
        settings.daMode = mode;
        emit ConfigUpdate(VERSION, DA_MODE, abi.encode(mode));
    }

    function _check(uint8 updateType, uint256 value, uint256 min, uint256 max) internal pure {
        if (value < min || value > max) revert OutOfRange(updateType, value, min, max);
    }
}
