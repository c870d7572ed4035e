// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {TokenRate} from "../libraries/TokenRate.sol";

/// @title SystemConfig
/// @notice Parameters of the chain that may change while it runs. Each change is an event
///         that derivation reads: it holds from the first L2 block whose L1 origin is the
///         event's block or later.
/// @dev Functions and event as in the OP Stack specification, "System config", except for
///      the data availability mode and the rate of the gas token, whose update types are this
///      project's own.
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
    /// @notice The currency of L2 is ether, of which there is no rate.
    error EtherIsNative();
    /// @notice The currency of L2 must have 18 decimals.
    error WrongDecimals(uint8 decimals);
    /// @notice Only the owner and the rate setter may set the rate.
    error NotRateSetter(address caller);
    /// @notice Only the timelock may say that batches lie elsewhere.
    error NotTimelock(address caller);

    /// @notice A parameter was set.
    /// @param version    Version of the event: always 0.
    /// @param updateType Which parameter: one of the constants below.
    /// @param data       Its value, ABI-encoded.
    event ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data);
    /// @notice Another account may set the rate besides the owner; zero is nobody.
    event RateSetterSet(address indexed rateSetter);

    /// @notice Everything that is set; by the owner, but for `daMode`.
    /// @param batcher            Account on L1 whose batches count.
    /// @param sequencer          Account that signs mini-blocks.
    /// @param basefeeScalar      Weight of the L1 base fee in the L1 data fee, in millionths.
    /// @param blobbasefeeScalar  Weight of the L1 blob base fee, in millionths.
    /// @param gasLimit           Gas of an L2 block.
    /// @param eip1559Denominator How slowly the base fee moves.
    /// @param eip1559Elasticity  Gas limit over gas target.
    /// @param minBaseFee         Floor of the base fee, in wei per gas.
    /// @param daMode             Where batches lie: 0 blobs or calldata, 1 alt-DA, 2 committee.
    /// @param gasTokenRate       Wei of the currency of L2 for one gwei of ether; 0 if it is ether.
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
        uint64 gasTokenRate;
    }

    /// @notice How the portal sells the L2 gas of deposits.
    /// @param maxResourceLimit            Most of it in one L1 block.
    /// @param elasticityMultiplier        That over what an L1 block is meant to use.
    /// @param baseFeeMaxChangeDenominator How slowly its price moves.
    /// @param minimumBaseFee              Lowest price, in wei per L2 gas.
    /// @param systemTxMaxGas              L2 gas of the L1-attributes transaction at most.
    /// @param maximumBaseFee              Highest price, in wei per L2 gas.
    struct ResourceConfig {
        uint32 maxResourceLimit;
        uint8 elasticityMultiplier;
        uint8 baseFeeMaxChangeDenominator;
        uint32 minimumBaseFee;
        uint32 systemTxMaxGas;
        uint128 maximumBaseFee;
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
    /// @notice One word: rate (bits 128..191), until when it holds in seconds since 1970
    ///         (64..127), and what counts from then on (0..63).
    uint8 public constant GAS_TOKEN_RATE = 0x81;

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
    /// @notice Who may change where batches lie: users see it coming, and can leave before.
    address public immutable TIMELOCK;
    /// @notice Token that is the currency of L2; zero if it is ether.
    IERC20Metadata public immutable GAS_TOKEN;
    /// @dev Bounds of its rate; zeros if it is ether.
    uint64 internal immutable MIN_RATE;
    uint64 internal immutable MAX_RATE;
    uint64 internal immutable MIN_RATE_INTERVAL;
    uint64 internal immutable MAX_RATE_AGE;

    /// @dev What stands for ether where a token's address is asked for.
    address internal constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @dev Slots 0 to 2, in the order of `Settings`.
    Settings internal settings;
    /// @notice Who may set the rate besides the owner; zero is nobody.
    /// @dev Slot 3, bits 0..159.
    address public rateSetter;
    /// @notice When the rate was set, in seconds since 1970.
    /// @dev Slot 3, bits 160..223.
    uint64 public rateSetAt;

    /// @param timelock_ Who may change where batches lie.
    /// @param gasToken_ Token that is the currency of L2, with 18 decimals; zero if it is ether.
    /// @param bounds    Of its rate; zeros if it is ether.
    constructor(
        address batchInbox_,
        uint64 l2ChainId_,
        address timelock_,
        IERC20Metadata gasToken_,
        TokenRate.Bounds memory bounds
    ) {
        if (timelock_ == address(0)) revert ZeroAddress();
        BATCH_INBOX = batchInbox_;
        L2_CHAIN_ID = l2ChainId_;
        TIMELOCK = timelock_;
        GAS_TOKEN = gasToken_;
        if (address(gasToken_) != address(0)) {
            if (gasToken_.decimals() != 18) revert WrongDecimals(gasToken_.decimals());
            TokenRate.check(bounds);
        }
        (MIN_RATE, MAX_RATE, MIN_RATE_INTERVAL, MAX_RATE_AGE) =
        (bounds.min, bounds.max, bounds.minInterval, bounds.maxAge);
        _disableInitializers();
    }

    /// @param owner_   Who may change the settings, but for `daMode`.
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
        if (isCustomGasToken()) {
            TokenRate.checkFirst(rateBounds(), settings_.gasTokenRate);
            _setRate(settings_.gasTokenRate);
        } else if (settings_.gasTokenRate != 0) {
            revert EtherIsNative();
        }
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

    /// @notice Sets where batches lie: 0 blobs or calldata, 1 alt-DA, 2 committee. Only the
    ///         timelock may: it decides on whom the chain relies. Blobs and calldata count in
    ///         every mode, so that a layer that fails is left without it.
    function setDAMode(uint8 daMode_) external {
        if (msg.sender != TIMELOCK) revert NotTimelock(msg.sender);
        _setDAMode(daMode_);
    }

    /// @notice Names who may set the rate besides the owner; zero is nobody.
    function setRateSetter(address rateSetter_) external onlyOwner {
        rateSetter = rateSetter_;
        emit RateSetterSet(rateSetter_);
    }

    /// @notice Says what ether is worth now, in wei of the currency of L2 for one gwei. The
    ///         same rate again renews it.
    function setGasTokenRate(uint64 rate) external {
        if (msg.sender != owner() && msg.sender != rateSetter) revert NotRateSetter(msg.sender);
        if (!isCustomGasToken()) revert EtherIsNative();
        TokenRate.checkNext(rateBounds(), rate, settings.gasTokenRate, rateSetAt);
        _setRate(rate);
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

    /// @notice What the L1 data fee is multiplied by, in wei of the currency of L2 for one
    ///         gwei of ether; all zero where that is ether.
    /// @return rate  Until `until`.
    /// @return until When it is stale, in seconds since 1970.
    /// @return then_ What counts from then on.
    function gasTokenRate() public view returns (uint64 rate, uint64 until, uint64 then_) {
        if (!isCustomGasToken()) return (0, 0, 0);
        rate = settings.gasTokenRate;
        return (rate, rateSetAt + MAX_RATE_AGE, TokenRate.stale(rateBounds(), rate));
    }

    /// @notice Bounds of the rate; zeros where the currency of L2 is ether.
    function rateBounds() public view returns (TokenRate.Bounds memory) {
        return TokenRate.Bounds(MIN_RATE, MAX_RATE, MIN_RATE_INTERVAL, MAX_RATE_AGE);
    }

    /// @notice Whether the currency of L2 is not ether.
    function isCustomGasToken() public view returns (bool) {
        return address(GAS_TOKEN) != address(0);
    }

    /// @notice The token that is the currency of L2, and its decimals. For ether the address
    ///         is 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE.
    function gasPayingToken() external view returns (address addr_, uint8 decimals_) {
        return (isCustomGasToken() ? address(GAS_TOKEN) : ETHER, 18);
    }

    /// @notice Name of the currency of L2.
    function gasPayingTokenName() external view returns (string memory) {
        return isCustomGasToken() ? GAS_TOKEN.name() : "Ether";
    }

    /// @notice Symbol of the currency of L2.
    function gasPayingTokenSymbol() external view returns (string memory) {
        return isCustomGasToken() ? GAS_TOKEN.symbol() : "ETH";
    }

    /// @notice How the portal sells the L2 gas of deposits. Nobody sets it but by an upgrade:
    ///         whoever could raise the price could keep users from forcing transactions.
    /// @dev Derivation keeps room for `maxResourceLimit` and `systemTxMaxGas` in every block.
    ///      At the lowest price L2 gas costs a tenth of as much L1 gas, less what the deposit
    ///      uses itself: small ones pay nothing more. Full L1 blocks raise the price by 112.5 % each, empty ones
    ///      lower it by 12.5 %. The highest price bounds nothing: L1's own gas limit does.
    function resourceConfig() external pure returns (ResourceConfig memory) {
        return ResourceConfig({
            maxResourceLimit: 20_000_000,
            elasticityMultiplier: 10,
            baseFeeMaxChangeDenominator: 8,
            minimumBaseFee: 0.1 gwei,
            systemTxMaxGas: 1_000_000,
            maximumBaseFee: type(uint128).max
        });
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.2.0";
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

    function _setRate(uint64 rate) internal {
        settings.gasTokenRate = rate;
        rateSetAt = uint64(block.timestamp);
        (, uint64 until, uint64 then_) = gasTokenRate();
        uint256 packed = (uint256(rate) << 128) | (uint256(until) << 64) | then_;
        emit ConfigUpdate(VERSION, GAS_TOKEN_RATE, abi.encode(packed));
    }

    function _check(uint8 updateType, uint256 value, uint256 min, uint256 max) internal pure {
        if (value < min || value > max) revert OutOfRange(updateType, value, min, max);
    }
}
