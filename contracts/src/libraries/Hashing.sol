// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Encoding} from "./Encoding.sol";
import {Types} from "./Types.sol";

/// @title Hashing
/// @notice The names under which withdrawals, messages and outputs are known.
/// @dev OP Stack specification, "Withdrawals", "Cross domain messengers" and
///      "L2 output root".
library Hashing {
    /// @notice Key of a withdrawal in the message passer and in the portal.
    function hashWithdrawal(Types.WithdrawalTransaction memory withdrawal) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                withdrawal.nonce,
                withdrawal.sender,
                withdrawal.target,
                withdrawal.value,
                withdrawal.gasLimit,
                withdrawal.data
            )
        );
    }

    /// @notice Storage key of `sentMessages[withdrawalHash]` in the message passer, whose
    ///         mapping is in slot 0.
    function messagePasserSlot(bytes32 withdrawalHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(withdrawalHash, uint256(0)));
    }

    /// @notice Output root of version 0.
    function hashOutputRootProof(Types.OutputRootProof memory proof) internal pure returns (bytes32) {
        return
            keccak256(abi.encode(proof.version, proof.stateRoot, proof.messagePasserStorageRoot, proof.latestBlockhash));
    }

    /// @notice Key of a message of version 1 in both messengers; parameters as in
    ///         `Encoding.encodeCrossDomainMessageV1`.
    function hashCrossDomainMessageV1(
        uint256 nonce,
        address sender,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes memory data
    ) internal pure returns (bytes32) {
        return keccak256(Encoding.encodeCrossDomainMessageV1(nonce, sender, target, value, gasLimit, data));
    }
}
