// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Types
/// @notice Structures that L1 and L2 hash alike.
/// @dev OP Stack specification, "Withdrawals" and "L2 output root".
library Types {
    /// @notice A message from L2 to L1 as the message passer recorded it.
    /// @param nonce    Versioned nonce of the message passer.
    /// @param sender   Sender on L2.
    /// @param target   Target on L1.
    /// @param value    Wei of the native currency to pass to the target.
    /// @param gasLimit L1 gas of the call, at least.
    /// @param data     Call data on L1.
    struct WithdrawalTransaction {
        uint256 nonce;
        address sender;
        address target;
        uint256 value;
        uint256 gasLimit;
        bytes data;
    }

    /// @notice What an output root of version 0 commits to.
    /// @param version                  Always 0.
    /// @param stateRoot                State root of the L2 block.
    /// @param messagePasserStorageRoot Storage root of the message passer in that state.
    /// @param latestBlockhash          Hash of the L2 block.
    struct OutputRootProof {
        bytes32 version;
        bytes32 stateRoot;
        bytes32 messagePasserStorageRoot;
        bytes32 latestBlockhash;
    }
}
