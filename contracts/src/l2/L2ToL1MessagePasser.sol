// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title L2ToL1MessagePasser
/// @notice Predeploy at 0x4200000000000000000000000000000000000016: remembers every
///         message that leaves L2. Its storage root is part of each output root, so a
///         storage proof of `sentMessages` on L1 is a proof that the message was sent.
///         Ether sent along stays here for good; L1 pays it out of the Portal.
/// @dev OP Stack specification, "Withdrawals".
contract L2ToL1MessagePasser {
    /// @notice A message was recorded as sent.
    /// @param nonce          Versioned nonce, unique per message.
    /// @param sender         Sender on L2.
    /// @param target         Target on L1.
    /// @param value          Wei to pass to the target on L1.
    /// @param gasLimit       L1 gas of the call, at least.
    /// @param data           Call data on L1.
    /// @param withdrawalHash Key of the message in `sentMessages`.
    event MessagePassed(
        uint256 indexed nonce,
        address indexed sender,
        address indexed target,
        uint256 value,
        uint256 gasLimit,
        bytes data,
        bytes32 withdrawalHash
    );

    /// @notice L1 gas of a withdrawal made by a plain transfer to this contract.
    uint256 public constant RECEIVE_DEFAULT_GAS_LIMIT = 100_000;
    /// @notice Version of the message hash; the top two bytes of a nonce.
    uint16 public constant MESSAGE_VERSION = 1;

    /// @notice Whether the message with this hash was sent.
    /// @dev Slot 0; withdrawal proofs depend on it.
    mapping(bytes32 withdrawalHash => bool) public sentMessages;
    /// @dev Slot 1: number of messages sent.
    uint240 internal msgNonce;

    /// @notice Withdraws the ether sent to the sender's own address on L1.
    receive() external payable {
        initiateWithdrawal(msg.sender, RECEIVE_DEFAULT_GAS_LIMIT, bytes(""));
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "0.1.0";
    }

    /// @notice Sends a message, with the ether of this call, to L1.
    /// @param _target   Target on L1.
    /// @param _gasLimit L1 gas of the call, at least.
    /// @param _data     Call data on L1.
    function initiateWithdrawal(address _target, uint256 _gasLimit, bytes memory _data) public payable {
        uint256 nonce = messageNonce();
        bytes32 withdrawalHash = keccak256(abi.encode(nonce, msg.sender, _target, msg.value, _gasLimit, _data));
        sentMessages[withdrawalHash] = true;
        msgNonce += 1;
        emit MessagePassed(nonce, msg.sender, _target, msg.value, _gasLimit, _data, withdrawalHash);
    }

    /// @notice Nonce of the next message: version in the top two bytes, then a counter.
    function messageNonce() public view returns (uint256) {
        return (uint256(MESSAGE_VERSION) << 240) | msgNonce;
    }
}
