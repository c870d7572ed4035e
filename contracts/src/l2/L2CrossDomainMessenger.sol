// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CrossDomainMessenger} from "../bridge/CrossDomainMessenger.sol";
import {L2ToL1MessagePasser} from "./L2ToL1MessagePasser.sol";
import {AddressAlias} from "../libraries/AddressAlias.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {L1Block} from "./L1Block.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title L2CrossDomainMessenger
/// @notice Predeploy at 0x4200000000000000000000000000000000000007: messages between
///         contracts of L1 and L2. The ether of a message that failed here waits for a
///         replay, and the message's sender may take it back instead.
contract L2CrossDomainMessenger is CrossDomainMessenger {
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

    /// @notice A failed message's value was sent back to its sender on L1, and the message
    ///         will never run.
    event MessageRefunded(bytes32 indexed msgHash, address indexed sender, uint256 value);

    /// @notice L1 gas of a refund: what a plain withdrawal has.
    uint256 public constant REFUND_GAS_LIMIT = 100_000;

    /// @notice Whether the value of the message with this hash was taken back.
    /// @dev Slot 50.
    mapping(bytes32 messageHash => bool) public refundedMessages;

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
    function l1CrossDomainMessenger() external view returns (address) {
        return otherMessenger;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    function _sendMessage(address to, uint64 gasLimit, uint256 value, bytes memory data) internal override {
        L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER)).initiateWithdrawal{value: value}(
            to, gasLimit, data
        );
    }

    function _beforeRelay(bytes32 messageHash) internal view override {
        if (refundedMessages[messageHash]) revert MessageWasRefunded(messageHash);
    }

    function _isOtherMessenger() internal view override returns (bool) {
        return AddressAlias.toL1(msg.sender) == otherMessenger;
    }

    function _isUnsafeTarget(address target) internal view override returns (bool) {
        return target == address(this) || target == Predeploys.L2_TO_L1_MESSAGE_PASSER;
    }

    function _hasCustomGasToken() internal view override returns (bool) {
        return L1Block(Predeploys.L1_BLOCK).isCustomGasToken();
    }
}
