// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IMessenger {
    function xDomainMessageSender() external view returns (address);
    function sendMessage(address target, bytes calldata message, uint32 minGasLimit) external payable;
}

interface IPortal {
    function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data)
        external
        payable;
}

/// @notice Takes messages and ether while it is open, and sends some in its own name.
contract Gate {
    error Closed();

    bool public open;
    /// @notice Of the newest message, and how many came in.
    address public sender;
    uint256 public word;
    uint256 public count;

    receive() external payable {
        if (!open) revert Closed();
    }

    function set(bool open_) external {
        open = open_;
    }

    function enter(uint256 word_) external payable {
        if (!open) revert Closed();
        sender = IMessenger(msg.sender).xDomainMessageSender();
        word = word_;
        count++;
    }

    /// @notice Deposits as a contract, which on L2 is its alias.
    function deposit(IPortal portal, address to, uint256 value, uint64 gasLimit, bytes calldata data) external payable {
        portal.depositTransaction{value: msg.value}(to, value, gasLimit, false, data);
    }
}
