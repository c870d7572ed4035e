// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Encoding
/// @notice Versioned nonces and the calls that carry messages between the layers.
/// @dev OP Stack specification, "Cross domain messengers", section "Message versioning".
library Encoding {
    /// @notice Puts a version above a counter.
    /// @param nonce   Counter, below 2^240.
    /// @param version Version of the encoding that the nonce belongs to.
    function encodeVersionedNonce(uint240 nonce, uint16 version) internal pure returns (uint256) {
        return (uint256(version) << 240) | nonce;
    }

    /// @notice Splits a versioned nonce into its counter and its version.
    function decodeVersionedNonce(uint256 versionedNonce) internal pure returns (uint240 nonce, uint16 version) {
        // Both casts drop exactly the part that the other keeps.
        // forge-lint: disable-next-line(unsafe-typecast)
        return (uint240(versionedNonce), uint16(versionedNonce >> 240));
    }

    /// @notice The call of `relayMessage` that delivers a message of version 1.
    /// @param nonce    Versioned nonce of the sending messenger.
    /// @param sender   Who sent the message on the other layer.
    /// @param target   Whom it is for.
    /// @param value    Wei sent along.
    /// @param gasLimit Gas that the target gets, at least.
    /// @param data     What the target is called with.
    function encodeCrossDomainMessageV1(
        uint256 nonce,
        address sender,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes memory data
    ) internal pure returns (bytes memory) {
        return abi.encodeWithSignature(
            "relayMessage(uint256,address,address,uint256,uint256,bytes)", nonce, sender, target, value, gasLimit, data
        );
    }
}
