// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";

import {Hashing} from "./Hashing.sol";

/// @title WithdrawalProof
/// @notice Whether the message passer had recorded a withdrawal, by a Merkle-Patricia
///         proof against its storage root.
library WithdrawalProof {
    /// @notice Whether `proof` shows `sentMessages[withdrawalHash] == true` under
    ///         `storageRoot`. Malformed proofs give false or revert.
    /// @param withdrawalHash Hash of the withdrawal.
    /// @param storageRoot    Storage root of the message passer.
    /// @param proof          Trie nodes from the root down, as `eth_getProof` gives them.
    function verify(bytes32 withdrawalHash, bytes32 storageRoot, bytes[] memory proof) internal pure returns (bool) {
        bytes memory key = abi.encodePacked(keccak256(abi.encode(Hashing.messagePasserSlot(withdrawalHash))));
        return TrieProof.verify(hex"01", storageRoot, key, proof); // RLP of true
    }
}
