// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ICheckpoints
/// @notice Hashes of L2 blocks that a quorum has attested to, ahead of settlement.
interface ICheckpoints {
    /// @notice Hash of the attested L2 block at a height; zero if none is attested.
    function blockHash(uint256 l2BlockNumber) external view returns (bytes32);
}
