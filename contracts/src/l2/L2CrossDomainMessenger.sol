// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AddressAlias} from "../libraries/AddressAlias.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {SafeCall} from "../libraries/SafeCall.sol";
import {L1Block} from "./L1Block.sol";
import {L2ToL1MessagePasser} from "./L2ToL1MessagePasser.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title L2CrossDomainMessenger
/// @notice Predeploy at 0x4200000000000000000000000000000000000007: messages between
///         contracts of L1 and L2, each from a known sender and run once. One whose target
///         fails stays replayable until it succeeds, and its ether waits here; its sender
///         may take the ether back instead.
/// @dev OP Stack specification, "Cross domain messengers": functions, events, version 1
///      hashes and gas constants are the specification's. Taking back is not in it.
contract L2CrossDomainMessenger {
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
    /// @notice Only the sender of a message takes its value back.
    error NotTheSender(address caller, address sender);
    /// @notice The message has not failed, so there is nothing to take back.
    error MessageNotFailed(bytes32 messageHash);
    /// @notice The message has no value; it stays replayable.
    error NothingToRefund(bytes32 messageHash);
    /// @notice The message's value was taken back; it never runs.
    error MessageWasRefunded(bytes32 messageHash);
    /// @notice Nothing is refunded while a message is being relayed.
    error RelayInProgress();

    /// @notice A message was handed to L1.
    /// @param target       Target on L1.
    /// @param sender       Sender on L2.
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
    /// @notice A failed message's value was sent back to its sender on L1, and the message
    ///         will never run.
    event MessageRefunded(bytes32 indexed msgHash, address indexed sender, uint256 value);

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
    /// @notice L1 gas of a refund: what a plain withdrawal has.
    uint256 public constant REFUND_GAS_LIMIT = 100_000;
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
    /// @notice The messenger on L1.
    /// @dev Slot 3. Genesis writes it.
    address public otherMessenger;
    /// @notice Whether the value of the message with this hash was taken back.
    /// @dev Slot 4.
    mapping(bytes32 messageHash => bool) public refundedMessages;

    /// @dev Sender of the message in progress; zero if there is none.
    address internal transient relayedSender;

    /// @notice Calls a contract of L1, with the ether of this call.
    /// @param _target      Target on L1.
    /// @param _message     Call data.
    /// @param _minGasLimit Gas that the target gets, at least.
    function sendMessage(address _target, bytes calldata _message, uint32 _minGasLimit) external payable {
        if (msg.value != 0 && L1Block(Predeploys.L1_BLOCK).isCustomGasToken()) {
            revert ValueWithCustomGasToken();
        }
        uint256 nonce = messageNonce();
        unchecked {
            ++msgNonce;
        }
        L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER)).initiateWithdrawal{value: msg.value}(
            otherMessenger,
            baseGas(_message, _minGasLimit),
            Encoding.encodeCrossDomainMessageV1(nonce, msg.sender, _target, msg.value, _minGasLimit, _message)
        );
        emit SentMessage(_target, msg.sender, _message, nonce, _minGasLimit);
        emit SentMessageExtension1(msg.sender, msg.value);
    }

    /// @notice Makes the call of a message. The other messenger does so first; if the call
    ///         fails, anybody may repeat it with more gas or at a better time.
    /// @param _nonce       Versioned nonce of the message.
    /// @param _sender      Sender on L1.
    /// @param _target      Target on L2.
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
        if (_nonce >> 240 != MESSAGE_VERSION) revert UnknownMessageVersion(_nonce >> 240);
        bytes32 messageHash = Hashing.hashCrossDomainMessageV1(_nonce, _sender, _target, _value, _minGasLimit, _message);
        if (AddressAlias.toL1(msg.sender) == otherMessenger) {
            // The other messenger counts its messages and passes their value on.
            assert(msg.value == _value);
            assert(!failedMessages[messageHash]);
        } else {
            if (msg.value != 0) revert ReplayWithValue(msg.value);
            if (!failedMessages[messageHash]) revert MessageNotReplayable(messageHash);
        }
        if (successfulMessages[messageHash]) revert MessageAlreadyRelayed(messageHash);
        if (refundedMessages[messageHash]) revert MessageWasRefunded(messageHash);

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

    /// @notice Withdraws the value of a failed message to its sender on L1; the message is
    ///         void from then on. The parameters are those of `relayMessage`.
    /// @dev The sender is known by its L1 address. It calls from the same address with its
    ///      own key, or, if it is a contract, through the Portal from its alias. A contract
    ///      of L2 at the sender's address is somebody else.
    function refundMessage(
        uint256 _nonce,
        address _sender,
        address _target,
        uint256 _value,
        uint256 _minGasLimit,
        bytes calldata _message
    ) external {
        bool byKey = msg.sender == _sender && msg.sender == tx.origin;
        if (!byKey && msg.sender != AddressAlias.toL2(_sender)) revert NotTheSender(msg.sender, _sender);
        // In the middle of a replay the message could still succeed, and be paid twice.
        if (relayedSender != address(0)) revert RelayInProgress();
        bytes32 messageHash = Hashing.hashCrossDomainMessageV1(_nonce, _sender, _target, _value, _minGasLimit, _message);
        if (!failedMessages[messageHash]) revert MessageNotFailed(messageHash);
        if (successfulMessages[messageHash]) revert MessageAlreadyRelayed(messageHash);
        if (refundedMessages[messageHash]) revert MessageWasRefunded(messageHash);
        if (_value == 0) revert NothingToRefund(messageHash);

        refundedMessages[messageHash] = true;
        L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER)).initiateWithdrawal{value: _value}(
            _sender, REFUND_GAS_LIMIT, ""
        );
        emit MessageRefunded(messageHash, _sender, _value);
    }

    /// @notice The messenger on L1.
    function OTHER_MESSENGER() external view returns (address) {
        return otherMessenger;
    }

    /// @notice The messenger on L1.
    function l1CrossDomainMessenger() external view returns (address) {
        return otherMessenger;
    }

    /// @notice Always false: L2 is not paused.
    function paused() external pure returns (bool) {
        return false;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.0.0";
    }

    /// @notice Sender, on L1, of the message in progress.
    function xDomainMessageSender() external view returns (address) {
        if (relayedSender == address(0)) revert NoMessageInProgress();
        return relayedSender;
    }

    /// @notice Nonce of the next message: version in the top two bytes, then a counter.
    function messageNonce() public view returns (uint256) {
        return Encoding.encodeVersionedNonce(msgNonce, MESSAGE_VERSION);
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

    /// @dev Whether a message must not call this target: it obeys this messenger, or is it.
    function _isUnsafeTarget(address target) internal view returns (bool) {
        return target == address(this) || target == Predeploys.L2_TO_L1_MESSAGE_PASSER;
    }
}
