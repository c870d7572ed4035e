// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title INativeEscrow
/// @notice Holds the L1 token that is the native currency of L2.
interface INativeEscrow {
    /// @notice Pays out what a withdrawal burned on L2; only the portal may call.
    /// @param to     Who gets it.
    /// @param amount In the token's smallest unit, which is a wei of L2.
    function release(address to, uint256 amount) external;
}
