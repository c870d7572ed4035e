// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Encoding} from "../libraries/Encoding.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {SafeCall} from "../libraries/SafeCall.sol";
import {Pause} from "../rollup/Pause.sol";
import {Portal} from "./Portal.sol";

/// @title L1CrossDomainMessenger
/// @notice Messages between contracts of both layers, each from a known sender and
///         delivered once. A message whose target fails is kept, with its ether, and
///         anybody may deliver it again at any time.
/// @dev OP Stack specification, "Cross domain messengers"; message version 1 only.
contract L1CrossDomainMessenger {
    /// @notice Exits are paused until `until`, in seconds since 1970.
    error CallPaused(uint64 until);
    /// @notice The nonce is not of a message of version 1.
    error UnknownVersion(uint16 version);
    /// @notice The portal sent other than the message's value, or a replay sent some.
    error WrongValue(uint256 sent, uint256 expected);
    /// @notice The message has not failed here: only the portal delivers it first.
    error NotReplayable(bytes32 messageHash);
    /// @notice The message was delivered.
    error AlreadyRelayed(bytes32 messageHash);
    /// @notice A message may not call the messenger or the portal.
    error UnsafeTarget(address target);
    /// @notice No message is being delivered.
    error NoMessage();
    /// @notice Another message is being delivered; this one waits as it is.
    error DeliveryInProgress();

    /// @notice A message was sent to L2.
    event SentMessage(address indexed target, address sender, bytes message, uint256 messageNonce, uint256 gasLimit);
    /// @notice Wei that the message carries.
    event SentMessageExtension1(address indexed sender, uint256 value);
    /// @notice A message from L2 was delivered.
    event RelayedMessage(bytes32 indexed msgHash);
    /// @notice The target of a message from L2 failed; the message may be delivered again.
    event FailedRelayedMessage(bytes32 indexed msgHash);

    /// @notice Version of the messages; the top two bytes of a nonce.
    uint16 public constant MESSAGE_VERSION = 1;
    /// @notice The messenger on L2, a predeploy.
    address public constant OTHER_MESSENGER = 0x4200000000000000000000000000000000000007;
    /// @notice Gas of `relayMessage` apart from the target's.
    uint64 public constant RELAY_CONSTANT_OVERHEAD = 200_000;
    /// @notice Gas that a call needs above what it passes on, in 63rds of that (EIP-150).
    uint64 public constant MIN_GAS_DYNAMIC_OVERHEAD_NUMERATOR = 64;
    uint64 public constant MIN_GAS_DYNAMIC_OVERHEAD_DENOMINATOR = 63;
    /// @notice Gas of a transaction without data.
    uint64 public constant TX_BASE_GAS = 21_000;
    /// @notice Gas of a byte of data at least (EIP-7623).
    uint64 public constant FLOOR_CALLDATA_OVERHEAD = 40;
    /// @notice Gas of a byte of data that is not zero.
    uint64 public constant MIN_GAS_CALLDATA_OVERHEAD = 16;
    /// @notice Bytes that the call of `relayMessage` adds to a message.
    uint64 public constant ENCODING_OVERHEAD = 260;
    /// @notice Gas for calling the target.
    uint64 public constant RELAY_CALL_OVERHEAD = 40_000;
    /// @notice Gas kept for what follows the call.
    uint64 public constant RELAY_RESERVED_GAS = 40_000;
    /// @notice Gas between the check and the call.
    uint64 public constant RELAY_GAS_CHECK_BUFFER = 5_000;

    /// @notice The way to and from L2.
    Portal public immutable PORTAL;
    /// @notice Stops deliveries for a bounded time.
    Pause public immutable PAUSE;

    /// @notice Whether a message was delivered.
    /// @dev Slot 0.
    mapping(bytes32 messageHash => bool) public successfulMessages;
    /// @notice Whether a message has failed here; it stays so when a replay succeeds.
    /// @dev Slot 1.
    mapping(bytes32 messageHash => bool) public failedMessages;
    /// @dev Slot 2: number of messages sent.
    uint240 internal msgNonce;

    /// @dev Sender of the message being delivered; zero for none.
    address internal transient currentSender;

    constructor(Portal portal_, Pause pause) {
        PORTAL = portal_;
        PAUSE = pause;
    }

    /// @notice Sends a message, with the ether of this call, to L2.
    /// @param _target      Target on L2.
    /// @param _message     What it is called with.
    /// @param _minGasLimit L2 gas that the target gets, at least.
    function sendMessage(address _target, bytes calldata _message, uint32 _minGasLimit) external payable {
        uint256 nonce = messageNonce();
        msgNonce += 1;
        bytes memory call =
            Encoding.encodeCrossDomainMessageV1(nonce, msg.sender, _target, msg.value, _minGasLimit, _message);
        emit SentMessage(_target, msg.sender, _message, nonce, _minGasLimit);
        emit SentMessageExtension1(msg.sender, msg.value);
        PORTAL.depositTransaction{value: msg.value}(
            OTHER_MESSENGER, msg.value, baseGas(_message, _minGasLimit), false, call
        );
    }

    /// @notice Delivers a message from L2: first by the portal, and again by anybody if it
    ///         failed then. The ether of a failed message waits here.
    /// @param _nonce       Versioned nonce of the messenger on L2.
    /// @param _sender      Who sent it on L2.
    /// @param _target      Whom it is for.
    /// @param _value       Wei sent along.
    /// @param _minGasLimit L1 gas that the target gets, at least.
    /// @param _message     What the target is called with.
    function relayMessage(
        uint256 _nonce,
        address _sender,
        address _target,
        uint256 _value,
        uint256 _minGasLimit,
        bytes calldata _message
    ) external payable {
        if (PAUSE.paused()) revert CallPaused(PAUSE.expiration());
        (, uint16 messageVersion) = Encoding.decodeVersionedNonce(_nonce);
        if (messageVersion != MESSAGE_VERSION) revert UnknownVersion(messageVersion);
        bytes32 hash = Hashing.hashCrossDomainMessageV1(_nonce, _sender, _target, _value, _minGasLimit, _message);

        bool first = msg.sender == address(PORTAL) && PORTAL.l2Sender() == OTHER_MESSENGER;
        if (msg.value != (first ? _value : 0)) revert WrongValue(msg.value, first ? _value : 0);
        if (!first && !failedMessages[hash]) revert NotReplayable(hash);
        if (_isUnsafeTarget(_target)) revert UnsafeTarget(_target);
        if (successfulMessages[hash]) revert AlreadyRelayed(hash);
        // Failing it instead would let whoever replays a message of his own fail others'.
        if (currentSender != address(0)) revert DeliveryInProgress();

        bool delivered = _deliver(hash, _sender, _target, _value, _minGasLimit, _message);
        if (delivered) {
            emit RelayedMessage(hash);
        } else {
            failedMessages[hash] = true;
            emit FailedRelayedMessage(hash);
        }
    }

    /// @notice Who sent the message being delivered, on L2; reverts if there is none.
    function xDomainMessageSender() external view returns (address) {
        if (currentSender == address(0)) revert NoMessage();
        return currentSender;
    }

    /// @notice The messenger on L2.
    function otherMessenger() external pure returns (address) {
        return OTHER_MESSENGER;
    }

    /// @notice The way to and from L2.
    function portal() external view returns (Portal) {
        return PORTAL;
    }

    /// @notice Whether deliveries are paused.
    function paused() external view returns (bool) {
        return PAUSE.paused();
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.0.0";
    }

    /// @notice Nonce of the next message: version in the top two bytes, then a counter.
    function messageNonce() public view returns (uint256) {
        return Encoding.encodeVersionedNonce(msgNonce, MESSAGE_VERSION);
    }

    /// @notice Gas limit of the transaction that delivers a message, so that its target gets
    ///         `_minGasLimit` whatever the message.
    function baseGas(bytes calldata _message, uint32 _minGasLimit) public pure returns (uint64) {
        uint64 execution = RELAY_CONSTANT_OVERHEAD + RELAY_CALL_OVERHEAD + RELAY_RESERVED_GAS + RELAY_GAS_CHECK_BUFFER
            + (uint64(_minGasLimit) * MIN_GAS_DYNAMIC_OVERHEAD_NUMERATOR) / MIN_GAS_DYNAMIC_OVERHEAD_DENOMINATOR;
        uint64 size = uint64(_message.length) + ENCODING_OVERHEAD;
        uint64 priced = execution + size * MIN_GAS_CALLDATA_OVERHEAD;
        uint64 floor = size * FLOOR_CALLDATA_OVERHEAD;
        return TX_BASE_GAS + (priced > floor ? priced : floor);
    }

    /// @dev Whom a message must not speak to in the messenger's name: itself, the portal, and
    ///      the escrow that deposits for whoever calls it.
    function _isUnsafeTarget(address target) internal view returns (bool) {
        return target == address(this) || target == address(PORTAL) || target == address(PORTAL.NATIVE_ESCROW());
    }

    /// @dev Calls the target, unless there is too little gas. A message counts as delivered
    ///      before its target runs.
    function _deliver(
        bytes32 hash,
        address sender,
        address target,
        uint256 value,
        uint256 minGasLimit,
        bytes calldata message
    ) internal returns (bool delivered) {
        if (!SafeCall.hasMinGas(minGasLimit, RELAY_RESERVED_GAS + RELAY_GAS_CHECK_BUFFER)) {
            return false;
        }
        successfulMessages[hash] = true;
        currentSender = sender;
        delivered = SafeCall.callWithGas(target, gasleft() - RELAY_RESERVED_GAS, value, message);
        currentSender = address(0);
        if (!delivered) successfulMessages[hash] = false;
    }
}
