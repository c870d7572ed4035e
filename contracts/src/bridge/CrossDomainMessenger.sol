// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Encoding} from "../libraries/Encoding.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {SafeCall} from "../libraries/SafeCall.sol";

/// @title CrossDomainMessenger
/// @notice What the messengers of both layers have in common: messages with a sender, a
///         value and a promised amount of gas, which stay replayable until they succeed.
/// @dev OP Stack specification, "Messengers": functions, events, version 1 message hashes
///      and gas constants are the specification's. The first five slots are the same on
///      both layers.
abstract contract CrossDomainMessenger {
    /// @notice The messenger is paused.
    error MessengerPaused();
    /// @notice Value cannot be sent where the native currency is a custom gas token.
    error ValueWithCustomGasToken();
    /// @notice The nonce has a version that is not known.
    error UnknownMessageVersion(uint256 messageVersion);
    /// @notice The message succeeded before.
    error MessageAlreadyRelayed(bytes32 messageHash);
    /// @notice The caller is not the other messenger, and no such message has failed.
    error MessageNotReplayable(bytes32 messageHash);
    /// @notice A replay carries no value: the value is here since the first attempt.
    error ReplayWithValue(uint256 value);
    /// @notice No message is being relayed.
    error NoMessageInProgress();
    /// @notice The message failed while gas was being estimated.
    error RelayFailedInEstimate(bytes32 messageHash);

    /// @notice A message was handed to the other layer.
    /// @param target       Target on the other layer.
    /// @param sender       Sender on this layer.
    /// @param message      Call data.
    /// @param messageNonce Versioned nonce.
    /// @param gasLimit     Gas that the target gets, at least.
    event SentMessage(address indexed target, address sender, bytes message, uint256 messageNonce, uint256 gasLimit);
    /// @notice Follows `SentMessage`: the wei that go along.
    event SentMessageExtension1(address indexed sender, uint256 value);
    /// @notice A message was relayed and its call succeeded.
    event RelayedMessage(bytes32 indexed msgHash);
    /// @notice A message arrived and its call failed; `relayMessage` replays it.
    event FailedRelayedMessage(bytes32 indexed msgHash);

    /// @notice Version of the message hash; the top two bytes of a nonce.
    uint16 public constant MESSAGE_VERSION = 1;
    /// @notice Gas of a relay besides call data and the call itself.
    uint64 public constant RELAY_CONSTANT_OVERHEAD = 200_000;
    /// @notice Numerator of the factor that the 63/64 rule costs.
    uint64 public constant MIN_GAS_DYNAMIC_OVERHEAD_NUMERATOR = 64;
    /// @notice Denominator of the same.
    uint64 public constant MIN_GAS_DYNAMIC_OVERHEAD_DENOMINATOR = 63;
    /// @notice Gas of one byte of call data.
    uint64 public constant MIN_GAS_CALLDATA_OVERHEAD = 16;
    /// @notice Gas of one byte of call data under the floor of EIP-7623.
    uint64 public constant FLOOR_CALLDATA_OVERHEAD = 40;
    /// @notice Gas of a CALL with value to a fresh account, less its stipend.
    uint64 public constant RELAY_CALL_OVERHEAD = 40_000;
    /// @notice Gas kept for what follows the call.
    uint64 public constant RELAY_RESERVED_GAS = 40_000;
    /// @notice Gas for what happens between checking and calling.
    uint64 public constant RELAY_GAS_CHECK_BUFFER = 5_000;
    /// @notice Gas of any transaction.
    uint64 public constant TX_BASE_GAS = 21_000;
    /// @notice Bytes that the encoding adds to a message.
    uint64 public constant ENCODING_OVERHEAD = 260;
    /// @dev Sender of `eth_estimateGas` for which a failed relay reverts, so that the
    ///      estimate finds the gas at which the message succeeds.
    address internal constant ESTIMATION_ADDRESS = address(1);

    /// @notice Whether the message with this hash was relayed with success.
    /// @dev Slot 0.
    mapping(bytes32 messageHash => bool) public successfulMessages;
    /// @notice Whether the message with this hash has ever failed.
    /// @dev Slot 1.
    mapping(bytes32 messageHash => bool) public failedMessages;
    /// @dev Slot 2: number of messages sent.
    uint240 internal msgNonce;
    /// @notice The messenger of the other layer.
    /// @dev Slot 3.
    address public otherMessenger;
    /// @dev Slots 4..49.
    uint256[46] private __gap;

    /// @dev Sender of the message in progress; zero if there is none.
    address internal transient relayedSender;

    /// @notice Calls a contract of the other layer, with the ether of this call.
    /// @param _target      Target on the other layer.
    /// @param _message     Call data.
    /// @param _minGasLimit Gas that the target gets, at least.
    function sendMessage(address _target, bytes calldata _message, uint32 _minGasLimit) external payable {
        if (msg.value != 0 && _hasCustomGasToken()) revert ValueWithCustomGasToken();
        uint256 nonce = messageNonce();
        unchecked {
            ++msgNonce;
        }
        _sendMessage(
            otherMessenger,
            baseGas(_message, _minGasLimit),
            msg.value,
            Encoding.encodeCrossDomainMessageV1(nonce, msg.sender, _target, msg.value, _minGasLimit, _message)
        );
        emit SentMessage(_target, msg.sender, _message, nonce, _minGasLimit);
        emit SentMessageExtension1(msg.sender, msg.value);
    }

    /// @notice Makes the call of a message. The other messenger does so first; if the call
    ///         fails, anybody may repeat it with more gas or at a better time.
    /// @param _nonce       Versioned nonce of the message.
    /// @param _sender      Sender on the other layer.
    /// @param _target      Target on this layer.
    /// @param _value       Wei to pass to the target.
    /// @param _minGasLimit Gas that the target gets, at least.
    /// @param _message     Call data.
    function relayMessage(
        uint256 _nonce,
        address _sender,
        address _target,
        uint256 _value,
        uint256 _minGasLimit,
        bytes calldata _message
    ) external payable {
        if (paused()) revert MessengerPaused();
        if (_nonce >> 240 != MESSAGE_VERSION) revert UnknownMessageVersion(_nonce >> 240);
        bytes32 messageHash = Hashing.hashCrossDomainMessageV1(_nonce, _sender, _target, _value, _minGasLimit, _message);
        if (_isOtherMessenger()) {
            // The other messenger counts its messages and passes their value on.
            assert(msg.value == _value);
            assert(!failedMessages[messageHash]);
        } else {
            if (msg.value != 0) revert ReplayWithValue(msg.value);
            if (!failedMessages[messageHash]) revert MessageNotReplayable(messageHash);
        }
        if (successfulMessages[messageHash]) revert MessageAlreadyRelayed(messageHash);
        _beforeRelay(messageHash);

        // A message to a contract that trusts the messenger never runs, and one inside
        // another waits: both are failed, not lost.
        bool mayRun = !_isUnsafeTarget(_target) && relayedSender == address(0)
            && SafeCall.hasMinGas(_minGasLimit, RELAY_RESERVED_GAS + RELAY_GAS_CHECK_BUFFER);
        bool success;
        if (mayRun) {
            relayedSender = _sender;
            success = SafeCall.callWithGas(_target, gasleft() - RELAY_RESERVED_GAS, _value, _message);
            relayedSender = address(0);
        }
        if (success) {
            assert(!successfulMessages[messageHash]);
            successfulMessages[messageHash] = true;
            emit RelayedMessage(messageHash);
            return;
        }
        failedMessages[messageHash] = true;
        emit FailedRelayedMessage(messageHash);
        if (tx.origin == ESTIMATION_ADDRESS) revert RelayFailedInEstimate(messageHash);
    }

    /// @notice The messenger of the other layer.
    function OTHER_MESSENGER() external view returns (address) {
        return otherMessenger;
    }

    /// @notice Sender, on the other layer, of the message in progress.
    function xDomainMessageSender() external view returns (address) {
        if (relayedSender == address(0)) revert NoMessageInProgress();
        return relayedSender;
    }

    /// @notice Nonce of the next message: version in the top two bytes, then a counter.
    function messageNonce() public view returns (uint256) {
        return Encoding.encodeVersionedNonce(msgNonce, MESSAGE_VERSION);
    }

    /// @notice Whether nothing is relayed for now.
    function paused() public view virtual returns (bool) {
        return false;
    }

    /// @notice Gas limit of a message's transaction such that its target gets its minimum.
    /// @param _message     Call data.
    /// @param _minGasLimit Gas that the target gets, at least.
    function baseGas(bytes memory _message, uint32 _minGasLimit) public pure returns (uint64) {
        uint64 execution = RELAY_CONSTANT_OVERHEAD + RELAY_CALL_OVERHEAD + RELAY_RESERVED_GAS + RELAY_GAS_CHECK_BUFFER
            + (uint64(_minGasLimit) * MIN_GAS_DYNAMIC_OVERHEAD_NUMERATOR) / MIN_GAS_DYNAMIC_OVERHEAD_DENOMINATOR;
        uint64 size = uint64(_message.length) + ENCODING_OVERHEAD;
        uint64 metered = execution + size * MIN_GAS_CALLDATA_OVERHEAD;
        uint64 floor = size * FLOOR_CALLDATA_OVERHEAD;
        return TX_BASE_GAS + (metered > floor ? metered : floor);
    }

    /// @dev Hands a call of `relayMessage` to the other layer.
    function _sendMessage(address to, uint64 gasLimit, uint256 value, bytes memory data) internal virtual;

    /// @dev Reverts where a message must not run although it has not succeeded.
    function _beforeRelay(bytes32 messageHash) internal virtual;

    /// @dev Whether the caller speaks for the other messenger.
    function _isOtherMessenger() internal view virtual returns (bool);

    /// @dev Whether a message must not call this target: it obeys this messenger, or is it.
    function _isUnsafeTarget(address target) internal view virtual returns (bool);

    /// @dev Whether the native currency of L2 is not ether.
    function _hasCustomGasToken() internal view virtual returns (bool);

    /// @dev Sets the other messenger; for initialisers.
    function _setOtherMessenger(address messenger) internal {
        otherMessenger = messenger;
    }
}
